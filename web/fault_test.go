package web_test

import (
	"database/sql"
	"log"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"patchlab/compare/comparetest"
	"patchlab/web"
)

// Of what goes wrong in the server itself a page says only that it did, and the
// log why: the words of the tracker and of the system name files.
func TestFaultsAreLoggedAndNotShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.db")
	ids, err := comparetest.Create(t.Context(), path, []comparetest.Run{
		{Model: "mixer-2", Accuracy: .6, TrainPerS: 1000, TestImages: 20, Predictions: true},
		{Model: "vit-2", Accuracy: .5, TrainPerS: 1000, TestImages: 20, Predictions: true},
	})
	must(t, err)
	var logged logText
	l := openLab(t, path, web.Options{ErrorLog: log.New(&logged, "", 0)})
	at := "/runs/" + ids[0]
	raw, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=10000")
	must(t, err)
	defer raw.Close()
	contents := strings.TrimSuffix(path, ".db") + ".artifacts"

	for _, c := range []struct {
		what           string
		breaks, mends  func() error
		ask            func() (status int, page string)
		status         int
		says, logWords string
	}{
		{
			"an artifact without its folder",
			func() error { return os.Rename(contents, contents+".away") }, func() error { return nil },
			func() (int, string) { return 500, l.get(at+"/artifacts/predictions.csv", 500) },
			500, "This could not be done; the server&#39;s log says why.", "the folder " + contents + " is missing",
		},
		{
			"a comparison with a file where the folder was",
			func() error { return os.WriteFile(contents, nil, 0o600) }, func() error { return os.Remove(contents) },
			func() (int, string) { return 200, l.get("/compare", 200) },
			200, "predictions.csv of run " + ids[0] + " cannot be used: the server&#39;s log says why", "open " + contents,
		},
		{
			"a tag on a full disk",
			func() error {
				_, err := raw.Exec(`CREATE TRIGGER broken BEFORE UPDATE OF tags ON run BEGIN SELECT RAISE(FAIL, 'the disk of /srv/secret is full'); END`)
				return err
			},
			func() error { _, err := raw.Exec(`DROP TRIGGER broken`); return err },
			func() (int, string) { return l.send(at+"/tag", url.Values{"key": {"a"}, "value": {"b"}}) },
			500, "This could not be done; the server&#39;s log says why.", "the disk of /srv/secret is full",
		},
		{
			"a run's page without its table of artifacts",
			func() error { _, err := raw.Exec(`ALTER TABLE artifact RENAME TO secret_artifact`); return err },
			func() error { _, err := raw.Exec(`ALTER TABLE secret_artifact RENAME TO artifact`); return err },
			func() (int, string) { return 200, l.get(at, 200) },
			200, "The artifacts cannot be listed; the server&#39;s log says why.", "no such table: artifact",
		},
		{
			"a comparison of runs whose points are lost",
			func() error { _, err := raw.Exec(`DELETE FROM chunk; DELETE FROM hot`); return err }, func() error { return nil },
			func() (int, string) { return 500, l.get("/compare", 500) },
			500, "This could not be done; the server&#39;s log says why.", `history of "val_accuracy" in run ` + ids[0] + ": the metric: not found",
		},
	} {
		logged.Reset()
		must(t, c.breaks())
		status, page := c.ask()
		must(t, c.mends())
		if status != c.status || !strings.Contains(page, c.says) || strings.Contains(page, "secret") || strings.Contains(page, "no such table") {
			t.Errorf("%s: %d %s", c.what, status, page)
		}
		if !strings.Contains(logged.String(), c.logWords) {
			t.Errorf("%s: the log says %q", c.what, logged.String())
		}
	}
}

// logText is what a log was told, by any goroutine.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
