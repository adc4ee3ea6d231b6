#pragma once

#include <stdlib.h>

#include "kernels_linux.h"
#include "products_linux.h"
#include "vectors_linux.h"

// So that the compiler makes the loops' bodies ones of vectors; clang does it unasked.
#ifndef __clang__
#pragma GCC push_options
#pragma GCC optimize("O3")
#endif

// As in FlashAttention (Dao et al. 2022, sections 3.1 and B.2) scores are made for some
// queries at a time, so few that they stay in the caches where there are not thousands
// of keys, and the gradient makes them again. Rows are whole, so that softmax needs no
// correction.

// softmax_work makes of a table x [rows, columns] p, that is exp(x) divided by its row's sum, and if there is dropout, y
// by it; or of the gradient by y that by x, in place too.
typedef struct {
	const attention_work *dropout;
	int64_t rows, columns, before; // so many rows of the table that dropout numbers come before
	float *x, *y, *dy;             // y is x without dropout
} softmax_work;

// ordered has the order of the floats whose bits it gets, and gives them back of what it gave.
INLINE int32_t ordered(int32_t b) { return b ^ (b >> 31 & 0x7fffffff); }

// mask is -1 where dropout keeps number i, else 0, as models.randomBits has it.
INLINE int32_t mask(uint32_t i, uint32_t first, uint32_t second, uint32_t threshold) {
	uint32_t h = i * 0x9e3779b1 + first;
	h = (h ^ h >> 16) * 0x7feb352d;
	h = (h ^ h >> 15 ^ second) * 0x846ca68b;
	h ^= h >> 16;
	return -(int32_t)(h < threshold);
}

INLINE float sum_of(const float *x, int64_t n) {
	vec parts = {0};
	int64_t i = 0;
	for (; i + lanes <= n; i += lanes) parts += AT(x + i);
	float sum = total(&parts);
	for (; i < n; i++) sum += x[i];
	return sum;
}

INLINE float sum_of_products(const float *x, const float *y, int64_t n) {
	vec parts = {0};
	int64_t i = 0;
	for (; i + lanes <= n; i += lanes) parts += AT(x + i) * AT(y + i);
	float sum = total(&parts);
	for (; i < n; i++) sum += x[i] * y[i];
	return sum;
}

static int softmax(const void *work, int64_t unit) {
	const softmax_work *w = work;
	const int64_t n = w->columns;
	const uint32_t first = w->dropout->first, second = w->dropout->second, threshold = w->dropout->threshold;
	for (int64_t row = 0; row < w->rows; row++) {
		float *restrict x = w->x + row * n, *restrict y = w->y + row * n;
		int32_t most = ordered(bits(x[0]));
		for (int64_t i = 1; i < n; i++) {
			const int32_t own = ordered(bits(x[i]));
			most = own > most ? own : most;
		}
		const float max = number_of(ordered(most));
		for (int64_t i = 0; i < n; i++) x[i] = exponential(x[i] - max);
		const float inverse = 1 / sum_of(x, n), share = inverse * w->dropout->scale;
		const uint32_t at = (w->before + row) * n;
		if (w->y != w->x)
			for (int64_t i = 0; i < n; i++) y[i] = number_of(bits(x[i] * share) & mask(at + i, first, second, threshold));
		for (int64_t i = 0; i < n; i++) x[i] *= inverse;
	}
	return 1;
}

// softmax_gradient's sum is that of p and the gradient that dropout hands on, which is that of y and dy.
static int softmax_gradient(const void *work, int64_t unit) {
	const softmax_work *w = work;
	const int64_t n = w->columns;
	const uint32_t first = w->dropout->first, second = w->dropout->second, threshold = w->dropout->threshold;
	const float scale = w->dropout->scale;
	for (int64_t row = 0; row < w->rows; row++) {
		const float *x = w->x + row * n;
		float *restrict dy = w->dy + row * n;
		const float sum = sum_of_products(w->y + row * n, dy, n);
		const uint32_t at = (w->before + row) * n;
		if (w->y != w->x)
			for (int64_t i = 0; i < n; i++) dy[i] = x[i] * (number_of(bits(dy[i] * scale) & mask(at + i, first, second, threshold)) - sum);
		else
			for (int64_t i = 0; i < n; i++) dy[i] = x[i] * (dy[i] - sum);
	}
	return 1;
}

enum { scores_together = 1 << 15, queries_least = 64, queries_shared = 32, units_enough = 8 };

static int64_t heads(const attention_work *w) { return w->batch * w->heads; }

// at_once is for how many queries scores are made at once.
static int64_t at_once(const attention_work *w) {
	int64_t rows = scores_together / w->tokens;
	if (rows < queries_least) rows = queries_least;
	return least(rows, w->tokens);
}

