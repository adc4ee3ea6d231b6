// Calls of convolutions, and of what follows them in a ConvMixer.
#pragma once

#include "arguments_linux.h"
#include "convmixer_linux.h"
#include "convnorm_linux.h"
#include "depthwise_linux.h"

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
	void *failed = parallel(c, conv_norm_active, &w, norm_units(&w.norm));
	if (failed == NULL) {
		norm_columns_total(&w.norm);
		failed = parallel(c, conv_norm, &w, norm_units(&w.norm));
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
