//go:build amd64 && cgo && !noxla

// The kernels for x86 with AVX-512.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,fma")
#endif
#define LANES 16
#define register_calls patchlab_register_avx512
#include "handlers_linux.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
