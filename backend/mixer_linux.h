#pragma once

#include <stdlib.h>

#include "gelu_linux.h"
#include "kernels_linux.h"
#include "mlp_linux.h"
#include "norms_linux.h"
#include "products_linux.h"
#include "vectors_linux.h"

// So that the compiler makes the loops' bodies ones of vectors; clang does it unasked.
#ifndef __clang__
#pragma GCC push_options
#pragma GCC optimize("O3")
#endif

// An image's table stays in the caches from one end of the layer to the other. Tokens are mixed where they lie: the
// products are those of transposed weights by the table, instead of by weights of the table transposed.

// transposed are the weights that mix tokens, behind the channel MLP's panels.
static float *transposed(const mixer_work *w) { return w->channel_mlp.panels + mlp_panels(&w->channel_mlp); }

static int64_t mixer_panels(const mixer_work *w) { return mlp_panels(&w->channel_mlp) + 2 * w->token_mlp.in * w->token_mlp.hidden; }

static int mixer_share(const void *work, int64_t unit) {
	const mixer_work *w = work;
	if (unit >= 2) return mlp_share(&w->channel_mlp, unit - 2);
	const mlp_work *m = &w->token_mlp;
	const int64_t rows = unit == 0 ? m->in : m->hidden, columns = unit == 0 ? m->hidden : m->in;
	const float *const from = unit == 0 ? m->kernel0 : m->kernel1;
	float *const to = transposed(w) + unit * rows * columns;
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j];
	return 1;
}

// norm_table makes y the norm of a table x; row_moments has room for two numbers a row.
static void norm_table(norm_work n, const float *x, float *y, float *row_moments) {
	n.x = x;
	n.y = y;
	n.mean = row_moments;
	n.variance = row_moments + n.rows;
	for (int64_t unit = 0; unit < norm_units(&n); unit++) norm_rows(&n, unit);
}

static int mixer(const void *work, int64_t unit) {
	const mixer_work *w = work;
	const mlp_products p = mlp_products_of(&w->channel_mlp);
	const int64_t tokens = w->token_mlp.in, channels = w->channel_mlp.in, hidden = w->token_mlp.hidden, table = tokens * channels;
	const int64_t hidden_most = larger(hidden * channels, tokens * w->channel_mlp.hidden);
	const int64_t panels_count = larger(mlp_room(&w->channel_mlp, tokens), mlp_room(&w->token_mlp, channels));
	const float *const x = w->x + unit * table, *const first = transposed(w), *const second = first + tokens * hidden;
	float *const panels = room_for(panels_count + table + hidden_most + 2 * tokens);
	if (panels == NULL) return 0;
	float *const room = panels + panels_count, *const row_moments = room + table + hidden_most;
	float *restrict const n = room, *restrict const h = room + table, *restrict const y = w->y + unit * table;
	norm_table(w->token_norm, x, n, row_moments);
	int done = multiply(panels, h, channels, (matrix){first, tokens, 1}, (matrix){n, channels, 1}, hidden, tokens, channels, 0);
	for (int64_t row = 0; row < hidden; row++)
		for (int64_t i = row * channels; i < (row + 1) * channels; i++) {
			const float u = h[i] + w->token_mlp.bias0[row];
			h[i] = u * normal(u);
		}
	done = done && multiply(panels, y, channels, (matrix){second, hidden, 1}, (matrix){h, channels, 1}, tokens, hidden, channels, 0);
	for (int64_t row = 0; row < tokens; row++)
		for (int64_t i = row * channels; i < (row + 1) * channels; i++) y[i] += x[i] + w->token_mlp.bias1[row];
	norm_table(w->channel_norm, y, n, row_moments);
	done = done && on(p.hidden, tokens, n, h, panels);
	for (int64_t i = 0; i < tokens * w->channel_mlp.hidden; i++) h[i] *= normal(h[i]);
	done = done && on(p.out, tokens, h, n, panels);
	for (int64_t i = 0; i < table; i++) y[i] += n[i];
	free(panels);
	return done;
}

#ifndef __clang__
#pragma GCC pop_options
#endif
