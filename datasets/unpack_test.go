package datasets

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tarEntry is a regular file in an archive.
type tarEntry struct {
	name    string
	content []byte
}

func archiveOf(t testing.TB, entries []tarEntry) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, e := range entries {
		if err := archive.WriteHeader(&tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUnpackTakesAllOrNothing(t *testing.T) {
	good := []tarEntry{
		{"folder/a", []byte("first")}, {"../outside", []byte("evil")}, {"folder/../../a2", []byte("evil")},
		{"/folder/b", []byte("absolute, not ours")}, {"other/b", []byte("elsewhere")}, {"folder/b", []byte("second")},
	}
	for _, c := range []struct {
		name    string
		content []byte
		fails   string
	}{
		{"good", archiveOf(t, good), ""},
		{"a file is missing", archiveOf(t, good[:5]), "folder/b is not in it"},
		{"a file is too large", archiveOf(t, []tarEntry{{"folder/a", make([]byte, 101)}, {"folder/b", nil}}), "101 bytes long, must be at most 100"},
		{"cut off", archiveOf(t, good)[:60], "unexpected EOF"},
		{"not gzip", []byte("<html>not an archive</html>"), "invalid header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			parent := filepath.Join(root, "parent")
			if err := os.MkdirAll(filepath.Join(parent, ".unpack-killed"), 0o755); err != nil {
				t.Fatal(err)
			}
			archive := filepath.Join(root, "archive.tar.gz")
			if err := os.WriteFile(archive, c.content, 0o644); err != nil {
				t.Fatal(err)
			}
			err := unpackFolder(t.Context(), archive, parent, "folder", []string{"a", "b"}, 100)
			wantNames(t, root, "archive.tar.gz", "parent")
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) || !strings.Contains(err.Error(), archive) {
					t.Errorf("error is %v, want one with %q that names the archive", err, c.fails)
				}
				wantNames(t, parent)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantNames(t, parent, "folder")
			wantNames(t, filepath.Join(parent, "folder"), "a", "b")
			if b, _ := os.ReadFile(filepath.Join(parent, "folder", "b")); string(b) != "second" {
				t.Errorf("b holds %q", b)
			}
		})
	}
}
