package web

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"patchlab/tracker"
)

// One comparison is built at a time: who comes meanwhile gets the page when it is
// their turn, or is told to come again.
func TestComparisonsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which time goes by at once
		h := New(nil, Options{}) // reads nothing
		h.building <- struct{}{}
		began, answer := time.Now(), httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest("GET", "/compare", nil))
		if answer.Code != 503 || answer.Header().Get("Retry-After") != "30" || !strings.Contains(answer.Body.String(), "busy with the comparisons of others") {
			t.Errorf("%d %v %s", answer.Code, answer.Header(), answer.Body)
		}
		if waited := time.Since(began); waited != turnWait {
			t.Errorf("the reader waited %v, want %v", waited, turnWait)
		}
		gone, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(gone, "GET", "/compare", nil))
		if waited := time.Since(began); waited != turnWait+time.Second {
			t.Errorf("a reader who left was kept for %v", waited-turnWait)
		}
	})

	db, err := tracker.Open(filepath.Join(t.TempDir(), "lab.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h := New(db, Options{})
	h.building <- struct{}{}
	go func() { <-h.building }()
	for range 2 {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest("GET", "/compare", nil))
		if answer.Code != 200 {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
	}
}
