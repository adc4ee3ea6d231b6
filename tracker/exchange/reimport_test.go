package exchange

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
	"patchlab/tracker/server"
)

// find looks a run up by its name.
func find(t *testing.T, db *tracker.DB, name string) tracker.RunInfo {
	t.Helper()
	info, err := db.Find(t.Context(), name)
	must(t, err)
	return info
}

// A file of points says nothing of tags, notes and ends: importing one does
// not change what a run here has of them.
func TestOwnCSVChangesNothingHere(t *testing.T) {
	db := newDB(t)
	run, err := db.Start(t.Context(), tracker.Spec{Name: "run", Experiment: "e", Params: map[string]string{"p": "v"}, Tags: map[string]string{"t": "u"},
		Environment: map[string]string{"gpu": "none"}, Start: noon})
	must(t, err)
	future := time.Now().Add(24 * time.Hour) // later than every change to the run
	for i := range int64(5) {
		must(t, run.LogAt(future.Add(-time.Duration(i)*time.Second), 10-i, map[string]float64{"x": float64(i)})) // in another order than the file's
	}
	must(t, run.Flush())
	var file bytes.Buffer
	save := func() string {
		t.Helper()
		runs, err := db.Runs(t.Context(), tracker.Query{})
		must(t, err)
		file.Reset()
		must(t, WriteCSV(t.Context(), &file, db, runs))
		return file.String()
	}
	// While the run goes on, and after its end.
	merged, err := ImportCSV(t.Context(), db, strings.NewReader(save()), "points.csv", noon)
	must(t, err)
	if merged.Added+merged.Updated+merged.Unchanged != 0 || merged.Refused == nil || !strings.Contains(merged.Refused.Error(), "has not ended here") {
		t.Errorf("importing into a run that goes on did %+v", merged)
	}
	must(t, run.LogAt(future, 11, map[string]float64{"x": 5}))
	must(t, run.SetNote("note"))
	must(t, run.FinishAt(noon.Add(time.Minute), tracker.Killed))
	before := find(t, db, "run")
	for range 2 {
		merged, err := ImportCSV(t.Context(), db, strings.NewReader(save()), "points.csv", future)
		must(t, err)
		if merged != (tracker.Merged{Unchanged: 1}) {
			t.Errorf("importing what is here did %+v", merged)
		}
	}
	if after := find(t, db, "run"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the run became\n%+v, not\n%+v", after, before)
	}
	// A file with more points adds them, and nothing else.
	longer := save() + before.ID + ",run,e,x,12,2026-01-02T12:00:00.000000Z,7\n"
	merged, err = ImportCSV(t.Context(), db, strings.NewReader(longer), "points.csv", future)
	must(t, err)
	after := find(t, db, "run")
	if merged != (tracker.Merged{Updated: 1}) || after.Metrics["x"].Value != 7 || after.Status != tracker.Killed || !after.End.Equal(before.End) ||
		after.Note != "note" || after.Tags["t"] != "u" || after.Environment["gpu"] != "none" || after.Params["p"] != "v" {
		t.Errorf("importing more points did %+v: %+v", merged, after)
	}
	must(t, db.Verify(t.Context(), before.ID))
}

