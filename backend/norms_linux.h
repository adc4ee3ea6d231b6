#pragma once

#include "kernels_linux.h"

#include <math.h>

#include "vectors_linux.h"

// Rows that one unit takes if nothing else is said: few enough that what it reads twice stays in the cache.
enum { together = 128 };

static int64_t piece_of(const norm_work *w) { return w->piece > 0 ? w->piece : together; }
static int64_t norm_units(const norm_work *w) { return divided(w->rows, piece_of(w)); }
static int64_t norm_sums(const norm_work *w) { return norm_units(w) * 2 * w->channels; }

static int64_t from(const norm_work *w, int64_t unit) { return unit * piece_of(w); }
static int64_t until(const norm_work *w, int64_t unit) { return least(from(w, unit + 1), w->rows); }

static int norm_rows(const void *work, int64_t unit) {
	const norm_work *w = work;
	const int64_t n = w->channels, whole = n - n % lanes;
	const float *scale = w->scale, *offset = w->offset;
	for (int64_t row = from(w, unit); row < until(w, unit); row++) {
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
		const float inverse = 1 / sqrtf(variance + w->epsilon);
		for (int64_t i = 0; i < whole; i += lanes) PUT(y + i, (AT(x + i) - mean) * inverse * AT(scale + i) + AT(offset + i));
		for (int64_t i = whole; i < n; i++) y[i] = (x[i] - mean) * inverse * scale[i] + offset[i];
		w->mean[row] = mean;
		w->variance[row] = variance;
	}
	return 1;
}

// norm_rows_gradient writes the gradient of x, and a unit's sums of those of offset and scale.
static int norm_rows_gradient(const void *work, int64_t unit) {
	const norm_work *w = work;
	const int64_t n = w->channels, whole = n - n % lanes;
	const float *scale = w->scale;
	float *doffset = w->sums + unit * 2 * n, *dscale = doffset + n;
	memset(doffset, 0, 2 * n * sizeof(float));
	for (int64_t row = from(w, unit); row < until(w, unit); row++) {
		const float *x = w->x + row * n, *dy = w->dy + row * n, mean = w->mean[row], inverse = 1 / sqrtf(w->variance[row] + w->epsilon);
		float *dx = w->y + row * n;
		vec sum = {0}, product = {0};
		for (int64_t i = 0; i < whole; i += lanes) {
			const vec d = AT(dy + i), unit = (AT(x + i) - mean) * inverse, g = d * AT(scale + i);
			sum += g;
			product += g * unit;
			PUT(doffset + i, AT(doffset + i) + d);
			PUT(dscale + i, AT(dscale + i) + d * unit);
		}
		float s = total(&sum), p = total(&product);
		for (int64_t i = whole; i < n; i++) {
			const float unit = (x[i] - mean) * inverse, g = dy[i] * scale[i];
			s += g;
			p += g * unit;
			doffset[i] += dy[i];
			dscale[i] += dy[i] * unit;
		}
		s /= n;
		p *= inverse / n;
		for (int64_t i = 0; i < whole; i += lanes) PUT(dx + i, (AT(dy + i) * AT(scale + i) - s - (AT(x + i) - mean) * p) * inverse);
		for (int64_t i = whole; i < n; i++) dx[i] = (dy[i] * scale[i] - s - (x[i] - mean) * p) * inverse;
	}
	return 1;
}

// norm_part is a unit of a norm as a norm of one unit, without its y.
static norm_work norm_part(const norm_work *w, int64_t unit) {
	norm_work part = *w;
	const int64_t row = from(w, unit);
	part.piece = until(w, unit) - row;
	part.x += row * w->channels;
	part.dy += row * w->channels;
	return part;
}

// sums_total adds up the two sums of all units for a channel.
static void sums_total(const norm_work *w, int64_t c, float *first, float *second) {
	*first = *second = 0;
	for (int64_t unit = 0; unit < norm_units(w); unit++) {
		*first += w->sums[unit * 2 * w->channels + c];
		*second += w->sums[unit * 2 * w->channels + w->channels + c];
	}
}

static void norm_rows_gradient_total(const void *work) {
	const norm_work *w = work;
	for (int64_t c = 0; c < w->channels; c++) sums_total(w, c, w->doffset + c, w->dscale + c);
}

// moments writes mean and sum of squares about it, of a unit's rows, for width vectors of channels.
INLINE void moments(const norm_work *w, int64_t unit, int64_t c, const int width, const int64_t count) {
	const int64_t n = w->channels, first = from(w, unit), last = until(w, unit);
	float *means = w->sums + unit * 2 * n + c, *squares = means + n;
	vec x, sum[4], square[4];
	UNROLL for (int k = 0; k < width; k++) sum[k] = square[k] = (vec){0};
	for (int64_t row = first; row < last; row++)
		UNROLL for (int k = 0; k < width; k++) {
			load(&x, w->x + row * n + c + k * lanes, count);
			sum[k] += x;
		}
	UNROLL for (int k = 0; k < width; k++) sum[k] /= (float)(last - first);
	for (int64_t row = first; row < last; row++)
		UNROLL for (int k = 0; k < width; k++) {
			load(&x, w->x + row * n + c + k * lanes, count);
			square[k] += (x - sum[k]) * (x - sum[k]);
		}
	UNROLL for (int k = 0; k < width; k++) {
		store(means + k * lanes, sum + k, count);
		store(squares + k * lanes, square + k, count);
	}
}

