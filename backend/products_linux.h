#pragma once

#include <stdlib.h>

#include "kernels_linux.h"
#include "vectors_linux.h"

// The scheme is that of BLIS (Van Zee & van de Geijn 2015, "BLIS: A Framework for
// Rapidly Instantiating BLAS Functionality"): a part of b, whatever its layout was, is
// copied into panels that stay in the caches, one of a only where its layout is bad,
// few rows of a meet all panels before the next ones come, and the innermost loop keeps
// a tile of c in registers.
enum { depth_block = 256, rows_block = 384, rows_block_shared = 192, rows_near = 48, columns_block = 256, units_wanted = 8, near_lines = 64, shared_most = 1 << 18 }; // rows: whole tiles

// A tile of c has as many rows, and vectors in each, as fit into registers, of which AVX-512 has 32.
// Its loop has the counting of so many turns in one.
enum { height = LANES == 16 ? 8 : 6, tile_vectors = 2, tile_width = tile_vectors * lanes, turns = 4 };

static int64_t groups(const product_work *w) { return w->groups[0] * w->groups[1]; }
static int64_t column_blocks(const product_work *w) { return divided(w->columns, columns_block); }
static int64_t depth_blocks(const product_work *w) { return w->outer * divided(w->depth, depth_block); }

// splits is into how many parts a sum is cut where its results are too few to keep all threads at work.
static int64_t splits(const product_work *w) {
	return least(depth_blocks(w), divided(units_wanted, groups(w) * column_blocks(w) * divided(w->rows, rows_block)));
}

// row_block is how many rows one unit has: fewer where that gives more units.
static int64_t row_block(const product_work *w) {
	const int64_t others = groups(w) * column_blocks(w) * splits(w);
	int64_t rows = w->shared == NULL ? rows_block : rows_block_shared;
	while (rows > rows_near && others * divided(w->rows, rows) < units_wanted) rows /= 2;
	return rows;
}

static int64_t product_units(const product_work *w) { return groups(w) * column_blocks(w) * divided(w->rows, row_block(w)) * splits(w); }

static int64_t product_sums(const product_work *w) { return splits(w) == 1 ? 0 : splits(w) * groups(w) * w->rows * w->columns; }

static int64_t product_total_units(const product_work *w) { return groups(w) * divided(w->rows, height); }

#ifndef __clang__ // which has another shuffle
typedef int32_t order __attribute__((vector_size(lanes * sizeof(int32_t))));

// flip transposes as many rows as a vector has numbers, of as many; the first half of a result's row goes to one place,
// the other to another, rows being a step apart.
__attribute__((noinline)) static void flip(float *low, float *high, int64_t step, const float *from, int64_t line) {
#if LANES == 16
	const order own = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif LANES == 8
	const order own = {0, 1, 2, 3, 4, 5, 6, 7};
#else
	const order own = {0, 1, 2, 3};
#endif
	vec x[lanes], y[lanes];
	_Pragma("GCC unroll 16") for (int i = 0; i < lanes; i++) x[i] = AT(from + i * line);
	// A stage exchanges squares of so many numbers a side with those beyond the diagonal.
#define STAGE(from, to, side) \
	if (side < lanes) { \
		const order first = own + (own & side) * (lanes / side - 1); \
		_Pragma("GCC unroll 16") for (int i = 0; i < lanes; i++) if ((i & side) == 0) { \
			to[i] = __builtin_shuffle(from[i], from[i + side], first); \
			to[i + side] = __builtin_shuffle(from[i], from[i + side], first + side); \
		} \
	}
	STAGE(x, y, 1)
	STAGE(y, x, 2)
	STAGE(x, y, 4)
	STAGE(y, x, 8)
#undef STAGE
	const vec *const done = lanes == 8 ? y : x;
	_Pragma("GCC unroll 16") for (int i = 0; i < lanes; i++) {
		if (high == low + lanes / 2) {
			PUT(low + i * step, done[i]);
			continue;
		}
		memcpy(low + i * step, &done[i], sizeof done[i] / 2);
		memcpy(high + i * step, (float *)&done[i] + lanes / 2, sizeof done[i] / 2);
	}
}
#endif

