// Tries the pool of ../pool_linux.c: run by TestPool.
#include "../pool_linux.c"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define check(what) \
	if (!(what)) { fprintf(stderr, "line %d: not %s\n", __LINE__, #what); exit(1); }

static long resident(void) { // bytes
	long pages = 0, all;
	FILE *f = fopen("/proc/self/statm", "r");
	check(f != NULL && fscanf(f, "%ld %ld", &all, &pages) == 2);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static void sizes(void) {
	unsigned before = 0;
	for (size_t u = 1; u < UNITS / 2; u += 1 + u / 1000) {
		unsigned c = class_of(u);
		check(c >= before && c < classes);
		check(units_of(c) >= u && units_of(c) - u <= u / steps);
		check(class_of(units_of(c)) == c);
		before = c;
	}
}

// same is what a step does: large and small buffers, always the same ones.
static void same(void) {
	long after = 0;
	for (int step = 0; step < 50; step++) {
		char *p[40];
		for (int i = 0; i < 40; i++) {
			size_t size = (i * 37 % 11 + 1) * (i % 4 == 0 ? 5 << 20 : 90000);
			check(posix_memalign((void **)&p[i], 64, size) == 0);
			check((uintptr_t)p[i] % 64 == 0 && malloc_usable_size(p[i]) >= size);
			memset(p[i], i, size);
		}
		for (int i = 0; i < 40; i++) {
			check(p[i][0] == i && p[i][9999] == i);
			free(p[(i * 7 + step) % 40]);
		}
		if (step == 1) after = resident();
	}
	check(resident() < after + (8 << 20));
}

static void moves(void) {
	char *p = aligned_alloc(4096, 1 << 20);
	check(p != NULL && of_pool(p));
	memset(p, 7, 1 << 20);
	p = realloc(p, (1 << 20) - 100);
	check(p != NULL && of_pool(p));
	p = realloc(p, 100 << 20);
	check(p != NULL && p[0] == 7 && p[(1 << 20) - 1] == 7);
	free(p);
	check(realloc(aligned_alloc(64, 1 << 20), 0) == NULL);
	void *q = &q;
	check(posix_memalign(&q, 24, 1 << 20) == EINVAL && q == (void *)&q);
	check(posix_memalign(&q, 1 << 21, 1 << 21) == 0 && (uintptr_t)q % (1 << 21) == 0 && !of_pool(q));
	free(q);
	for (size_t size = SIZE_MAX; size > SIZE_MAX - 3 * UNIT; size -= UNIT / 2) {
		check(posix_memalign(&q, 64, size) == ENOMEM);
	}
	q = realloc(aligned_alloc(64, 100 << 20), 10);
	check(q != NULL && !of_pool(q));
	free(q);
	q = malloc(1 << 20);
	check(!of_pool(q) && malloc_usable_size(q) >= 1 << 20);
	free(q);
	free(NULL);
}

// old blocks lose their memory when more is needed.
static void ages(void) {
	char *p = aligned_alloc(64, 300 << 20);
	memset(p, 1, 300 << 20);
	free(p);
	for (int i = 0; i < patience; i++) free(aligned_alloc(64, 1 << 17));
	long before = resident();
	p = aligned_alloc(64, 200 << 20); // a size that nobody had
	check(resident() < before - (250 << 20));
	free(p);
	p = aligned_alloc(64, 300 << 20);
	check(p[0] == 0 && p[(300 << 20) - 1] == 0);
	free(p);
}

static void aborts(void) {
	if (fork() == 0) {
		fclose(stderr);
		char *p = aligned_alloc(64, 1 << 20);
		free(p);
		free(p);
		_exit(0);
	}
	int status;
	wait(&status);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void *many(void *seed) {
	unsigned x = (uintptr_t)seed;
	uint64_t *held[16] = {0};
	for (int i = 0; i < 20000; i++) {
		x = x * 1664525 + 1013904223;
		uint64_t **p = &held[x >> 28];
		check(*p == NULL || **p == (uintptr_t)p); // nobody else wrote there
		free(*p);
		check((*p = aligned_alloc(64, (x >> 8 & 0xfffff) + 8)) != NULL);
		**p = (uintptr_t)p;
	}
	for (int i = 0; i < 16; i++) free(held[i]);
	return NULL;
}

// forks has children take and give while other threads do: a lock that one of them holds must not stay held.
static void forks(void) {
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();
		if (child == 0) {
			alarm(10);
			free(aligned_alloc(64, 1 << 20));
			_exit(0);
		}
		int status;
		check(waitpid(child, &status, 0) == child && WIFEXITED(status));
	}
}

// refused runs where no region can be reserved: all comes from libc.
static void refused(void) {
	if (fork() == 0) {
		struct rlimit four = {(rlim_t)4 << 30, (rlim_t)4 << 30};
		check(setrlimit(RLIMIT_AS, &four) == 0);
		char *p = aligned_alloc(64, 1 << 20);
		check(p != NULL && !of_pool(p) && pool.base == NULL);
		free(p);
		_exit(0);
	}
	int status;
	wait(&status);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
	refused();
	sizes();
	same();
	moves();
	ages();
	aborts();
	pthread_t threads[4];
	for (uintptr_t i = 0; i < 4; i++) check(pthread_create(&threads[i], NULL, many, (void *)(i + 1)) == 0);
	forks();
	for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
	for (unsigned c = 0; c < classes; c++) check(pool.taken[c] == 0);
	return 0;
}
