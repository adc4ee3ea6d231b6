//go:build (amd64 || arm64) && cgo && !noxla

#include "kernels_linux.h"

#include <math.h>

#include "vectors_linux.h"

// Rows that one unit takes: few enough that what it reads twice stays in the cache.
enum { together = 128 };

int64_t norm_units(const norm_work *w) { return (w->rows + together - 1) / together; }
int64_t norm_sums(const norm_work *w) { return norm_units(w) * 2 * w->channels; }

static int64_t from(int64_t unit) { return unit * together; }
static int64_t until(const norm_work *w, int64_t unit) { return from(unit + 1) < w->rows ? from(unit + 1) : w->rows; }

INLINE float total(const vec *v) {
	float sum = 0;
	for (int i = 0; i < lanes; i++) sum += (*v)[i];
	return sum;
}

INLINE int norm_rows_body(const norm_work *w, int64_t unit, const int across) {
	const int64_t n = w->channels, whole = n - n % lanes;
	for (int64_t row = from(unit); row < until(w, unit); row++) {
		const float *x = w->x + row * n;
		float *y = w->y + row * n;
		vec sum = {0}, square = {0};
		for (int64_t i = 0; i < whole; i += lanes) sum += AT(x + i);
		float mean = total(&sum), variance;
		for (int64_t i = whole; i < n; i++) mean += x[i];
		mean /= n;
		for (int64_t i = 0; i < whole; i += lanes) {
			const vec d = AT(x + i) - mean;
			square += d * d;
		}
		variance = total(&square);
		for (int64_t i = whole; i < n; i++) variance += (x[i] - mean) * (x[i] - mean);
		variance /= n;
		const float scale = w->scale[row] / sqrtf(variance + w->epsilon), offset = w->offset[row];
		for (int64_t i = 0; i < whole; i += lanes) PUT(y + i, (AT(x + i) - mean) * scale + offset);
		for (int64_t i = whole; i < n; i++) y[i] = (x[i] - mean) * scale + offset;
		w->mean[row] = mean;
		w->variance[row] = variance;
	}
	return 1;
}

INLINE int norm_rows_gradient_body(const norm_work *w, int64_t unit, const int across) {
	const int64_t n = w->channels, whole = n - n % lanes;
	for (int64_t row = from(unit); row < until(w, unit); row++) {
		const float *x = w->x + row * n, *dy = w->dy + row * n, mean = w->mean[row];
		const float inverse = 1 / sqrtf(w->variance[row] + w->epsilon), scale = w->scale[row] * inverse;
		float *dx = w->y + row * n;
		vec sum = {0}, product = {0};
		for (int64_t i = 0; i < whole; i += lanes) {
			const vec d = AT(dy + i);
			sum += d;
			product += d * (AT(x + i) - mean);
		}
		float s = total(&sum), p = total(&product);
		for (int64_t i = whole; i < n; i++) s += dy[i], p += dy[i] * (x[i] - mean);
		w->doffset[row] = s;
		w->dscale[row] = p * inverse;
		s /= n;
		p *= inverse * inverse / n;
		for (int64_t i = 0; i < whole; i += lanes) PUT(dx + i, (AT(dy + i) - s - (AT(x + i) - mean) * p) * scale);
		for (int64_t i = whole; i < n; i++) dx[i] = (dy[i] - s - (x[i] - mean) * p) * scale;
	}
	return 1;
}

// COLUMNS calls one for four vectors of channels, then for single ones. After it,
// less than a vector is left from channel c on.
#define COLUMNS(one) \
	int64_t c = 0; \
	for (; c + 4 * lanes <= w->channels; c += 4 * lanes) one(w, unit, c, 4); \
	for (; c + lanes <= w->channels; c += lanes) one(w, unit, c, 1)