// pack copies count lines of depth numbers into panels of width lines each, in which
// the lines' numbers of one depth lie side by side; up to the next whole vector, which
// is read with them, they are 0.
INLINE void pack(float *to, const int width, const float *from, int64_t line, int64_t step, int64_t count, int64_t depth) {
	if (line == 1) {
		const int64_t whole = count / width * width;
		for (int64_t k0 = 0; k0 < depth; k0 += lanes) { // few depths for all lines: what is read stays in the cache
			for (int64_t l = 0; l < whole; l += width) {
				float *t = to + l * depth;
				for (int64_t k = k0; k < least(k0 + lanes, depth); k++) {
					for (int i = 0; i < width; i += lanes) __builtin_prefetch(from + (k + lanes) * step + l + i);
					memcpy(t + k * width, from + k * step + l, width * sizeof(float));
				}
			}
		}
		for (int64_t k = 0; k < depth; k++) {
			float *t = to + whole * depth + k * width;
			const float *f = from + k * step + whole;
			int64_t rest = count - whole;
			for (; rest >= lanes; rest -= lanes, t += lanes, f += lanes) PUT(t, AT(f));
			for (int64_t i = 0; i < rest; i++) t[i] = f[i];
		}
	}
	for (int64_t l = line == 1 ? count : 0; l < count;) {
		int64_t together = 1, k = 0;
#ifndef __clang__
		if (step == 1 && (width % lanes == 0 || width == lanes / 2) && l + lanes <= count) {
			float *t = to + l / width * width * depth + l % width;
			const float *f = from + l * line;
			together = lanes;
			for (int64_t next = l + lanes; next < least(l + 2 * lanes, count); next++)
				for (int64_t d = 0; d < depth; d += lanes) __builtin_prefetch(from + next * line + d);
			for (; k + lanes <= depth; k += lanes) flip(t + k * width, width == lanes / 2 ? t + (depth + k) * width : t + k * width + lanes / 2, width, f + k, line);
		}
#endif
		for (int64_t i = 0; i < together; i++, l++)
			for (int64_t d = k; d < depth; d++) to[l / width * width * depth + d * width + l % width] = from[l * line + d * step];
	}
	for (int64_t l = count; l % lanes != 0 && l % width != 0; l++)
		for (int64_t k = 0; k < depth; k++) to[l / width * width * depth + k * width + l % width] = 0;
}

// tile adds to a tile of c, of which rows and columns are there, the product of rows
// of a and a panel of b; first: c has nothing yet, and the bias, if any, comes to each
// row.
INLINE void tile(const int vectors, const float *a, int64_t a_row, int64_t a_depth, const float *b, int64_t b_depth, int64_t depth, float *c, int64_t c_row, int64_t rows, int64_t columns, int first, const float *bias) {
	vec sums[height][tile_vectors], start[tile_vectors] = {{0}};
	if (first && bias != NULL)
		UNROLL for (int j = 0; j < vectors; j++) if (columns > j * lanes) load(&start[j], bias + j * lanes, columns - j * lanes);
	const float *row[height];
	UNROLL for (int i = 0; i < height; i++) {
		row[i] = a + (i < rows ? i : 0) * a_row;
		UNROLL for (int j = 0; j < vectors; j++) __builtin_prefetch(c + (i < rows ? i : 0) * c_row + j * lanes, 1);
		UNROLL for (int j = 0; j < vectors; j++) sums[i][j] = start[j];
	}
	_Pragma("GCC unroll turns") for (int64_t k = 0, at = 0; k < depth; k++, at += a_depth, b += b_depth) {
		vec x[tile_vectors];
		UNROLL for (int j = 0; j < vectors; j++) x[j] = AT(b + j * lanes);
		UNROLL for (int i = 0; i < height; i++) UNROLL for (int j = 0; j < vectors; j++) sums[i][j] += row[i][at] * x[j];
	}
	if (first && rows >= height && columns >= vectors * lanes) { // as most are
		UNROLL for (int i = 0; i < height; i++) UNROLL for (int j = 0; j < vectors; j++) PUT(c + i * c_row + j * lanes, sums[i][j]);
		return;
	}
	UNROLL for (int i = 0; i < height; i++) {
		if (i >= rows) break;
		UNROLL for (int j = 0; j < vectors; j++) {
			const int64_t n = columns - j * lanes;
			float *to = c + i * c_row + j * lanes;
			vec sum = sums[i][j], before = {0};
			if (!first) load(&before, to, n);
			sum += before;
			store(to, &sum, n);
		}
	}
}

// panels_size is of the panels of one block of b.
static int64_t panels_size(int64_t columns, int64_t depth) {
	return divided(least(columns, columns_block), tile_width) * tile_width * least(depth, depth_block);
}

static int64_t product_panels(int64_t columns, int64_t depth) { return rows_near * least(depth, depth_block) + panels_size(columns, depth); }

static int64_t product_share_units(const product_work *w) { return depth_blocks(w) * column_blocks(w); }

// shared_size is of b's panels.
static int64_t shared_size(const product_work *w) { return product_share_units(w) * panels_size(w->columns, w->depth); }

