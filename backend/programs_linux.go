//go:build (amd64 || arm64) && cgo && !noxla

package backend

// #include <stdlib.h>
// #include "programs_linux.h"
import "C"

import (
	"crypto/sha256"
	"sync/atomic"
	"unsafe"
)

// kept is where the process's plugin keeps its programs. C calls back without a context, and the table of functions
// that was wrapped belongs to the process, so this does too.
var kept atomic.Pointer[programs]

// keepPrograms makes the plugin at path, which go-xla has loaded, keep its programs. go-xla v0.4.1 has no call to
// save or load an executable, but PJRT has; so the plugin's own PJRT_Client_Compile is wrapped in the table
// through which go-xla reaches it. Where that cannot be, each process compiles.
func keepPrograms(path, version string) error {
	p, err := openPrograms(path, version)
	if err != nil {
		return err
	}
	kept.Store(p)
	if p == nil {
		return nil
	}
	c := C.CString(path)
	defer C.free(unsafe.Pointer(c))
	if C.patchlab_keep_programs(c) == 0 {
		kept.Store(nil)
	}
	return nil
}

func bytesOf(p *C.char, size C.size_t) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), size) }

// programsGet writes the key of a program, and its compiled form, which the caller frees; its size is 0 where there
// is none.
//
//export programsGet
func programsGet(format *C.char, formatSize C.size_t, code *C.char, codeSize C.size_t, options *C.char, optionsSize C.size_t, key *C.char, out **C.char) C.size_t {
	p := kept.Load()
	if p == nil {
		return 0
	}
	k := p.key(bytesOf(format, formatSize), bytesOf(code, codeSize), bytesOf(options, optionsSize))
	copy(bytesOf(key, sha256.Size), k[:])
	b := p.get(k)
	if b == nil {
		return 0
	}
	*out = (*C.char)(C.CBytes(b))
	return C.size_t(len(b))
}

// programsPut keeps a compiled program under the key of programsGet. What fails costs the next process time only.
//
//export programsPut
func programsPut(key, code *C.char, size C.size_t) {
	if p := kept.Load(); p != nil {
		p.put([sha256.Size]byte(bytesOf(key, sha256.Size)), bytesOf(code, size))
	}
}
