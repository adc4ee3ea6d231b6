//go:build (amd64 || arm64) && !noxla

package backend

// #cgo LDFLAGS: -ldl
// #include <dlfcn.h>
// #include <stdlib.h>
import "C"

import (
	"path/filepath"
	"unsafe"
)

// nvidiaLibraries are the libraries that the CUDA plugin, or cuDNN behind it, opens by name while it runs.
var nvidiaLibraries = [...]string{
	"libcudart", "libnvrtc", "libcublasLt", "libcublas", "libnccl", "libcupti", "libcusparse", "libcusolver", "libcufft",
	"libnvshmem_host", "libcudnn",
}

// preloadNVIDIA loads NVIDIA's libraries from the folders of their Python packages (root/<package>/lib), as JAX does
// before it loads its plugin: a library that is loaded already is found under its name wherever it lies. It returns
// how many it loaded; the system's own serve for the others.
func preloadNVIDIA(root string) int {
	loaded := 0
	for _, name := range nvidiaLibraries {
		files, _ := filepath.Glob(filepath.Join(escapeGlob(root), "*", "lib", name+".so.*"))
		for _, file := range files {
			path := C.CString(file)
			if C.dlopen(path, C.RTLD_LAZY|C.RTLD_LOCAL) != nil {
				loaded++
			}
			C.free(unsafe.Pointer(path))
		}
	}
	return loaded
}
