package coursework

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config", "patchlab", "coursework.key")
	if _, _, err := FindKey(path, ""); err == nil || !strings.Contains(err.Error(), "--student") {
		t.Errorf("without a key and a name: %v", err)
	}
	key, made, err := FindKey(path, "ada")
	if err != nil || !made {
		t.Fatal(made, err)
	}
	for file, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v, %v; want %v", file, info.Mode(), err, want)
		}
	}
	for _, student := range []string{"", "ada"} {
		again, made, err := FindKey(path, student)
		if err != nil || made || again.Public() != key.Public() || again.Student != "ada" {
			t.Errorf("read again as %q: %+v, %v, %v", student, again, made, err)
		}
	}
	if _, _, err := FindKey(path, "eve"); err == nil || !strings.Contains(err.Error(), "is ada's, not eve's") {
		t.Errorf("another's key: %v", err)
	}
	if err := key.Save(path); err == nil {
		t.Error("a key was replaced")
	}
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	must(t, os.Chmod(path, 0o644))
	if _, err := ReadKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that all can read: %v", err)
	}
	letter := filepath.Join(t.TempDir(), "letter.txt")
	must(t, os.WriteFile(letter, []byte("My dog ate it."), 0o644))
	if _, err := ReadKey(letter); err == nil || !strings.Contains(err.Error(), "holds no key") {
		t.Errorf("a letter: %v", err)
	}
	if ok, err := key.Public().verify([]byte("x"), key.sign([]byte("x"))); !ok || err != nil {
		t.Error("a signature is not accepted", err)
	}
	if ok, _ := key.Public().verify([]byte("y"), key.sign([]byte("x"))); ok {
		t.Error("a signature of another message is accepted")
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"a", "ada", "02-vit", "ada.lovelace@example.org", strings.Repeat("x", 64)} {
		if err := checkName("student", good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "Ada", ".", "..", "../x", "a/b", `a\b`, "a.", "-a", "ä", "a b", "a\x00", strings.Repeat("x", 65)} {
		if err := checkName("student", bad); err == nil {
			t.Errorf("%q is allowed", bad)
		}
	}
}
