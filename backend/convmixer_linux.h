#pragma once

#include <stdlib.h>

#include "depthwise_linux.h"
#include "gelu_linux.h"
#include "kernels_linux.h"
#include "mlp_linux.h"
#include "products_linux.h"
#include "vectors_linux.h"

// So that the compiler makes the loops' bodies ones of vectors; clang does it unasked.
#ifndef __clang__
#pragma GCC push_options
#pragma GCC optimize("O3")
#endif

static product_work product_of(const pointwise_work *w) {
	product_work p = layer(w->in, w->out, w->kernel, NULL);
	p.shared = w->panels;
	return p;
}

static int64_t pointwise_panels(const pointwise_work *w) {
	const product_work p = product_of(w);
	return shared_size(&p);
}

static int64_t pointwise_share_units(const pointwise_work *w) {
	const product_work p = product_of(w);
	return product_share_units(&p);
}

static int pointwise_share(const void *work, int64_t unit) {
	const product_work p = product_of(work);
	return product_share(&p, unit);
}

// activate makes rows [channels] of y gelu(y + bias) scale + offset, and adds those of x, if any.
static void activate(float *restrict y, const float *x, int64_t rows, int64_t channels, const gelu_norm *by) {
	float copies[3][repeated];
	const float *const bias = repeat(by->bias, channels, copies[0]), *const scale = repeat(by->scale, channels, copies[1]);
	const float *const offset = repeat(by->offset, channels, copies[2]);
	for (int64_t at = 0; at < rows * channels; at += chunk(channels)) {
		const int64_t n = least(chunk(channels), rows * channels - at);
		for (int64_t i = 0; i < n; i++) {
			const float u = y[at + i] + bias[i];
			y[at + i] = u * normal(u) * scale[i] + offset[i];
		}
		for (int64_t i = 0; x != NULL && i < n; i++) y[at + i] += x[at + i];
	}
}

// pointwise_rows does some rows, with room for product_panels.
static int pointwise_rows(const pointwise_work *w, const float *x, float *y, int64_t rows, float *panels) {
	if (!on(product_of(w), rows, x, y, panels)) return 0;
	activate(y, NULL, rows, w->out, &w->norm);
	return 1;
}

static int64_t pointwise_units(const pointwise_work *w) { return divided(w->rows, rows_block_shared); }

static int pointwise(const void *work, int64_t unit) {
	const pointwise_work *w = work;
	const int64_t row = unit * rows_block_shared;
	float *const panels = room_for(product_panels(w->out, w->in));
	if (panels == NULL) return 0;
	const int done = pointwise_rows(w, w->x + row * w->in, w->y + row * w->out, least(rows_block_shared, w->rows - row), panels);
	free(panels);
	return done;
}

static int convmixer_share(const void *work, int64_t unit) { return pointwise_share(&((const convmixer_work *)work)->mixing, unit); }

static int convmixer(const void *work, int64_t unit) {
	const convmixer_work *w = work;
	const int64_t channels = w->places.channels, rows = w->places.height * w->places.width, panels_count = product_panels(channels, channels);
	float *const panels = room_for(panels_count + rows * channels);
	if (panels == NULL) return 0;
	const float *const x = w->places.x + unit * rows * channels;
	float *const u = panels + panels_count;
	int done = depthwise_image(w->places, x, u);
	if (done) activate(u, x, rows, channels, &w->norm);
	done = done && pointwise_rows(&w->mixing, u, w->mixing.y + unit * rows * channels, rows, panels);
	free(panels);
	return done;
}

#ifndef __clang__
#pragma GCC pop_options
#endif
