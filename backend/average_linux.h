#pragma once

#include "kernels_linux.h"
#include "vectors_linux.h"

// averaged writes the mean over a unit's rows, for width vectors of channels.
INLINE void averaged(const average_work *w, int64_t unit, int64_t c, const int width, const int64_t count) {
	const int64_t n = w->channels;
	const float *x = w->x + unit * w->rows * n + c;
	vec sum[4], more;
	UNROLL for (int k = 0; k < width; k++) sum[k] = (vec){0};
	for (int64_t row = 0; row < w->rows; row++)
		UNROLL for (int k = 0; k < width; k++) {
			load(&more, x + row * n + k * lanes, count);
			sum[k] += more;
		}
	UNROLL for (int k = 0; k < width; k++) {
		sum[k] /= (float)w->rows;
		store(w->y + unit * n + c + k * lanes, sum + k, count);
	}
}

COLUMNS(average, average_work, averaged)
