//go:build (amd64 || arm64) && cgo && !noxla

// So that the compiler makes the loops' bodies ones of vectors; clang does it unasked.
#ifndef __clang__
#pragma GCC push_options
#pragma GCC optimize("O3")
#endif

#include "kernels_linux.h"

#include "vectors_linux.h"

// rows_of is how many rows one unit takes.
static int64_t rows_of(const softmax_work *w) { return w->columns < 1 << 14 ? (1 << 14) / w->columns : 1; }

int64_t softmax_units(const softmax_work *w) { return (w->rows + rows_of(w) - 1) / rows_of(w); }

// ordered has the order of the floats whose bits it gets, and gives them back of what it gave.
INLINE int32_t ordered(int32_t b) { return b ^ (b >> 31 & 0x7fffffff); }

// mask is -1 where dropout keeps number i, else 0, as models.randomBits has it.
INLINE int32_t mask(uint32_t i, uint32_t first, uint32_t second, uint32_t threshold) {
	uint32_t h = i * 0x9e3779b1 + first;
	h = (h ^ h >> 16) * 0x7feb352d;
	h = (h ^ h >> 15 ^ second) * 0x846ca68b;
	h ^= h >> 16;
	return -(int32_t)(h < threshold);
}

INLINE float sum_of(const float *x, int64_t n) {
	vec parts = {0};
	int64_t i = 0;
	for (; i + lanes <= n; i += lanes) parts += AT(x + i);
	float sum = total(&parts);
	for (; i < n; i++) sum += x[i];
	return sum;
}

INLINE float sum_of_products(const float *x, const float *y, int64_t n) {
	vec parts = {0};
	int64_t i = 0;
	for (; i + lanes <= n; i += lanes) parts += AT(x + i) * AT(y + i);
	float sum = total(&parts);
	for (; i < n; i++) sum += x[i] * y[i];
	return sum;
}

INLINE int softmax_body(const softmax_work *w, int64_t unit, const int across) {
	const int64_t n = w->columns, end = (unit + 1) * rows_of(w) < w->rows ? (unit + 1) * rows_of(w) : w->rows;
	const uint32_t first = w->first, second = w->second, threshold = w->threshold;
	for (int64_t row = unit * rows_of(w); row < end; row++) {
		const float *x = w->x + row * n;
		float *restrict y = w->y + row * n;
		int32_t most = ordered(bits(x[0]));
		for (int64_t i = 1; i < n; i++) {
			const int32_t own = ordered(bits(x[i]));
			most = own > most ? own : most;
		}
		const float max = number_of(ordered(most));
		for (int64_t i = 0; i < n; i++) y[i] = exponential(x[i] - max);
		const float inverse = 1 / sum_of(y, n), share = inverse * w->scale;
		w->sums[2 * row] = max;
		w->sums[2 * row + 1] = inverse;
		if (w->scale == 1) {
			for (int64_t i = 0; i < n; i++) y[i] *= share;
		} else {
			for (int64_t i = 0; i < n; i++) y[i] = number_of(bits(y[i] * share) & mask(row * n + i, first, second, threshold));
		}
	}
	return 1;
}

// softmax_gradient_body's sum is that of p and the gradient that dropout hands on, which is that of y and dy.
INLINE int softmax_gradient_body(const softmax_work *w, int64_t unit, const int across) {
	const int64_t n = w->columns, end = (unit + 1) * rows_of(w) < w->rows ? (unit + 1) * rows_of(w) : w->rows;
	const uint32_t first = w->first, second = w->second, threshold = w->threshold;
	const float scale = w->scale;
	for (int64_t row = unit * rows_of(w); row < end; row++) {
		const float *x = w->x + row * n, *dy = w->dy + row * n, max = w->sums[2 * row], inverse = w->sums[2 * row + 1];
		const float sum = sum_of_products(w->y + row * n, dy, n);
		float *restrict dx = w->dx + row * n;
		if (scale == 1) {
			for (int64_t i = 0; i < n; i++) dx[i] = exponential(x[i] - max) * inverse * (dy[i] - sum);
		} else {
			for (int64_t i = 0; i < n; i++) {
				const float kept = number_of(bits(dy[i] * scale) & mask(row * n + i, first, second, threshold));
				dx[i] = exponential(x[i] - max) * inverse * (kept - sum);
			}
		}
	}
	return 1;
}

KERNEL(softmax, softmax_work)
KERNEL(softmax_gradient, softmax_work)

#ifndef __clang__
#pragma GCC pop_options
#endif
