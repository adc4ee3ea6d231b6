#pragma once

#include <math.h>

#include "kernels_linux.h"
#include "vectors_linux.h"

// So that the compiler makes the loop's body one of vectors; clang does it unasked.
#ifndef __clang__
#pragma GCC push_options
#pragma GCC optimize("O3")
#endif

float sqrtf(float) __attribute__((const)); // errno is not needed, so that it can be a vector's instruction

// Numbers that one unit takes.
enum { numbers = 1 << 14 };

static int64_t adamw_units(const adamw_work *w) { return divided(w->count, numbers); }

static int adamw(const void *work, int64_t unit) {
	const adamw_work *a = work;
	const int64_t end = least((unit + 1) * numbers, a->count);
	const float mean_rate = a->mean_rate, square_rate = a->square_rate, decay = a->decay, rate = a->rate, epsilon = a->epsilon;
	const float *w = a->w, *g = a->gradient, *m = a->mean, *v = a->square;
	float *to = a->to, *to_mean = a->to_mean, *to_square = a->to_square;
#ifndef __clang__
#pragma GCC ivdep // a result lies apart from an argument or in the same place
#endif
	for (int64_t i = unit * numbers; i < end; i++) {
		const float mean = m[i] + (g[i] - m[i]) * mean_rate, square = v[i] + (g[i] * g[i] - v[i]) * square_rate;
		to[i] = w[i] - w[i] * decay - mean * rate / (sqrtf(square) + epsilon);
		to_mean[i] = mean;
		to_square[i] = square;
	}
	return 1;
}

#ifndef __clang__
#pragma GCC pop_options
#endif
