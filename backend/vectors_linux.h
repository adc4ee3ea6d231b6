// Vectors of LANES numbers for the kernels: as many as a register has, for the compiler keeps larger ones in memory.
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { lanes = LANES };
typedef float vec __attribute__((vector_size(lanes * sizeof(float))));
typedef float loose __attribute__((vector_size(lanes * sizeof(float)), aligned(sizeof(float)), may_alias)); // anywhere in an array

#define AT(p) (*(const loose *)(p))
#define PUT(p, v) (*(loose *)(p) = (v))

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// divided rounds up.
INLINE int64_t divided(int64_t n, int64_t by) { return (n + by - 1) / by; }

// room_for is for so many floats, aligned as a cache line is; NULL: there is no memory.
static float *room_for(int64_t count) { return aligned_alloc(64, divided(count * sizeof(float), 64) * 64); }

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

// COLUMNS defines a kernel of such a work that calls one for four vectors of channels, then for
// single ones, at last for the count of channels that are less than a vector.
#define COLUMNS(name, kind, one) \
	static int name(const void *work, int64_t unit) { \
		const kind *w = work; \
		int64_t c = 0; \
		for (; c + 4 * lanes <= w->channels; c += 4 * lanes) one(w, unit, c, 4, lanes); \
		for (; c + lanes <= w->channels; c += lanes) one(w, unit, c, 1, lanes); \
		if (c < w->channels) one(w, unit, c, 1, w->channels - c); \
		return 1; \
	}

typedef float half __attribute__((vector_size(lanes / 2 * sizeof(float))));
typedef float quarter __attribute__((vector_size(lanes / 4 * sizeof(float))));

INLINE float total(const vec *v) {
	half halves[2];
	quarter quarters[2];
	memcpy(halves, v, sizeof halves);
	halves[0] += halves[1];
	memcpy(quarters, halves, sizeof quarters);
	quarters[0] += quarters[1];
	float sum = quarters[0][0];
	UNROLL for (int i = 1; i < lanes / 4; i++) sum += quarters[0][i];
	return sum;
}

// The compiler makes vectors of a loop only where that has no branches. So below, magnitudes are compared as integers,
// whose order they have, and numbers are rounded by adding one so large that nothing is left of fractions.

INLINE int32_t bits(float x) {
	int32_t b;
	memcpy(&b, &x, sizeof b);
	return b;
}

INLINE float number_of(int32_t b) {
	float x;
	memcpy(&x, &b, sizeof x);
	return x;
}

// below is -1 where x is less in magnitude than a positive limit, else 0, also for NaN.
INLINE int32_t below(float x, float limit) { return ((bits(x) & 0x7fffffff) - bits(limit)) >> 31; }

// exponential is exp(x) of an x from -87 to 0, 0 below that, NaN of NaN: a power of two times a series of eight terms.
INLINE float exponential(float x) {
	const float large = 12582912; // 1.5 times two to the 23rd
	const int32_t inside = below(x, 87), none = (0x7f800000 - (bits(x) & 0x7fffffff)) >> 31;
	const float c = number_of(bits(x) & inside), rounded = c * 1.44269504f + large;
	const float n = rounded - large, r = c - n * .693359375f + n * 2.12194440e-4f; // ln 2 in two parts
	const float e = ((((((r * (1.f / 5040) + 1.f / 720) * r + 1.f / 120) * r + 1.f / 24) * r + 1.f / 6) * r + .5f) * r + 1) * r + 1;
	return number_of((bits(e * number_of((bits(rounded) - bits(large) + 127) << 23)) & inside) | none);
}
