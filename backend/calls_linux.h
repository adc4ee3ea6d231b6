#include "pjrt_linux.h"

// patchlab_register_calls makes the kernels of kernels_linux.h targets of custom
// calls in programs for the CPU plugin whose table of functions this is, those for
// the best set of instructions that this processor has. 0: the plugin takes none.
int patchlab_register_calls(const api_table *api);

// These do so each for one set, which the processor must have.
int patchlab_register_avx512(const api_table *api);
int patchlab_register_avx2(const api_table *api);
int patchlab_register_any(const api_table *api);
