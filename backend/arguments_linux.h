// What the handlers of calls begin with.
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "ffi_linux.h"

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
