#pragma once

#include <stdlib.h>

#include "gelu_linux.h"
#include "kernels_linux.h"
#include "products_linux.h"
#include "vectors_linux.h"

// So that the compiler makes the loops' bodies ones of vectors; clang does it unasked.
#ifndef __clang__
#pragma GCC push_options
#pragma GCC optimize("O3")
#endif

// As attention's scores, hidden units are made for some rows at a time, so few that they stay in the caches, and the
// gradient makes them again: their table is never written.
enum { hidden_together = 1 << 14, gradients_together = 1 << 15, gradient_parts = 16, total_portion = 1 << 14 };

// some_rows is for how many rows hidden units are made at once: whole tiles, where there are not thousands of units.
static int64_t some_rows(const mlp_work *w, int64_t together) {
	const int64_t rows = together / w->hidden / rows_near * rows_near;
	return rows < rows_near ? rows_near : least(rows, 4 * rows_near);
}

// unit_rows_forward are fewer where that gives more units.
static int64_t unit_rows_forward(const mlp_work *w) {
	int64_t rows = some_rows(w, hidden_together);
	while (rows > rows_near && divided(w->rows, rows) < units_wanted) rows -= rows_near;
	return rows;
}

// mlp_products are those by weights, of which out is done forward alone, the last two in the gradient alone.
typedef struct {
	product_work hidden, out, hidden_back, in_back;
} mlp_products;

static mlp_products mlp_products_of(const mlp_work *w) {
	mlp_products p = {
		.hidden = layer(w->in, w->hidden, w->kernel0, w->bias0),
		.out = layer(w->hidden, w->out, w->kernel1, w->bias1),
		.hidden_back = layer_back(w->hidden, w->out, w->kernel1),
		.in_back = layer_back(w->in, w->hidden, w->kernel0),
	};
	if (w->panels == NULL) return p;
	p.hidden.shared = w->panels;
	p.out.shared = p.hidden_back.shared = w->panels + shared_size(&p.hidden);
	p.in_back.shared = p.hidden_back.shared + shared_size(&p.hidden_back);
	return p;
}

static int64_t mlp_panels(const mlp_work *w) {
	const mlp_products p = mlp_products_of(w);
	return shared_size(&p.hidden) + shared_size(&p.out);
}

static int64_t mlp_gradient_panels(const mlp_work *w) {
	const mlp_products p = mlp_products_of(w);
	return shared_size(&p.hidden) + shared_size(&p.hidden_back) + shared_size(&p.in_back);
}

static int mlp_share(const void *work, int64_t unit) {
	const mlp_products p = mlp_products_of(work);
	return share_all(unit == 0 ? &p.hidden : &p.out);
}

static int mlp_gradient_share(const void *work, int64_t unit) {
	const mlp_products p = mlp_products_of(work);
	return share_all(unit == 0 ? &p.hidden : unit == 1 ? &p.hidden_back : &p.in_back);
}

// mlp_room is for the panels of any product for so many rows.
static int64_t mlp_room(const mlp_work *w, int64_t rows) {
	const int64_t longest = larger(larger(w->in, w->hidden), larger(w->out, rows));
	return product_panels(longest, longest);
}

static int64_t mlp_units(const mlp_work *w) { return divided(w->rows, unit_rows_forward(w)); }

static int mlp(const void *work, int64_t unit) {
	const mlp_work *w = work;
	const mlp_products p = mlp_products_of(w);
	const int64_t most = unit_rows_forward(w), row = unit * most, rows = least(most, w->rows - row), count = rows * w->hidden;
	float *const panels = room_for(mlp_room(w, rows) + count), *const h = panels + mlp_room(w, rows);
	if (panels == NULL) return 0;
	int done = on(p.hidden, rows, w->x + row * w->in, h, panels);
	for (int64_t i = 0; done && i < count; i++) h[i] *= normal(h[i]);
	done = done && on(p.out, rows, h, w->y + row * w->out, panels);
	free(panels);
	return done;
}

