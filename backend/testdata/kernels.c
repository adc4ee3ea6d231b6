// Tries the kernels of ../kernels_linux.h, for the set of instructions and LANES that
// this is compiled for, beside plain loops in double precision: run by TestKernels.
#include "../adamw_linux.h"
#include "../attention_linux.h"
#include "../average_linux.h"
#include "../convmixer_linux.h"
#include "../convnorm_linux.h"
#include "../depthwise_linux.h"
#include "../gelu_linux.h"
#include "../mixer_linux.h"
#include "../mlp_linux.h"
#include "../norms_linux.h"
#include "../products_linux.h"
#include "../score_linux.h"

#include <math.h>
#include <stdio.h>

typedef int kernel_function(const void *work, int64_t unit);

static int failures;

// filled returns count numbers, and one more that must stay as it is.
static float *filled(int64_t count) {
	float *p = malloc((count + 1) * sizeof(float));
	for (int64_t i = 0; i <= count; i++) p[i] = rand() / (float)RAND_MAX - .5f;
	return p;
}

static void compare(const char *what, const float *got, const double *want, int64_t count, float beyond) {
	for (int64_t i = 0; i < count; i++)
		if (!(fabs(got[i] - want[i]) < 1e-4 * (1 + fabs(want[i])))) {
			printf("%s: %g at %ld of %ld, want %g\n", what, got[i], (long)i, (long)count, want[i]);
			failures++;
			break;
		}
	if (got[count] != beyond) {
		printf("%s: written beyond the end\n", what);
		failures++;
	}
}

// each does all units, the last first.
static void each(kernel_function *run, const void *work, int64_t units) {
	for (int64_t u = units - 1; u >= 0; u--)
		if (!run(work, u)) failures++;
}

static void try_depthwise(depthwise_work w) {
	const int64_t taps = w.side * w.side * w.channels, size = w.batch * w.height * w.width * w.channels;
	float *x = filled(w.batch * w.x_height * w.x_width * w.channels), *kernel = filled(taps), *dy = filled(size);
	float *y = filled(size), *dkernel = filled(taps), *sums = filled(depthwise_sums(&w));
	double *want_y = calloc(size, sizeof(double)), *want_dkernel = calloc(taps, sizeof(double));
	for (int64_t i = 0; i < size; i++)
		for (int64_t tap = 0; tap < w.side * w.side; tap++) {
			const int64_t c = i % w.channels, column = i / w.channels % w.width, row = i / w.channels / w.width % w.height;
			const int64_t b = i / w.channels / w.width / w.height, h = row + tap / w.side - w.before, v = column + tap % w.side - w.before;
			if (h < 0 || h >= w.x_height || v < 0 || v >= w.x_width) continue;
			const double from = x[((b * w.x_height + h) * w.x_width + v) * w.channels + c];
			want_y[i] += from * kernel[tap * w.channels + c];
			want_dkernel[tap * w.channels + c] += from * dy[i];
		}
	const float y_end = y[size], dkernel_end = dkernel[taps], sums_end = sums[depthwise_sums(&w)];
	w.x = x, w.kernel = kernel, w.dy = dy, w.y = y, w.sums = sums;
	each(depthwise, &w, depthwise_units(&w));
	each(depthwise_gradient, &w, depthwise_gradient_units(&w));
	w.dkernel = dkernel;
	depthwise_total(&w);
	compare("depthwise", y, want_y, size, y_end);
	compare("depthwise gradient", dkernel, want_dkernel, taps, dkernel_end);
	if (sums[depthwise_sums(&w)] != sums_end) failures++;
	free(x), free(kernel), free(dy), free(y), free(dkernel), free(sums), free(want_y), free(want_dkernel);
}

// try_norm takes moments of each column or, by_row, of each row; scale and offset are by column.
static void try_norm(int64_t rows, int64_t channels, int by_row) {
	const int64_t size = rows * channels, groups = by_row ? rows : channels, members = size / groups;
	float *x = filled(size), *dy = filled(size), *scale = filled(channels), *offset = filled(channels);
	float *y = filled(size), *dx = filled(size), *mean = filled(groups), *variance = filled(groups), *dscale = filled(channels), *doffset = filled(channels);
	double *want = calloc(2 * size + 2 * groups + 2 * channels, sizeof(double)), *want_dx = want + size, *want_mean = want_dx + size;
	double *want_variance = want_mean + groups, *want_dscale = want_variance + groups, *want_doffset = want_dscale + channels;
	for (int64_t i = 0; i < size; i++) x[i] += 3; // a mean that a careless variance would suffer from
	for (int64_t g = 0; g < groups; g++) {
#define MEMBER(m) (by_row ? g * channels + (m) : (m) * channels + g)
		for (int64_t m = 0; m < members; m++) want_mean[g] += x[MEMBER(m)] / (double)members;
		for (int64_t m = 0; m < members; m++) want_variance[g] += pow(x[MEMBER(m)] - want_mean[g], 2) / members;
		const double inverse = 1 / sqrt(want_variance[g] + 1e-3f);
		double sum = 0, product = 0; // of the gradient of what is scaled
		for (int64_t m = 0; m < members; m++) {
			const int64_t i = MEMBER(m), c = i % channels;
			const double unit = (x[i] - want_mean[g]) * inverse;
			want[i] = unit * scale[c] + offset[c];
			want_dscale[c] += dy[i] * unit;
			want_doffset[c] += dy[i];
			sum += (double)dy[i] * scale[c];
			product += (double)dy[i] * scale[c] * unit;
		}
		for (int64_t m = 0; m < members; m++) {
			const int64_t i = MEMBER(m);
			want_dx[i] = inverse * ((double)dy[i] * scale[i % channels] - sum / members - (x[i] - want_mean[g]) * inverse * product / members);
		}
	}
	norm_work w = {.rows = rows, .channels = channels, .epsilon = 1e-3f, .x = x, .scale = scale, .offset = offset, .dy = dy, .mean = mean, .variance = variance, .y = y, .dscale = dscale, .doffset = doffset};
	const float ends[] = {y[size], dx[size], mean[groups], variance[groups], dscale[channels], doffset[channels]};
	w.sums = filled(norm_sums(&w));
	const float sums_end = w.sums[norm_sums(&w)];
	if (by_row) {
		each(norm_rows, &w, norm_units(&w));
		w.y = dx;
		each(norm_rows_gradient, &w, norm_units(&w));
		norm_rows_gradient_total(&w);
	} else {
		each(norm_columns_sums, &w, norm_units(&w));
		norm_columns_total(&w);
		each(norm_columns, &w, norm_units(&w));
		w.y = dx;
		each(norm_columns_gradient_sums, &w, norm_units(&w));
		norm_columns_gradient_total(&w);
		each(norm_columns_gradient, &w, norm_units(&w));
	}
	compare("norm", y, want, size, ends[0]);
	compare("norm's gradient", dx, want_dx, size, ends[1]);
	compare("mean", mean, want_mean, groups, ends[2]);
	compare("variance", variance, want_variance, groups, ends[3]);
	compare("gradient of scale", dscale, want_dscale, channels, ends[4]);
	compare("gradient of offset", doffset, want_doffset, channels, ends[5]);
	if (w.sums[norm_sums(&w)] != sums_end) failures++;
	free(x), free(dy), free(scale), free(offset), free(y), free(dx), free(mean), free(variance), free(dscale), free(doffset), free(want), free(w.sums);
}

