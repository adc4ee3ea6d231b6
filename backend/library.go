package backend

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
)

// checkLibrary looks at a plugin's file before it is loaded: a file that is cut short would end the process with a
// bus error, and the loader's own messages name no cause. Only ELF files are looked into; path is named by the
// caller's error.
func checkLibrary(path string) error {
	stat, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("reading the library: %w", errors.Unwrap(err))
	}
	if !stat.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if runtime.GOOS != "linux" {
		return nil
	}
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("not a shared library, or damaged: %w", err)
	}
	defer f.Close()
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	if want, known := machines[runtime.GOARCH]; known && f.Machine != want {
		return fmt.Errorf("a library for %v, but this machine is %s", f.Machine, runtime.GOARCH)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Off+p.Filesz > uint64(stat.Size()) {
			return fmt.Errorf("cut short: it has %d bytes and needs %d", stat.Size(), p.Off+p.Filesz)
		}
	}
	symbols, err := f.DynamicSymbols()
	if errors.Is(err, elf.ErrNoSymbols) {
		return errors.New("not a PJRT plugin: it exports no symbol GetPjrtApi")
	}
	if err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	if !slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == "GetPjrtApi" }) {
		return errors.New("not a PJRT plugin: it exports no symbol GetPjrtApi")
	}
	return nil
}