static int64_t product_shared(const product_work *w) {
	const int64_t size = shared_size(w);
	const int same = (w->groups[0] == 1 || w->b_group[0] == 0) && (w->groups[1] == 1 || w->b_group[1] == 0); // for all groups
	return same && splits(w) == 1 && groups(w) * divided(w->rows, rows_block) >= 4 && size <= shared_most ? size : 0;
}

// pack_block copies a block of b, of columns from column on, to panels.
INLINE void pack_block(const product_work *w, float *panels, const float *b, int64_t column, int64_t d) {
	const int64_t blocks = divided(w->depth, depth_block), o = d / blocks, k = d % blocks * depth_block;
	pack(panels, tile_width, b + column * w->b_column + o * w->b_outer + k * w->b_depth, w->b_column, w->b_depth,
		least(columns_block, w->columns - column), least(depth_block, w->depth - k));
}

static int product_share(const void *work, int64_t unit) {
	const product_work *w = work;
	pack_block(w, w->shared + unit * panels_size(w->columns, w->depth), w->b, unit % column_blocks(w) * columns_block, unit / column_blocks(w));
	return 1;
}

// block is one of c, or of sums: the product of the depth blocks from begin up to end, of rows from row on and columns
// from column on, of which c has the first.
INLINE int block(const product_work *w, int64_t g0, int64_t g1, int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t begin, int64_t end, float *c, int64_t c_row, int add) {
	const float *a = w->a + g0 * w->a_group[0] + g1 * w->a_group[1] + row * w->a_row;
	const float *b = w->b + g0 * w->b_group[0] + g1 * w->b_group[1];
	const float *bias = w->bias != NULL && begin == 0 ? w->bias + column : NULL;
	const int lined = w->a_row == 1 && w->a_depth <= near_lines; // of a transposed, whose rows' numbers lie beside each other
	const int copied = !lined && (w->a_depth != 1 || w->a_row % 1024 == 0); // or rows that would put each other out of the cache
	const int direct = w->shared == NULL && w->b_column == 1 && w->b_depth <= near_lines && (columns == lanes || columns == tile_width);
	float *a_panels = w->panels, *b_panels = NULL;
	if (copied || (w->shared == NULL && !direct)) {
		if (a_panels == NULL) a_panels = room_for(product_panels(columns, w->depth));
		if (a_panels == NULL) return 0;
		b_panels = a_panels + rows_near * least(w->depth, depth_block);
	}
	const int64_t blocks = divided(w->depth, depth_block);
	for (int64_t d = begin; d < end; d++) {
		const int64_t o = d / blocks, k = d % blocks * depth_block, depth = least(depth_block, w->depth - k);
		const float *ak = a + o * w->a_outer + k * w->a_depth;
		const float *b_from = b_panels;
		int64_t b_depth = tile_width;
		if (direct) {
			b_from = b + column + o * w->b_outer + k * w->b_depth;
			b_depth = w->b_depth;
		} else if (w->shared == NULL) pack_block(w, b_panels, b, column, d);
		else b_from = w->shared + (d * column_blocks(w) + column / columns_block) * panels_size(w->columns, w->depth);
		const int64_t a_row = copied ? 1 : w->a_row, a_depth = copied ? height : w->a_depth, step = copied ? depth : w->a_row;
		const int first = d == begin && !add;
		for (int64_t top = 0; top < rows; top += rows_near) {
			const int64_t count = least(rows_near, rows - top);
			const float *from = ak + top * w->a_row;
			if (copied) {
				pack(a_panels, height, from, w->a_row, w->a_depth, count, depth);
				from = a_panels;
			}
			const int64_t tiles = divided(columns, tile_width) * divided(count, height), next = copied || lined ? 0 : least(rows_near, rows - top - count);
			int64_t done = 0, fetched = 0;
			for (int64_t j = 0; j < columns; j += tile_width) {
				const float *start = bias == NULL ? NULL : bias + j;
				for (int64_t i = 0; i < count; i += height) {
					float *to = c + (top + i) * c_row + j;
					for (done++; fetched * tiles < next * done; fetched++) // the next rows, some with each tile
						for (int64_t k = 0; k < depth; k += lanes) __builtin_prefetch(from + (count + fetched) * step + k);
					if (columns - j > lanes) tile(tile_vectors, from + i * step, a_row, a_depth, b_from + j * depth, b_depth, depth, to, c_row, count - i, columns - j, first, start);
					else tile(1, from + i * step, a_row, a_depth, b_from + j * depth, b_depth, depth, to, c_row, count - i, columns - j, first, start);
				}
			}
		}
	}
	if (w->panels == NULL) free(a_panels);
	return 1;
}