// lay gives loops of the given sizes steps in an order of its own, the first innermost, gap numbers apart, and returns
// how many numbers the table has.
static int64_t lay(int count, const int64_t *sizes[], int64_t *steps[], int64_t gap) {
	int64_t step = gap;
	for (int i = 0; i < count; i++) {
		*steps[i] = step;
		step *= *sizes[i];
	}
	return step;
}

// try_product tries a product of all layouts that the kernel treats differently.
static void try_product(product_work w) {
	for (int layout = 0; layout < 16; layout++) {
		typedef const int64_t *sizes[];
		typedef int64_t *steps[];
		const int64_t a_gap = layout % 2 ? 1 : 3, b_gap = layout / 2 % 2 ? 1 : 2;
		const int64_t a_size = layout / 4 % 2 ? lay(5, (sizes){&w.depth, &w.rows, &w.groups[1], &w.outer, &w.groups[0]}, (steps){&w.a_depth, &w.a_row, &w.a_group[1], &w.a_outer, &w.a_group[0]}, a_gap)
			: lay(5, (sizes){&w.rows, &w.groups[0], &w.depth, &w.groups[1], &w.outer}, (steps){&w.a_row, &w.a_group[0], &w.a_depth, &w.a_group[1], &w.a_outer}, a_gap);
		const int64_t b_size = layout / 4 % 2 ? lay(5, (sizes){&w.columns, &w.groups[0], &w.outer, &w.groups[1], &w.depth}, (steps){&w.b_column, &w.b_group[0], &w.b_outer, &w.b_group[1], &w.b_depth}, b_gap)
			: lay(5, (sizes){&w.depth, &w.columns, &w.groups[1], &w.groups[0], &w.outer}, (steps){&w.b_depth, &w.b_column, &w.b_group[1], &w.b_group[0], &w.b_outer}, b_gap);
		if (layout % 4 == 3) w.b_group[0] = w.b_group[1] = 0; // one b for all groups
		int64_t beside;
		const int64_t size = lay(4, (sizes){&w.columns, &w.groups[1], &w.rows, &w.groups[0]}, (steps){&beside, &w.c_group[1], &w.c_row, &w.c_group[0]}, 1);
		const int64_t room = product_panels(w.columns, w.depth);
		float *a = filled(a_size), *b = filled(b_size), *c = filled(size), *sums = filled(product_sums(&w)), *bias = filled(w.columns);
		double *want = calloc(size, sizeof(double));
		w.bias = layout / 8 ? bias : NULL;
		for (int64_t g0 = 0; g0 < w.groups[0]; g0++)
			for (int64_t g1 = 0; g1 < w.groups[1]; g1++)
				for (int64_t i = 0; i < w.rows; i++)
					for (int64_t j = 0; j < w.columns; j++) {
						const int64_t at = g0 * w.c_group[0] + g1 * w.c_group[1] + i * w.c_row + j;
						double sum = w.bias != NULL ? bias[j] : 0;
						for (int64_t o = 0; o < w.outer; o++)
							for (int64_t k = 0; k < w.depth; k++)
								sum += (double)a[g0 * w.a_group[0] + g1 * w.a_group[1] + i * w.a_row + o * w.a_outer + k * w.a_depth] *
									b[g0 * w.b_group[0] + g1 * w.b_group[1] + j * w.b_column + o * w.b_outer + k * w.b_depth];
						want[at] = sum;
					}
		const float c_end = c[size], sums_end = sums[product_sums(&w)];
		w.a = a, w.b = b, w.c = c, w.sums = product_sums(&w) > 0 ? sums : NULL;
		each(product, &w, product_units(&w));
		if (w.sums != NULL) each(product_total, &w, product_total_units(&w));
		compare("product", c, want, size, c_end);
		if (product_shared(&w) > 0) {
			for (int64_t i = 0; i < size; i++) c[i] = NAN;
			product_work sharing = w;
			sharing.shared = room_for(product_shared(&w) + 1);
			sharing.shared[product_shared(&w)] = 7;
			each(product_share, &sharing, product_share_units(&sharing));
			each(product, &sharing, product_units(&sharing));
			compare("product that shares panels", c, want, size, c_end);
			if (sharing.shared[product_shared(&w)] != 7) failures++;
			free(sharing.shared);
		}
		if (sums[product_sums(&w)] != sums_end) failures++;
		// The whole at once, into rows with a gap after each, which stays as it is.
		float *wide = filled((w.columns + 3) * w.rows), *panels = room_for(room + 1), *rows = filled(size);
		const float gap = wide[w.columns], panels_end = panels[room] = 7;
		product_work one = w;
		one.c = wide, one.c_row = w.columns + 3, one.bias = NULL;
		for (int add = 0; add < 2 && w.bias == NULL && w.groups[0] * w.groups[1] == 1; add++) {
			one.panels = add ? panels : NULL;
			if (!product_whole(&one, add)) failures++;
			for (int64_t i = 0; i < size; i++) rows[i] = wide[i / w.columns * one.c_row + i % w.columns];
			compare("whole product", rows, want, size, rows[size]);
			for (int64_t i = 0; i < size; i++) want[i] += rows[i];
			if (wide[w.columns] != gap || panels[room] != panels_end) failures++;
		}
		free(wide), free(panels), free(rows);
		free(a), free(b), free(c), free(sums), free(bias), free(want);
	}
}

