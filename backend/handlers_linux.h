// Calls of the kernels by XLA's programs, and the kernels, for the set of instructions that this is compiled for: the file
// that includes it says how many numbers one of its registers has (LANES), and how to name register_calls here.
#include "calls_linux.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adamw_linux.h"
#include "attention_linux.h"
#include "average_linux.h"
#include "convmixer_linux.h"
#include "convnorm_linux.h"
#include "depthwise_linux.h"
#include "ffi_linux.h"
#include "gelu_linux.h"
#include "mixer_linux.h"
#include "mlp_linux.h"
#include "norms_linux.h"
#include "products_linux.h"
#include "score_linux.h"

// minor_version is that of the plugin's interface, 0 before it has asked.
static atomic_int minor_version;

// described answers XLA's question for the version that a handler was written for:
// with the plugin's own, since what is used here is the same in all from 0.2 on.
static int described(const call *c) {
	for (extension *e = c->extensions; e != NULL; e = e->next) {
		if (e->type != extension_metadata) continue;
		metadata_extension *m = (metadata_extension *)e;
		minor_version = c->api != NULL && c->api->version.major == 0 ? c->api->version.minor : 0;
		m->metadata->version.major = 0;
		m->metadata->version.minor = minor_version;
		m->metadata->traits = 0;
		return 1;
	}
	return 0;
}

// fits reports whether a call has so many attributes, and arguments and results of these types, a letter for each: f
// float32, i int32, u uint32.
static int fits(const call *c, const char *arguments, const char *results, int64_t attributes) {
	if (c->attributes.count != attributes) return 0;
	const buffers *all[] = {&c->arguments, &c->results};
	for (int k = 0; k < 2; k++) {
		const char *types = k == 0 ? arguments : results;
		if (all[k]->count != (int64_t)strlen(types)) return 0;
		for (int64_t i = 0; i < all[k]->count; i++)
			if (all[k]->buffers[i]->type != (types[i] == 'f' ? type_f32 : types[i] == 'u' ? type_u32 : type_s32)) return 0;
	}
	return 1;
}

static void *unfit(const call *c) { return error(c, invalid_argument, "patchlab's kernels: a call has other arguments than it must"); }

// begin_depthwise reads the shapes of a convolution of x, whose result or its gradient is y.
static int begin_depthwise(depthwise_work *w, const buffer *x, const buffer *y, const buffer *kernel, const buffer *before) {
	if (x->rank != 4 || y->rank != 4 || kernel->rank != 4 || before->rank != 0) return 0;
	*w = (depthwise_work){.batch = y->dims[0], .height = y->dims[1], .width = y->dims[2], .channels = y->dims[3],
		.side = kernel->dims[0], .before = *(const int32_t *)before->data, .x_height = x->dims[1], .x_width = x->dims[2], .x = x->data};
	return x->dims[0] == w->batch && x->dims[3] == w->channels && kernel->dims[1] == w->side && kernel->dims[2] == 1 &&
		kernel->dims[3] == w->channels && w->before >= 0 && w->before < w->side;
}

// call_depthwise is depthwise(x, kernel, before) -> y.
static void *call_depthwise(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	depthwise_work w;
	if (!fits(c, "ffi", "f", 0) || !begin_depthwise(&w, c->arguments.buffers[0], c->results.buffers[0], c->arguments.buffers[1], c->arguments.buffers[2])) return unfit(c);
	w.kernel = c->arguments.buffers[1]->data;
	w.y = c->results.buffers[0]->data;
	return parallel(c, depthwise, &w, depthwise_units(&w));
}

// call_depthwise_gradient is depthwise_gradient(x, dy, before) -> that of the kernel.
static void *call_depthwise_gradient(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	depthwise_work w;
	if (!fits(c, "ffi", "f", 0) || !begin_depthwise(&w, c->arguments.buffers[0], c->arguments.buffers[1], c->results.buffers[0], c->arguments.buffers[2])) return unfit(c);
	w.dy = c->arguments.buffers[1]->data;
	w.dkernel = c->results.buffers[0]->data;
	return summed(c, &w, &w.sums, depthwise_sums(&w), depthwise_gradient, depthwise_gradient_units(&w), depthwise_total, NULL);
}

