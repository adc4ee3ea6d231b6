// Kernels that XLA's programs call (handlers_linux.h): depthwise convolutions,
// normalisations, products, GELU, MLPs, layers of Mixers and ConvMixers, averages, attention, the
// loss and AdamW's update, of float32. Each function does one of its units of work, which
// are independent of each other, and returns 0 where there is no memory.
#pragma once

#include <stdint.h>

// depthwise_work is a convolution of each channel by itself, stride 1:
//
//	y[b,h,w,c] = sum over i, j of x[b, h+i-before, w+j-before, c] kernel[i,j,c]
//
// x [batch, x_height, x_width, channels] being 0 outside, y [batch, height, width,
// channels]; or that convolution's gradient by the kernel [side, side, channels].
typedef struct {
	int64_t batch, height, width, channels, side, before, x_height, x_width;
	const float *x, *kernel, *dy;
	float *y, *dkernel;
	float *sums; // of the gradient: depthwise_sums floats, which depthwise_total adds up
} depthwise_work;

static int64_t depthwise_units(const depthwise_work *w);
static int64_t depthwise_gradient_units(const depthwise_work *w);
static int64_t depthwise_sums(const depthwise_work *w);
static int depthwise(const void *work, int64_t unit);
static int depthwise_gradient(const void *work, int64_t unit);
static void depthwise_total(const void *work);

// norm_work is y = scale (x - mean)/sqrt(variance + epsilon) + offset of a table
// [rows, channels], mean and variance being those of each channel over the rows
// (BatchNorm), or of each row over its channels (LayerNorm). Scale and offset have a
// number for each channel. Variances are the biased ones.
typedef struct {
	int64_t rows, channels;
	int64_t piece; // rows that a unit has; 0: as many as suit
	float epsilon;
	const float *x, *scale, *offset, *dy;
	float *mean, *variance; // results; arguments of the gradient
	float *y;               // the gradient's is that of x
	float *dscale, *doffset;
	float *sums; // norm_sums floats
} norm_work;

static int64_t norm_units(const norm_work *w);
static int64_t norm_sums(const norm_work *w);

// By row: the table for each unit, of the gradient then the total of the sums.
static int norm_rows(const void *work, int64_t unit);
static int norm_rows_gradient(const void *work, int64_t unit);
static void norm_rows_gradient_total(const void *work);

// By column: sums for each unit, then their total, then the table for each unit.
static int norm_columns_sums(const void *work, int64_t unit);
static void norm_columns_total(const void *work);
static int norm_columns(const void *work, int64_t unit);
static int norm_columns_gradient_sums(const void *work, int64_t unit);
static void norm_columns_gradient_total(const void *work);
static int norm_columns_gradient(const void *work, int64_t unit);

// product_work is a product of tables a and b, for each group (of two axes):
//
//	c[i,j] = sum over o, k of a[o,i,k] b[o,k,j]
//
// each axis of each table with its own stride, but for c's columns, which lie side by
// side; to each row of c comes the bias, if any.
typedef struct {
	int64_t groups[2], rows, columns, outer, depth;
	int64_t a_group[2], a_row, a_outer, a_depth;
	int64_t b_group[2], b_outer, b_depth, b_column;
	int64_t c_group[2], c_row;
	const float *a, *b, *bias;
	float *c;
	float *sums;   // product_sums floats, if any: parts of the sums, which product_total adds up
	float *shared; // product_shared floats, if any: b in panels for all units, which product_share's units write before
	float *panels; // room for product_panels floats, 64 bytes aligned; NULL: the kernel makes it
} product_work;

static int64_t product_shared(const product_work *w);
static int64_t product_share_units(const product_work *w);
static int product_share(const void *work, int64_t unit);
static int64_t product_units(const product_work *w); // after w->shared is known
static int64_t product_sums(const product_work *w);
static int product(const void *work, int64_t unit);
static int64_t product_total_units(const product_work *w);
static int product_total(const void *work, int64_t unit);
static int64_t product_panels(int64_t columns, int64_t depth);

// product_whole does all of a product of one group, without sums, or adds it to c, without the bias.
static int product_whole(const void *work, int64_t add);