// try_adamw tries a step on count weights, with results beside or in place of what they were made from.
static void try_adamw(uint32_t count, int in_place) {
	adamw_work a = {.count = count, .mean_rate = .1f, .square_rate = .001f, .decay = .01f, .rate = .02f, .epsilon = 1e-7f};
	float *w = filled(count), *g = filled(count), *m = filled(count), *v = filled(count), *to = filled(count), *to_mean = filled(count), *to_square = filled(count);
	double *want = calloc(count, 3 * sizeof(double)), *want_mean = want + count, *want_square = want_mean + count;
	for (int64_t i = 0; i < count; i++) {
		v[i] = fabsf(v[i]);
		want_mean[i] = m[i] + ((double)g[i] - m[i]) * a.mean_rate;
		want_square[i] = v[i] + ((double)g[i] * g[i] - v[i]) * a.square_rate;
		want[i] = w[i] - (double)w[i] * a.decay - a.rate * want_mean[i] / (sqrt(want_square[i]) + a.epsilon);
	}
	a.w = w, a.gradient = g, a.mean = m, a.square = v;
	a.to = in_place ? w : to, a.to_mean = in_place ? m : to_mean, a.to_square = in_place ? v : to_square;
	const float ends[] = {a.to[count], a.to_mean[count], a.to_square[count]};
	each(adamw, &a, adamw_units(&a));
	compare("weights", a.to, want, count, ends[0]);
	compare("mean of the gradient", a.to_mean, want_mean, count, ends[1]);
	compare("square of the gradient", a.to_square, want_square, count, ends[2]);
	free(w), free(g), free(m), free(v), free(to), free(to_mean), free(to_square), free(want);
}

static void try_gelu(int64_t rows, int64_t channels) {
	const int64_t size = rows * channels;
	gelu_work w = {.rows = rows, .channels = channels};
	float *x = filled(size), *bias = filled(channels), *dy = filled(size), *y = filled(size), *dx = filled(size), *dbias = filled(channels);
	double *want = calloc(2 * size + channels, sizeof(double)), *want_dx = want + size, *want_dbias = want_dx + size;
	for (int64_t i = 0; i < size; i++) {
		x[i] *= 16;
		const double u = x[i] + bias[i % channels], normal = erfc(-u / sqrt(2)) / 2;
		want[i] = u * normal;
		want_dx[i] = dy[i] * (normal + u * exp(-u * u / 2) / sqrt(8 * atan(1)));
		want_dbias[i % channels] += want_dx[i];
	}
	w.x = x, w.bias = bias, w.dy = dy, w.y = y, w.dbias = dbias, w.sums = filled(gelu_sums(&w));
	const float ends[] = {y[size], dx[size], dbias[channels], w.sums[gelu_sums(&w)]};
	each(gelu, &w, gelu_units(&w));
	w.y = dx;
	each(gelu_gradient, &w, gelu_units(&w));
	gelu_gradient_total(&w);
	compare("GELU", y, want, size, ends[0]);
	compare("GELU's gradient", dx, want_dx, size, ends[1]);
	compare("gradient of its bias", dbias, want_dbias, channels, ends[2]);
	for (int64_t i = 0; i < size; i++)
		if (fabs(y[i] - want[i]) > 2e-6) {
			printf("GELU of %g is %g away\n", x[i] + bias[i % channels], y[i] - want[i]);
			failures++;
			break;
		}
	if (w.sums[gelu_sums(&w)] != ends[3]) failures++;
	free(x), free(bias), free(dy), free(y), free(dx), free(dbias), free(want), free(w.sums);
}

static void try_mlp(int64_t rows, int64_t in, int64_t hidden, int64_t out) {
	mlp_work w = {.rows = rows, .in = in, .hidden = hidden, .out = out};
	int64_t size[4];
	sizes(&w, size);
	const int64_t all = parameters(&w);
	float *x = filled(rows * in), *dy = filled(rows * out), *y = filled(rows * out), *dx = filled(rows * in), *weights[4], *gradients[4];
	double *want = calloc(rows * (out + in) + all + 2 * hidden, sizeof(double)), *want_dx = want + rows * out, *want_gradients[4] = {want_dx + rows * in};
	for (int i = 0; i < 4; i++) {
		weights[i] = filled(size[i]), gradients[i] = filled(size[i]);
		want_gradients[i] = i == 0 ? want_gradients[0] : want_gradients[i - 1] + size[i - 1];
	}
	double *u = want_gradients[3] + out, *normal = u + hidden;
	for (int64_t row = 0; row < rows; row++) {
		for (int64_t k = 0; k < hidden; k++) {
			u[k] = weights[1][k];
			for (int64_t i = 0; i < in; i++) u[k] += (double)x[row * in + i] * weights[0][i * hidden + k];
			normal[k] = erfc(-u[k] / sqrt(2)) / 2;
		}
		for (int64_t j = 0; j < out; j++) {
			want[row * out + j] = weights[3][j];
			for (int64_t k = 0; k < hidden; k++) want[row * out + j] += u[k] * normal[k] * weights[2][k * out + j];
			want_gradients[3][j] += dy[row * out + j];
		}
		for (int64_t k = 0; k < hidden; k++) {
			double d = 0;
			for (int64_t j = 0; j < out; j++) {
				d += (double)dy[row * out + j] * weights[2][k * out + j];
				want_gradients[2][k * out + j] += u[k] * normal[k] * dy[row * out + j];
			}
			d *= normal[k] + u[k] * exp(-u[k] * u[k] / 2) / sqrt(8 * atan(1));
			want_gradients[1][k] += d;
			for (int64_t i = 0; i < in; i++) {
				want_gradients[0][i * hidden + k] += d * x[row * in + i];
				want_dx[row * in + i] += d * weights[0][i * hidden + k];
			}
		}
	}
	w.x = x, w.dy = dy, w.y = y, w.dx = dx, w.kernel0 = weights[0], w.bias0 = weights[1], w.kernel1 = weights[2], w.bias1 = weights[3];
	const int64_t panels = mlp_panels(&w), gradient_panels = mlp_gradient_panels(&w), most = panels > gradient_panels ? panels : gradient_panels;
	w.panels = room_for(most + 1);
	w.sums = filled(mlp_sums(&w));
	const float y_end = y[rows * out], dx_end = dx[rows * in], sums_end = w.sums[mlp_sums(&w)];
	w.panels[panels] = 7;
	each(mlp_share, &w, mlp_share_units);
	each(mlp, &w, mlp_units(&w));
	compare("MLP", y, want, rows * out, y_end);
	if (w.panels[panels] != 7) failures++;
	w.panels[gradient_panels] = 7;
	float ends[4];
	for (int i = 0; i < 4; i++) w.parameters[i] = gradients[i], ends[i] = gradients[i][size[i]];
	each(mlp_gradient_share, &w, mlp_gradient_share_units);
	each(mlp_gradient, &w, mlp_gradient_units(&w));
	each(mlp_total, &w, mlp_total_units(&w));
	compare("MLP's gradient", dx, want_dx, rows * in, dx_end);
	for (int i = 0; i < 4; i++) {
		compare((const char *[]){"gradient of the first kernel", "of its bias", "of the second kernel", "of its bias"}[i], gradients[i], want_gradients[i], size[i], ends[i]);
		free(weights[i]), free(gradients[i]);
	}
	if (w.panels[gradient_panels] != 7 || w.sums[mlp_sums(&w)] != sums_end) failures++;
	free(x), free(dy), free(y), free(dx), free(want), free(w.panels), free(w.sums);
}

