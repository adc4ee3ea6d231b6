#pragma once

#include "calls_linux.h"
#include "vectors_linux.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

// Below is the part of XLA's foreign function interface that is used here
// (openxla/xla, xla/ffi/api/c_api.h, from version 0.2 on: its tables grow at their
// ends, as PJRT's do), and PJRT's extension for it (pjrt_c_api_ffi_extension.h).
enum {
	extension_ffi = 5,      // of PJRT
	extension_metadata = 1, // of the interface
	stage_execute = 3,
	type_s32 = 4,
	type_s64 = 5,
	type_u32 = 8,
	type_f32 = 11,
	attribute_array = 1,
	invalid_argument = 3,
	resource_exhausted = 8,
	ffi_error_create = 0,
	ffi_error_destroy = 2,
	thread_pool_schedule = 11,
	thread_pool_threads = 12,
};

typedef struct extension {
	size_t size;
	int type;
	struct extension *next;
} extension;

typedef struct {
	size_t size;
	extension *extensions;
	api_version version;
	void *internal;
	function functions[thread_pool_threads + 1];
} ffi_table;

typedef struct {
	size_t size;
	extension *extensions;
	int type;
	void *data;
	int64_t rank;
	int64_t *dims;
} buffer;

typedef struct {
	size_t size;
	extension *extensions;
	int64_t count;
	int *types;
	buffer **buffers;
} buffers;

typedef struct {
	int type;
	void *value;
} scalar;

typedef struct {
	int type;
	size_t count;
	int64_t *numbers;
} array;

typedef struct {
	size_t size;
	extension *extensions;
	int64_t count;
	int *types;
	void **names;
	scalar **scalars;
} attributes;

typedef struct {
	size_t size;
	extension *extensions;
	const ffi_table *api;
	void *context;
	int stage;
	buffers arguments;
	buffers results;
	attributes attributes;
} call;

typedef struct {
	extension base;
	struct {
		size_t size;
		api_version version;
		uint32_t traits;
	} *metadata;
} metadata_extension;

typedef struct {
	extension base;
	function type_register, user_data_add, register_handler;
} ffi_extension;

typedef struct {
	size_t size;
	const char *name;
	size_t name_size;
	void *handler;
	const char *platform;
	size_t platform_size;
	int traits;
} register_args;

// job is a kernel's work, of which any thread may take units. It lives until all who
// know of it have let it go: a thread of the pool may come to it after its end.
typedef struct {
	int (*run)(const void *work, int64_t unit);
	const void *work;
	int64_t units;
	atomic_long next, done, holders;
	atomic_int failed;
	pthread_mutex_t lock;
	pthread_cond_t ended;
} job;

static void let_go(job *j) {
	if (atomic_fetch_sub(&j->holders, 1) != 1) return;
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->ended);
	free(j);
}

// help does units until none is left.
static void help(job *j) {
	int64_t unit;
	while ((unit = atomic_fetch_add(&j->next, 1)) < j->units) {
		if (!j->run(j->work, unit)) j->failed = 1;
		if (atomic_fetch_add(&j->done, 1) + 1 == j->units) {
			pthread_mutex_lock(&j->lock);
			pthread_cond_signal(&j->ended);
			pthread_mutex_unlock(&j->lock);
		}
	}
}

static void task(void *data) {
	help(data);
	let_go(data);
}

static void *error(const call *c, int code, const char *message) {
	struct {
		size_t size;
		void *extensions;
		const char *message;
		int code;
	} args = {sizeof args, NULL, message, code};
	return c->api->functions[ffi_error_create](&args);
}

// refused reports whether a function of the interface failed, and lets its error go.
static int refused(const call *c, void *error) { return failed(c->api->functions[ffi_error_destroy], error); }

static void *no_memory(const call *c) { return error(c, resource_exhausted, "patchlab's kernels: no memory"); }

// parallel does a kernel's units on this thread and on those of XLA's pool that have
// time. It waits for those alone that have begun one, so that it ends even where
// all threads of the pool wait as it does.
static void *parallel(const call *c, int (*run)(const void *, int64_t), const void *work, int64_t units) {
	job *j = malloc(sizeof *j);
	if (j == NULL) return no_memory(c);
	*j = (job){.run = run, .work = work, .units = units, .holders = 1};
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->ended, NULL);
	int64_t threads = 1;
	struct {
		size_t size;
		void *extensions, *context;
		int64_t *threads;
	} ask = {sizeof ask, NULL, c->context, &threads};
	if (refused(c, c->api->functions[thread_pool_threads](&ask))) threads = 1;
	for (int64_t i = 1; i < threads && i < j->units; i++) {
		struct {
			size_t size;
			void *extensions, *context;
			void (*task)(void *);
			void *data;
		} args = {sizeof args, NULL, c->context, task, j};
		atomic_fetch_add(&j->holders, 1);
		if (refused(c, c->api->functions[thread_pool_schedule](&args))) {
			let_go(j);
			break;
		}
	}
	help(j);
	pthread_mutex_lock(&j->lock);
	while (atomic_load(&j->done) < j->units) pthread_cond_wait(&j->ended, &j->lock);
	pthread_mutex_unlock(&j->lock);
	int failed = j->failed;
	let_go(j);
	return failed ? no_memory(c) : NULL;
}

// summed does a kernel's units with room for so many sums, whose total then follows, and other units that need it, if any.
static void *summed(const call *c, void *work, float **sums, int64_t count, int (*run)(const void *, int64_t), int64_t units, void (*total)(const void *), int (*then)(const void *, int64_t)) {
	*sums = malloc(count * sizeof **sums);
	if (*sums == NULL) return no_memory(c);
	void *failed = parallel(c, run, work, units);
	if (failed == NULL) {
		total(work);
		if (then != NULL) failed = parallel(c, then, work, units);
	}
	free(*sums);
	return failed;
}

// with_panels does a kernel's units with room for so many panels, which units that share them write before.
static void *with_panels(const call *c, const void *work, float **panels, int64_t count, int (*share)(const void *, int64_t), int64_t share_units, int (*run)(const void *, int64_t), int64_t units) {
	*panels = room_for(count);
	if (*panels == NULL) return no_memory(c);
	void *failed = parallel(c, share, work, share_units);
	if (failed == NULL) failed = parallel(c, run, work, units);
	free(*panels);
	return failed;
}
