package coursework

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzUnpack reads any bytes as a submission: it neither fails otherwise than by an
// error, nor writes more than the limit or outside the folder, nor takes what was
// not signed.
func FuzzUnpack(f *testing.F) {
	c := newClassroom(f)
	ada := c.student("ada")
	ada.train("first", 3)
	good := ada.submit()
	whole, err := os.ReadFile(good)
	must(f, err)
	f.Add(whole)
	for _, test := range hostile(f, ada, good) {
		f.Add(test.content)
	}
	const limit = 1 << 20
	f.Fuzz(func(t *testing.T, content []byte) {
		box := t.TempDir()
		packed, dir := filepath.Join(box, "packed"), filepath.Join(box, "dir")
		must(t, os.WriteFile(packed, content, 0o600))
		must(t, os.Mkdir(dir, 0o700))
		m, err := Unpack(t.Context(), packed, limit, dir)
		if err == nil {
			if err := m.check(); err != nil {
				t.Errorf("taken: %v", err)
			}
		}
		var bytes int64
		must(t, filepath.WalkDir(box, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path == packed {
				return err
			}
			info, err := entry.Info()
			bytes += info.Size()
			return err
		}))
		if bytes > limit {
			t.Errorf("%d bytes were written", bytes)
		}
		entries, err := os.ReadDir(box)
		if err != nil || len(entries) != 2 {
			t.Errorf("beside the folder there is %v, %v", entries, err)
		}
	})
}

// FuzzManifest reads any text as a manifest that somebody signed: what is taken can
// be written again as it was, and names no file elsewhere.
func FuzzManifest(f *testing.F) {
	c := newClassroom(f)
	ada := c.student("ada")
	ada.train("first", 3)
	good := ada.submit()
	entries := unpackAll(f, good)
	f.Add(entries[0].content)
	f.Fuzz(func(t *testing.T, text []byte) {
		var m Manifest
		if decodeStrictly(text, &m) != nil {
			return
		}
		m.Key = ada.key.Public()
		signed, err := encode(m)
		if err != nil {
			return
		}
		parsed, err := parseManifest(signed, ada.key.sign(append([]byte(purpose), signed...)))
		if err != nil {
			return
		}
		for _, file := range parsed.Files {
			if !filepath.IsLocal(filepath.FromSlash(file.Name)) {
				t.Errorf("the name %q leads elsewhere", file.Name)
			}
		}
		if size := parsed.size(DefaultLimit); size > DefaultLimit {
			t.Errorf("%d bytes", size)
		}
	})
}
