//go:build (amd64 || arm64) && cgo && !noxla

#include "calls_linux.h"

int patchlab_register_calls(const api_table *api) {
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma")) return patchlab_register_avx512(api);
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return patchlab_register_avx2(api);
#endif
	return patchlab_register_any(api);
}
