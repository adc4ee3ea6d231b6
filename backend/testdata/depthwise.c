// Tries the convolutions of ../depthwise_linux.c in each set of instructions that
// this machine has, beside plain loops: run by TestDepthwiseKernels.
#include "../depthwise_linux.c"

#include <math.h>
#include <stdio.h>

typedef int forward_kind(const depthwise_shape *, int64_t, const float *, const float *, float *);
typedef int gradient_kind(const depthwise_shape *, int64_t, const float *, const float *, float *);

static float *filled(int64_t count) {
	float *p = malloc((count + 1) * sizeof(float)); // one more, which must stay as it is
	for (int64_t i = 0; i <= count; i++) p[i] = rand() / (float)RAND_MAX - .5f;
	return p;
}

static int failures;

static void compare(const depthwise_shape *s, const char *instructions, const char *what, const float *got, const double *want, int64_t count, float beyond) {
	for (int64_t i = 0; i < count; i++)
		if (!(fabs(got[i] - want[i]) < 1e-5 * (1 + fabs(want[i])))) {
			printf("%s, %s: [%ld %ld %ld %ld] side %ld before %ld: %g at %ld, want %g\n", instructions, what, (long)s->batch, (long)s->height,
				(long)s->width, (long)s->channels, (long)s->side, (long)s->before, got[i], (long)i, want[i]);
			failures++;
			break;
		}
	if (got[count] != beyond) {
		printf("%s, %s: written beyond the end\n", instructions, what);
		failures++;
	}
}

static void try(depthwise_shape s, const char *instructions, forward_kind *forward, gradient_kind *gradient) {
	const int64_t taps = s.side * s.side * s.channels, size = s.batch * s.height * s.width * s.channels;
	float *x = filled(s.batch * s.x_height * s.x_width * s.channels), *kernel = filled(taps), *dy = filled(size);
	float *y = filled(size), *dkernel = filled(taps), *sums = filled(depthwise_sums(&s));
	double *want_y = calloc(size, sizeof(double)), *want_dkernel = calloc(taps, sizeof(double));
	for (int64_t i = 0; i < size; i++)
		for (int64_t tap = 0; tap < s.side * s.side; tap++) {
			const int64_t c = i % s.channels, w = i / s.channels % s.width, h = i / s.channels / s.width % s.height, b = i / s.channels / s.width / s.height;
			const int64_t row = h + tap / s.side - s.before, column = w + tap % s.side - s.before;
			if (row < 0 || row >= s.x_height || column < 0 || column >= s.x_width) continue;
			const double from = x[((b * s.x_height + row) * s.x_width + column) * s.channels + c];
			want_y[i] += from * kernel[tap * s.channels + c];
			want_dkernel[tap * s.channels + c] += from * dy[i];
		}
	const float y_end = y[size], dkernel_end = dkernel[taps], sums_end = sums[depthwise_sums(&s)];
	for (int64_t u = depthwise_units(&s) - 1; u >= 0; u--)
		if (!forward(&s, u, x, kernel, y)) failures++;
	for (int64_t u = 0; u < depthwise_gradient_units(&s); u++)
		if (!gradient(&s, u, x, dy, sums)) failures++;
	depthwise_total(&s, sums, dkernel);
	compare(&s, instructions, "forward", y, want_y, size, y_end);
	compare(&s, instructions, "gradient", dkernel, want_dkernel, taps, dkernel_end);
	if (sums[depthwise_sums(&s)] != sums_end) failures++;
	free(x), free(kernel), free(dy), free(y), free(dkernel), free(sums), free(want_y), free(want_dkernel);
}

static int plain_forward(const depthwise_shape *s, int64_t unit, const float *x, const float *kernel, float *y) { return forward(s, unit, x, kernel, y, 4); }
static int plain_gradient(const depthwise_shape *s, int64_t unit, const float *x, const float *dy, float *sums) { return gradient(s, unit, x, dy, sums); }

int main(void) {
	const depthwise_shape shapes[] = {
		{3, 16, 16, 16, 5, 2, 16, 16}, {9, 7, 5, 19, 3, 1, 7, 5}, {2, 9, 8, 33, 9, 4, 9, 8}, {2, 9, 8, 3, 4, 1, 9, 8}, {2, 9, 8, 3, 4, 2, 9, 8},
		{17, 5, 6, 8, 3, 0, 7, 8}, {1, 3, 3, 1, 17, 8, 3, 3}, {1, 1, 1, 1, 1, 0, 1, 1}, {2, 4, 4, 16, 2, 0, 9, 9}, {1, 8, 8, 32, 7, 6, 3, 2},
	};
	for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes); i++) {
		try(shapes[i], "any", depthwise_forward, depthwise_gradient);
		try(shapes[i], "plain", plain_forward, plain_gradient);
#ifdef __x86_64__
		if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) try(shapes[i], "AVX2", forward_avx2, gradient_avx2);
		if (__builtin_cpu_supports("avx512f")) try(shapes[i], "AVX-512", forward_avx512, gradient_avx512);
#endif
	}
	return failures > 0;
}
