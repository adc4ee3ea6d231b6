#pragma once

#include "kernels_linux.h"

#include <math.h>

#include "vectors_linux.h"

enum { unit_rows = 32 }; // that one unit takes

static int64_t score_units(const score_work *w) { return divided(w->rows, unit_rows); }
static int64_t score_sums(const score_work *w) { return score_units(w) * 3; }

static int score(const void *work, int64_t unit) {
	const score_work *w = work;
	const int64_t n = w->classes, end = least((unit + 1) * unit_rows, w->rows);
	float loss = 0, first = 0, fifth = 0;
	for (int64_t row = unit * unit_rows; row < end; row++) {
		const float *x = w->logits + row * n, *truth = w->truth + row * n, *target = w->target + row * n;
		float *dx = w->gradient + row * n, most = x[0], own = 0, sum = 0, share = 0, above = 0;
		for (int64_t i = 0; i < n; i++) {
			most = x[i] > most ? x[i] : most;
			own += truth[i] * x[i];
			share += target[i];
		}
		for (int64_t i = 0; i < n; i++) {
			dx[i] = expf(x[i] - most);
			sum += dx[i];
			above += x[i] > own;
		}
		const float logarithm = logf(sum), scale = share / sum;
		for (int64_t i = 0; i < n; i++) {
			loss -= target[i] * (x[i] - most - logarithm);
			dx[i] = (dx[i] * scale - target[i]) / w->rows;
		}
		first += above < 1;
		fifth += above < 5; // topK of package experiments
	}
	float *sums = w->sums + unit * 3;
	sums[0] = loss;
	sums[1] = first;
	sums[2] = fifth;
	return 1;
}

static void score_total(const void *work) {
	const score_work *w = work;
	memset(w->total, 0, 3 * sizeof(float));
	for (int64_t i = 0; i < score_sums(w); i++) w->total[i % 3] += w->sums[i];
	w->total[0] /= w->rows;
}
