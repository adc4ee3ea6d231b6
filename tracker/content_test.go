package tracker

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestArtifactFoldersAreOfOneDatabaseEach(t *testing.T) {
	folder := t.TempDir()
	open := func(name string) *DB {
		db, err := Open(filepath.Join(folder, name))
		must(t, err)
		t.Cleanup(func() { db.Close() })
		return db
	}
	all := []*DB{open("lab.db"), open("lab.bak"), open("lab"), open("lab.bak.db"), open("lab.artifacts.db")}
	folders := map[string]bool{}
	for _, db := range all {
		run := start(t, db, Spec{Name: "r"})
		must(t, run.AddArtifact("a", strings.NewReader("same")))
		must(t, run.Finish(Finished))
		folders[db.artifactFolder()] = true
	}
	if len(folders) != len(all) || !folders[filepath.Join(folder, "lab.artifacts")] {
		t.Errorf("the folders are %v", folders)
	}
	must(t, all[0].Delete(t.Context(), mustFind(t, all[0], "r").ID))
	g, err := all[0].GC(t.Context(), 0)
	must(t, err)
	if g.Files != 1 {
		t.Errorf("garbage: %+v", g)
	}
	for _, db := range all[1:] {
		if err := db.Verify(t.Context(), mustFind(t, db, "r").ID); err != nil {
			t.Errorf("gc of another database: %v", err)
		}
	}
}

func mustFind(t *testing.T, db *DB, ref string) RunInfo {
	t.Helper()
	info, err := db.Find(t.Context(), ref)
	must(t, err)
	return info
}

// A database that is opened by a link has the artifacts of the file.
func TestArtifactsThroughALink(t *testing.T) {
	folder := t.TempDir()
	path, link := filepath.Join(folder, "lab.db"), filepath.Join(t.TempDir(), "link.db")
	db, err := Open(path)
	must(t, err)
	run := start(t, db, Spec{Name: "r"})
	must(t, run.AddArtifact("a", strings.NewReader("content")))
	must(t, db.Close())
	if err := os.Symlink(path, link); err != nil {
		t.Skipf("links cannot be made here: %v", err)
	}
	db, err = Open(link, ReadOnly())
	must(t, err)
	defer db.Close()
	must(t, db.Verify(t.Context(), run.ID()))
}

// Content that was damaged or cut short in its file is healed by adding, or
// merging, the same content again.
func TestContentHeals(t *testing.T) {
	db, from := newDB(t), newDB(t)
	run := start(t, db, Spec{Name: "r"})
	must(t, run.AddArtifact("a", strings.NewReader("content")))
	other := start(t, from, Spec{Name: "from"})
	must(t, other.AddArtifact("b", strings.NewReader("content")))
	must(t, other.Finish(Finished))
	list, err := db.Artifacts(t.Context(), run.ID())
	must(t, err)
	file := filepath.Join(db.artifactFolder(), list[0].SHA256[:2], list[0].SHA256[2:])
	for harm, heal := range map[string]func() error{
		"cut":     func() error { return run.AddArtifact("again", strings.NewReader("content")) },
		"CONTENT": func() error { return run.AddArtifact("once more", strings.NewReader("content")) },
		"c0ntent": func() error {
			merged, err := db.Merge(t.Context(), from)
			if merged.Added != 1 || merged.Refused != nil {
				t.Errorf("merging did %+v", merged)
			}
			return err
		},
	} {
		must(t, os.WriteFile(file, []byte(harm), 0o600))
		if err := db.Verify(t.Context(), run.ID()); err == nil {
			t.Errorf("%q went unnoticed", harm)
		}
		must(t, heal())
		must(t, db.Verify(t.Context(), run.ID()))
	}
	content, err := db.OpenArtifact(t.Context(), run.ID(), "a")
	must(t, err)
	defer content.Close()
	if got, err := io.ReadAll(content); err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
}

// A digest that is none is an error, not a panic.
func TestArtifactsWithoutADigest(t *testing.T) {
	db := newDB(t)
	run := fullRun(t, db, "r")
	change(t, db, `UPDATE artifact SET sha256 = x''`)
	if _, err := db.OpenArtifact(t.Context(), run.ID(), "same.txt"); err == nil || !strings.Contains(err.Error(), "0 bytes, not 32") {
		t.Errorf("opening: %v", err)
	}
	if err := db.Verify(t.Context(), run.ID()); err == nil {
		t.Error("unnoticed")
	}
}