// size is how many numbers a table has.
static int64_t size(const buffer *b) {
	int64_t numbers = 1;
	for (int64_t i = 0; i < b->rank; i++) numbers *= b->dims[i];
	return numbers;
}

// alike reports whether tables have the same shape.
static int alike(const buffer *a, const buffer *b) {
	if (a->rank != b->rank) return 0;
	for (int64_t i = 0; i < a->rank; i++)
		if (a->dims[i] != b->dims[i]) return 0;
	return 1;
}

// number reads an argument that is a scalar, 0 where there is no such.
static int number(const buffer *b, float *to) {
	if (b->rank != 0) return 0;
	*to = *(const float *)b->data;
	return 1;
}

// begin_norm reads the shape of a table x, of which there are two moments, and epsilon, the last argument.
static int begin_norm(const call *c, norm_work *w, int by_row, buffer **moments) {
	const buffer *x = c->arguments.buffers[0];
	if (x->rank < 2) return 0;
	*w = (norm_work){.channels = x->dims[x->rank - 1], .x = x->data};
	if (w->channels == 0 || !number(c->arguments.buffers[c->arguments.count - 1], &w->epsilon)) return 0;
	w->rows = size(x) / w->channels;
	for (int i = 0; i < 2; i++)
		if (size(moments[i]) != (by_row ? w->rows : w->channels)) return 0;
	return 1;
}

static void *norm(call *c, int by_row) {
	if (described(c) || c->stage != stage_execute) return NULL;
	norm_work w;
	if (!fits(c, "ffff", "fff", 0) || !begin_norm(c, &w, by_row, c->results.buffers + 1)) return unfit(c);
	const buffer *scale = c->arguments.buffers[1], *offset = c->arguments.buffers[2], *y = c->results.buffers[0];
	if (size(scale) != w.channels || size(offset) != w.channels || size(y) != w.rows * w.channels) return unfit(c);
	w.scale = scale->data;
	w.offset = offset->data;
	w.y = y->data;
	w.mean = c->results.buffers[1]->data;
	w.variance = c->results.buffers[2]->data;
	if (by_row) return parallel(c, norm_rows, &w, norm_units(&w));
	return summed(c, &w, &w.sums, norm_sums(&w), norm_columns_sums, norm_units(&w), norm_columns_total, norm_columns);
}

static void *norm_gradient(call *c, int by_row) {
	if (described(c) || c->stage != stage_execute) return NULL;
	norm_work w;
	if (!fits(c, "ffffff", "fff", 0) || !begin_norm(c, &w, by_row, c->arguments.buffers + 2)) return unfit(c);
	const buffer *scale = c->arguments.buffers[1], *dy = c->arguments.buffers[4], *dx = c->results.buffers[0];
	const buffer *dscale = c->results.buffers[1], *doffset = c->results.buffers[2];
	const int64_t numbers = w.rows * w.channels;
	if (size(scale) != w.channels || size(dscale) != w.channels || size(doffset) != w.channels || size(dy) != numbers || size(dx) != numbers) return unfit(c);
	w.scale = scale->data;
	w.mean = c->arguments.buffers[2]->data;
	w.variance = c->arguments.buffers[3]->data;
	w.dy = dy->data;
	w.y = dx->data;
	w.dscale = dscale->data;
	w.doffset = doffset->data;
	if (by_row) return summed(c, &w, &w.sums, norm_sums(&w), norm_rows_gradient, norm_units(&w), norm_rows_gradient_total, NULL);
	return summed(c, &w, &w.sums, norm_sums(&w), norm_columns_gradient_sums, norm_units(&w), norm_columns_gradient_total, norm_columns_gradient);
}

// These are norm(x, scale, offset, epsilon) -> y, mean, variance, and
// norm_gradient(x, scale, mean, variance, dy, epsilon) -> those of x, scale and offset.
static void *call_batch_norm(call *c) { return norm(c, 0); }
static void *call_batch_norm_gradient(call *c) { return norm_gradient(c, 0); }
static void *call_layer_norm(call *c) { return norm(c, 1); }
static void *call_layer_norm_gradient(call *c) { return norm_gradient(c, 1); }

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

