//go:build amd64 && cgo && !noxla

// The kernels for x86 with AVX2.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define LANES 8
#define register_calls patchlab_register_avx2
#include "handlers_linux.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
