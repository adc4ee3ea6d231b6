// An allocator that a user preloads: what it gave, only it takes back. Built and preloaded by TestPool.
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char heap[1 << 30];
static size_t used;

void *malloc(size_t size) {
	size_t at = __atomic_fetch_add(&used, (size + 31) / 16 * 16, __ATOMIC_RELAXED);
	if (size > sizeof heap || at + size + 16 > sizeof heap) return NULL;
	*(size_t *)(heap + at) = size;
	return heap + at + 16;
}

void *calloc(size_t n, size_t size) { return malloc(n * size); } // it is zero: nothing is used twice

void free(void *p) {
	if (p != NULL && (uintptr_t)p - (uintptr_t)heap >= sizeof heap) abort();
}

void *realloc(void *p, size_t size) {
	void *q = malloc(size);
	if (p != NULL && q != NULL) {
		size_t old = ((size_t *)p)[-2];
		memcpy(q, p, old < size ? old : size);
	}
	return q;
}

void *aligned_alloc(size_t alignment, size_t size) {
	char *p = size > sizeof heap ? NULL : malloc(size + alignment);
	return p == NULL ? NULL : p + alignment - (uintptr_t)p % alignment;
}

size_t malloc_usable_size(void *p) { return ((size_t *)p)[-2]; }

int posix_memalign(void **out, size_t alignment, size_t size) {
	if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
	void *p = aligned_alloc(alignment, size);
	if (p == NULL) return ENOMEM;
	*out = p;
	return 0;
}
