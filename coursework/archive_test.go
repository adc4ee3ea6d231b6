package coursework

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"patchlab/tracker"
)

// entry is a file of an archive that is taken apart to be put together wrongly.
type entry struct {
	header  tar.Header
	content []byte
}

func unpackAll(t testing.TB, path string) (entries []entry) {
	t.Helper()
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	packed, err := gzip.NewReader(file)
	must(t, err)
	archive := tar.NewReader(packed)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			return entries
		}
		must(t, err)
		content, err := io.ReadAll(archive)
		must(t, err)
		entries = append(entries, entry{*h, content})
	}
}

func packAll(t testing.TB, entries []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	archive := tar.NewWriter(packed)
	for _, e := range entries {
		if e.header.Typeflag == tar.TypeReg && e.header.Linkname == "" {
			e.header.Size = int64(len(e.content))
		}
		must(t, archive.WriteHeader(&e.header))
		if e.header.Typeflag == tar.TypeReg {
			_, err := archive.Write(e.content)
			must(t, err)
		}
	}
	must(t, archive.Close())
	must(t, packed.Close())
	return out.Bytes()
}

// resign changes what a submission claims and holds, and signs it again: what a
// student can do who has a key and no scruples. The digests of the files follow.
func (s *student) resign(path string, change func(dir string, m *Manifest)) []byte {
	t := s.c
	t.Helper()
	dir := t.TempDir()
	m, err := Unpack(context.Background(), path, DefaultLimit, dir)
	must(t, err)
	change(dir, m)
	for i, f := range m.Files {
		if size, digest, err := digestFile(filepath.Join(dir, filepath.FromSlash(f.Name))); err == nil && f.Size >= 0 {
			m.Files[i].Size, m.Files[i].SHA256 = size, digest
		}
	}
	var out bytes.Buffer
	if err := writeArchive(context.Background(), &out, dir, m, s.key); err != nil {
		return s.signed(m) // with a name that nothing lies under
	}
	return out.Bytes()
}

// signed is a submission's beginning: the manifest and its signature.
func (s *student) signed(m *Manifest) []byte {
	text, err := encode(m)
	must(s.c, err)
	return packAll(s.c, []entry{
		{*header(manifestName, 0), text}, {*header(signatureName, 0), s.key.sign(append([]byte(purpose), text...))},
	})
}

// statement changes the database of a submission.
func statement(t testing.TB, dir, text string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, databaseName))
	must(t, err)
	defer db.Close()
	_, err = db.Exec(text)
	must(t, err)
	_, err = db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	must(t, err)
}

