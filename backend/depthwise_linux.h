#pragma once

#include "kernels_linux.h"

#include <stdlib.h>

#include "vectors_linux.h"

// Channels are taken a vector at a time, where there are fewer with zeros in
// the others. A part of the work is first copied, with its border of zeros, to where
// it lies close together: then no loop has special cases.
enum { images = 8, across = 8 }; // sums in registers

static int64_t blocks(const depthwise_work *s) { return divided(s->channels, lanes); }
static int64_t chunks(const depthwise_work *s) { return divided(s->batch, images); }

static int64_t depthwise_units(const depthwise_work *s) { return s->batch * blocks(s); }
static int64_t depthwise_gradient_units(const depthwise_work *s) { return chunks(s) * blocks(s); }
static int64_t depthwise_sums(const depthwise_work *s) { return chunks(s) * s->side * s->side * s->channels; }

// channels_from is how many of a vector of channels from first on there are.
static int64_t channels_from(const depthwise_work *s, int64_t first) { return least(s->channels - first, lanes); }

// wide_of and high_of are the sides of a table that holds x with its border and all
// that the taps see, of a result of this width.
static int64_t wide_of(const depthwise_work *s, int64_t width) { return larger(s->before + s->x_width, width + s->side - 1); }
static int64_t high_of(const depthwise_work *s) { return larger(s->before + s->x_height, s->height + s->side - 1); }

// strip copies rows of a vector of channels, count of which are there.
INLINE void strip(vec *to, const float *from, int64_t rows, int64_t stride, int64_t count) {
	for (int64_t i = 0; i < rows; i++) load(to + i, from + i * stride, count);
}

static vec *zeros(int64_t count) {
	vec *p = aligned_alloc(sizeof(vec), count * sizeof(vec));
	if (p != NULL) memset(p, 0, count * sizeof(vec));
	return p;
}

// surround copies a vector of channels of an image to the middle of a table of zeros that
// is wide vectors wide.
INLINE void surround(const depthwise_work *s, vec *to, int64_t wide, const float *x, int64_t count) {
	for (int64_t h = 0; h < s->x_height; h++)
		strip(to + (h + s->before) * wide + s->before, x + h * s->x_width * s->channels, s->x_width, s->channels, count);
}

// correlate makes across vectors of the result from rows of x and the kernel.
INLINE void correlate(vec *out, const vec *x, int64_t wide, const vec *kernel, int64_t side) {
	vec sum[across];
	UNROLL for (int t = 0; t < across; t++) sum[t] = (vec){0};
	for (int64_t i = 0; i < side; i++)
		for (int64_t j = 0; j < side; j++) {
			const vec k = kernel[i * side + j], *from = x + i * wide + j;
			UNROLL for (int t = 0; t < across; t++) sum[t] += from[t] * k;
		}
	UNROLL for (int t = 0; t < across; t++) out[t] = sum[t];
}

static int depthwise(const void *work, int64_t unit) {
	const depthwise_work *s = work;
	const int64_t block = unit % blocks(s), image = unit / blocks(s), first = block * lanes, taps = s->side * s->side;
	const int64_t count = channels_from(s, first), width = divided(s->width, across) * across;
	const int64_t wide = wide_of(s, width), high = high_of(s);
	vec *table = zeros(high * wide + taps + width);
	if (table == NULL) return 0;
	vec *k = table + high * wide, *line = k + taps;
	strip(k, s->kernel + first, taps, s->channels, count);
	surround(s, table, wide, s->x + image * s->x_height * s->x_width * s->channels + first, count);
	for (int64_t h = 0; h < s->height; h++) {
		for (int64_t w = 0; w < width; w += across) correlate(line + w, table + h * wide + w, wide, k, s->side);
		float *to = s->y + ((image * s->height + h) * s->width) * s->channels + first;
		for (int64_t w = 0; w < s->width; w++) store(to + w * s->channels, line + w, count);
	}
	free(table);
	return 1;
}

// depthwise_image does a convolution for a single image.
static int depthwise_image(depthwise_work image, const float *x, float *y) {
	image.batch = 1;
	image.x = x;
	image.y = y;
	for (int64_t i = 0; i < depthwise_units(&image); i++)
		if (!depthwise(&image, i)) return 0;
	return 1;
}

// flip_taps turns a kernel round, by which the gradient of x is a convolution.
static void flip_taps(float *to, const float *kernel, int64_t side, int64_t channels) {
	for (int64_t tap = 0, taps = side * side; tap < taps; tap++)
		memcpy(to + tap * channels, kernel + (taps - 1 - tap) * channels, channels * sizeof *to);
}

// tapped adds to taps sums, the first at sums, the products of dy with x, shifted.
INLINE void tapped(vec *sums, const vec *x, int64_t wide, const vec *dy, int64_t height, int64_t width, const int taps) {
	vec sum[8];
	UNROLL for (int j = 0; j < taps; j++) sum[j] = sums[j];
	for (int64_t h = 0; h < height; h++)
		for (int64_t w = 0; w < width; w++) {
			const vec d = dy[h * width + w], *from = x + h * wide + w;
			UNROLL for (int j = 0; j < taps; j++) sum[j] += from[j] * d;
		}
	UNROLL for (int j = 0; j < taps; j++) sums[j] = sum[j];
}

static int depthwise_gradient(const void *work, int64_t unit) {
	const depthwise_work *s = work;
	const int64_t block = unit % blocks(s), chunk = unit / blocks(s), first = block * lanes, taps = s->side * s->side;
	const int64_t count = channels_from(s, first), wide = wide_of(s, s->width), high = high_of(s);
	const int64_t last = least((chunk + 1) * images, s->batch);
	vec *table = zeros(high * wide + s->height * s->width + taps);
	if (table == NULL) return 0;
	vec *d = table + high * wide, *sum = d + s->height * s->width;
	for (int64_t image = chunk * images; image < last; image++) {
		surround(s, table, wide, s->x + image * s->x_height * s->x_width * s->channels + first, count);
		strip(d, s->dy + image * s->height * s->width * s->channels + first, s->height * s->width, s->channels, count);
		for (int64_t i = 0; i < s->side; i++)
			for (int64_t j = 0; j < s->side;) {
				// Row by row, up to eight sums in registers: of nine 5 and 4.
				const int64_t left = s->side - j, parts = (left + 7) / 8;
				vec *to = sum + i * s->side + j;
				const vec *from = table + i * wide + j;
				switch (divided(left, parts)) {
#define TAPS(n) case n: tapped(to, from, wide, d, s->height, s->width, n); j += n; break;
				TAPS(1) TAPS(2) TAPS(3) TAPS(4) TAPS(5) TAPS(6) TAPS(7) TAPS(8)
#undef TAPS
				}
			}
	}
	float *to = s->sums + chunk * taps * s->channels + first;
	for (int64_t i = 0; i < taps; i++) store(to + i * s->channels, sum + i, count);
	free(table);
	return 1;
}

static void depthwise_total(const void *work) {
	const depthwise_work *s = work;
	const int64_t size = s->side * s->side * s->channels;
	memset(s->dkernel, 0, size * sizeof(float));
	for (int64_t chunk = 0; chunk < chunks(s); chunk++)
		for (int64_t i = 0; i < size; i++) s->dkernel[i] += s->sums[chunk * size + i];
}
