// Calls of the kernels by XLA's programs, and the kernels, for the set of instructions that this is compiled for: the file
// that includes it says how many numbers one of its registers has (LANES), and how to name register_calls here.
#include "calls_linux.h"

#include <stdint.h>
#include <string.h>

#include "adamw_linux.h"
#include "arguments_linux.h"
#include "attention_linux.h"
#include "average_linux.h"
#include "convcalls_linux.h"
#include "norms_linux.h"
#include "productcalls_linux.h"
#include "score_linux.h"

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
