#pragma once

#include <stdlib.h>

#include "depthwise_linux.h"
#include "gelu_linux.h"
#include "kernels_linux.h"
#include "norms_linux.h"
#include "products_linux.h"
#include "vectors_linux.h"

// So that the compiler makes the loops' bodies ones of vectors; clang does it unasked.
#ifndef __clang__
#pragma GCC push_options
#pragma GCC optimize("O3")
#endif

// A piece of the tables is so small that it stays in the caches from the convolution to its moments, and in the gradient
// from that of the norm to those of the convolution. A depthwise one is an image.
enum { piece_numbers = 1 << 14, gradient_pieces = 16 };

static int is_pointwise(const conv_norm_work *w) { return w->in > 0; }

static int64_t conv_norm_piece(const conv_norm_work *w) {
	if (!is_pointwise(w)) return w->places.height * w->places.width;
	const int64_t rows = piece_numbers / larger(w->in, w->norm.channels) / rows_near * rows_near;
	return larger(rows_near, least(rows, rows_block));
}

static product_work conv_norm_product(const conv_norm_work *w, int back) {
	product_work p = back ? layer_back(w->in, w->norm.channels, w->kernel) : layer(w->in, w->norm.channels, w->kernel, NULL);
	p.shared = w->panels;
	return p;
}

static int64_t taps_size(const conv_norm_work *w) { return w->places.side * w->places.side * w->places.channels; }

static int64_t conv_norm_kernel(const conv_norm_work *w) { return is_pointwise(w) ? w->in * w->norm.channels : taps_size(w); }

static int64_t conv_norm_panels(const conv_norm_work *w, int back) {
	const product_work p = conv_norm_product(w, back);
	return is_pointwise(w) ? shared_size(&p) : back ? taps_size(w) : 0;
}

static void conv_norm_share(const conv_norm_work *w, int back) {
	const product_work p = conv_norm_product(w, back);
	if (is_pointwise(w)) share_all(&p);
	else if (back) flip_taps(w->panels, w->kernel, w->places.side, w->places.channels);
}

static int conv_norm_active(const void *work, int64_t unit) {
	const conv_norm_work *w = work;
	const int64_t n = w->norm.channels, row = from(&w->norm, unit), rows = until(&w->norm, unit) - row;
	const gelu_work g = {.rows = rows, .channels = n, .x = w->linear + row * n, .bias = w->bias, .y = w->active + row * n};
	int done;
	if (is_pointwise(w)) {
		float *const panels = room_for(product_panels(n, w->in));
		done = panels != NULL && on(conv_norm_product(w, 0), rows, w->x + row * w->in, w->linear + row * n, panels);
		free(panels);
	} else {
		done = depthwise_image(w->places, w->x + row * n, w->linear + row * n);
	}
	for (int64_t i = 0; done && i < gelu_units(&g); i++) gelu(&g, i);
	return done && norm_columns_sums(&w->norm, unit);
}

static int conv_norm(const void *work, int64_t unit) {
	const conv_norm_work *w = work;
	const int64_t n = w->norm.channels;
	norm_columns(&w->norm, unit);
	for (int64_t i = from(&w->norm, unit) * n; !is_pointwise(w) && i < until(&w->norm, unit) * n; i++) w->norm.y[i] += w->x[i];
	return 1;
}

static int64_t conv_norm_gradient_units(const conv_norm_work *w) { return least(gradient_pieces, norm_units(&w->norm)); }
static int64_t conv_norm_sums(const conv_norm_work *w) { return conv_norm_gradient_units(w) * (conv_norm_kernel(w) + w->norm.channels); }

// conv_norm_room is for what a piece of the gradient needs besides two tables.
static int64_t conv_norm_room(const conv_norm_work *w) {
	if (!is_pointwise(w)) return taps_size(w);
	const int64_t longest = larger(larger(w->in, w->norm.channels), conv_norm_piece(w));
	return product_panels(longest, longest);
}

// back_through makes, of that of what the convolution gave for some rows, the gradients of x, and of the kernel, which it
// adds to what there is, or begins.
static int back_through(const conv_norm_work *w, int64_t row, int64_t rows, const float *d, float *restrict dkernel, int add, float *restrict room) {
	const int64_t n = w->norm.channels;
	if (is_pointwise(w)) {
		return gather(dkernel, w->x + row * w->in, w->in, d, n, rows, add, room) &&
			(w->dx == NULL || on(conv_norm_product(w, 1), rows, d, w->dx + row * w->in, room));
	}
	depthwise_work image = w->places;
	image.batch = 1;
	image.x = w->x + row * n;
	image.dy = d;
	image.sums = room;
	for (int64_t i = 0; i < depthwise_gradient_units(&image); i++)
		if (!depthwise_gradient(&image, i)) return 0;
	for (int64_t i = 0; i < taps_size(w); i++) dkernel[i] = room[i] + (add ? dkernel[i] : 0);
	image = w->places;
	image.before = image.side - 1 - image.before;
	image.kernel = w->panels;
	float *restrict dx = w->dx + row * n;
	const float *dy = w->norm.dy + row * n;
	if (!depthwise_image(image, d, dx)) return 0;
	for (int64_t i = 0; i < rows * n; i++) dx[i] += dy[i];
	return 1;
}

static int conv_norm_gradient(const void *work, int64_t unit) {
	const conv_norm_work *w = work;
	const int64_t n = w->norm.channels, table = conv_norm_piece(w) * n, units = conv_norm_gradient_units(w), pieces = norm_units(&w->norm);
	const int64_t begin = pieces * unit / units, end = pieces * (unit + 1) / units, size = conv_norm_kernel(w);
	gelu_work g = {.rows = conv_norm_piece(w), .channels = n, .bias = w->bias};
	float *const room = room_for(conv_norm_room(w) + 2 * table + gelu_sums(&g)), *const after = room + conv_norm_room(w), *const before = after + table;
	if (room == NULL) return 0;
	g.sums = before + table;
	float *const dkernel = w->sums + unit * (size + n), *const dbias = dkernel + size;
	memset(dbias, 0, n * sizeof *dbias);
	int done = 1;
	for (int64_t piece = begin; done && piece < end; piece++) {
		norm_work norm = norm_part(&w->norm, piece);
		norm.y = after;
		norm_columns_gradient(&norm, 0);
		const int64_t row = from(&w->norm, piece);
		g.rows = norm.piece;
		g.x = w->linear + row * n;
		g.dy = after;
		g.y = before;
		for (int64_t i = 0; i < gelu_units(&g); i++) gelu_gradient(&g, i);
		add_rows(dbias, g.sums, gelu_sums(&g) / n, n);
		done = back_through(w, row, g.rows, before, dkernel, piece > begin, room);
	}
	free(room);
	return done;
}

static void conv_norm_gradient_total(const void *work) {
	const conv_norm_work *w = work;
	const int64_t n = w->norm.channels, size = conv_norm_kernel(w);
	memset(w->dkernel, 0, size * sizeof(float));
	memset(w->dbias, 0, n * sizeof(float));
	for (int64_t unit = 0; unit < conv_norm_gradient_units(w); unit++) {
		add_rows(w->dkernel, w->sums + unit * (size + n), 1, size);
		add_rows(w->dbias, w->sums + unit * (size + n) + size, 1, n);
	}
}

#ifndef __clang__
#pragma GCC pop_options
#endif
