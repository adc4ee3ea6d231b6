// Depthwise convolutions of tables [batch, height, width, channels] of float32,
// stride 1, in portable vectors: for x86 with AVX-512, with AVX2, and for others.
#include <stdint.h>

typedef struct {
	int64_t batch, height, width, channels; // of the result, and of dy
	int64_t side;                           // of the kernel [side, side, channels]
	int64_t before;                         // rows and columns of zeros before x
	int64_t x_height, x_width;
} depthwise_shape;

// depthwise_units is into how many parts, independent of each other, the work falls.
int64_t depthwise_units(const depthwise_shape *s);
int64_t depthwise_gradient_units(const depthwise_shape *s);

// depthwise_forward does one part of y[b,h,w,c] = sum over i, j of
// x[b, h+i-before, w+j-before, c] kernel[i,j,c], x being 0 outside. 0: no memory.
int depthwise_forward(const depthwise_shape *s, int64_t unit, const float *x, const float *kernel, float *y);

// depthwise_gradient does one part of the kernel's gradient: sums over some images
// into sums [units of images, side, side, channels], which the caller adds up by
// depthwise_total. 0: no memory.
int depthwise_gradient(const depthwise_shape *s, int64_t unit, const float *x, const float *dy, float *sums);
int64_t depthwise_sums(const depthwise_shape *s); // how many floats sums has
void depthwise_total(const depthwise_shape *s, const float *sums, float *gradient);