// adamw_work is a step of AdamW on count weights, whose mean and square are the
// moments of their gradient:
//
//	mean   += mean_rate (gradient - mean)
//	square += square_rate (gradient² - square)
//	w      -= decay w + rate mean/(sqrt(square) + epsilon)
//
// A result may lie where its argument does.
typedef struct {
	int64_t count;
	float mean_rate, square_rate, decay, rate, epsilon;
	const float *w, *gradient, *mean, *square;
	float *to, *to_mean, *to_square;
} adamw_work;

static int64_t adamw_units(const adamw_work *w);
static int adamw(const void *work, int64_t unit);

// gelu_work is y = u Φ(u) of a table u = x + bias [rows, channels], Φ being the normal
// distribution, or its gradient by x and bias.
typedef struct {
	int64_t rows, channels;
	const float *x, *bias, *dy;
	float *y;     // the gradient's is that of x
	float *dbias; // which gelu_gradient_total adds up
	float *sums;  // of the gradient: gelu_sums floats
} gelu_work;

static int64_t gelu_units(const gelu_work *w);
static int64_t gelu_sums(const gelu_work *w);
static int gelu(const void *work, int64_t unit);
static int gelu_gradient(const void *work, int64_t unit);
static void gelu_gradient_total(const void *work);

// average_work is y = the mean over the rows of each table of x [tables, rows, channels], one a unit.
typedef struct {
	int64_t rows, channels;
	const float *x;
	float *y;
} average_work;

static int average(const void *work, int64_t unit);

// score_work is the mean cross-entropy of logits [rows, classes] against targets, its
// gradient by them, and how many rows' true class, 1 in truth, has rank 1, and rank 5
// or better: its rank is how many logits are above its own.
typedef struct {
	int64_t rows, classes;
	const float *logits, *truth, *target;
	float *gradient;
	float *total; // loss and counts, which score_total adds up
	float *sums;  // score_sums floats
} score_work;

static int64_t score_units(const score_work *w);
static int64_t score_sums(const score_work *w);
static int score(const void *work, int64_t unit);
static void score_total(const void *work);

// attention_work is y = dropout(softmax(q k^T)) v for each head of each image, or its
// gradients by q, k and v, all tables being [batch, tokens, heads, width].
//
// Softmax is over the keys of a query. Dropout multiplies number i of its result, in a
// table [batch, heads, tokens, tokens], by scale where a hash of i and two keys is below
// the threshold, else by 0; a scale of 1 is no dropout.
typedef struct {
	int64_t batch, tokens, heads, width;
	uint32_t first, second, threshold;
	float scale;
	const float *q, *k, *v, *dy;
	float *y, *dq, *dk, *dv;
} attention_work;

static int64_t attention_units(const attention_work *w);
static int64_t attention_gradient_units(const attention_work *w);
static int attention(const void *work, int64_t unit);
static int attention_gradient(const void *work, int64_t unit);

// mlp_work is y = gelu(x kernel0 + bias0) kernel1 + bias1, x being [rows, in], kernel0 [in, hidden], kernel1 [hidden, out]
// and y [rows, out]; or its gradients by all five. Panels are weights for all units, which mlp_share's or
// mlp_gradient_share's units write before.
typedef struct {
	int64_t rows, in, hidden, out;
	const float *x, *kernel0, *bias0, *kernel1, *bias1, *dy;
	float *y, *dx;
	float *parameters[4]; // gradients of kernel0, bias0, kernel1 and bias1, which mlp_total's units add up
	float *panels;        // mlp_panels or mlp_gradient_panels floats
	float *sums;          // of the gradient: mlp_sums floats
} mlp_work;

enum { mlp_share_units = 2, mlp_gradient_share_units = 3 };
static int64_t mlp_panels(const mlp_work *w);
static int64_t mlp_gradient_panels(const mlp_work *w);
static int mlp_share(const void *work, int64_t unit);
static int mlp_gradient_share(const void *work, int64_t unit);
static int64_t mlp_units(const mlp_work *w);
static int mlp(const void *work, int64_t unit);
static int64_t mlp_sums(const mlp_work *w);
static int64_t mlp_gradient_units(const mlp_work *w);
static int mlp_gradient(const void *work, int64_t unit);
static int64_t mlp_total_units(const mlp_work *w);
static int mlp_total(const void *work, int64_t unit);

