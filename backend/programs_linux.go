//go:build (amd64 || arm64) && cgo && !noxla

package backend

// #cgo LDFLAGS: -lm
// #include <stdlib.h>
// #include "programs_linux.h"
import "C"

import (
	"bytes"
	"crypto/sha256"
	"sync/atomic"
	"unsafe"
)

// kept is where the process's plugin keeps its programs. C calls back without a context, and the table of functions
// that was wrapped belongs to the process, so this does too.
var kept atomic.Pointer[programs]

// wrapCompile makes the plugin at path, which go-xla has loaded, share the memory that [Donate] names, call our own
// kernels, and keep its programs. go-xla v0.4.1 has no call for any of these, but PJRT has; so the plugin's own
// PJRT_Client_Compile is wrapped in the table through which go-xla reaches it. Where that cannot be, each process
// compiles, moments take twice their room, and calls is false. The error says why programs are not kept.
func wrapCompile(path, version string) (calls bool, err error) {
	p, err := openPrograms(path, version)
	kept.Store(p)
	c := C.CString(path)
	defer C.free(unsafe.Pointer(c))
	var registered C.int
	C.patchlab_wrap_compile(c, &registered)
	return registered != 0, err
}

// programsRewrite writes a program that shares more memory and, with calls, calls our own kernels, which the caller
// frees; its size is 0 where there is nothing to change.
//
//export programsRewrite
func programsRewrite(code *C.char, size C.size_t, calls C.int, out **C.char) C.size_t {
	text := rewritten(bytesOf(code, size), calls != 0)
	if text == nil {
		return 0
	}
	*out = (*C.char)(C.CBytes(text))
	return C.size_t(len(text))
}

// rewritten is a program as it is to be compiled; nil where that is as it was.
func rewritten(code []byte, calls bool) (text []byte) {
	rewrites := []func([]byte) []byte{donating} // nil where they change nothing
	if calls {
		rewrites = append(rewrites, callFunctions, callProducts)
	}
	for _, rewrite := range rewrites {
		if b := attempt(rewrite, code); b != nil {
			code, text = b, b
		}
	}
	if bytes.Contains(code, []byte("callee = @patchlab_")) { // whose functions compute nothing: XLA is to refuse it
		return []byte("patchlab: a kernel's call was not put into this program")
	}
	return text
}

// attempt rewrites a program, or gives nil where that panics: a panic would go through XLA's frames, whose locks would
// be held for ever.
func attempt(rewrite func([]byte) []byte, code []byte) (text []byte) {
	defer func() {
		if recover() != nil {
			text = nil
		}
	}()
	return rewrite(code)
}

func bytesOf(p *C.char, size C.size_t) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), size) }

// programsKept is 0 where each process compiles; the next two are then not called.
//
//export programsKept
func programsKept() C.int {
	if kept.Load() == nil {
		return 0
	}
	return 1
}

// programsGet writes the key of a program, and its compiled form, which the caller frees; its size is 0 where there
// is none.
//
//export programsGet
func programsGet(format *C.char, formatSize C.size_t, code *C.char, codeSize C.size_t, options *C.char, optionsSize C.size_t, key *C.char, out **C.char) C.size_t {
	p := kept.Load()
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
	kept.Load().put([sha256.Size]byte(bytesOf(key, sha256.Size)), bytesOf(code, size))
}