// norm_of_row is what a norm makes of a table's row.
static void norm_of_row(const double *x, const norm_work *by, double *y) {
	const int64_t channels = by->channels;
	double mean = 0, variance = 0;
	for (int64_t c = 0; c < channels; c++) mean += x[c] / channels;
	for (int64_t c = 0; c < channels; c++) variance += (x[c] - mean) * (x[c] - mean) / channels;
	for (int64_t c = 0; c < channels; c++) y[c] = (x[c] - mean) / sqrt(variance + by->epsilon) * by->scale[c] + by->offset[c];
}

// add_mlp adds an MLP of the numbers of a table that are a step apart.
static void add_mlp(const double *x, int64_t step, int64_t count, const mlp_work *m, double *y) {
	double *hidden = calloc(m->hidden, sizeof(double));
	for (int64_t k = 0; k < m->hidden; k++) {
		double u = m->bias0[k];
		for (int64_t i = 0; i < count; i++) u += x[i * step] * m->kernel0[i * m->hidden + k];
		hidden[k] = u * erfc(-u / sqrt(2)) / 2;
	}
	for (int64_t j = 0; j < count; j++) {
		y[j * step] += m->bias1[j];
		for (int64_t k = 0; k < m->hidden; k++) y[j * step] += hidden[k] * m->kernel1[k * count + j];
	}
	free(hidden);
}

static void try_mixer(int64_t batch, int64_t tokens, int64_t channels, int64_t token_hidden, int64_t channel_hidden) {
	const int64_t table = tokens * channels, sizes[] = {channels, channels, channels, channels, tokens * token_hidden, token_hidden, token_hidden * tokens, tokens,
		channels * channel_hidden, channel_hidden, channel_hidden * channels, channels};
	float *x = filled(batch * table), *y = filled(batch * table), *given[12];
	for (int i = 0; i < 12; i++) given[i] = filled(sizes[i]);
	mixer_work w = {.x = x, .y = y,
		.token_norm = {.rows = tokens, .channels = channels, .epsilon = 1e-6f, .scale = given[0], .offset = given[1]},
		.channel_norm = {.rows = tokens, .channels = channels, .epsilon = 1e-6f, .scale = given[2], .offset = given[3]},
		.token_mlp = {.in = tokens, .hidden = token_hidden, .out = tokens, .kernel0 = given[4], .bias0 = given[5], .kernel1 = given[6], .bias1 = given[7]},
		.channel_mlp = {.in = channels, .hidden = channel_hidden, .out = channels, .kernel0 = given[8], .bias0 = given[9], .kernel1 = given[10], .bias1 = given[11]}};
	double *want = calloc(batch * table, sizeof(double)), *norm = calloc(table, sizeof(double));
	for (int64_t i = 0; i < batch * table; i++) want[i] = x[i];
	for (double *u = want; u < want + batch * table; u += table) {
		for (int64_t t = 0; t < tokens; t++) norm_of_row(u + t * channels, &w.token_norm, norm + t * channels);
		for (int64_t c = 0; c < channels; c++) add_mlp(norm + c, channels, tokens, &w.token_mlp, u + c);
		for (int64_t t = 0; t < tokens; t++) norm_of_row(u + t * channels, &w.channel_norm, norm + t * channels);
		for (int64_t t = 0; t < tokens; t++) add_mlp(norm + t * channels, 1, channels, &w.channel_mlp, u + t * channels);
	}
	const float y_end = y[batch * table];
	const int64_t panels = mixer_panels(&w);
	w.channel_mlp.panels = room_for(panels + 1);
	w.channel_mlp.panels[panels] = 7;
	each(mixer_share, &w, mixer_share_units);
	each(mixer, &w, batch);
	compare("Mixer's layer", y, want, batch * table, y_end);
	if (w.channel_mlp.panels[panels] != 7) failures++;
	for (int i = 0; i < 12; i++) free(given[i]);
	free(x), free(y), free(want), free(norm), free(w.channel_mlp.panels);
}

// activated is what comes after a convolution.
static double activated(double u, const gelu_norm *by, int64_t channel) {
	u += by->bias[channel];
	return u * erfc(-u / sqrt(2)) / 2 * by->scale[channel] + by->offset[channel];
}

// with_panels gives a pointwise convolution its panels, and demands that they are all that was written.
static void with_panels(pointwise_work *w, kernel_function *share, kernel_function *run, const void *work, int64_t units) {
	const int64_t panels = pointwise_panels(w);
	w->panels = room_for(panels + 1);
	w->panels[panels] = 7;
	each(share, work, pointwise_share_units(w));
	each(run, work, units);
	if (w->panels[panels] != 7) failures++;
	free(w->panels);
}