// mixer_work is a layer of MLP-Mixer for tables x [tokens, channels], one a unit:
//
//	u = x + transposed(token_mlp(transposed(norm(x))))
//	y = u + channel_mlp(norm(u))
//
// The norms are those of a table's rows, without their tables; the MLPs have no tables either, and are as wide as tokens and
// channels are many. mixer_share's units write panels before, in the channel MLP's.
typedef struct {
	norm_work token_norm, channel_norm;
	mlp_work token_mlp, channel_mlp;
	const float *x;
	float *y;
} mixer_work;

enum { mixer_share_units = 4 };
static int64_t mixer_panels(const mixer_work *w); // floats
static int mixer_share(const void *work, int64_t unit);
static int mixer(const void *work, int64_t unit);

typedef struct {
	const float *bias, *scale, *offset; // a number for each channel
} gelu_norm;

// pointwise_work is a convolution whose kernel sees each place once, and what a ConvMixer puts after it outside training,
// of x [rows, in], kernel [in, out] and y [rows, out]:
//
//	y = gelu(x kernel + bias) scale + offset
//
// Panels are weights for all units, which pointwise_share's units write before.
typedef struct {
	int64_t rows, in, out;
	const float *x, *kernel;
	gelu_norm norm;
	float *y;
	float *panels; // pointwise_panels floats
} pointwise_work;

static int64_t pointwise_panels(const pointwise_work *w);
static int64_t pointwise_share_units(const pointwise_work *w);
static int pointwise_share(const void *work, int64_t unit);
static int64_t pointwise_units(const pointwise_work *w);
static int pointwise(const void *work, int64_t unit);

// convmixer_work is a layer of ConvMixer outside training, places being a convolution whose x is as large as its result:
//
//	u = x + gelu(depthwise(x) + bias) scale + offset
//	y = pointwise(u)
//
// A unit is an image; convmixer_share's units, as many as pointwise_share's, come before.
typedef struct {
	depthwise_work places;
	gelu_norm norm;
	pointwise_work mixing; // of channels
} convmixer_work;

static int convmixer_share(const void *work, int64_t unit);
static int convmixer(const void *work, int64_t unit);

// conv_norm_work is a convolution and what a ConvMixer puts after it in training, of y [rows, channels]:
//
//	linear = x kernel, x being [rows, in] and kernel [in, channels]; or depthwise(x) of x [rows, channels] where in is 0
//	active = gelu(linear + bias)
//	y      = norm(active), to which x is added after a depthwise one
//
// or its gradients by x, kernel, bias, scale and offset. conv_norm_share comes first, back for the gradient; then
// conv_norm_active's units, as many as the norm's, norm_columns_total, and conv_norm's units, as many again; in the
// gradient norm_columns_gradient_sums' units, norm_columns_gradient_total, conv_norm_gradient's units and
// conv_norm_gradient_total.
typedef struct {
	int64_t in;
	depthwise_work places; // without its tables, its x as large as its result
	const float *x, *kernel, *bias;
	float *linear, *active;
	norm_work norm; // of columns, x being active, piece conv_norm_piece
	float *dx;     // NULL: not wanted, of a pointwise one
	float *dkernel, *dbias;
	float *panels; // conv_norm_panels floats
	float *sums;   // of the gradient: conv_norm_sums floats
} conv_norm_work;

static int64_t conv_norm_piece(const conv_norm_work *w);
static int64_t conv_norm_panels(const conv_norm_work *w, int back);
static void conv_norm_share(const conv_norm_work *w, int back);
static int conv_norm_active(const void *work, int64_t unit);
static int conv_norm(const void *work, int64_t unit);
static int64_t conv_norm_sums(const conv_norm_work *w);
static int64_t conv_norm_gradient_units(const conv_norm_work *w);
static int conv_norm_gradient(const void *work, int64_t unit);
static void conv_norm_gradient_total(const void *work);
