//go:build (amd64 || arm64) && cgo && !noxla

// XLA on the CPU takes a step's memory (hundreds of megabytes) from malloc and gives it back after the step. glibc
// then lays smaller buffers into the hole, finds no room for the next step, and asks the kernel for more: a process
// grows to several times what it needs, and pays for the clearing of new pages. So large aligned buffers come from
// a pool here instead: blocks of a few dozens of sizes, on huge pages, each used again for its own size only.
//
// The program's symbols come before libc's, so these functions are the ones that a plugin's libraries call.

#define _GNU_SOURCE
#include <features.h>

#ifdef __GLIBC__

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

// NEXT is the function that the process would call were there no pool: libc's, or that of an allocator which the user
// preloads.
#define NEXT(result, name, ...) ({ \
	static result (*name##_next)(__VA_ARGS__); \
	if (name##_next == NULL) name##_next = (result (*)(__VA_ARGS__)) dlsym(RTLD_NEXT, #name); \
	name##_next; })

#define UNIT ((size_t)64 << 10)      // blocks begin at multiples of it; smaller buffers are left to glibc
#define HUGE_PAGE ((size_t)2 << 20)
#define REGION ((size_t)1 << 38)     // addresses reserved, not memory
#define UNITS (REGION / UNIT)
enum {
	steps = 8,        // sizes between two powers of two: a block is larger than what it holds by an eighth, or less than a unit
	classes = steps * 24,
	patience = 4096,  // a block that was not taken for as many frees loses its memory when more is needed
	large = 512,      // units: new memory of this size takes the kernel longer than the wait below
	wait_ms = 2,      // for a block of the same size to come back: XLA gives a step's memory back a moment after its end
};

// block is one of the table's entries, by the block's first unit.
struct block {
	uint32_t next;       // in its list, 0: none
	uint16_t size_class;
	uint16_t taken;
	uint64_t freed;      // when, on the clock
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t given;
	char *base;            // of the region; NULL: not reserved yet
	int failed;            // the region cannot be reserved: all is left to glibc
	struct block *table;
	uint32_t used;         // units, the first is never used
	uint64_t clock;        // counts frees
	uint32_t warm[classes], cold[classes]; // free blocks with memory and without
	uint32_t taken[classes];               // how many are not free
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .used = 1};

// class_of is the class of a number of units, at least 1.
static unsigned class_of(size_t units) {
	if (units < 2 * steps) return units;
	unsigned shift = 64 - __builtin_clzl(units) - 4; // units >> shift is steps to 2*steps-1
	size_t up = (units + ((size_t)1 << shift) - 1) >> shift;
	return shift * steps + up;
}

// units_of is the size of a class's blocks.
static size_t units_of(unsigned size_class) {
	if (size_class < 2 * steps) return size_class;
	unsigned shift = size_class / steps - 1;
	return (size_t)(size_class % steps + steps) << shift;
}

static void hold(void) { pthread_mutex_lock(&pool.lock); }
static void let(void) { pthread_mutex_unlock(&pool.lock); }

static int reserve(void) {
	if (pool.base != NULL) return 1;
	if (pool.failed) return 0;
	pool.failed = 1;
	char *p = mmap(NULL, REGION + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) return 0;
	void *table = mmap(NULL, UNITS * sizeof(struct block), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED) {
		munmap(p, REGION + HUGE_PAGE);
		return 0;
	}
	madvise(p, REGION + HUGE_PAGE, MADV_HUGEPAGE); // where there are none, small pages serve
	pthread_condattr_t monotonic;
	if (pthread_condattr_init(&monotonic) != 0 || pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0 ||
		pthread_cond_init(&pool.given, &monotonic) != 0 || pthread_atfork(hold, let, let) != 0) return 0;
	pool.table = table;
	__atomic_store_n(&pool.base, p + (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE, __ATOMIC_RELEASE);
	return 1;
}

// cool takes the memory of blocks that were free for long.
static void cool(void) {
	for (unsigned c = 1; c < classes; c++) {
		uint32_t *link = &pool.warm[c];
		while (*link != 0) {
			uint32_t i = *link;
			struct block *b = &pool.table[i];
			if (pool.clock - b->freed < patience) {
				link = &b->next;
				continue;
			}
			*link = b->next;
			madvise(pool.base + i * UNIT, units_of(c) * UNIT, MADV_DONTNEED);
			b->next = pool.cold[c];
			pool.cold[c] = i;
		}
	}
}

static uint32_t pop(uint32_t *list) {
	uint32_t i = *list;
	if (i != 0) *list = pool.table[i].next;
	return i;
}

// await waits a moment for a block of a class.
static void await(unsigned size_class) {
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += wait_ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (pool.warm[size_class] == 0 && pthread_cond_timedwait(&pool.given, &pool.lock, &until) == 0) {}
}

// take returns a block of the pool, or NULL.
static void *take(size_t size) {
	if (size > REGION) return NULL;
	unsigned c = class_of((size + UNIT - 1) / UNIT);
	if (c >= classes) return NULL;
	pthread_mutex_lock(&pool.lock);
	void *p = NULL;
	if (reserve()) {
		if (pool.warm[c] == 0 && pool.taken[c] > 0 && units_of(c) >= large) await(c);
		uint32_t i = pop(&pool.warm[c]);
		if (i == 0) {
			cool();
			i = pop(&pool.cold[c]);
		}
		if (i == 0 && UNITS - pool.used >= units_of(c)) {
			i = pool.used;
			pool.used += units_of(c);
		}
		if (i != 0) {
			pool.table[i].size_class = c;
			pool.table[i].taken = 1;
			pool.taken[c]++;
			p = pool.base + i * UNIT;
		}
	}
	pthread_mutex_unlock(&pool.lock);
	return p;
}

// of_pool tells whether a block is one of the pool's. It cannot become one while somebody holds it.
static int of_pool(void *p) {
	char *base = __atomic_load_n(&pool.base, __ATOMIC_ACQUIRE);
	return base != NULL && (uintptr_t)p - (uintptr_t)base < REGION;
}

static size_t capacity(void *p) { return units_of(pool.table[((char *)p - pool.base) / UNIT].size_class) * UNIT; }

static void give(void *p) {
	size_t offset = (char *)p - pool.base;
	uint32_t i = offset / UNIT;
	pthread_mutex_lock(&pool.lock);
	struct block *b = &pool.table[i];
	if (offset % UNIT != 0 || !b->taken) abort(); // as glibc does with what it never gave
	b->taken = 0;
	b->freed = pool.clock++;
	b->next = pool.warm[b->size_class];
	pool.warm[b->size_class] = i;
	pool.taken[b->size_class]--;
	pthread_cond_broadcast(&pool.given);
	pthread_mutex_unlock(&pool.lock);
}

static int fits(size_t alignment, size_t size) {
	return size >= UNIT && alignment >= sizeof(void *) && alignment <= UNIT && (alignment & (alignment - 1)) == 0;
}

int posix_memalign(void **out, size_t alignment, size_t size) {
	int before = errno; // which it leaves as it is
	void *p = fits(alignment, size) ? take(size) : NULL;
	errno = before;
	if (p == NULL) return NEXT(int, posix_memalign, void **, size_t, size_t)(out, alignment, size);
	*out = p;
	return 0;
}

void *aligned_alloc(size_t alignment, size_t size) {
	void *p = fits(alignment, size) ? take(size) : NULL;
	return p != NULL ? p : NEXT(void *, aligned_alloc, size_t, size_t)(alignment, size);
}

void free(void *p) {
	if (of_pool(p)) give(p);
	else NEXT(void, free, void *)(p);
}

void *realloc(void *p, size_t size) {
	if (!of_pool(p)) return NEXT(void *, realloc, void *, size_t)(p, size);
	if (size == 0) {
		give(p);
		return NULL;
	}
	size_t old = capacity(p);
	if (size <= old && size > old / 2) return p;
	void *q = malloc(size);
	if (q == NULL) return NULL;
	memcpy(q, p, size < old ? size : old);
	give(p);
	return q;
}

size_t malloc_usable_size(void *p) {
	return of_pool(p) ? capacity(p) : NEXT(size_t, malloc_usable_size, void *)(p);
}

#endif