static void try_pointwise(int64_t rows, int64_t in, int64_t out) {
	float *x = filled(rows * in), *kernel = filled(in * out), *given[3], *y = filled(rows * out);
	for (int i = 0; i < 3; i++) given[i] = filled(out);
	pointwise_work w = {.rows = rows, .in = in, .out = out, .x = x, .kernel = kernel, .norm = {given[0], given[1], given[2]}, .y = y};
	double *want = calloc(rows * out, sizeof(double));
	for (int64_t i = 0; i < rows * out; i++) {
		for (int64_t k = 0; k < in; k++) want[i] += (double)x[i / out * in + k] * kernel[k * out + i % out];
		want[i] = activated(want[i], &w.norm, i % out);
	}
	const float y_end = y[rows * out];
	with_panels(&w, pointwise_share, pointwise, &w, pointwise_units(&w));
	compare("pointwise convolution", y, want, rows * out, y_end);
	for (int i = 0; i < 3; i++) free(given[i]);
	free(x), free(kernel), free(y), free(want);
}

static void try_convmixer(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t side) {
	const int64_t rows = height * width, table = rows * channels, before = (side - 1) / 2;
	float *x = filled(batch * table), *taps = filled(side * side * channels), *kernel = filled(channels * channels), *given[6], *y = filled(batch * table);
	for (int i = 0; i < 6; i++) given[i] = filled(channels);
	convmixer_work w = {.places = {.batch = batch, .height = height, .width = width, .channels = channels, .side = side, .before = before,
		.x_height = height, .x_width = width, .x = x, .kernel = taps}, .norm = {given[0], given[1], given[2]},
		.mixing = {.rows = batch * rows, .in = channels, .out = channels, .kernel = kernel, .norm = {given[3], given[4], given[5]}, .y = y}};
	double *want = calloc(batch * table, sizeof(double)), *u = calloc(batch * table, sizeof(double));
	for (int64_t i = 0; i < batch * table; i++) {
		const int64_t c = i % channels, column = i / channels % width, row = i / channels / width % height, image = i / table;
		for (int64_t tap = 0; tap < side * side; tap++) {
			const int64_t h = row + tap / side - before, v = column + tap % side - before;
			if (h >= 0 && h < height && v >= 0 && v < width) u[i] += (double)x[image * table + (h * width + v) * channels + c] * taps[tap * channels + c];
		}
		u[i] = x[i] + activated(u[i], &w.norm, c);
	}
	for (int64_t i = 0; i < batch * table; i++) {
		for (int64_t k = 0; k < channels; k++) want[i] += u[i / channels * channels + k] * kernel[k * channels + i % channels];
		want[i] = activated(want[i], &w.mixing.norm, i % channels);
	}
	const float y_end = y[batch * table];
	with_panels(&w.mixing, convmixer_share, convmixer, &w, batch);
	compare("ConvMixer's layer", y, want, batch * table, y_end);
	for (int i = 0; i < 6; i++) free(given[i]);
	free(x), free(taps), free(kernel), free(y), free(want), free(u);
}

// kept is what dropout multiplies number i by.
static double kept(const attention_work *w, uint32_t i) {
	uint32_t h = i * 0x9e3779b1 + w->first;
	h = (h ^ h >> 16) * 0x7feb352d;
	h = (h ^ h >> 15 ^ w->second) * 0x846ca68b;
	return w->scale == 1 ? 1 : (h ^ h >> 16) < w->threshold ? w->scale : 0;
}

static void try_softmax(int64_t rows, int64_t columns, float scale) {
	const int64_t size = rows * columns, before = 7;
	const attention_work dropout = {.first = 12345, .second = 678, .threshold = 3000000000u, .scale = scale};
	float *x = filled(size), *dy = filled(size), *y = scale == 1 ? x : filled(size);
	double *want = calloc(3 * size, sizeof(double)), *want_y = want + size, *want_dx = want_y + size;
	for (int64_t row = 0; row < rows; row++) {
		double sum = 0, product = 0;
		for (int64_t i = row * columns; i < (row + 1) * columns; i++) {
			x[i] = x[i] * 20 + (row % 3 - 1) * 200; // whose exponentials would be infinite, or 0
			want[i] = exp(x[i] - (row % 3 - 1) * 200);
			sum += want[i];
		}
		for (int64_t i = row * columns; i < (row + 1) * columns; i++) {
			want[i] /= sum;
			want_y[i] = want[i] * kept(&dropout, before * columns + i);
			product += want_y[i] * dy[i];
		}
		for (int64_t i = row * columns; i < (row + 1) * columns; i++) want_dx[i] = want[i] * (dy[i] * kept(&dropout, before * columns + i) - product);
	}
	const softmax_work w = {.dropout = &dropout, .rows = rows, .columns = columns, .before = before, .x = x, .y = y, .dy = dy};
	const float ends[] = {x[size], y[size], dy[size]};
	each(softmax, &w, 1);
	compare("softmax", x, want, size, ends[0]);
	compare("softmax and dropout", y, want_y, size, ends[1]);
	each(softmax_gradient, &w, 1);
	compare("softmax's gradient", dy, want_dx, size, ends[2]);
	if (y != x) free(y);
	free(x), free(dy), free(want);
}

// try_infinite has rows with minus infinity, which count nothing, and rows that are NaN throughout.
static void try_infinite(void) {
	const float inf = INFINITY, nan = NAN;
	float rows[][17] = {{-inf}, {inf}, {nan}, {-nan}, {-inf, -inf}};
	const attention_work none = {.scale = 1};
	const softmax_work w = {.dropout = &none, .rows = 5, .columns = 17, .x = rows[0], .y = rows[0]};
	each(softmax, &w, 1);
	for (int i = 0; i < 5 * 17; i++) {
		const double want = i / 17 == 0 ? (i == 0 ? 0 : 1. / 16) : i / 17 == 4 ? (i % 17 < 2 ? 0 : 1. / 15) : nan;
		const float got = rows[i / 17][i % 17];
		if (isnan(want) ? !isnan(got) : !(fabs(got - want) < 1e-7)) {
			printf("softmax: %g at %d, want %g\n", got, i, want);
			failures++;
		}
	}
}

