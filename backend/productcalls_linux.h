// Calls of products, and of layers that consist of them.
#pragma once

#include <stddef.h>
#include <stdlib.h>

#include "arguments_linux.h"
#include "gelu_linux.h"
#include "mixer_linux.h"
#include "mlp_linux.h"
#include "products_linux.h"

// within reports whether the loops of so many sizes and steps stay in a table.
static int within(const buffer *b, int count, const int64_t *sizes[], const int64_t *steps[]) {
	int64_t last = 0;
	for (int i = 0; i < count; i++) {
		if (*sizes[i] < 1 || *steps[i] < 0) return 0;
		last += (*sizes[i] - 1) * *steps[i];
	}
	return last < size(b);
}

// do_product does a product, in parts that are added up where that gives the threads more to do.
static void *do_product(call *c, product_work *w) {
	const int64_t sums = product_sums(w), shared = product_shared(w);
	if (sums + shared > 0) {
		float *const room = room_for(sums + shared); // there is one of both
		if (room == NULL) return no_memory(c);
		if (sums > 0) w->sums = room;
		else w->shared = room;
	}
	void *failed = NULL;
	if (shared > 0) failed = parallel(c, product_share, w, product_share_units(w));
	if (failed == NULL) failed = parallel(c, product, w, product_units(w));
	if (failed == NULL && sums > 0) failed = parallel(c, product_total, w, product_total_units(w));
	free(sums > 0 ? w->sums : w->shared);
	return failed;
}

// call_product is product(a, b; loops) -> c, the loops being product_work's integers.
static void *call_product(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	product_work w = {0};
	const size_t loops = offsetof(product_work, a) / sizeof(int64_t);
	if (!fits(c, "ff", "f", 1) || c->attributes.types[0] != attribute_array) return unfit(c);
	const array *given = (const array *)c->attributes.scalars[0];
	if (given->type != type_s64 || given->count != loops) return unfit(c);
	memcpy(&w, given->numbers, loops * sizeof(int64_t));
	const buffer *a = c->arguments.buffers[0], *b = c->arguments.buffers[1], *to = c->results.buffers[0];
	typedef const int64_t *list[];
	if (!within(a, 5, (list){&w.groups[0], &w.groups[1], &w.rows, &w.outer, &w.depth}, (list){&w.a_group[0], &w.a_group[1], &w.a_row, &w.a_outer, &w.a_depth}) ||
		!within(b, 5, (list){&w.groups[0], &w.groups[1], &w.outer, &w.depth, &w.columns}, (list){&w.b_group[0], &w.b_group[1], &w.b_outer, &w.b_depth, &w.b_column}) ||
		!within(to, 4, (list){&w.groups[0], &w.groups[1], &w.rows, &w.columns}, (list){&w.c_group[0], &w.c_group[1], &w.c_row, &(int64_t){1}})) return unfit(c);
	w.a = a->data;
	w.b = b->data;
	w.c = to->data;
	return do_product(c, &w);
}

// call_dense is dense(x, kernel, bias) -> x kernel + bias, over the last axis of x.
static void *call_dense(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	if (!fits(c, "fff", "f", 0)) return unfit(c);
	const buffer *x = c->arguments.buffers[0], *kernel = c->arguments.buffers[1], *bias = c->arguments.buffers[2], *y = c->results.buffers[0];
	if (kernel->rank != 2 || size(kernel) == 0 || x->rank < 1 || x->dims[x->rank - 1] != kernel->dims[0]) return unfit(c);
	const int64_t depth = kernel->dims[0], columns = kernel->dims[1], rows = size(x) / depth;
	if (rows == 0 || size(bias) != columns || size(y) != rows * columns) return unfit(c);
	product_work w = layer(depth, columns, kernel->data, bias->data);
	w.rows = rows;
	w.a = x->data;
	w.c = y->data;
	return do_product(c, &w);
}

// begin_gelu reads a table x and the biases of its channels; the tables besides are as large as x.
static int begin_gelu(gelu_work *w, const buffer *x, const buffer *bias) {
	*w = (gelu_work){.channels = size(bias), .x = x->data, .bias = bias->data};
	if (w->channels == 0 || x->rank < 1 || x->dims[x->rank - 1] != w->channels) return 0;
	w->rows = size(x) / w->channels;
	return 1;
}

// call_gelu is gelu(x, bias) -> y.
static void *call_gelu(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	gelu_work w;
	if (!fits(c, "ff", "f", 0) || !begin_gelu(&w, c->arguments.buffers[0], c->arguments.buffers[1])) return unfit(c);
	const buffer *y = c->results.buffers[0];
	if (size(y) != w.rows * w.channels) return unfit(c);
	w.y = y->data;
	return parallel(c, gelu, &w, gelu_units(&w));
}

// call_gelu_gradient is gelu_gradient(x, bias, dy) -> those of x and bias.
static void *call_gelu_gradient(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	gelu_work w;
	if (!fits(c, "fff", "ff", 0) || !begin_gelu(&w, c->arguments.buffers[0], c->arguments.buffers[1])) return unfit(c);
	const buffer *dy = c->arguments.buffers[2], *dx = c->results.buffers[0], *dbias = c->results.buffers[1];
	if (size(dy) != w.rows * w.channels || size(dx) != size(dy) || size(dbias) != w.channels) return unfit(c);
	w.dy = dy->data;
	w.y = dx->data;
	w.dbias = dbias->data;
	return summed(c, &w, &w.sums, gelu_sums(&w), gelu_gradient, gelu_units(&w), gelu_gradient_total, NULL);
}

