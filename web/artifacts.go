package web

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"time"

	"patchlab/tracker"
)

// sandboxed is the Content-Security-Policy of artifacts: whatever they are, they
// run no script, load nothing, and have no origin of ours.
const sandboxed = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"

// slowest is how many bytes a second a reader has to take, at the least.
const slowest = 1024

// artifact sends an artifact's content: pictures and texts to look at where the
// address ends in ?view=1, else a file to keep.
func (h *Handler) artifact(w http.ResponseWriter, r *http.Request) error {
	run, err := h.find(r)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	all, err := h.db.Artifacts(r.Context(), run.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(a tracker.Artifact) bool { return a.Name == name })
	if i < 0 {
		return &problem{http.StatusNotFound, fmt.Sprintf("run %s has no artifact %q", run.ID, name)}
	}
	content, err := h.db.OpenArtifact(r.Context(), run.ID, name)
	if err != nil {
		return err
	}
	defer content.Close()
	header := w.Header()
	header.Set("Content-Security-Policy", sandboxed)
	header.Set("Content-Type", "application/octet-stream")
	disposition := "attachment"
	if r.URL.Query().Get("view") == "1" {
		switch kind := pictureKind(name); {
		case kind != "":
			header.Set("Content-Type", kind)
			disposition = "inline"
		case textual(name):
			header.Set("Content-Type", "text/plain; charset=utf-8")
			disposition = "inline"
		}
	}
	header.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": path.Base(name)}))
	header.Set("Content-Length", strconv.FormatInt(all[i].Size, 10))
	header.Set("ETag", `"`+all[i].SHA256+`"`)
	header.Set("Cache-Control", "private, no-cache") // kept, but asked for again: the run may be deleted
	if r.Header.Get("If-None-Match") == `"`+all[i].SHA256+`"` {
		header.Del("Content-Length")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute + time.Duration(all[i].Size/slowest)*time.Second))
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(w, content); err != nil {
		if r.Context().Err() == nil { // else the reader is gone
			h.logged(fmt.Errorf("artifact %q of run %s: %w", name, run.ID, err))
		}
		panic(http.ErrAbortHandler) // so that a damaged content does not look whole
	}
	return nil
}
