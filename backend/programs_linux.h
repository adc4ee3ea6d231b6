// patchlab_keep_programs makes the plugin at path, which must be loaded, compile through the cache.
int patchlab_keep_programs(const char *path);
