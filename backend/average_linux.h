#pragma once

#include "kernels_linux.h"
#include "vectors_linux.h"

// A unit is an image. Few vectors of channels are summed at once, in registers, over rows that lie side by side.
INLINE void average_channels(float *y, const float *x, int64_t rows, int64_t channels, const int vectors, int64_t count) {
	vec sum[4], more;
	UNROLL for (int k = 0; k < vectors; k++) sum[k] = (vec){0};
	for (int64_t row = 0; row < rows; row++)
		UNROLL for (int k = 0; k < vectors; k++) {
			load(&more, x + row * channels + k * lanes, count);
			sum[k] += more;
		}
	UNROLL for (int k = 0; k < vectors; k++) {
		sum[k] /= (float)rows;
		store(y + k * lanes, sum + k, count);
	}
}

static int average(const void *work, int64_t unit) {
	const average_work *w = work;
	const float *x = w->x + unit * w->rows * w->channels;
	float *y = w->y + unit * w->channels;
	int64_t c = 0;
	for (; c + 4 * lanes <= w->channels; c += 4 * lanes) average_channels(y + c, x + c, w->rows, w->channels, 4, lanes);
	for (; c + lanes <= w->channels; c += lanes) average_channels(y + c, x + c, w->rows, w->channels, 1, lanes);
	if (c < w->channels) average_channels(y + c, x + c, w->rows, w->channels, 1, w->channels - c);
	return 1;
}