// moments writes mean and sum of squares about it, of a unit's rows, for width vectors of channels.
INLINE void moments(const norm_work *w, int64_t unit, int64_t c, const int width) {
	const int64_t n = w->channels, first = from(unit), last = until(w, unit);
	float *means = w->sums + unit * 2 * n + c, *squares = means + n;
	vec sum[4], square[4];
	UNROLL for (int k = 0; k < width; k++) sum[k] = square[k] = (vec){0};
	for (int64_t row = first; row < last; row++)
		UNROLL for (int k = 0; k < width; k++) sum[k] += AT(w->x + row * n + c + k * lanes);
	UNROLL for (int k = 0; k < width; k++) sum[k] /= (float)(last - first);
	for (int64_t row = first; row < last; row++)
		UNROLL for (int k = 0; k < width; k++) {
			const vec d = AT(w->x + row * n + c + k * lanes) - sum[k];
			square[k] += d * d;
		}
	UNROLL for (int k = 0; k < width; k++) {
		PUT(means + k * lanes, sum[k]);
		PUT(squares + k * lanes, square[k]);
	}
}

INLINE int norm_columns_sums_body(const norm_work *w, int64_t unit, const int across) {
	COLUMNS(moments);
	const int64_t n = w->channels, first = from(unit), last = until(w, unit);
	for (; c < n; c++) {
		float mean = 0, square = 0;
		for (int64_t row = first; row < last; row++) mean += w->x[row * n + c];
		mean /= last - first;
		for (int64_t row = first; row < last; row++) square += (w->x[row * n + c] - mean) * (w->x[row * n + c] - mean);
		w->sums[unit * 2 * n + c] = mean;
		w->sums[unit * 2 * n + n + c] = square;
	}
	return 1;
}

// norm_columns_total joins the units' moments (Chan, Golub & LeVeque 1983).
void norm_columns_total(const norm_work *w) {
	const int64_t n = w->channels;
	for (int64_t c = 0; c < n; c++) {
		float mean = 0, square = 0, count = 0;
		for (int64_t unit = 0; unit < norm_units(w); unit++) {
			const float more = until(w, unit) - from(unit), off = w->sums[unit * 2 * n + c] - mean;
			square += w->sums[unit * 2 * n + n + c] + off * off * count * more / (count + more);
			count += more;
			mean += off * more / count;
		}
		w->mean[c] = mean;
		w->variance[c] = square / count;
	}
}

// normalised writes a unit's rows for width vectors of channels.
INLINE void normalised(const norm_work *w, int64_t unit, int64_t c, const int width) {
	const int64_t n = w->channels;
	vec mean[4], scale[4], offset[4];
	UNROLL for (int k = 0; k < width; k++) {
		mean[k] = AT(w->mean + c + k * lanes);
		offset[k] = AT(w->offset + c + k * lanes);
		for (int i = 0; i < lanes; i++) scale[k][i] = w->scale[c + k * lanes + i] / sqrtf(w->variance[c + k * lanes + i] + w->epsilon);
	}
	for (int64_t row = from(unit); row < until(w, unit); row++)
		UNROLL for (int k = 0; k < width; k++) {
			const int64_t i = row * n + c + k * lanes;
			PUT(w->y + i, (AT(w->x + i) - mean[k]) * scale[k] + offset[k]);
		}
}

INLINE int norm_columns_body(const norm_work *w, int64_t unit, const int across) {
	COLUMNS(normalised);
	for (; c < w->channels; c++) {
		const float scale = w->scale[c] / sqrtf(w->variance[c] + w->epsilon);
		for (int64_t row = from(unit); row < until(w, unit); row++) {
			const int64_t i = row * w->channels + c;
			w->y[i] = (w->x[i] - w->mean[c]) * scale + w->offset[c];
		}
	}
	return 1;
}

