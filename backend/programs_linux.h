// patchlab_wrap_compile puts Go's callbacks before the compiler of the plugin at path, which must be loaded. calls
// becomes 1 where the plugin also takes the calls of handlers_linux.h.
int patchlab_wrap_compile(const char *path, int *calls);
