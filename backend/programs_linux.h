// patchlab_wrap_compile puts Go's callbacks before the compiler of the plugin at path, which must be loaded.
int patchlab_wrap_compile(const char *path);