// A file is known by its name and its content, not by when it was written.
func TestFilesAreKnownByTheirContent(t *testing.T) {
	for name, read := range map[string]func(db *tracker.DB, text string, at time.Time) (tracker.Merged, error){
		"csv": func(db *tracker.DB, text string, at time.Time) (tracker.Merged, error) {
			return ImportCSV(t.Context(), db, strings.NewReader(text), "log", at)
		},
		"keras": func(db *tracker.DB, text string, at time.Time) (tracker.Merged, error) {
			return ImportKeras(t.Context(), db, strings.NewReader(text), "log", at)
		},
	} {
		t.Run(name, func(t *testing.T) {
			const text = "epoch,loss\n0,1.5\n1,0.5\n"
			db, other := newDB(t), newDB(t)
			for i, want := range []tracker.Merged{{Added: 1}, {Unchanged: 1}, {Unchanged: 1}} {
				merged, err := read(db, text, noon.Add(time.Duration(i)*time.Hour)) // touched in between
				must(t, err)
				if merged != want {
					t.Errorf("import %d did %+v", i+1, merged)
				}
			}
			if got := find(t, db, "log"); !got.Start.Equal(noon) || !got.End.Equal(noon) {
				t.Errorf("the run is %+v", got)
			}
			must(t, db.SetTags(t.Context(), find(t, db, "log").ID, map[string]string{"mine": "yes"}))
			if _, err := read(db, text, noon.Add(time.Hour)); err != nil || find(t, db, "log").Tags["mine"] != "yes" {
				t.Errorf("a tag that was set here is gone: %v", err)
			}
			// Somebody else who has imported it has the same run.
			if _, err := read(other, text, noon.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			merged, err := db.Merge(t.Context(), other)
			must(t, err)
			if merged.Added != 0 || merged.Refused != nil {
				t.Errorf("merging another import of it did %+v", merged)
			}
			if merged, err := read(db, text+"2,0.25\n", noon); err != nil || merged != (tracker.Merged{Added: 1}) {
				t.Errorf("another content did %+v, %v", merged, err)
			}
		})
	}
}

// lab is a server of MLflow's protocol over a database.
func lab(t *testing.T) (*tracker.DB, string) {
	t.Helper()
	db := newDB(t)
	web := httptest.NewServer(server.New(db, server.Options{}))
	t.Cleanup(web.Close)
	return db, web.URL
}

// What changes at an MLflow server after an import comes with the next one,
// whatever it is; what was added here stays.
func TestUpdatesOfMLflowArrive(t *testing.T) {
	there, base := lab(t)
	run, err := there.Start(t.Context(), tracker.Spec{Name: "run", Start: noon})
	must(t, err)
	must(t, run.LogAt(noon, 1, map[string]float64{"x": 1}))
	must(t, run.Flush())
	into := newDB(t)
	imports := func(want tracker.Merged) tracker.RunInfo {
		t.Helper()
		merged, err := ImportMLflowServer(t.Context(), into, base, "")
		must(t, err)
		if merged != want {
			t.Errorf("the import did %+v, not %+v", merged, want)
		}
		got := find(t, into, run.ID())
		must(t, into.Verify(t.Context(), got.ID))
		return got
	}
	if got := imports(tracker.Merged{Added: 1}); got.Status != tracker.Killed {
		t.Errorf("a run that goes on is %v", got.Status)
	}
	imports(tracker.Merged{Unchanged: 1})
	must(t, into.SetTags(t.Context(), run.ID(), map[string]string{"mine": "yes", "shared": "mine"}))
	must(t, into.AddArtifact(t.Context(), run.ID(), "mine.txt", strings.NewReader("mine")))
	imports(tracker.Merged{Unchanged: 1})

	must(t, run.LogAt(noon.Add(time.Second), 2, map[string]float64{"x": 2}))
	must(t, run.AddArtifact("a.txt", strings.NewReader("one")))
	must(t, run.FinishAt(noon.Add(time.Hour), tracker.Finished))
	if got := imports(tracker.Merged{Updated: 1}); got.Metrics["x"].Value != 2 || got.Status != tracker.Finished || !got.End.Equal(noon.Add(time.Hour)) {
		t.Errorf("after its end the run is %+v", got)
	}
	// Changes after the end, which no time there tells of.
	must(t, there.SetTags(t.Context(), run.ID(), map[string]string{"shared": "theirs"}))
	must(t, there.SetNote(t.Context(), run.ID(), "a note"))
	must(t, there.AddArtifact(t.Context(), run.ID(), "a.txt", strings.NewReader("two")))
	got := imports(tracker.Merged{Updated: 1})
	if got.Note != "a note" || got.Tags["shared"] != "theirs" || got.Tags["mine"] != "yes" {
		t.Errorf("after a later change the run is %+v", got)
	}
	content, err := into.OpenArtifact(t.Context(), run.ID(), "a.txt")
	must(t, err)
	defer content.Close()
	if text, err := io.ReadAll(content); err != nil || string(text) != "two" {
		t.Errorf("the artifact is %q, %v", text, err)
	}
	imports(tracker.Merged{Unchanged: 1})
}

// Exporting again brings the copy up to date: there is one of each run,
// whether it was running or the export broke off.
func TestExportingAgain(t *testing.T) {
	there, base := lab(t)
	db := newDB(t)
	parent, err := db.Start(t.Context(), tracker.Spec{Name: "parent", Start: noon.Add(time.Hour)}) // listed after its child
	must(t, err)
	run, err := db.Start(t.Context(), tracker.Spec{Name: "child", Start: noon, Parent: parent.ID(), Environment: map[string]string{"gpu": "H200"}})
	must(t, err)
	points := 0
	log := func() {
		t.Helper()
		points++
		for i := range 2 { // two values of one step and time
			must(t, run.LogAt(noon.Add(time.Duration(points)*time.Second), int64(points), map[string]float64{"x": float64(points + i)}))
		}
		must(t, run.Flush())
	}
	exports := func(sent, skipped int) tracker.RunInfo {
		t.Helper()
		runs, err := db.Runs(t.Context(), tracker.Query{OrderBy: "attributes.start_time ASC"})
		must(t, err)
		gotSent, gotSkipped, err := ExportMLflow(t.Context(), db, runs, base, "")
		must(t, err)
		if gotSent != sent || gotSkipped != skipped {
			t.Errorf("the export sent %d and skipped %d, not %d and %d", gotSent, gotSkipped, sent, skipped)
		}
		copies, err := there.Runs(t.Context(), tracker.Query{})
		must(t, err)
		if len(copies) != 2 {
			t.Fatalf("there are %d copies", len(copies))
		}
		child, parent := find(t, there, "child"), find(t, there, "parent")
		if child.Parent != parent.ID || child.Environment["gpu"] != "H200" {
			t.Errorf("the copy is %+v", child)
		}
		if found := history(t, there, "child", "x"); len(found) != 2*points {
			t.Errorf("the copy has %d points, not %d", len(found), 2*points)
		}
		return child
	}
	log()
	exports(2, 0)
	log()
	if got := exports(2, 0); got.Status != tracker.Running {
		t.Errorf("the copy of a run that goes on is %v", got.Status)
	}
	log()
	must(t, run.AddArtifact("a.txt", strings.NewReader("one")))
	must(t, run.Finish(tracker.Finished))
	must(t, parent.Finish(tracker.Finished))
	if got := exports(2, 0); got.Status != tracker.Finished {
		t.Errorf("the copy of a run that has ended is %v", got.Status)
	}
	exports(0, 2)
	must(t, db.SetNote(t.Context(), run.ID(), "later"))
	must(t, db.AddArtifact(t.Context(), run.ID(), "a.txt", strings.NewReader("two")))
	if got := exports(1, 1); got.Note != "later" {
		t.Errorf("the copy of a run that was changed is %+v", got)
	}
	exports(0, 2)
	got := find(t, there, "child")
	if a, b := contents(t, there, got.ID), contents(t, db, run.ID()); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("the artifacts are %v, not %v", a, b)
	}
	must(t, there.Verify(t.Context(), got.ID))
}

