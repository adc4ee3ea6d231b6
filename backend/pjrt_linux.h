// The part of PJRT's C API that more than one file uses (openxla/xla,
// xla/pjrt/c/pjrt_c_api.h, major version 0). Its tables and arguments grow at their
// ends only, so what is declared here lies at the same place in each.
#pragma once

#include <stddef.h>

enum {
	error_destroy = 0,
	client_compile = 20,
	executable_destroy = 40,
	executable_serialize = 49,
	loaded_get_executable = 51,
	executable_deserialize = 56,
};

typedef void *(*function)(void *args); // returns an error or NULL

typedef struct {
	size_t size;
	void *extensions;
	int major, minor;
} api_version;

typedef struct {
	size_t size;
	void *extensions;
	api_version version;
	function functions[executable_deserialize + 1];
} api_table;

typedef struct {
	size_t size;
	void *extensions;
	void *in;  // an error, an executable, or a loaded executable
	void *out; // of get_executable alone
} object_args;

// failed reports whether a function failed, and lets its error go by destroy. XLA's
// foreign function interface has errors of the same form.
static inline int failed(function destroy, void *error) {
	if (error == NULL) return 0;
	object_args args = {.size = offsetof(object_args, out), .in = error};
	destroy(&args);
	return 1;
}
