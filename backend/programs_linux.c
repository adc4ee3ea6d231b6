//go:build (amd64 || arm64) && cgo && !noxla

#define _GNU_SOURCE
#include "programs_linux.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "_cgo_export.h"
#include "calls_linux.h"
#include "pjrt_linux.h"

// Below are the arguments of the functions that are called or wrapped here alone.

typedef struct {
	size_t size;
	void *extensions;
	const char *code;
	size_t code_size;
	const char *format;
	size_t format_size;
} program_args;

typedef struct {
	size_t size;
	void *extensions;
	void *client;
	program_args *program;
	const char *options;
	size_t options_size;
	void *loaded; // out
} compile_args;

typedef struct {
	size_t size;
	void *extensions;
	void *executable;
	const char *bytes; // out, as all that follow
	size_t bytes_size;
	void *owner;
	void (*destroy_owner)(void *);
} serialize_args;

typedef struct {
	size_t size;
	void *extensions;
	void *client;
	const char *bytes;
	size_t bytes_size;
	void *loaded; // out
	const char *options;
	size_t options_size;
} deserialize_args;

// One plugin a process is wrapped: its table is the process's, too.
static api_table *api;
static function compile; // the plugin's own
static int registered;   // whether it takes calls of our own

// load makes a loaded executable of bytes that save was given.
static void *load(void *client, const char *bytes, size_t size) {
	deserialize_args args = {.size = sizeof args, .client = client, .bytes = bytes, .bytes_size = size};
	return failed(api->functions[error_destroy], api->functions[executable_deserialize](&args)) ? NULL : args.loaded;
}

// save hands the machine code of a loaded executable to Go, where the plugin can give it.
static void save(void *loaded, char *key) {
	object_args get = {.size = sizeof get, .in = loaded};
	if (failed(api->functions[error_destroy], api->functions[loaded_get_executable](&get))) return;
	serialize_args serialize = {.size = sizeof serialize, .executable = get.out};
	if (!failed(api->functions[error_destroy], api->functions[executable_serialize](&serialize))) {
		programsPut(key, (char *)serialize.bytes, serialize.bytes_size);
		serialize.destroy_owner(serialize.owner);
	}
	object_args destroy = {.size = offsetof(object_args, out), .in = get.out};
	failed(api->functions[error_destroy], api->functions[executable_destroy](&destroy));
}

// cached_compile loads a program that is kept, or compiles and keeps it.
static void *cached_compile(compile_args *args) {
	if (!programsKept()) return compile(args);
	program_args *program = args->program;
	// Zero, since Go's collector looks at what a pointer was before Go sets it: what the stack held may look like one of Go's.
	char key[32] = {0}, *bytes = NULL;
	size_t size = programsGet((char *)program->format, program->format_size, (char *)program->code, program->code_size,
		(char *)args->options, args->options_size, key, &bytes);
	if (size > 0) {
		args->loaded = load(args->client, bytes, size);
		free(bytes);
		if (args->loaded != NULL) return NULL;
	}
	void *error = compile(args);
	if (error == NULL) save(args->loaded, key);
	return error;
}

// wrapped_compile is what callers of PJRT_Client_Compile come to.
static void *wrapped_compile(void *any) {
	compile_args *args = any;
	program_args rewritten = *args->program, *given = args->program;
	char *code = NULL; // as key above
	size_t size = programsRewrite((char *)given->code, given->code_size, registered, &code);
	if (size > 0) {
		rewritten.code = code;
		rewritten.code_size = size;
		args->program = &rewritten;
	}
	void *error = cached_compile(args);
	args->program = given;
	free(code);
	return error;
}

int patchlab_wrap_compile(const char *path, int *calls) {
	*calls = 0;
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
	if (library == NULL) return 0;
	api_table *(*get)(void) = (api_table * (*)(void)) dlsym(library, "GetPjrtApi");
	api_table *table = get == NULL ? NULL : get();
	if (table == NULL || table->size < sizeof *table || table->version.major != 0) return 0;
	if (api != NULL) {
		*calls = registered && table == api;
		return table == api;
	}
	api = table;
	compile = table->functions[client_compile];
	// A plugin may keep its table where it cannot be written: this fails then, where an assignment would end the process.
	function ours = wrapped_compile;
	struct iovec from = {&ours, sizeof ours}, to = {&table->functions[client_compile], sizeof ours};
	if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) == sizeof ours) {
		*calls = registered = patchlab_register_calls(table);
		return 1;
	}
	api = NULL;
	return 0;
}