// begin_mlp reads weights of two layers: kernel0, bias0 and kernel1.
static int begin_mlp(mlp_work *w, buffer **weights) {
	const buffer *kernel0 = weights[0], *bias0 = weights[1], *kernel1 = weights[2];
	if (kernel0->rank != 2 || kernel1->rank != 2 || size(kernel0) == 0 || size(kernel1) == 0) return 0;
	*w = (mlp_work){.in = kernel0->dims[0], .hidden = kernel0->dims[1], .out = kernel1->dims[1],
		.kernel0 = kernel0->data, .bias0 = bias0->data, .kernel1 = kernel1->data};
	return size(bias0) == w->hidden && kernel1->dims[0] == w->hidden;
}

// mlp_of reads an MLP's table x.
static int mlp_of(mlp_work *w, const buffer *x) {
	if (x->rank < 1 || size(x) == 0 || x->dims[x->rank - 1] != w->in) return 0;
	w->x = x->data;
	w->rows = size(x) / w->in;
	return 1;
}

// call_mlp is mlp(x, kernel0, bias0, kernel1, bias1) -> y.
static void *call_mlp(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	mlp_work w;
	if (!fits(c, "fffff", "f", 0) || !begin_mlp(&w, c->arguments.buffers + 1) || !mlp_of(&w, c->arguments.buffers[0])) return unfit(c);
	const buffer *bias1 = c->arguments.buffers[4], *y = c->results.buffers[0];
	if (size(bias1) != w.out || size(y) != w.rows * w.out) return unfit(c);
	w.bias1 = bias1->data;
	w.y = y->data;
	return with_panels(c, &w, &w.panels, mlp_panels(&w), mlp_share, mlp_share_units, mlp, mlp_units(&w));
}

// call_mlp_gradient is mlp_gradient(x, kernel0, bias0, kernel1, dy) -> those of x, kernel0, bias0, kernel1 and bias1.
static void *call_mlp_gradient(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	mlp_work w;
	if (!fits(c, "fffff", "fffff", 0) || !begin_mlp(&w, c->arguments.buffers + 1) || !mlp_of(&w, c->arguments.buffers[0])) return unfit(c);
	const buffer *dy = c->arguments.buffers[4];
	buffer **results = c->results.buffers;
	if (size(dy) != w.rows * w.out || !alike(results[0], c->arguments.buffers[0])) return unfit(c);
	int64_t wanted[4];
	sizes(&w, wanted);
	for (int i = 0; i < 4; i++) {
		if (size(results[i + 1]) != wanted[i]) return unfit(c);
		w.parameters[i] = results[i + 1]->data;
	}
	w.dy = dy->data;
	w.dx = results[0]->data;
	const int64_t panels = mlp_gradient_panels(&w);
	w.panels = room_for(panels + mlp_sums(&w));
	if (w.panels == NULL) return no_memory(c);
	w.sums = w.panels + panels;
	void *failed = parallel(c, mlp_gradient_share, &w, mlp_gradient_share_units);
	if (failed == NULL) failed = parallel(c, mlp_gradient, &w, mlp_gradient_units(&w));
	if (failed == NULL) failed = parallel(c, mlp_total, &w, mlp_total_units(&w));
	free(w.panels);
	return failed;
}

// begin_mixer_mlp reads weights of two layers and their biases, for tables of that width.
static int begin_mixer_mlp(mlp_work *w, int64_t width, buffer **weights) {
	if (!begin_mlp(w, weights) || w->in != width || w->out != width || size(weights[3]) != width) return 0;
	w->bias1 = weights[3]->data;
	return 1;
}

// call_mixer is mixer(x, scale and offset of both norms, kernel0, bias0, kernel1 and bias1 of both MLPs, epsilon) -> y.
static void *call_mixer(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	if (!fits(c, "ffffffffffffff", "f", 0)) return unfit(c);
	buffer **arguments = c->arguments.buffers;
	const buffer *x = arguments[0], *y = c->results.buffers[0];
	if (x->rank != 3 || size(x) == 0 || !alike(x, y)) return unfit(c);
	const int64_t tokens = x->dims[1], channels = x->dims[2];
	norm_work norm = {.rows = tokens, .channels = channels};
	if (!number(arguments[13], &norm.epsilon)) return unfit(c);
	for (int i = 1; i < 5; i++)
		if (size(arguments[i]) != channels) return unfit(c);
	mixer_work w = {.token_norm = norm, .channel_norm = norm, .x = x->data, .y = y->data};
	w.token_norm.scale = arguments[1]->data;
	w.token_norm.offset = arguments[2]->data;
	w.channel_norm.scale = arguments[3]->data;
	w.channel_norm.offset = arguments[4]->data;
	if (!begin_mixer_mlp(&w.token_mlp, tokens, arguments + 5) || !begin_mixer_mlp(&w.channel_mlp, channels, arguments + 9)) return unfit(c);
	return with_panels(c, &w, &w.channel_mlp.panels, mixer_panels(&w), mixer_share, mixer_share_units, mixer, x->dims[0]);
}