static void try_attention(int64_t batch, int64_t tokens, int64_t heads, int64_t width, float scale) {
	const int64_t size = batch * tokens * heads * width, step = heads * width;
	attention_work w = {.batch = batch, .tokens = tokens, .heads = heads, .width = width, .first = 12345, .second = 678, .threshold = 3000000000u, .scale = scale};
	float *tables[8], ends[8]; // q, k, v, dy, y, dq, dk, dv
	double *want[4], *p = calloc(2 * tokens, sizeof(double)), *dp = p + tokens;
	for (int i = 0; i < 8; i++) tables[i] = filled(size), ends[i] = tables[i][size];
	for (int i = 0; i < 4; i++) want[i] = calloc(size, sizeof(double));
	const float *q = tables[0], *k = tables[1], *v = tables[2], *dy = tables[3];
	for (int64_t head = 0; head < batch * heads; head++)
		for (int64_t query = 0; query < tokens; query++) {
			const int64_t first = head / heads * tokens * step + head % heads * width, at = first + query * step;
			double sum = 0, product = 0;
			for (int64_t t = 0; t < tokens; t++) {
				p[t] = dp[t] = 0;
				for (int64_t i = 0; i < width; i++) p[t] += q[at + i] * k[first + t * step + i];
				p[t] = exp(p[t]);
				sum += p[t];
			}
			for (int64_t t = 0; t < tokens; t++) {
				const double keeps = kept(&w, (head * tokens + query) * tokens + t);
				p[t] /= sum;
				for (int64_t i = 0; i < width; i++) {
					want[0][at + i] += p[t] * keeps * v[first + t * step + i];
					want[3][first + t * step + i] += p[t] * keeps * dy[at + i];
					dp[t] += keeps * dy[at + i] * v[first + t * step + i];
				}
				product += p[t] * dp[t];
			}
			for (int64_t t = 0; t < tokens; t++)
				for (int64_t i = 0; i < width; i++) {
					want[1][at + i] += p[t] * (dp[t] - product) * k[first + t * step + i];
					want[2][first + t * step + i] += p[t] * (dp[t] - product) * q[at + i];
				}
		}
	w.q = q, w.k = k, w.v = v, w.dy = dy, w.y = tables[4], w.dq = tables[5], w.dk = tables[6], w.dv = tables[7];
	each(attention, &w, attention_units(&w));
	each(attention_gradient, &w, attention_gradient_units(&w));
	for (int i = 0; i < 4; i++) {
		compare((const char *[]){"attention", "gradient of queries", "gradient of keys", "gradient of values"}[i], tables[4 + i], want[i], size, ends[4 + i]);
		free(want[i]);
	}
	for (int i = 0; i < 8; i++) free(tables[i]);
	free(p);
}

static void try_score(int64_t rows, int64_t classes) {
	const int64_t size = rows * classes;
	score_work w = {.rows = rows, .classes = classes};
	float *logits = filled(size), *truth = filled(size), *target = filled(size), *gradient = filled(size), *total = filled(3);
	double *want = calloc(size, sizeof(double)), want_total[3] = {0};
	for (int64_t r = 0; r < rows; r++) {
		float *x = logits + r * classes, *t = target + r * classes;
		const int64_t own = r % classes;
		double sum = 0, share = 0;
		int above = 0;
		for (int64_t i = 0; i < classes; i++) {
			truth[r * classes + i] = i == own;
			t[i] = fabsf(t[i]);
			x[i] = x[i] * 8 + 100; // whose exponentials would be infinite
			sum += exp(x[i]);
			share += t[i];
		}
		for (int64_t i = 0; i < classes; i++) {
			want[r * classes + i] = (exp(x[i]) / sum * share - t[i]) / rows;
			want_total[0] -= t[i] * (x[i] - log(sum)) / rows;
			above += x[i] > x[own];
		}
		want_total[1] += above < 1;
		want_total[2] += above < 5;
	}
	w.logits = logits, w.truth = truth, w.target = target, w.gradient = gradient, w.total = total, w.sums = filled(score_sums(&w));
	const float ends[] = {gradient[size], total[3], w.sums[score_sums(&w)]};
	each(score, &w, score_units(&w));
	score_total(&w);
	compare("loss and ranks", total, want_total, 3, ends[1]);
	compare("the loss's gradient", gradient, want, size, ends[0]);
	if (w.sums[score_sums(&w)] != ends[2]) failures++;
	free(logits), free(truth), free(target), free(gradient), free(total), free(want), free(w.sums);
}