// A database that somebody gives away cannot have files of the importer's
// machine taken along.
func TestMLflowDBNamesFoldersElsewhere(t *testing.T) {
	folder, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	inside := filepath.Join(folder, "mlruns", "good")
	must(t, os.MkdirAll(filepath.Join(inside, "sub"), 0o700))
	must(t, os.WriteFile(filepath.Join(inside, "sub", "a.txt"), []byte("mine"), 0o600))
	must(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(inside, "link.txt")))
	must(t, os.Symlink(outside, filepath.Join(inside, "linked")))
	must(t, os.Symlink(outside, filepath.Join(folder, "mlruns", "way-out")))
	path := filepath.Join(folder, "mlflow.db")
	uris := []string{inside, "file://" + inside, outside, "file://" + outside, filepath.Join(inside, "..", "..", "..", filepath.Base(outside)),
		filepath.Join(folder, "mlruns", "way-out"), "../" + filepath.Base(outside), "s3://bucket/x", "", "/"}
	makeMLflowDB(t, path, uris)
	db := newDB(t)
	merged, err := ImportMLflowDB(t.Context(), db, path)
	must(t, err)
	if merged.Added != len(uris) || merged.Refused == nil || strings.Count(merged.Refused.Error(), "outside of the database's folder") < 3 {
		t.Errorf("the import did %+v", merged)
	}
	runs, err := db.Runs(t.Context(), tracker.Query{})
	must(t, err)
	for _, run := range runs {
		want := map[bool]int{true: 1, false: 0}[run.Params["uri"] == inside || run.Params["uri"] == "file://"+inside]
		if got := contents(t, db, run.ID); len(got) != want {
			t.Errorf("the run at %q has %v", run.Params["uri"], got)
		}
	}
}