// shared is how many queries one unit has forward: fewer where that gives more units.
static int64_t shared(const attention_work *w) {
	int64_t rows = w->tokens;
	while (rows > queries_shared && heads(w) * divided(w->tokens, rows) < units_enough) rows = divided(rows, 2);
	return rows;
}

static int64_t shares(const attention_work *w) { return divided(w->tokens, shared(w)); }

static int64_t attention_units(const attention_work *w) { return heads(w) * shares(w); }
static int64_t attention_gradient_units(const attention_work *w) { return heads(w); }

// room is what one unit works in: panels of products, and tables of scores.
typedef struct {
	float *panels, *x, *y, *d;
} room;

// begin makes room; 0: there is no memory.
static int begin(const attention_work *w, room *r, int gradient) {
	const int64_t size = at_once(w) * w->tokens, longest = larger(w->tokens, w->width);
	const int64_t panels = product_panels(longest, longest), tables = 1 + (w->scale != 1) + gradient;
	r->panels = room_for(panels + tables * size);
	if (r->panels == NULL) return 0;
	r->x = r->panels + panels;
	r->y = w->scale != 1 ? r->x + size : r->x;
	r->d = r->y + size;
	return 1;
}

// start is where a head has its first number.
static int64_t start(const attention_work *w, int64_t head) {
	return head / w->heads * w->tokens * w->heads * w->width + head % w->heads * w->width;
}

// fetch asks for a head's numbers in a table before they are needed, where all of them will stay in the cache. (Were it
// not inlined, the compiler would drop its calls, which change nothing.)
INLINE void fetch(const attention_work *w, const float *head) {
	if (at_once(w) < w->tokens) return;
	for (int64_t t = 0; t < w->tokens; t++)
		for (int64_t i = 0; i < w->width; i += lanes) __builtin_prefetch(head + t * w->heads * w->width + i, 0, 2);
}

// scores makes those of a head's next queries from one on, before an end, and their softmax and dropout.
static int scores(const attention_work *w, int64_t head, int64_t query, int64_t end, const room *r, softmax_work *s) {
	const int64_t step = w->heads * w->width, at = start(w, head);
	s->rows = least(at_once(w), end - query);
	s->before = head * w->tokens + query;
	return multiply(r->panels, s->x, w->tokens, (matrix){w->q + at + query * step, step, 1}, (matrix){w->k + at, 1, step}, s->rows, w->width, w->tokens, 0) &&
		softmax(s, 0);
}

static int attention(const void *work, int64_t unit) {
	const attention_work *w = work;
	const int64_t head = unit / shares(w), step = w->heads * w->width, at = start(w, head), first = unit % shares(w) * shared(w);
	const int64_t end = least(first + shared(w), w->tokens);
	room r;
	if (!begin(w, &r, 0)) return 0;
	fetch(w, w->k + at), fetch(w, w->q + at), fetch(w, w->v + at);
	softmax_work s = {.dropout = w, .columns = w->tokens, .x = r.x, .y = r.y};
	int done = 1;
	for (int64_t query = first; done && query < end; query += s.rows)
		done = scores(w, head, query, end, &r, &s) &&
			multiply(r.panels, w->y + at + query * step, step, (matrix){r.y, w->tokens, 1}, (matrix){w->v + at, step, 1}, s.rows, w->tokens, w->width, 0);
	free(r.panels);
	return done;
}

static int attention_gradient(const void *work, int64_t head) {
	const attention_work *w = work;
	const int64_t step = w->heads * w->width, at = start(w, head), tokens = w->tokens;
	room r;
	if (!begin(w, &r, 1)) return 0;
	fetch(w, w->k + at), fetch(w, w->q + at), fetch(w, w->dy + at), fetch(w, w->v + at);
	softmax_work s = {.dropout = w, .columns = tokens, .x = r.x, .y = r.y, .dy = r.d};
	int done = 1;
	for (int64_t query = 0; done && query < tokens; query += s.rows) {
		const int64_t here = at + query * step;
		const matrix q = {w->q + here, step, 1}, k = {w->k + at, step, 1}, dy = {w->dy + here, step, 1};
		done = scores(w, head, query, tokens, &r, &s) &&
			multiply(r.panels, w->dv + at, step, (matrix){r.y, 1, tokens}, dy, tokens, s.rows, w->width, query > 0) &&
			multiply(r.panels, r.d, tokens, dy, (matrix){w->v + at, 1, step}, s.rows, w->width, tokens, 0) &&
			softmax_gradient(&s, 0) &&
			multiply(r.panels, w->dq + here, step, (matrix){r.d, tokens, 1}, k, s.rows, tokens, w->width, 0) &&
			multiply(r.panels, w->dk + at, step, (matrix){r.d, 1, tokens}, q, tokens, s.rows, w->width, query > 0);
	}
	free(r.panels);
	return done;
}

#ifndef __clang__
#pragma GCC pop_options
#endif