// try_conv_norm takes a depthwise convolution of images of height and width where in is 0, else a pointwise one.
static void try_conv_norm(int64_t batch, int64_t height, int64_t width, int64_t in, int64_t channels, int64_t side) {
	const int64_t rows = batch * height * width, size = rows * channels, from_channels = in > 0 ? in : channels, before = (side - 1) / 2;
	const int64_t kernel_size = in > 0 ? in * channels : side * side * channels, x_size = rows * from_channels;
	float *x = filled(x_size), *kernel = filled(kernel_size), *bias = filled(channels), *scale = filled(channels), *offset = filled(channels), *dy = filled(size);
	float *y = filled(size), *linear = filled(size), *active = filled(size), *mean = filled(channels), *variance = filled(channels);
	float *dx = filled(x_size), *dkernel = filled(kernel_size), *dbias = filled(channels), *dscale = filled(channels), *doffset = filled(channels);
	double *want = calloc(3 * size + 2 * channels, sizeof(double)), *want_linear = want + size, *want_active = want_linear + size, *want_mean = want_active + size, *want_variance = want_mean + channels;
	double *want_dx = calloc(x_size + kernel_size + 3 * channels, sizeof(double)), *want_dkernel = want_dx + x_size, *want_dbias = want_dkernel + kernel_size;
	double *want_dscale = want_dbias + channels, *want_doffset = want_dscale + channels;
	const int64_t terms = in > 0 ? in : side * side;
	// source is the number of x that is a result's term k; -1: beyond the border.
#define SOURCE(i, k) ({ \
	const int64_t c_ = (i) % channels, row_ = (i) / channels, column_ = row_ % width, line_ = row_ / width % height, image_ = row_ / width / height; \
	const int64_t h_ = line_ + (k) / side - before, v_ = column_ + (k) % side - before; \
	in > 0 ? row_ * in + (k) : h_ < 0 || h_ >= height || v_ < 0 || v_ >= width ? -1 : ((image_ * height + h_) * width + v_) * channels + c_; })
	for (int64_t i = 0; i < size; i++) {
		for (int64_t k = 0; k < terms; k++) {
			const int64_t s = SOURCE(i, k);
			if (s >= 0) want_linear[i] += (double)x[s] * kernel[k * channels + i % channels];
		}
		const double u = want_linear[i] + bias[i % channels];
		want_active[i] = u * erfc(-u / sqrt(2)) / 2;
		want_mean[i % channels] += want_active[i] / rows;
	}
	for (int64_t i = 0; i < size; i++) want_variance[i % channels] += pow(want_active[i] - want_mean[i % channels], 2) / rows;
	for (int64_t i = 0; i < size; i++) {
		const int64_t c = i % channels;
		const double unit = (want_active[i] - want_mean[c]) / sqrt(want_variance[c] + 1e-3f);
		want[i] = unit * scale[c] + offset[c] + (in > 0 ? 0 : x[i]);
		want_dscale[c] += dy[i] * unit;
		want_doffset[c] += dy[i];
	}
	for (int64_t i = 0; i < size; i++) {
		const int64_t c = i % channels;
		const double inverse = 1 / sqrt(want_variance[c] + 1e-3f), unit = (want_active[i] - want_mean[c]) * inverse, u = want_linear[i] + bias[c];
		const double d = scale[c] * inverse * (dy[i] - want_doffset[c] / rows - unit * want_dscale[c] / rows) * (erfc(-u / sqrt(2)) / 2 + u * exp(-u * u / 2) / sqrt(2 * M_PI));
		want_dbias[c] += d;
		for (int64_t k = 0; k < terms; k++) {
			const int64_t s = SOURCE(i, k);
			if (s < 0) continue;
			want_dkernel[k * channels + c] += d * x[s];
			want_dx[s] += d * kernel[k * channels + c];
		}
		if (in == 0) want_dx[i] += dy[i];
	}
	const float *tables[] = {y, linear, active, dx, dkernel, dbias, dscale, doffset, mean, variance};
	const int64_t sizes_of[] = {size, size, size, x_size, kernel_size, channels, channels, channels, channels, channels};
	float ends[10];
	for (int i = 0; i < 10; i++) ends[i] = tables[i][sizes_of[i]];
	conv_norm_work w = {.in = in, .x = x, .kernel = kernel, .bias = bias, .linear = linear, .active = active, .dx = dx, .dkernel = dkernel, .dbias = dbias,
		.norm = {.rows = rows, .channels = channels, .epsilon = 1e-3f, .x = active, .scale = scale, .offset = offset, .dy = dy, .mean = mean, .variance = variance, .y = y, .dscale = dscale, .doffset = doffset}};
	if (in == 0) w.places = (depthwise_work){.batch = batch, .height = height, .width = width, .channels = channels, .side = side, .before = before, .x_height = height, .x_width = width, .kernel = kernel};
	w.norm.piece = conv_norm_piece(&w);
	const int64_t sums = norm_sums(&w.norm), all_sums = conv_norm_sums(&w);
	w.norm.sums = filled(sums);
	w.sums = filled(all_sums);
	const float sums_end = w.norm.sums[sums], all_sums_end = w.sums[all_sums];
	for (int gradient = 0; gradient < 2; gradient++) {
		const int64_t panels = conv_norm_panels(&w, gradient);
		w.panels = room_for(panels + 1);
		w.panels[panels] = 7;
		conv_norm_share(&w, gradient);
		if (gradient) {
			each(norm_columns_gradient_sums, &w.norm, norm_units(&w.norm));
			norm_columns_gradient_total(&w.norm);
			each(conv_norm_gradient, &w, conv_norm_gradient_units(&w));
			conv_norm_gradient_total(&w);
		} else {
			each(conv_norm_active, &w, norm_units(&w.norm));
			norm_columns_total(&w.norm);
			each(conv_norm, &w, norm_units(&w.norm));
		}
		if (w.panels[panels] != 7) failures++;
		free(w.panels);
	}
	const char *names[] = {"convolution and norm", "convolution before its norm", "GELU before its norm", "gradient of x", "gradient of a kernel", "gradient of a bias", "gradient of a scale", "gradient of an offset", "mean", "variance"};
	const double *wanted[] = {want, want_linear, want_active, want_dx, want_dkernel, want_dbias, want_dscale, want_doffset, want_mean, want_variance};
	for (int i = 0; i < 10; i++) compare(names[i], tables[i], wanted[i], sizes_of[i], ends[i]);
	if (w.norm.sums[sums] != sums_end || w.sums[all_sums] != all_sums_end) failures++;
	free(x), free(kernel), free(bias), free(scale), free(offset), free(dy), free(w.norm.sums), free(w.sums), free(want), free(want_dx);
	for (int i = 0; i < 10; i++) free((void *)tables[i]);
#undef SOURCE
}

static void try_average(int64_t tables, int64_t rows, int64_t channels) {
	float *x = filled(tables * rows * channels), *y = filled(tables * channels);
	double *want = calloc(tables * channels, sizeof(double));
	for (int64_t i = 0; i < tables * rows * channels; i++) want[i / channels / rows * channels + i % channels] += x[i] / (double)rows;
	const float end = y[tables * channels];
	const average_work w = {.rows = rows, .channels = channels, .x = x, .y = y};
	each(average, &w, tables);
	compare("average", y, want, tables * channels, end);
	free(x), free(y), free(want);
}