// slopes writes the sums of dy and of dy (x - mean), of a unit's rows, for width vectors of channels.
INLINE void slopes(const norm_work *w, int64_t unit, int64_t c, const int width) {
	const int64_t n = w->channels;
	vec mean[4], sum[4], product[4];
	UNROLL for (int k = 0; k < width; k++) mean[k] = AT(w->mean + c + k * lanes), sum[k] = product[k] = (vec){0};
	for (int64_t row = from(unit); row < until(w, unit); row++)
		UNROLL for (int k = 0; k < width; k++) {
			const int64_t i = row * n + c + k * lanes;
			const vec d = AT(w->dy + i);
			sum[k] += d;
			product[k] += d * (AT(w->x + i) - mean[k]);
		}
	UNROLL for (int k = 0; k < width; k++) {
		PUT(w->sums + unit * 2 * n + c + k * lanes, sum[k]);
		PUT(w->sums + unit * 2 * n + n + c + k * lanes, product[k]);
	}
}

INLINE int norm_columns_gradient_sums_body(const norm_work *w, int64_t unit, const int across) {
	COLUMNS(slopes);
	const int64_t n = w->channels;
	for (; c < n; c++) {
		float sum = 0, product = 0;
		for (int64_t row = from(unit); row < until(w, unit); row++) {
			sum += w->dy[row * n + c];
			product += w->dy[row * n + c] * (w->x[row * n + c] - w->mean[c]);
		}
		w->sums[unit * 2 * n + c] = sum;
		w->sums[unit * 2 * n + n + c] = product;
	}
	return 1;
}

void norm_columns_gradient_total(const norm_work *w) {
	const int64_t n = w->channels;
	for (int64_t c = 0; c < n; c++) {
		float sum = 0, product = 0;
		for (int64_t unit = 0; unit < norm_units(w); unit++) {
			sum += w->sums[unit * 2 * n + c];
			product += w->sums[unit * 2 * n + n + c];
		}
		w->doffset[c] = sum;
		w->dscale[c] = product / sqrtf(w->variance[c] + w->epsilon);
	}
}

// sloped writes the gradient of x, of a unit's rows, for width vectors of channels.
INLINE void sloped(const norm_work *w, int64_t unit, int64_t c, const int width) {
	const int64_t n = w->channels;
	vec mean[4], scale[4], sum[4], product[4];
	UNROLL for (int k = 0; k < width; k++) {
		mean[k] = AT(w->mean + c + k * lanes);
		sum[k] = AT(w->doffset + c + k * lanes) / (float)w->rows;
		for (int i = 0; i < lanes; i++) {
			const int64_t channel = c + k * lanes + i;
			const float inverse = 1 / sqrtf(w->variance[channel] + w->epsilon);
			scale[k][i] = w->scale[channel] * inverse;
			product[k][i] = w->dscale[channel] * inverse / w->rows;
		}
	}
	for (int64_t row = from(unit); row < until(w, unit); row++)
		UNROLL for (int k = 0; k < width; k++) {
			const int64_t i = row * n + c + k * lanes;
			PUT(w->y + i, (AT(w->dy + i) - sum[k] - (AT(w->x + i) - mean[k]) * product[k]) * scale[k]);
		}
}

INLINE int norm_columns_gradient_body(const norm_work *w, int64_t unit, const int across) {
	COLUMNS(sloped);
	for (; c < w->channels; c++) {
		const float inverse = 1 / sqrtf(w->variance[c] + w->epsilon), sum = w->doffset[c] / w->rows, product = w->dscale[c] * inverse / w->rows;
		for (int64_t row = from(unit); row < until(w, unit); row++) {
			const int64_t i = row * w->channels + c;
			w->y[i] = (w->dy[i] - sum - (w->x[i] - w->mean[c]) * product) * w->scale[c] * inverse;
		}
	}
	return 1;
}

KERNEL(norm_rows, norm_work)
KERNEL(norm_rows_gradient, norm_work)
KERNEL(norm_columns_sums, norm_work)
KERNEL(norm_columns, norm_work)
KERNEL(norm_columns_gradient_sums, norm_work)
KERNEL(norm_columns_gradient, norm_work)