// call_adamw is adamw(w, gradient, mean, square, mean_rate, square_rate, rate, epsilon[, decay]) -> new w, mean, square.
static void *call_adamw(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	const int decays = c->arguments.count == 9;
	if (!fits(c, decays ? "fffffffff" : "ffffffff", "fff", 0)) return unfit(c);
	buffer **arguments = c->arguments.buffers, **results = c->results.buffers;
	adamw_work w = {.count = size(arguments[0]), .w = arguments[0]->data, .gradient = arguments[1]->data, .mean = arguments[2]->data,
		.square = arguments[3]->data, .to = results[0]->data, .to_mean = results[1]->data, .to_square = results[2]->data};
	for (int i = 1; i < 4; i++)
		if (size(arguments[i]) != w.count) return unfit(c);
	for (int i = 0; i < 3; i++)
		if (size(results[i]) != w.count) return unfit(c);
	if (!number(arguments[4], &w.mean_rate) || !number(arguments[5], &w.square_rate) || !number(arguments[6], &w.rate) ||
		!number(arguments[7], &w.epsilon) || decays && !number(arguments[8], &w.decay)) return unfit(c);
	return parallel(c, adamw, &w, adamw_units(&w));
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

// call_average is average(x) -> the mean over x's middle axis.
static void *call_average(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	if (!fits(c, "f", "f", 0)) return unfit(c);
	const buffer *x = c->arguments.buffers[0], *y = c->results.buffers[0];
	if (x->rank != 3 || size(x) == 0 || size(y) != x->dims[0] * x->dims[2]) return unfit(c);
	const average_work w = {.rows = x->dims[1], .channels = x->dims[2], .x = x->data, .y = y->data};
	return parallel(c, average, &w, x->dims[0]);
}

// call_score is score(logits, truth, target) -> total, gradient.
static void *call_score(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	if (!fits(c, "fff", "ff", 0)) return unfit(c);
	buffer **arguments = c->arguments.buffers;
	const buffer *logits = arguments[0], *total = c->results.buffers[0], *gradient = c->results.buffers[1];
	if (logits->rank != 2 || size(logits) == 0 || size(total) != 3 || size(gradient) != size(logits)) return unfit(c);
	for (int i = 1; i < 3; i++)
		if (size(arguments[i]) != size(logits)) return unfit(c);
	score_work w = {.rows = logits->dims[0], .classes = logits->dims[1], .logits = logits->data, .truth = arguments[1]->data,
		.target = arguments[2]->data, .gradient = gradient->data, .total = total->data};
	return summed(c, &w, &w.sums, score_sums(&w), score, score_units(&w), score_total, NULL);
}

// begin_attention reads queries, keys and values, and what dropout needs: two keys, a threshold, and a scale.
static int begin_attention(attention_work *w, buffer **arguments) {
	const buffer *q = arguments[0];
	for (int i = 3; i < 6; i++)
		if (arguments[i]->rank != 0) return 0;
	if (q->rank != 4 || size(q) == 0) return 0;
	for (int i = 1; i < 3; i++)
		if (!alike(arguments[i], q)) return 0;
	*w = (attention_work){.batch = q->dims[0], .tokens = q->dims[1], .heads = q->dims[2], .width = q->dims[3],
		.first = *(const uint32_t *)arguments[3]->data, .second = *(const uint32_t *)arguments[4]->data, .threshold = *(const uint32_t *)arguments[5]->data,
		.q = q->data, .k = arguments[1]->data, .v = arguments[2]->data};
	return number(arguments[6], &w->scale);
}

// call_attention is attention(q, k, v, first, second, threshold, scale) -> y.
static void *call_attention(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	attention_work w;
	if (!fits(c, "fffuuuf", "f", 0) || !begin_attention(&w, c->arguments.buffers)) return unfit(c);
	const buffer *y = c->results.buffers[0];
	if (!alike(y, c->arguments.buffers[0])) return unfit(c);
	w.y = y->data;
	return parallel(c, attention, &w, attention_units(&w));
}

// call_attention_gradient is attention_gradient(q, k, v, first, second, threshold, scale, dy) -> those of q, k and v.
static void *call_attention_gradient(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	attention_work w;
	if (!fits(c, "fffuuuff", "fff", 0) || !begin_attention(&w, c->arguments.buffers)) return unfit(c);
	const buffer *q = c->arguments.buffers[0], *dy = c->arguments.buffers[7];
	buffer **results = c->results.buffers;
	if (!alike(dy, q) || !alike(results[0], q) || !alike(results[1], q) || !alike(results[2], q)) return unfit(c);
	w.dy = dy->data;
	w.dq = results[0]->data;
	w.dk = results[1]->data;
	w.dv = results[2]->data;
	return parallel(c, attention_gradient, &w, attention_gradient_units(&w));
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

// begin_gelu_norm reads bias, scale and offset of so many channels.
static int begin_gelu_norm(gelu_norm *n, int64_t channels, buffer **given) {
	for (int i = 0; i < 3; i++)
		if (size(given[i]) != channels) return 0;
	*n = (gelu_norm){given[0]->data, given[1]->data, given[2]->data};
	return 1;
}

// begin_pointwise reads a kernel and its norm, for a table y.
static int begin_pointwise(pointwise_work *w, const buffer *kernel, buffer **norm, const buffer *y) {
	if (kernel->rank != 2 || size(kernel) == 0 || y->rank < 1 || size(y) == 0 || y->dims[y->rank - 1] != kernel->dims[1]) return 0;
	*w = (pointwise_work){.in = kernel->dims[0], .out = kernel->dims[1], .kernel = kernel->data, .y = y->data};
	w->rows = size(y) / w->out;
	return begin_gelu_norm(&w->norm, w->out, norm);
}

// call_pointwise is pointwise(x, kernel, bias, scale, offset) -> y.
static void *call_pointwise(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	if (!fits(c, "fffff", "f", 0)) return unfit(c);
	pointwise_work w;
	buffer **arguments = c->arguments.buffers;
	if (!begin_pointwise(&w, arguments[1], arguments + 2, c->results.buffers[0]) || size(arguments[0]) != w.rows * w.in) return unfit(c);
	w.x = arguments[0]->data;
	return with_panels(c, &w, &w.panels, pointwise_panels(&w), pointwise_share, pointwise_share_units(&w), pointwise, pointwise_units(&w));
}

// call_convmixer is convmixer(x, kernel, bias, scale, offset, pointwise's kernel, bias, scale and offset, before) -> y.
static void *call_convmixer(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	if (!fits(c, "fffffffffi", "f", 0)) return unfit(c);
	buffer **arguments = c->arguments.buffers;
	const buffer *x = arguments[0], *kernel = arguments[1], *y = c->results.buffers[0];
	convmixer_work w;
	if (!begin_depthwise(&w.places, x, y, kernel, arguments[9]) || !alike(x, y) ||
		!begin_gelu_norm(&w.norm, w.places.channels, arguments + 2) || !begin_pointwise(&w.mixing, arguments[5], arguments + 6, y) ||
		w.mixing.in != w.places.channels) return unfit(c);
	w.places.kernel = kernel->data;
	return with_panels(c, &w, &w.mixing.panels, pointwise_panels(&w.mixing), convmixer_share, pointwise_share_units(&w.mixing), convmixer, w.places.batch);
}

// begin_conv_norm reads x, kernel, bias, the norm's scale and, last, its epsilon and, if depthwise, before, for tables as
// large as y.
static int begin_conv_norm(conv_norm_work *w, const call *c, int depthwise, const buffer *scale, const buffer *y) {
	buffer **arguments = c->arguments.buffers, **last = arguments + c->arguments.count - 1 - depthwise;
	const buffer *x = arguments[0], *kernel = arguments[1], *bias = arguments[2];
	if (y->rank < 1 || size(y) == 0 || y->rank != x->rank) return 0;
	const int64_t channels = y->dims[y->rank - 1];
	*w = (conv_norm_work){.x = x->data, .kernel = kernel->data, .bias = bias->data, .norm = {.channels = channels, .rows = size(y) / channels}};
	if (depthwise) {
		if (!begin_depthwise(&w->places, x, y, kernel, last[1]) || !alike(x, y)) return 0;
		w->places.kernel = w->kernel;
	} else {
		if (kernel->rank != 2 || size(kernel) == 0 || kernel->dims[1] != channels || x->dims[x->rank - 1] != kernel->dims[0] ||
			size(x) != w->norm.rows * kernel->dims[0]) return 0;
		w->in = kernel->dims[0];
	}
	w->norm.piece = conv_norm_piece(w);
	w->norm.scale = scale->data;
	return size(bias) == channels && size(scale) == channels && number(last[0], &w->norm.epsilon);
}

static void *conv_norm_forward(call *c, int depthwise) {
	if (described(c) || c->stage != stage_execute) return NULL;
	conv_norm_work w;
	buffer **arguments = c->arguments.buffers, **results = c->results.buffers;
	const buffer *y = results[0];
	if (!fits(c, depthwise ? "ffffffi" : "ffffff", "fffff", 0) || !begin_conv_norm(&w, c, depthwise, arguments[3], y) ||
		size(arguments[4]) != w.norm.channels || !alike(results[1], y) || !alike(results[2], y) ||
		size(results[3]) != w.norm.channels || size(results[4]) != w.norm.channels) return unfit(c);
	w.norm.offset = arguments[4]->data;
	w.norm.y = y->data;
	w.linear = results[1]->data;
	w.norm.x = w.active = results[2]->data;
	w.norm.mean = results[3]->data;
	w.norm.variance = results[4]->data;
	const int64_t panels = conv_norm_panels(&w, 0);
	w.panels = room_for(panels + norm_sums(&w.norm));
	if (w.panels == NULL) return no_memory(c);
	w.norm.sums = w.panels + panels;
	conv_norm_share(&w, 0);
	void *failed = parallel(c, conv_norm_active, &w, conv_norm_units(&w));
	if (failed == NULL) {
		norm_columns_total(&w.norm);
		failed = parallel(c, conv_norm, &w, conv_norm_units(&w));
	}
	free(w.panels);
	return failed;
}

static void *conv_norm_back(call *c, int depthwise) {
	if (described(c) || c->stage != stage_execute) return NULL;
	conv_norm_work w;
	buffer **arguments = c->arguments.buffers, **results = c->results.buffers;
	const int all = depthwise || c->results.count == 5;
	if (!fits(c, depthwise ? "ffffffffffi" : "ffffffffff", all ? "fffff" : "ffff", 0)) return unfit(c);
	const buffer *dy = arguments[8];
	if (!begin_conv_norm(&w, c, depthwise, arguments[5], dy) || !alike(arguments[3], dy) || !alike(arguments[4], dy) ||
		size(arguments[6]) != w.norm.channels || size(arguments[7]) != w.norm.channels) return unfit(c);
	const buffer *like[] = {arguments[1], arguments[2], arguments[5], arguments[5], arguments[0]};
	for (int i = 0; i < c->results.count; i++)
		if (size(results[i]) != size(like[i])) return unfit(c);
	w.linear = arguments[3]->data;
	w.norm.x = arguments[4]->data;
	w.norm.mean = arguments[6]->data;
	w.norm.variance = arguments[7]->data;
	w.norm.dy = dy->data;
	w.dkernel = results[0]->data;
	w.dbias = results[1]->data;
	w.norm.dscale = results[2]->data;
	w.norm.doffset = results[3]->data;
	w.dx = all ? results[4]->data : NULL;
	const int64_t panels = conv_norm_panels(&w, 1), sums = conv_norm_sums(&w);
	w.panels = room_for(panels + sums + norm_sums(&w.norm));
	if (w.panels == NULL) return no_memory(c);
	w.sums = w.panels + panels;
	w.norm.sums = w.sums + sums;
	conv_norm_share(&w, 1);
	void *failed = parallel(c, norm_columns_gradient_sums, &w.norm, norm_units(&w.norm));
	if (failed == NULL) {
		norm_columns_gradient_total(&w.norm);
		failed = parallel(c, conv_norm_gradient, &w, conv_norm_gradient_units(&w));
	}
	if (failed == NULL) conv_norm_gradient_total(&w);
	free(w.panels);
	return failed;
}

// These are conv_norm(x, kernel, bias, scale, offset, epsilon[, before]) -> y, linear, active, mean, variance, and
// conv_norm_gradient(x, kernel, bias, linear, active, scale, mean, variance, dy, epsilon[, before]) -> those of kernel, bias,
// scale, offset and, where it is asked for, x; before is of depthwise ones.
static void *call_pointwise_norm(call *c) { return conv_norm_forward(c, 0); }
static void *call_pointwise_norm_gradient(call *c) { return conv_norm_back(c, 0); }
static void *call_depthwise_norm(call *c) { return conv_norm_forward(c, 1); }
static void *call_depthwise_norm_gradient(call *c) { return conv_norm_back(c, 1); }

// finalise is models.finalise: every bit of the result depends on every bit of x.
static uint32_t finalise(uint32_t x) {
	x = (x ^ x >> 16) * 0x7feb352d;
	x = (x ^ x >> 15) * 0x846ca68b;
	return x ^ x >> 16;
}

// call_dropout_keys is dropout_keys(low, high, site) -> first, second, all of them uint32.
static void *call_dropout_keys(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	if (!fits(c, "uuu", "uu", 0)) return unfit(c);
	uint32_t given[3];
	for (int i = 0; i < 3; i++) {
		if (c->arguments.buffers[i]->rank != 0) return unfit(c);
		given[i] = *(const uint32_t *)c->arguments.buffers[i]->data;
	}
	for (int i = 0; i < 2; i++)
		if (c->results.buffers[i]->rank != 0) return unfit(c);
	const uint32_t first = finalise(finalise(given[0] + given[2]) + given[1]);
	*(uint32_t *)c->results.buffers[0]->data = first;
	*(uint32_t *)c->results.buffers[1]->data = finalise(first + 0x85ebca6b);
	return NULL;
}

// offer registers one target; 0: the plugin refuses.
static int offer(const api_table *api, function add, const char *name, void *handler) {
	static const char platform[] = "Host";
	register_args args = {sizeof args, name, strlen(name), handler, platform, sizeof platform - 1, 0};
	return !failed(api->functions[error_destroy], add(&args));
}

int register_calls(const api_table *api) {
	extension *e = api->extensions;
	while (e != NULL && e->type != extension_ffi) e = e->next;
	if (e == NULL || e->size < sizeof(ffi_extension)) return 0;
	function add = ((ffi_extension *)e)->register_handler;
	// XLA asks for each handler's version at once, but does not say whether it takes the handler: 0.1 would not.
	minor_version = 0;
	return offer(api, add, "patchlab_depthwise", call_depthwise) && minor_version >= 2 &&
		offer(api, add, "patchlab_depthwise_gradient", call_depthwise_gradient) &&
		offer(api, add, "patchlab_product", call_product) && offer(api, add, "patchlab_dense", call_dense) &&
		offer(api, add, "patchlab_adamw", call_adamw) &&
		offer(api, add, "patchlab_batch_norm", call_batch_norm) && offer(api, add, "patchlab_batch_norm_gradient", call_batch_norm_gradient) &&
		offer(api, add, "patchlab_layer_norm", call_layer_norm) && offer(api, add, "patchlab_layer_norm_gradient", call_layer_norm_gradient) &&
		offer(api, add, "patchlab_gelu", call_gelu) && offer(api, add, "patchlab_gelu_gradient", call_gelu_gradient) &&
		offer(api, add, "patchlab_mlp", call_mlp) && offer(api, add, "patchlab_mlp_gradient", call_mlp_gradient) &&
		offer(api, add, "patchlab_mixer", call_mixer) && offer(api, add, "patchlab_convmixer", call_convmixer) &&
		offer(api, add, "patchlab_pointwise", call_pointwise) &&
		offer(api, add, "patchlab_pointwise_norm", call_pointwise_norm) && offer(api, add, "patchlab_pointwise_norm_gradient", call_pointwise_norm_gradient) &&
		offer(api, add, "patchlab_depthwise_norm", call_depthwise_norm) && offer(api, add, "patchlab_depthwise_norm_gradient", call_depthwise_norm_gradient) &&
		offer(api, add, "patchlab_attention", call_attention) && offer(api, add, "patchlab_attention_gradient", call_attention_gradient) &&
		offer(api, add, "patchlab_average", call_average) &&
		offer(api, add, "patchlab_score", call_score) && offer(api, add, "patchlab_dropout_keys", call_dropout_keys);
}
