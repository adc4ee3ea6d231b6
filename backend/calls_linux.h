#include "pjrt_linux.h"

// patchlab_register_calls makes the kernels of kernels_linux.h targets of custom
// calls in programs for the CPU plugin whose table of functions this is. 0: the
// plugin takes none.
int patchlab_register_calls(const api_table *api);