static int product(const void *work, int64_t unit) {
	const product_work *w = work;
	const int64_t most = row_block(w), row_blocks = divided(w->rows, most);
	const int64_t column = unit % column_blocks(w) * columns_block, columns = least(columns_block, w->columns - column);
	unit /= column_blocks(w);
	const int64_t row = unit % row_blocks * most, rows = least(most, w->rows - row);
	unit /= row_blocks;
	const int64_t g1 = unit % w->groups[1], g0 = unit / w->groups[1] % w->groups[0], split = unit / groups(w);
	float *c = w->c + g0 * w->c_group[0] + g1 * w->c_group[1] + row * w->c_row + column;
	int64_t c_row = w->c_row;
	if (w->sums != NULL) {
		c = w->sums + (unit * w->rows + row) * w->columns + column;
		c_row = w->columns;
	}
	const int64_t begin = depth_blocks(w) * split / splits(w), end = depth_blocks(w) * (split + 1) / splits(w);
	return block(w, g0, g1, row, rows, column, columns, begin, end, c, c_row, 0);
}

// product_whole has one group.
static int product_whole(const void *work, int64_t add) {
	const product_work *w = work;
	for (int64_t column = 0; column < w->columns; column += columns_block)
		if (!block(w, 0, 0, 0, w->rows, column, least(columns_block, w->columns - column), 0, depth_blocks(w), w->c + column, w->c_row, add)) return 0;
	return 1;
}

// matrix is a table that need not lie in rows.
typedef struct {
	const float *numbers;
	int64_t row, column; // steps
} matrix;

// multiply makes c [rows, columns], its rows a step apart, the product of a and b, or adds that to it.
static int multiply(float *panels, float *c, int64_t step, matrix a, matrix b, int64_t rows, int64_t depth, int64_t columns, int add) {
	const product_work w = {.groups = {1, 1}, .rows = rows, .columns = columns, .outer = 1, .depth = depth, .a_row = a.row, .a_depth = a.column,
		.b_depth = b.row, .b_column = b.column, .c_row = step, .a = a.numbers, .b = b.numbers, .c = c, .panels = panels};
	return product_whole(&w, add);
}

// layer is a product of rows, as yet none, [in] by a kernel [in, out].
static product_work layer(int64_t in, int64_t out, const float *kernel, const float *bias) {
	return (product_work){.groups = {1, 1}, .columns = out, .outer = 1, .depth = in, .a_row = in, .a_depth = 1, .b_depth = out, .b_column = 1, .c_row = out,
		.b = kernel, .bias = bias};
}

// layer_back is a product of rows [out] by a kernel [in, out], transposed.
static product_work layer_back(int64_t in, int64_t out, const float *kernel) {
	product_work p = layer(out, in, kernel, NULL);
	p.b_depth = 1;
	p.b_column = out;
	return p;
}

// on does a product for rows of a, to rows of c.
static int on(product_work p, int64_t rows, const float *a, float *c, float *panels) {
	p.rows = rows;
	p.a = a;
	p.c = c;
	p.panels = panels;
	return product_whole(&p, 0);
}

// gather makes c [rows, columns] the product of a [depth, rows], transposed, and b [depth, columns], or adds that to it.
static int gather(float *c, const float *a, int64_t rows, const float *b, int64_t columns, int64_t depth, int add, float *panels) {
	return multiply(panels, c, columns, (matrix){a, 1, rows}, (matrix){b, columns, 1}, rows, depth, columns, add);
}

// add_rows adds to sums those of a table's columns.
static void add_rows(float *sums, const float *x, int64_t rows, int64_t columns) {
	for (int64_t i = 0; i < columns; i += lanes) {
		vec sum, more;
		load(&sum, sums + i, columns - i);
		for (int64_t row = 0; row < rows; row++) {
			load(&more, x + row * columns + i, columns - i);
			sum += more;
		}
		store(sums + i, &sum, columns - i);
	}
}

// share_all does all units of product_share.
static int share_all(const product_work *p) {
	for (int64_t i = 0; i < product_share_units(p); i++) product_share(p, i);
	return 1;
}

static int product_total(const void *work, int64_t unit) {
	const product_work *w = work;
	const int64_t blocks = divided(w->rows, height), row = unit % blocks * height, table = unit / blocks, n = splits(w);
	float *c = w->c + table / w->groups[1] * w->c_group[0] + table % w->groups[1] * w->c_group[1];
	for (int64_t i = row; i < least(row + height, w->rows); i++) {
		const float *from = w->sums + (table * w->rows + i) * w->columns;
		for (int64_t j = 0; j < w->columns; j += lanes) {
			vec sum = {0};
			for (int64_t s = 0; s < n; s++) {
				vec x;
				load(&x, from + s * groups(w) * w->rows * w->columns + j, w->columns - j);
				sum += x;
			}
			store(c + i * w->c_row + j, &sum, w->columns - j);
		}
	}
	return 1;
}