// norm_columns_total joins the units' moments (Chan, Golub & LeVeque 1983).
static void norm_columns_total(const void *work) {
	const norm_work *w = work;
	const int64_t n = w->channels;
	for (int64_t c = 0; c < n; c++) {
		float mean = 0, square = 0, count = 0;
		for (int64_t unit = 0; unit < norm_units(w); unit++) {
			const float more = until(w, unit) - from(w, unit), off = w->sums[unit * 2 * n + c] - mean;
			square += w->sums[unit * 2 * n + n + c] + off * off * count * more / (count + more);
			count += more;
			mean += off * more / count;
		}
		w->mean[c] = mean;
		w->variance[c] = square / count;
	}
}

// normalised writes a unit's rows for width vectors of channels.
INLINE void normalised(const norm_work *w, int64_t unit, int64_t c, const int width, const int64_t count) {
	const int64_t n = w->channels;
	vec x, mean[4], scale[4], offset[4];
	UNROLL for (int k = 0; k < width; k++) {
		load(mean + k, w->mean + c + k * lanes, count);
		load(offset + k, w->offset + c + k * lanes, count);
		scale[k] = (vec){0};
		for (int i = 0; i < count; i++) scale[k][i] = w->scale[c + k * lanes + i] / sqrtf(w->variance[c + k * lanes + i] + w->epsilon);
	}
	for (int64_t row = from(w, unit); row < until(w, unit); row++)
		UNROLL for (int k = 0; k < width; k++) {
			const int64_t i = row * n + c + k * lanes;
			load(&x, w->x + i, count);
			const vec y = (x - mean[k]) * scale[k] + offset[k];
			store(w->y + i, &y, count);
		}
}

// slopes writes the sums of dy and of dy (x - mean), of a unit's rows, for width vectors of channels.
INLINE void slopes(const norm_work *w, int64_t unit, int64_t c, const int width, const int64_t count) {
	const int64_t n = w->channels;
	vec x, d, mean[4], sum[4], product[4];
	UNROLL for (int k = 0; k < width; k++) {
		load(mean + k, w->mean + c + k * lanes, count);
		sum[k] = product[k] = (vec){0};
	}
	for (int64_t row = from(w, unit); row < until(w, unit); row++)
		UNROLL for (int k = 0; k < width; k++) {
			const int64_t i = row * n + c + k * lanes;
			load(&x, w->x + i, count);
			load(&d, w->dy + i, count);
			sum[k] += d;
			product[k] += d * (x - mean[k]);
		}
	UNROLL for (int k = 0; k < width; k++) {
		store(w->sums + unit * 2 * n + c + k * lanes, sum + k, count);
		store(w->sums + unit * 2 * n + n + c + k * lanes, product + k, count);
	}
}

static void norm_columns_gradient_total(const void *work) {
	const norm_work *w = work;
	for (int64_t c = 0; c < w->channels; c++) {
		sums_total(w, c, w->doffset + c, w->dscale + c);
		w->dscale[c] /= sqrtf(w->variance[c] + w->epsilon);
	}
}

// sloped writes the gradient of x, of a unit's rows, for width vectors of channels.
INLINE void sloped(const norm_work *w, int64_t unit, int64_t c, const int width, const int64_t count) {
	const int64_t n = w->channels;
	vec x, d, mean[4], scale[4], sum[4], product[4];
	UNROLL for (int k = 0; k < width; k++) {
		load(mean + k, w->mean + c + k * lanes, count);
		load(sum + k, w->doffset + c + k * lanes, count);
		sum[k] /= (float)w->rows;
		scale[k] = product[k] = (vec){0};
		for (int i = 0; i < count; i++) {
			const int64_t channel = c + k * lanes + i;
			const float inverse = 1 / sqrtf(w->variance[channel] + w->epsilon);
			scale[k][i] = w->scale[channel] * inverse;
			product[k][i] = w->dscale[channel] * inverse / w->rows;
		}
	}
	for (int64_t row = from(w, unit); row < until(w, unit); row++)
		UNROLL for (int k = 0; k < width; k++) {
			const int64_t i = row * n + c + k * lanes;
			load(&x, w->x + i, count);
			load(&d, w->dy + i, count);
			const vec dx = (d - sum[k] - (x - mean[k]) * product[k]) * scale[k];
			store(w->y + i, &dx, count);
		}
}

COLUMNS(norm_columns_sums, norm_work, moments)
COLUMNS(norm_columns, norm_work, normalised)
COLUMNS(norm_columns_gradient_sums, norm_work, slopes)
COLUMNS(norm_columns_gradient, norm_work, sloped)