// A server that falls silent is given up; one that is slow is not, however
// long it takes.
func TestSilentServers(t *testing.T) {
	if testing.Short() {
		t.Skip("waiting for a silent server takes ten seconds")
	}
	const patience, pause, pauses = 10 * time.Second, 300 * time.Millisecond, 40
	release := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			for range pauses {
				time.Sleep(pause)
				io.WriteString(w, "x")
				w.(http.Flusher).Flush()
			}
		case "/stops":
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			<-release
		default:
			<-release
		}
	}))
	t.Cleanup(web.Close)
	t.Cleanup(func() { close(release) })
	m, err := newMLflowServer(web.URL, "")
	must(t, err)
	t.Cleanup(m.close)
	m.patience = patience
	for path, test := range map[string]struct {
		method string
		body   io.ReadCloser
		size   int64
		want   string
	}{
		"/slow":          {"GET", nil, 0, strings.Repeat("x", pauses)},
		"/silent":        {"GET", nil, 0, ""},
		"/stops":         {"GET", nil, 0, ""},
		"/takes-nothing": {"PUT", io.NopCloser(io.LimitReader(zeros{}, 1<<30)), 1 << 30, ""},
	} {
		t.Run(strings.TrimPrefix(path, "/"), func(t *testing.T) {
			t.Parallel()
			answer, err := m.do(t.Context(), test.method, path, test.body, test.size)
			var text []byte
			if err == nil {
				defer answer.Close()
				text, err = io.ReadAll(answer)
			}
			if test.want != "" && (err != nil || string(text) != test.want) {
				t.Errorf("it was given up: %q, %v", text, err)
			}
			if test.want == "" && err == nil {
				t.Error("it was waited for to the end")
			}
		})
	}
}

// zeros is an endless content.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A model that no run made comes with a run of its own.
func TestModelsWithoutARun(t *testing.T) {
	there, base := lab(t)
	answer, err := http.Post(base+"/api/2.0/mlflow/experiments/create", "application/json", strings.NewReader(`{"name":"e"}`))
	must(t, err)
	answer.Body.Close()
	answer, err = http.Post(base+"/api/2.0/mlflow/logged-models", "application/json", strings.NewReader(`{"experiment_id":"1","name":"net"}`))
	must(t, err)
	answer.Body.Close()
	into := newDB(t)
	merged, err := ImportMLflowServer(t.Context(), into, base, "")
	must(t, err)
	if got := find(t, into, find(t, there, "net").ID); merged != (tracker.Merged{Added: 1}) || len(models(got)) != 1 {
		t.Errorf("the import did %+v: %+v", merged, got)
	}
	alone := foundModel{id: "m-0123456789abcdef0123456789abcdef", experiment: "e", Model: mlflow.Model{Name: "x", Status: mlflow.ModelReady,
		Tags: map[string]string{}, Params: map[string]string{}},
		files: func(add func(string, io.Reader) error) error { return add("MLmodel", strings.NewReader("x")) }}
	for i, want := range []tracker.Merged{{Added: 1}, {Unchanged: 1}} {
		merged, err := importing(t.Context(), into, func(s *staging) error { return s.add(alone.alone()) })
		must(t, err)
		if merged != want {
			t.Errorf("import %d did %+v", i+1, merged)
		}
	}
	got := find(t, into, "x")
	if found := models(got); len(found) != 1 || found[0].Origin != alone.id || contents(t, into, got.ID)["of the model: MLmodel"] == "" {
		t.Errorf("the run is %+v", got)
	}
}