// hostile are submissions that must be refused, each with the words that say why.
func hostile(t testing.TB, s *student, good string) map[string]struct {
	content []byte
	want    string
} {
	t.Helper()
	whole, err := os.ReadFile(good)
	must(t, err)
	entries := unpackAll(t, good)
	repacked := func(change func([]entry) []entry) []byte { return packAll(t, change(slices.Clone(entries))) }
	claims := func(change func(dir string, m *Manifest)) []byte { return s.resign(good, change) }
	sqlite := func(text string) []byte {
		return claims(func(dir string, _ *Manifest) { statement(t, dir, text) })
	}
	last := entries[len(entries)-1].header.Name // an artifact
	link := func(name, to string, kind byte) func([]entry) []entry {
		return func(all []entry) []entry {
			return append(all[:len(all)-1], entry{tar.Header{Typeflag: kind, Name: name, Linkname: to, Mode: 0o777}, nil})
		}
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	archive := tar.NewWriter(packed)
	must(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: manifestName, Size: 1 << 30, Mode: 0o644}))
	zeros := make([]byte, 1<<20)
	for range 64 {
		archive.Write(zeros)
	}
	packed.Close()
	// A long list of extended headers, which a reader would go through for ever.
	var headers bytes.Buffer
	packed = gzip.NewWriter(&headers)
	archive = tar.NewWriter(packed)
	for range 2000 {
		archive.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "g", PAXRecords: map[string]string{"comment": strings.Repeat("x", 400)}})
	}
	archive.Close()
	packed.Close()
	large, err := ReadManifest(good, DefaultLimit)
	must(t, err)
	large.Files[0].Size, large.Files[1].Size = 1<<62, 1<<62
	return map[string]struct {
		content []byte
		want    string
	}{
		"empty":          {nil, "it is no submission"},
		"text":           {[]byte("no archive"), "it is no submission"},
		"cut":            {whole[:len(whole)/2], "cut short"},
		"without end":    {whole[:len(whole)-4], "cut short"},
		"a bit flipped":  {flipped, ""}, // what it hits differs from key to key
		"more behind":    {append(bytes.Clone(whole), 'x'), "more behind its end"},
		"twice":          {append(bytes.Clone(whole), whole...), "more behind its end"},
		"an empty tar":   {packAll(t, nil), "cut short"},
		"a bomb":         {bomb.Bytes(), "its manifest has 1073741824 bytes"},
		"many headers":   {headers.Bytes(), "not a plain file"},
		"a file more":    {repacked(func(all []entry) []entry { return append(all, entry{*header("more.txt", 0), nil}) }), `"more.txt" besides`},
		"a path upwards": {repacked(func(all []entry) []entry { return append(all, entry{*header("../../evil", 0), nil}) }), `"../../evil" besides`},
		"an absolute path": {repacked(func(all []entry) []entry { all[2].header.Name = "/tmp/evil.ipynb"; return all }),
			`"/tmp/evil.ipynb"`},
		"a symbolic link":   {repacked(link(last, "/etc/passwd", tar.TypeSymlink)), "not a plain file"},
		"a link":            {repacked(link(last, "/etc/passwd", tar.TypeLink)), "not a plain file"},
		"a device":          {repacked(link(last, "", tar.TypeChar)), "not a plain file"},
		"a folder":          {repacked(link(last, "", tar.TypeDir)), "not a plain file"},
		"a file less":       {repacked(func(all []entry) []entry { return all[:len(all)-1] }), "cut short"},
		"swapped":           {repacked(func(all []entry) []entry { all[2], all[3] = all[3], all[2]; return all }), "where notebook.ipynb"},
		"no manifest":       {repacked(func(all []entry) []entry { return all[1:] }), "it is no submission"},
		"no signature":      {repacked(func(all []entry) []entry { return append(all[:1:1], all[2:]...) }), "where manifest.sig"},
		"another signature": {repacked(func(all []entry) []entry { all[1].content = make([]byte, 64); return all }), "its signature is not that of its key"},
		"a claim changed": {repacked(func(all []entry) []entry {
			all[0].content = bytes.Replace(all[0].content, []byte(`"test_accuracy": "0.3"`), []byte(`"test_accuracy": "0.9"`), 1)
			return all
		}), "its signature is not that of its key"},
		"a name changed": {repacked(func(all []entry) []entry {
			all[0].content = bytes.Replace(all[0].content, []byte(`"student": "ada"`), []byte(`"student": "bob"`), 1)
			return all
		}), "its signature is not that of its key"},
		"the notebook changed": {repacked(func(all []entry) []entry {
			all[2].content = bytes.Replace(all[2].content, []byte("answer"), []byte("anwser"), 1)
			return all
		}), "notebook.ipynb has not the digest that was signed"},
		"no JSON":          {repacked(func(all []entry) []entry { all[0].content = []byte("{"); return all }), "its manifest"},
		"an unknown field": {repacked(func(all []entry) []entry { all[0].content = []byte(`{"more": 1}`); return all }), "more"},

		// From here on the signature is right.
		"a student's name upwards": {claims(func(_ string, m *Manifest) { m.Student = "../../x" }), `the student "../../x"`},
		"an assignment upwards":    {claims(func(_ string, m *Manifest) { m.Assignment = ".." }), `the assignment ".."`},
		"an unknown assignment":    {claims(func(_ string, m *Manifest) { m.Assignment = "hw2" }), `no assignment "hw2": it has hw`},
		"a newer version":          {claims(func(_ string, m *Manifest) { m.Version = 2 }), "use a newer patchlab"},
		"no key":                   {claims(func(_ string, m *Manifest) { m.Key = "" }), "is no public key"},
		"a short key": {claims(func(_ string, m *Manifest) {
			m.Key = "ed25519:" + PublicKey(base64.StdEncoding.EncodeToString([]byte("x")))
		}), "is no public key"},
		"a file's name upwards": {claims(func(_ string, m *Manifest) { m.Files[2].Name = "runs.artifacts/../../evil" }), "is not that of an artifact"},
		"an artifact elsewhere": {claims(func(_ string, m *Manifest) { m.Files[2].Name = artifactPath(strings.Repeat("0", 64)) }), "is not that of an artifact"},
		"a negative size":       {claims(func(_ string, m *Manifest) { m.Files[0].Size = -1 }), "-1 bytes"},
		"too many bytes":        {s.signed(large), "it has more than 512 MB"},
		"no files":              {claims(func(_ string, m *Manifest) { m.Files = nil }), "it lists 0 files"},
		"no runs":               {claims(func(_ string, m *Manifest) { m.Runs = nil }), "which does not fit"},
		"one run less": {sqlite(`DELETE FROM run`),
			"its database has 0 runs, its manifest 1"},
		"a claim of more": {claims(func(_ string, m *Manifest) { m.Runs[0].Results["test_accuracy"] = "0.99" }),
			"is not what the manifest claims"},
		"another start": {claims(func(_ string, m *Manifest) { m.Runs[0].Start = m.Runs[0].Start.Add(time.Second) }),
			"is not what the manifest claims"},
		"another digest of points": {claims(func(_ string, m *Manifest) { m.Runs[0].Points = strings.Repeat("0", 64) }),
			"is not what the manifest claims"},
		"a run's name upwards": {claims(func(dir string, m *Manifest) {
			m.Runs[0].ID = "../../../../evil"
			statement(t, dir, `UPDATE run SET ulid = '../../../../evil'`)
		}), `the run's ID "../../../../evil"`},
		"a run called latest": {claims(func(dir string, m *Manifest) {
			m.Runs[0].ID = "latest"
			statement(t, dir, `UPDATE run SET ulid = 'latest'`)
		}), `the run's ID "latest"`},
		"another run":       {claims(func(_ string, m *Manifest) { m.Runs[0].ID = "01JD8ZK3T5WXYZ0123456789AB" }), "has no run"},
		"a tampered run":    {sqlite(`UPDATE run SET note = 'better'`), "is damaged"},
		"an unfinished run": {sqlite(`UPDATE run SET status = 1, ended = NULL, digest = NULL, points = NULL`), "is not a finished run"},
		"a deleted run":     {sqlite(`UPDATE run SET deleted = 1`), "is not a finished run"},
		"no digest":         {sqlite(`UPDATE run SET digest = NULL, points = NULL`), "is not a finished run"},
		"a view": {sqlite(`PRAGMA foreign_keys = OFF; DROP TABLE writer; CREATE VIEW writer AS
			WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x AS run FROM r`), "what no tracker writes"},
		"a trigger": {sqlite(`CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END`), "what no tracker writes"},
		"no database": {claims(func(dir string, _ *Manifest) {
			must(t, os.WriteFile(filepath.Join(dir, databaseName), bytes.Repeat([]byte("x"), 9000), 0o600))
		}), "not a patchlab database"},
		"no notebook": {claims(func(dir string, _ *Manifest) {
			must(t, os.WriteFile(filepath.Join(dir, notebookName), []byte("{}"), 0o600))
		}), "its notebook: not a notebook"},
		"a deep notebook": {claims(func(dir string, _ *Manifest) {
			must(t, os.WriteFile(filepath.Join(dir, notebookName), bytes.Repeat([]byte("["), 1_000_000), 0o600))
		}), "its notebook: not a notebook"},
	}
}

