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

// channel_products are the two that mix channels.
static mlp_products channel_products(const mixer_work *w) {
	const mixer_mlp *m = &w->channel_mlp;
	mlp_products p = {.hidden = layer(w->channels, m->hidden, m->kernel0, m->bias0), .out = layer(m->hidden, w->channels, m->kernel1, m->bias1)};
	if (w->panels == NULL) return p;
	p.hidden.shared = w->panels;
	p.out.shared = p.hidden.shared + shared_size(&p.hidden);
	return p;
}

// before_transposed is how many numbers there are before the transposed weights that mix tokens.
static int64_t before_transposed(const mixer_work *w) {
	const mlp_products p = channel_products(w);
	return shared_size(&p.hidden) + shared_size(&p.out);
}

static int64_t mixer_panels(const mixer_work *w) { return before_transposed(w) + 2 * w->tokens * w->token_mlp.hidden; }

static int mixer_share(const void *work, int64_t unit) {
	const mixer_work *w = work;
	const mlp_products p = channel_products(w);
	if (unit >= 2) return share_all(unit == 2 ? &p.hidden : &p.out);
	const int64_t rows = unit == 0 ? w->tokens : w->token_mlp.hidden, columns = unit == 0 ? w->token_mlp.hidden : w->tokens;
	const float *const from = unit == 0 ? w->token_mlp.kernel0 : w->token_mlp.kernel1;
	float *const to = w->panels + before_transposed(w) + unit * rows * columns;
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j];
	return 1;
}

// norm_table makes y the norm of a table x [tokens, channels]; row_moments has room for two numbers a row.
static void norm_table(const mixer_work *w, const float *x, const mixer_norm *by, float *y, float *row_moments) {
	const norm_work n = {.rows = w->tokens, .channels = w->channels, .epsilon = w->epsilon, .x = x, .scale = by->scale, .offset = by->offset,
		.mean = row_moments, .variance = row_moments + w->tokens, .y = y};
	for (int64_t unit = 0; unit < norm_units(&n); unit++) norm_rows(&n, unit);
}

static int mixer(const void *work, int64_t unit) {
	const mixer_work *w = work;
	const mlp_products p = channel_products(w);
	const int64_t tokens = w->tokens, channels = w->channels, hidden = w->token_mlp.hidden, table = tokens * channels;
	const int64_t hidden_most = larger(hidden * channels, tokens * w->channel_mlp.hidden);
	const int64_t longest = larger(larger(tokens, channels), larger(hidden, w->channel_mlp.hidden)), panels_count = product_panels(longest, longest);
	const float *const x = w->x + unit * table, *const first = w->panels + before_transposed(w), *const second = first + tokens * hidden;
	float *const panels = room_for(panels_count + table + hidden_most + 2 * tokens);
	if (panels == NULL) return 0;
	float *const room = panels + panels_count, *const row_moments = room + table + hidden_most;
	float *restrict const n = room, *restrict const h = room + table, *restrict const y = w->y + unit * table;
	norm_table(w, x, &w->token_norm, n, row_moments);
	int done = multiply(panels, h, channels, (matrix){first, tokens, 1}, (matrix){n, channels, 1}, hidden, tokens, channels, 0);
	for (int64_t row = 0; row < hidden; row++)
		for (int64_t i = row * channels; i < (row + 1) * channels; i++) {
			const float u = h[i] + w->token_mlp.bias0[row];
			h[i] = u * normal(u);
		}
	done = done && multiply(panels, y, channels, (matrix){second, hidden, 1}, (matrix){h, channels, 1}, tokens, hidden, channels, 0);
	for (int64_t row = 0; row < tokens; row++)
		for (int64_t i = row * channels; i < (row + 1) * channels; i++) y[i] += x[i] + w->token_mlp.bias1[row];
	norm_table(w, y, &w->channel_norm, n, row_moments);
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