int main(void) {
	const depthwise_work shapes[] = {
		{3, 16, 16, 16, 5, 2, 16, 16}, {9, 7, 5, 19, 3, 1, 7, 5}, {2, 9, 8, 33, 9, 4, 9, 8}, {2, 9, 8, 3, 4, 1, 9, 8}, {2, 9, 8, 3, 4, 2, 9, 8},
		{17, 5, 6, 8, 3, 0, 7, 8}, {16, 4, 4, 16, 3, 1, 4, 4}, {1, 3, 3, 1, 17, 8, 3, 3}, {1, 1, 1, 1, 1, 0, 1, 1}, {2, 4, 4, 16, 2, 0, 9, 9}, {1, 8, 8, 32, 7, 6, 3, 2},
	};
	for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes); i++) try_depthwise(shapes[i]);
	const int64_t tables[][2] = {{1, 16}, {300, 16}, {128, 64}, {129, 100}, {5, 3}, {257, 1}, {2, 85}};
	for (int i = 0; i < (int)(sizeof tables / sizeof *tables); i++) {
		if (tables[i][1] > 1) try_norm(tables[i][0], tables[i][1], 1);
		if (tables[i][0] > 1) try_norm(tables[i][0], tables[i][1], 0);
	}
	const int64_t products[][6] = { // groups, rows, columns, outer, depth
		{1, 1, 64, 64, 1, 64}, {2, 3, 17, 35, 1, 20}, {1, 2, 9, 100, 3, 33}, {1, 1, 33, 65, 5, 100}, {1, 1, 40, 33, 1, 2100},
		{1, 1, 8, 16, 300, 4}, {2, 1, 300, 7, 1, 40}, {1, 1, 5, 300, 2, 17}, {1, 1, 1, 1, 1, 1}, {1, 1, 1030, 40, 1, 9}, {1, 1, 1500, 300, 1, 270}, {4, 1, 50, 33, 2, 20}, {3, 2, 16, 48, 1, 1024}, {3, 3, 9, 20, 2, 300}, {1, 1, 16, 16, 1, 400}, {1, 2, 40, 32, 2, 300}, {1, 1, 12, 2 * lanes, 1, 7}, {2, 1, 20, lanes, 1, 50},
	};
	for (int i = 0; i < (int)(sizeof products / sizeof *products); i++) {
		const int64_t *p = products[i];
		try_product((product_work){.groups = {p[0], p[1]}, .rows = p[2], .columns = p[3], .outer = p[4], .depth = p[5]});
	}
	const uint32_t counts[] = {1, 10, 16, 100, 1 << 14, 3 * (1 << 14) + 7};
	for (int i = 0; i < (int)(sizeof counts / sizeof *counts); i++) {
		try_adamw(counts[i], 0);
		try_adamw(counts[i], 1);
	}
	const int64_t wide[][2] = {{1, 16}, {300, 16}, {3000, 20}, {7, 100}, {5, 3}, {70000, 1}, {40, 600}, {1, 20000}, {2, 512}};
	for (int i = 0; i < (int)(sizeof wide / sizeof *wide); i++) try_gelu(wide[i][0], wide[i][1]);
	const int64_t mlps[][4] = {{1, 1, 1, 1}, {300, 16, 64, 16}, {1000, 16, 256, 16}, {95, 33, 20, 50}, {129, 64, 300, 10}, {50, 300, 7, 270}, {2000, 5, 9, 3}, {7, 20, 1100, 30},
		{2501, 16, 300, 10}, {3300, 7, 40, 21}, {101, 1024, 9, 3}, {65, 3, 1024, 5}, {500, 1, 3, 1}};
	for (int i = 0; i < (int)(sizeof mlps / sizeof *mlps); i++) try_mlp(mlps[i][0], mlps[i][1], mlps[i][2], mlps[i][3]);
	const int64_t mixers[][5] = {{1, 1, 2, 1, 1}, {3, 16, 256, 16, 16}, {2, 64, 128, 64, 64}, {1, 256, 64, 256, 256}, {5, 7, 33, 5, 40}, {2, 300, 20, 9, 3}, {2, 49, 300, 24, 200}, {2, 10, 300, 300, 7}, {1, 9, 20, 5, 600},
		{1, 1024, 33, 4, 5}, {1, 3, 5, 1024, 2}};
	for (int i = 0; i < (int)(sizeof mixers / sizeof *mixers); i++) try_mixer(mixers[i][0], mixers[i][1], mixers[i][2], mixers[i][3], mixers[i][4]);
	const int64_t layers[][5] = {{1, 1, 1, 1, 1}, {3, 16, 16, 16, 5}, {2, 5, 9, 33, 4}, {1, 3, 20, 600, 3}, {2, 8, 8, 256, 9}, {4, 2, 2, 7, 7}};
	for (int i = 0; i < (int)(sizeof layers / sizeof *layers); i++) try_convmixer(layers[i][0], layers[i][1], layers[i][2], layers[i][3], layers[i][4]);
	const int64_t points[][3] = {{1, 1, 1}, {1000, 12, 16}, {193, 300, 7}, {5, 75, 600}, {384, 48, 256}, {3, 1024, 40}};
	for (int i = 0; i < (int)(sizeof points / sizeof *points); i++) try_pointwise(points[i][0], points[i][1], points[i][2]);
	const int64_t convolutions[][6] = { // images, height, width, channels of x where pointwise, channels, side where depthwise
		{2, 1, 1, 0, 1, 1}, {3, 16, 16, 0, 16, 5}, {2, 5, 9, 0, 33, 4}, {1, 3, 20, 0, 600, 3}, {20, 8, 8, 0, 40, 9}, {1, 2, 1, 1, 1, 0}, {17, 16, 16, 12, 16, 0}, {1, 193, 1, 300, 7, 0}, {5, 3, 3, 75, 600, 0}, {40, 8, 8, 48, 48, 0}, {30, 2, 10, 7, 40, 0},
		{1, 16, 3, 20, 70, 0},
	};
	for (int i = 0; i < (int)(sizeof convolutions / sizeof *convolutions); i++) {
		const int64_t *s = convolutions[i];
		try_conv_norm(s[0], s[1], s[2], s[3], s[4], larger(s[5], 1));
	}
	const int64_t averages[][3] = {{1, 1, 1}, {3, 256, 16}, {2, 64, 100}, {5, 7, 3}};
	for (int i = 0; i < (int)(sizeof averages / sizeof *averages); i++) try_average(averages[i][0], averages[i][1], averages[i][2]);
	const int64_t scores[][2] = {{1, 1}, {300, 64}, {7, 65}, {1000, 17}, {3, 300}, {2, 20000}};
	for (int i = 0; i < (int)(sizeof scores / sizeof *scores); i++) {
		try_softmax(scores[i][0], scores[i][1], 1);
		try_softmax(scores[i][0], scores[i][1], 1.43f);
	}
	try_infinite();
	try_score(1, 1);
	try_score(100, 10);
	try_score(33, 1000);
	const int64_t heads[][4] = {{1, 1, 1, 1}, {2, 5, 3, 4}, {3, 64, 2, 16}, {1, 144, 2, 20}, {1, 300, 1, 8}, {1, 700, 2, 33}, {5, 600, 2, 5}}; // the last three in parts
	for (int i = 0; i < (int)(sizeof heads / sizeof *heads); i++) {
		try_attention(heads[i][0], heads[i][1], heads[i][2], heads[i][3], 1);
		try_attention(heads[i][0], heads[i][1], heads[i][2], heads[i][3], 1.43f);
	}
	return failures > 0;
}
