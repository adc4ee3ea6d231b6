// Package backend chooses, finds and installs what Patchlab computes with, and tells what the machine is.
//
// [Open] returns a GoMLX backend. For XLA it looks for a PJRT plugin (one shared library) in this order:
//
//  1. the folders of PJRT_PLUGIN_LIBRARY_PATH, the folders that go-xla installs into, and Patchlab's own cache
//     folder (os.UserCacheDir()/patchlab/pjrt);
//  2. lammps-jax-pjrt-cpu, a third party's pip package that holds XLA's CPU plugin, named by its hash, through the
//     machine's ordinary pip (Linux on x86-64);
//  3. the release that go-xla was tested with, from GitHub, where [PluginSHA256Env] names its hash.
//
// Where none of them serves, the pure-Go backend computes, and [Info] says so in one sentence. PATCHLAB_OFFLINE=1
// forbids every download; GOMLX_NO_AUTO_INSTALL, go-xla's own switch, forbids the third step.
//
// A CUDA plugin is never installed unasked (it brings gigabytes of libraries with it). It is found where JAX's
// Python packages put it, or in one of the folders of the first step.
//
// Built with the tag noxla, without cgo, or for a platform that go-xla does not know, the package has only the
// pure-Go backend and needs no C compiler.
//
// What XLA compiles for the CPU is kept in the user's cache folder ([ProgramsEnv]), under the digest of the program, of
// the plugin and of the processor: the next process that runs the same network begins with its first step.
//
// XLA's programs for Linux's CPU call kernels of the package's own (kernels_linux.h) by XLA's foreign function
// interface, where the plugin has it: those that a graph names ([Call]), which are depthwise convolutions, those of
// ConvMixers with all that follows them, dense layers, MLPs, norms, GELU, attention, averages, whole layers of Mixers
// and ConvMixers where they do not train, the loss and AdamW's updates; and unasked, products that are not small.
//
// Where glibc is the C library, the package replaces its functions for aligned memory: large buffers, which XLA takes
// and gives back every step, come from a pool on huge pages (pool_linux.c).
package backend
