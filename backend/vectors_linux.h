// Vectors of 16 numbers for the kernels, and one copy of each kernel for each set of
// instructions: x86 with AVX-512, with AVX2, and any other processor.
#pragma once

#include <stdint.h>
#include <string.h>

enum { lanes = 16 };
typedef float vec __attribute__((vector_size(lanes * sizeof(float))));
typedef float loose __attribute__((vector_size(lanes * sizeof(float)), aligned(sizeof(float)), may_alias)); // anywhere in an array

#define AT(p) (*(const loose *)(p))
#define PUT(p, v) (*(loose *)(p) = (v))

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

// load and store move a vector of which count numbers are there; the others are 0.
INLINE void load(vec *to, const float *from, int64_t count) {
	if (count >= lanes) {
		*to = AT(from);
	} else {
		*to = (vec){0};
		memcpy(to, from, count * sizeof(float));
	}
}

INLINE void store(float *to, const vec *from, int64_t count) {
	if (count >= lanes) PUT(to, *from);
	else memcpy(to, from, count * sizeof(float));
}

// KERNEL(name, type) defines int name(const void *work, int64_t unit) by
// INLINE int name_body(const type *work, int64_t unit, const int across), across
// being how many vectors fit into registers as sums.
#ifdef __x86_64__
#define KERNEL(name, type) \
	__attribute__((target("avx512f,fma"))) static int name##_avx512(const void *work, int64_t unit) { return name##_body((const type *)work, unit, 8); } \
	__attribute__((target("avx2,fma"))) static int name##_avx2(const void *work, int64_t unit) { return name##_body((const type *)work, unit, 4); } \
	static int name##_plain(const void *work, int64_t unit) { return name##_body((const type *)work, unit, 4); } \
	int name(const void *work, int64_t unit) { \
		if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma")) return name##_avx512(work, unit); \
		if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return name##_avx2(work, unit); \
		return name##_plain(work, unit); \
	}
#else
#define KERNEL(name, type) \
	int name(const void *work, int64_t unit) { return name##_body((const type *)work, unit, 4); }
#endif