// TestHostileSubmissions: each is refused with its reason, all in one batch with
// two good ones, which are taken; nothing is written beside what belongs there.
func TestHostileSubmissions(t *testing.T) {
	c := newClassroom(t)
	ada, bob := c.student("ada"), c.student("bob")
	ada.train("first", 3)
	bob.train("first", 3)
	good := ada.submit()
	box := t.TempDir()
	cases := hostile(t, ada, good)
	for name, test := range cases {
		must(t, os.WriteFile(filepath.Join(box, name), test.content, 0o600))
	}
	must(t, os.Symlink(good, filepath.Join(box, "a link to a file")))
	must(t, os.Link(bob.submit(), filepath.Join(box, "zz bob")))
	must(t, os.Link(good, filepath.Join(box, "aa ada")))
	taken := 0
	for _, d := range c.collect(box) {
		name := filepath.Base(d.File)
		test, known := cases[name]
		switch {
		case name == "aa ada", name == "zz bob":
			taken++
			if d.Status != New {
				t.Errorf("%s is %s: %s", name, d.Status, d.Reason)
			}
		case d.Status != Refused || known && !strings.Contains(d.Reason, test.want):
			t.Errorf("%s is %s: %q, want %q", name, d.Status, d.Reason, test.want)
		case strings.Contains(d.Reason, "goroutine") || strings.Contains(d.Reason, c.dir) && !known:
			t.Errorf("%s: %s", name, d.Reason)
		}
	}
	if taken != 2 {
		t.Errorf("%d of the two good submissions were looked at", taken)
	}
	entries, err := os.ReadDir(c.dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != ".lock class.artifacts class.db collected collected.csv nbgrader_config.py release roster.csv source submitted" {
		t.Errorf("the course has %s", got)
	}
	class, err := tracker.Open(c.Database(), tracker.ReadOnly())
	must(t, err)
	defer class.Close()
	if runs, err := class.Runs(t.Context(), tracker.Query{}); err != nil || len(runs) != 2 {
		t.Errorf("class.db has %d runs, %v", len(runs), err)
	}
}

// TestLimit: neither the file nor what it unpacks to may be larger.
func TestLimit(t *testing.T) {
	c := newClassroom(t)
	ada := c.student("ada")
	ada.train("first", 3)
	good := ada.submit()
	for _, limit := range []int64{1000, 50_000} { // the file has about 10,000 bytes, and 100,000 unpacked
		all, err := c.Collect(t.Context(), []string{good}, CollectOptions{Limit: limit})
		if err != nil || all[0].Status != Refused || !strings.Contains(all[0].Reason, "it has more than 0 MB") {
			t.Errorf("with a limit of %d bytes: %+v, %v", limit, all, err)
		}
	}
	if got := c.collect(good); got[0].Status != New {
		t.Errorf("with the usual limit: %+v", got)
	}
}
