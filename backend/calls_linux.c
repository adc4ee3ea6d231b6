//go:build (amd64 || arm64) && cgo && !noxla

#include "calls_linux.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "depthwise_linux.h"

// Below is the part of XLA's foreign function interface that is used here
// (openxla/xla, xla/ffi/api/c_api.h, versions 0.2 and 0.3, in which it is the
// same), and PJRT's extension for it (xla/pjrt/c/pjrt_c_api_ffi_extension.h).
enum {
	extension_ffi = 5,      // of PJRT
	extension_metadata = 1, // of the interface
	stage_execute = 3,
	type_f32 = 11,
	invalid_argument = 3,
	resource_exhausted = 8,
	error_create = 0,
	thread_pool_schedule = 11,
	thread_pool_threads = 12,
	error_destroy_pjrt = 0,
};

typedef void *(*function)(void *args); // returns an error or NULL

typedef struct extension {
	size_t size;
	int type;
	struct extension *next;
} extension;

typedef struct {
	size_t size;
	extension *extensions;
	int major, minor;
} version;

typedef struct {
	size_t size;
	extension *extensions;
	version version;
	void *internal;
	function functions[thread_pool_threads + 1];
} ffi_table;

typedef struct {
	size_t size;
	extension *extensions;
	int type;
	float *data;
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
		version version;
		uint32_t traits;
	} *metadata;
} metadata_extension;

typedef struct {
	size_t size;
	void *extensions;
	version version;
	function functions[error_destroy_pjrt + 1];
} pjrt_table;

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

// job is work in units that any thread may take. It lives until all who know of it
// have let it go: a thread of the pool may come to it after its end.
typedef struct {
	depthwise_shape shape;
	int (*run)(const depthwise_shape *, int64_t, const float *, const float *, float *);
	const float *a, *b;
	float *out;
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
		if (!j->run(&j->shape, unit, j->a, j->b, j->out)) j->failed = 1;
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
	return c->api->functions[error_create](&args);
}

// parallel does a job's units on this thread and on those of XLA's pool that have
// time. It waits for those alone that have begun one, so that it ends even where
// all threads of the pool wait as it does.
static void *parallel(const call *c, job work) {
	job *j = malloc(sizeof *j);
	if (j == NULL) return error(c, resource_exhausted, "depthwise convolution: no memory");
	*j = work;
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->ended, NULL);
	j->holders = 1;
	int64_t threads = 1;
	struct {
		size_t size;
		void *extensions, *context;
		int64_t *threads;
	} ask = {sizeof ask, NULL, c->context, &threads};
	c->api->functions[thread_pool_threads](&ask);
	for (int64_t i = 1; i < threads && i < j->units; i++) {
		struct {
			size_t size;
			void *extensions, *context;
			void (*task)(void *);
			void *data;
		} args = {sizeof args, NULL, c->context, task, j};
		atomic_fetch_add(&j->holders, 1);
		c->api->functions[thread_pool_schedule](&args);
	}
	help(j);
	pthread_mutex_lock(&j->lock);
	while (atomic_load(&j->done) < j->units) pthread_cond_wait(&j->ended, &j->lock);
	pthread_mutex_unlock(&j->lock);
	int failed = j->failed;
	let_go(j);
	return failed ? error(c, resource_exhausted, "depthwise convolution: no memory") : NULL;
}

// described answers XLA's question for the version that a handler was written for.
static atomic_int minor_version;

static int described(const call *c) {
	for (extension *e = c->extensions; e != NULL; e = e->next) {
		if (e->type != extension_metadata) continue;
		metadata_extension *m = (metadata_extension *)e;
		m->metadata->version.major = 0;
		m->metadata->version.minor = minor_version;
		m->metadata->traits = 0;
		return 1;
	}
	return 0;
}

// table reports whether a buffer is float32 of a rank.
static int table(const buffer *b, int64_t rank) { return b->type == type_f32 && b->rank == rank; }

// begin reads what a call of two arguments and one result works on; x and y are
// its tables of images, kernel that of [side, side, 1, channels].
static void *begin(const call *c, depthwise_shape *s, const buffer *x, const buffer *y, const buffer *kernel) {
	if (c->attributes.count != 1 || !table(x, 4) || !table(y, 4) || !table(kernel, 4))
		return error(c, invalid_argument, "depthwise convolution: tables must be float32 of rank 4, with one attribute");
	*s = (depthwise_shape){.batch = y->dims[0], .height = y->dims[1], .width = y->dims[2], .channels = y->dims[3],
		.side = kernel->dims[0], .before = *(int64_t *)c->attributes.scalars[0]->value,
		.x_height = x->dims[1], .x_width = x->dims[2]};
	if (x->dims[0] != s->batch || x->dims[3] != s->channels || kernel->dims[1] != s->side || kernel->dims[2] != 1 ||
		kernel->dims[3] != s->channels || s->before < 0 || s->before >= s->side)
		return error(c, invalid_argument, "depthwise convolution: shapes do not fit each other");
	return NULL;
}

// convolution is the call depthwise(x, kernel) -> y.
static void *convolution(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	buffer *x = c->arguments.buffers[0], *kernel = c->arguments.buffers[1], *y = c->results.buffers[0];
	job work = {.run = depthwise_forward, .a = x->data, .b = kernel->data, .out = y->data};
	void *wrong = begin(c, &work.shape, x, y, kernel);
	if (wrong != NULL) return wrong;
	work.units = depthwise_units(&work.shape);
	return parallel(c, work);
}

// gradient is the call depthwise_kernel_gradient(x, dy) -> that of the kernel.
static void *gradient(call *c) {
	if (described(c) || c->stage != stage_execute) return NULL;
	buffer *x = c->arguments.buffers[0], *dy = c->arguments.buffers[1], *kernel = c->results.buffers[0];
	job work = {.run = depthwise_gradient, .a = x->data, .b = dy->data};
	void *wrong = begin(c, &work.shape, x, dy, kernel);
	if (wrong != NULL) return wrong;
	work.units = depthwise_gradient_units(&work.shape);
	work.out = malloc(depthwise_sums(&work.shape) * sizeof(float));
	if (work.out == NULL) return error(c, resource_exhausted, "depthwise convolution: no memory");
	wrong = parallel(c, work);
	if (wrong == NULL) depthwise_total(&work.shape, work.out, kernel->data);
	free(work.out);
	return wrong;
}

// offer registers one target; 0: the plugin refuses.
static int offer(pjrt_table *api, function add, const char *name, void *handler) {
	static const char platform[] = "Host";
	register_args args = {sizeof args, name, strlen(name), handler, platform, sizeof platform - 1, 0};
	void *refused = add(&args);
	if (refused == NULL) return 1;
	struct {
		size_t size;
		void *extensions, *error;
	} destroy = {sizeof destroy, NULL, refused};
	api->functions[error_destroy_pjrt](&destroy);
	return 0;
}

int patchlab_register_calls(void *table) {
	pjrt_table *api = table;
	extension *e = api->extensions;
	while (e != NULL && e->type != extension_ffi) e = e->next;
	if (e == NULL || e->size < sizeof(ffi_extension)) return 0;
	function add = ((ffi_extension *)e)->register_handler;
	for (int minor = 3; minor >= 2; minor--) { // XLA takes its own version alone
		minor_version = minor;
		if (offer(api, add, "patchlab_depthwise", convolution))
			return offer(api, add, "patchlab_depthwise_kernel_gradient", gradient);
	}
	return 0;
}