// sizes are those of kernel0, bias0, kernel1 and bias1.
static void sizes(const mlp_work *w, int64_t to[4]) {
	to[0] = w->in * w->hidden;
	to[1] = w->hidden;
	to[2] = w->hidden * w->out;
	to[3] = w->out;
}

static int64_t parameters(const mlp_work *w) { return (w->in + 1 + w->out) * w->hidden + w->out; }

static int64_t mlp_gradient_units(const mlp_work *w) { return least(gradient_parts, divided(w->rows, rows_near)); }
static int64_t mlp_sums(const mlp_work *w) { return mlp_gradient_units(w) * parameters(w); }
static int64_t mlp_total_units(const mlp_work *w) { return divided(parameters(w), total_portion); }

// gradient_of adds to sums d of each parameter's gradient what some rows give, or begins them, and makes these rows' dx.
// h and slope hold their hidden units.
static int gradient_of(const mlp_work *w, const mlp_products *p, int64_t row, int64_t rows, float *d[4], int add, float *restrict h, float *restrict slope, float *panels) {
	const int64_t count = rows * w->hidden;
	const float *const x = w->x + row * w->in, *const dy = w->dy + row * w->out;
	if (!on(p->hidden, rows, x, slope, panels)) return 0;
	for (int64_t i = 0; i < count; i++) {
		const float u = slope[i], share = normal(u);
		h[i] = u * share;
		slope[i] = share + u * density(u);
	}
	if (!gather(d[2], h, w->hidden, dy, w->out, rows, add, panels) || !on(p->hidden_back, rows, dy, h, panels)) return 0;
	for (int64_t i = 0; i < count; i++) h[i] *= slope[i];
	add_rows(d[1], h, rows, w->hidden);
	add_rows(d[3], dy, rows, w->out);
	return gather(d[0], x, w->in, h, w->hidden, rows, add, panels) && on(p->in_back, rows, h, w->dx + row * w->in, panels);
}

static int mlp_gradient(const void *work, int64_t unit) {
	const mlp_work *w = work;
	const mlp_products p = mlp_products_of(w);
	const int64_t units = mlp_gradient_units(w), begin = w->rows * unit / units, end = w->rows * (unit + 1) / units;
	const int64_t most = least(some_rows(w, gradients_together), end - begin), count = most * w->hidden;
	float *const panels = room_for(mlp_room(w, most) + 2 * count), *const h = panels + mlp_room(w, most);
	if (panels == NULL) return 0;
	int64_t size[4];
	sizes(w, size);
	float *d[4] = {w->sums + unit * parameters(w)};
	for (int i = 1; i < 4; i++) d[i] = d[i - 1] + size[i - 1];
	memset(d[1], 0, size[1] * sizeof(float));
	memset(d[3], 0, size[3] * sizeof(float));
	int done = 1;
	for (int64_t row = begin; done && row < end; row += most)
		done = gradient_of(w, &p, row, least(most, end - row), d, row > begin, h, h + count, panels);
	free(panels);
	return done;
}

// mlp_total has some numbers of the four tables, one after the other, in each unit.
static int mlp_total(const void *work, int64_t unit) {
	const mlp_work *w = work;
	int64_t size[4], before = 0;
	sizes(w, size);
	for (int t = 0; t < 4; before += size[t++]) {
		const int64_t begin = unit * total_portion - before, end = least(begin + total_portion, size[t]);
		for (int64_t i = begin > 0 ? begin : 0; i < end; i++) w->parameters[t][i] = w->sums[before + i];
		for (int64_t u = 1; u < mlp_gradient_units(w); u++)
			for (int64_t i = begin > 0 ? begin : 0; i < end; i++) w->parameters[t][i] += w->sums[u * parameters(w) + before + i];
	}
	return 1;
}

#ifndef __clang__
#pragma GCC pop_options
#endif
