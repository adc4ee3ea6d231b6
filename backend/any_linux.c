//go:build (amd64 || arm64) && cgo && !noxla

// The kernels for any processor.
#define LANES 4
#define register_calls patchlab_register_any
#include "handlers_linux.h"
