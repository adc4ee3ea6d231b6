#pragma once

#include "kernels_linux.h"
#include "vectors_linux.h"

// So that the compiler makes the loops' bodies ones of vectors; clang does it unasked.
#ifndef __clang__
#pragma GCC push_options
#pragma GCC optimize("O3")
#endif

// Numbers that one unit takes, and that one loop takes at most where channels are few.
enum { portion = 1 << 14, repeated = 512 };

// chunk is how many numbers one loop takes: whole rows, or one row.
static int64_t chunk(int64_t channels) { return channels > repeated ? channels : repeated / channels * channels; }

// unit_size is a multiple of that.
static int64_t unit_size(const gelu_work *w) { return chunk(w->channels) * larger(portion / chunk(w->channels), 1); }

static int64_t table_size(const gelu_work *w) { return w->rows * w->channels; }

static int64_t gelu_units(const gelu_work *w) { return divided(table_size(w), unit_size(w)); }
static int64_t gelu_sums(const gelu_work *w) { return gelu_units(w) * chunk(w->channels); }

// normal is the normal distribution: 1/2 + u p(u²)/q(u²), fitted to 1e-8 of its distance from 1/2 where |u| is below
// 5.3, and 0 or 1 in the tails, which are less than 6e-8.
INLINE float normal(float u) {
	const int32_t inside = below(u, 5.3f), negative = bits(u) >> 31;
	const float c = number_of(bits(u) & inside), t = c * c;
	const float p = ((((2.4268999e-08f * t + 6.3550048e-06f) * t + 1.5729483e-04f) * t + 4.6097810e-03f) * t + 3.2641998e-02f) * t + 3.9894228e-01f;
	const float q = ((((1.2417185e-06f * t + 7.0356215e-05f) * t + 1.8195292e-03f) * t + 2.7970058e-02f) * t + 2.4848787e-01f) * t + 1;
	return number_of((bits(.5f + c * (p / q)) & inside) | (bits(1) & ~inside & ~negative));
}

// density is the normal density, exp(-u²/2)/sqrt(2π).
INLINE float density(float u) { return exponential(u * u * -.5f) * .398942280f; }

// repeat gives a loop what there is for each channel, such as biases.
INLINE const float *repeat(const float *given, int64_t channels, float *to) {
	if (channels > repeated) return given;
	for (int64_t i = 0; i < chunk(channels); i += channels) memcpy(to + i, given, channels * sizeof(float));
	return to;
}

static int gelu(const void *work, int64_t unit) {
	const gelu_work *w = work;
	float copies[repeated];
	const float *bias = repeat(w->bias, w->channels, copies);
	const int64_t step = chunk(w->channels), begin = unit * unit_size(w), end = least(begin + unit_size(w), table_size(w));
	for (int64_t at = begin; at < end; at += step) {
		const int64_t n = least(end - at, step);
		const float *x = w->x + at;
		float *restrict y = w->y + at;
		for (int64_t i = 0; i < n; i++) {
			const float u = x[i] + bias[i];
			y[i] = u * normal(u);
		}
	}
	return 1;
}

static int gelu_gradient(const void *work, int64_t unit) {
	const gelu_work *w = work;
	float copies[repeated];
	const float *bias = repeat(w->bias, w->channels, copies);
	float *restrict sums = w->sums + unit * chunk(w->channels);
	memset(sums, 0, chunk(w->channels) * sizeof(float));
	const int64_t step = chunk(w->channels), begin = unit * unit_size(w), end = least(begin + unit_size(w), table_size(w));
	for (int64_t at = begin; at < end; at += step) {
		const int64_t n = least(end - at, step);
		const float *x = w->x + at, *dy = w->dy + at;
		float *restrict dx = w->y + at;
		for (int64_t i = 0; i < n; i++) {
			const float u = x[i] + bias[i];
			dx[i] = dy[i] * (normal(u) + u * density(u));
			sums[i] += dx[i];
		}
	}
	return 1;
}

static void gelu_gradient_total(const void *work) {
	const gelu_work *w = work;
	memset(w->dbias, 0, w->channels * sizeof(float));
	for (int64_t i = 0; i < gelu_sums(w); i += w->channels)
		for (int64_t c = 0; c < w->channels; c++) w->dbias[c] += w->sums[i + c];
}

#ifndef __clang__
#pragma GCC pop_options
#endif
