package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"patchlab/tracker"
)

// formMost bounds a form, in bytes.
const formMost = 1 << 20

// change is what a form does to a run.
type change func(ctx context.Context, db *tracker.DB, id string, form url.Values) error

// edits are the forms of a run's page, by the end of their address.
func edits() map[string]change {
	return map[string]change{
		"note": func(ctx context.Context, db *tracker.DB, id string, form url.Values) error {
			if !form.Has("note") {
				return &problem{http.StatusBadRequest, "the form has no note: to clear the note, send an empty one"}
			}
			return db.SetNote(ctx, id, strings.ReplaceAll(form.Get("note"), "\r\n", "\n"))
		},
		"name": func(ctx context.Context, db *tracker.DB, id string, form url.Values) error {
			return db.Rename(ctx, id, strings.TrimSpace(form.Get("name")))
		},
		"tag": func(ctx context.Context, db *tracker.DB, id string, form url.Values) error {
			key := strings.TrimSpace(form.Get("key"))
			return db.SetTags(ctx, id, map[string]string{key: strings.TrimSpace(form.Get("value"))})
		},
		"untag": func(ctx context.Context, db *tracker.DB, id string, form url.Values) error {
			return db.RemoveTag(ctx, id, form.Get("key"))
		},
		"delete": func(ctx context.Context, db *tracker.DB, id string, _ url.Values) error {
			if info, err := db.Find(ctx, id); err != nil {
				return err
			} else if info.Status == tracker.Running {
				return &problem{http.StatusConflict, "the run is still being written: stop its process first, then delete it"}
			}
			return db.Delete(ctx, id)
		},
		"restore": func(ctx context.Context, db *tracker.DB, id string, _ url.Values) error { return db.Restore(ctx, id) },
		"archive": func(ctx context.Context, db *tracker.DB, id string, form url.Values) error {
			return db.Archive(ctx, id, form.Get("archived") == "1")
		},
	}
}

// edit does what a form asks for and returns to the run's page.
func (h *Handler) edit(w http.ResponseWriter, r *http.Request, do change) error {
	if h.options.ReadOnly {
		return &problem{http.StatusForbidden, "this server only shows the runs: it was started with --read-only"}
	}
	if !fromHere(r) {
		return &problem{http.StatusForbidden, "a form has to come from this server's own page, and this request does not say that it does"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, formMost)
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return &problem{http.StatusRequestEntityTooLarge, "the form holds more than " + size(large.Limit)}
		}
		return &problem{http.StatusBadRequest, "the form cannot be read: " + err.Error()}
	}
	run, err := h.find(r)
	if err != nil {
		return err
	}
	if err := do(r.Context(), h.db, run.ID, r.PostForm); err != nil {
		return err
	}
	http.Redirect(w, r, "/runs/"+run.ID, http.StatusSeeOther)
	return nil
}

// fromHere tells whether a request says that it comes from a page of the host
// it goes to. Silence does not count: see the package's comment.
func fromHere(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && strings.EqualFold(origin.Host, r.Host)
}
