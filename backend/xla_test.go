//go:build ((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla

package backend

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/gomlx/go-xla/compute/xla"
)

// Nothing holds a backend that has ended.
func TestFinalizedBackendIsFreed(t *testing.T) {
	needPlugin(t)
	freed := make(chan struct{})
	func() {
		b, _, err := Open(context.Background(), XLA, nil)
		if err != nil {
			t.Fatal(err)
		}
		runtime.AddCleanup(b.(*xla.Backend), func(struct{}) { close(freed) }, struct{}{})
		b.Finalize()
	}()
	for range 10 {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Error("the backend is still held after ten collections")
}
