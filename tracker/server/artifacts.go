package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// place is where an artifact path leads: to a run and a name among its
// artifacts. A path is EXPERIMENT/RUN/artifacts/NAME, or for a logged model
// EXPERIMENT/models/MODEL/artifacts/NAME. It is taken apart, compared with
// what the database knows, and never reaches a file system.
type place struct {
	run  string
	name string // "" for the whole
}

func (h *Handler) locate(ctx context.Context, p string) (place, error) {
	parts := strings.Split(strings.Trim(p, "/"), "/")
	bad := invalid("Invalid artifact path")
	if strings.ContainsAny(p, "\\\x00") || strings.HasPrefix(p, "/") || len(parts) < 3 {
		return place{}, bad
	}
	for _, part := range parts {
		if part == "" || part == "." || part == ".." {
			return place{}, bad
		}
	}
	experiment, at := parts[0], place{}
	rest := parts[1:]
	if rest[0] == "models" && len(rest) >= 3 {
		run, ok := mlflow.RunOfModel(rest[1])
		if !ok {
			return place{}, noModel(rest[1])
		}
		at.run = run
		rest[1], rest = mlflow.ModelFolder(rest[1]), rest[1:]
		if rest[1] != "artifacts" {
			return place{}, bad
		}
		at.name = strings.Join(append([]string{rest[0]}, rest[2:]...), "/")
	} else {
		if rest[1] != "artifacts" {
			return place{}, bad
		}
		at.run, at.name = rest[0], strings.Join(rest[2:], "/")
	}
	info, err := h.find(ctx, at.run)
	if err != nil {
		return place{}, err
	}
	owner, err := h.experimentOf(ctx, info)
	if err != nil {
		return place{}, err
	}
	if owner != experiment {
		return place{}, bad
	}
	if id, _, ok := mlflow.ModelOf(at.name); ok {
		if _, known := mlflow.Models(info.ID, info.Tags)[id]; !known {
			return place{}, noModel(id)
		}
	}
	return at, nil
}

// putArtifact stores an uploaded artifact of a run that is not deleted.
func (h *Handler) putArtifact(w http.ResponseWriter, r *http.Request) {
	h.writeAnswer(w, nil, h.put(w, r))
}

func (h *Handler) put(w http.ResponseWriter, r *http.Request) error {
	at, err := h.locate(r.Context(), r.PathValue("path"))
	if err != nil {
		return err
	}
	if at.name == "" {
		return invalid("Invalid artifact path")
	}
	body := &paced{from: http.MaxBytesReader(w, r.Body, h.options.MaxArtifact), control: http.NewResponseController(w),
		slowest: h.options.SlowestBytes, grace: h.options.BodyTime, start: time.Now()}
	return badName(h.change(r.Context(), at.run, func(info tracker.RunInfo) error {
		if info.Status != tracker.Running && info.Status != tracker.Crashed {
			if there, err := h.settled(r.Context(), info, at.name); err != nil || there != "" {
				return errors.Join(err, sameContent(body, there, at))
			}
		}
		return h.db.AddArtifact(r.Context(), at.run, at.name, body)
	}))
}

// settled is the SHA-256 of an artifact of a run that has ended, "" where it
// has none of that name, or one of a model that is still being uploaded.
func (h *Handler) settled(ctx context.Context, info tracker.RunInfo, name string) (string, error) {
	if id, _, ok := mlflow.ModelOf(name); ok && mlflow.Models(info.ID, info.Tags)[id].Status != mlflow.ModelReady {
		return "", nil
	}
	all, err := h.db.Artifacts(ctx, info.ID)
	for _, a := range all {
		if a.Name == name {
			return a.SHA256, err
		}
	}
	return "", err
}

// sameContent takes an artifact that is there already, as one that is sent
// again, and refuses one of another content.
func sameContent(body io.Reader, there string, at place) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != there {
		return &apiError{http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "the run " + at.run + " has ended with another artifact " +
			strconv.Quote(at.name) + ": to replace it, first set the run's status to RUNNING"}
	}
	return nil
}

// paced reads a body, and gives its sender time in proportion to its size.
type paced struct {
	from    io.Reader
	control *http.ResponseController
	slowest int64 // bytes a second
	grace   time.Duration
	start   time.Time
	read    int64
}

func (p *paced) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(p.start.Add(p.grace + time.Duration(p.read/p.slowest)*time.Second))
	n, err := p.from.Read(b)
	p.read += int64(n)
	var tooLarge *http.MaxBytesError
	if err != nil && err != io.EOF && !errors.As(err, &tooLarge) { // the client was too slow, or is gone
		err = &apiError{http.StatusBadRequest, "BAD_REQUEST", "the body could not be read to its end"}
	}
	return n, err
}

func (h *Handler) getArtifact(w http.ResponseWriter, r *http.Request) {
	content, size, err := h.openArtifact(r.Context(), r.PathValue("path"))
	if err != nil {
		h.writeAnswer(w, nil, err)
		return
	}
	defer content.Close()
	w.Header().Set("Content-Type", "application/octet-stream") // never shown as a page
	w.Header().Set("Content-Disposition", "attachment")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	enough := 4*h.options.BodyTime + time.Duration(size/h.options.SlowestBytes)*time.Second
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(enough))
	if _, err := io.Copy(w, content); err != nil {
		panic(http.ErrAbortHandler) // so that a damaged content does not look whole
	}
}

func (h *Handler) openArtifact(ctx context.Context, p string) (io.ReadCloser, int64, error) {
	at, err := h.locate(ctx, p)
	if err != nil {
		return nil, 0, err
	}
	all, err := h.db.Artifacts(ctx, at.run)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(all, func(a tracker.Artifact) bool { return a.Name == at.name })
	if i < 0 {
		return nil, 0, notFound("No such artifact: %s", at.name)
	}
	content, err := h.db.OpenArtifact(ctx, at.run, at.name)
	return content, all[i].Size, err
}

// fileInfo is an entry of a list of artifacts.
type fileInfo struct {
	Path  string `json:"path"`
	IsDir bool   `json:"is_dir"`
	Size  int64  `json:"file_size,omitempty"`
}

func (h *Handler) listArtifacts(ctx context.Context, in struct {
	Path string `json:"path"`
}) (any, error) {
	at, err := h.locate(ctx, in.Path)
	if err != nil {
		return nil, err
	}
	files, err := h.list(ctx, at)
	return map[string]any{"files": files}, err
}

// listRunArtifacts lists with names from the run's root, as that endpoint does.
func (h *Handler) listRunArtifacts(ctx context.Context, in struct {
	runRef
	Path string `json:"path"`
}) (any, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if in.Path != "" && (path.Clean(in.Path) != in.Path || strings.HasPrefix(in.Path, "..") || path.IsAbs(in.Path)) {
		return nil, invalid("Invalid artifact path")
	}
	files, err := h.list(ctx, place{id, in.Path})
	if err != nil {
		return nil, err
	}
	for i := range files {
		files[i].Path = path.Join(in.Path, files[i].Path)
	}
	experiment, err := h.experimentOf(ctx, info)
	return map[string]any{"root_uri": toRun(info, experiment).Info.Artifacts, "files": files}, err
}

// list lists what lies directly below a place, with names relative to it.
func (h *Handler) list(ctx context.Context, at place) ([]fileInfo, error) {
	all, err := h.db.Artifacts(ctx, at.run)
	if err != nil {
		return nil, err
	}
	files := []fileInfo{}
	for _, a := range all {
		name := a.Name
		if _, _, ok := mlflow.ModelOf(name); ok && at.name == "" {
			continue // they are shown as the models'
		}
		if at.name != "" {
			var below bool
			if name == at.name { // a file lists as itself
				files = append(files, fileInfo{Path: path.Base(name), Size: a.Size})
				continue
			}
			if name, below = strings.CutPrefix(name, at.name+"/"); !below {
				continue
			}
		}
		folder, _, nested := strings.Cut(name, "/")
		switch {
		case !nested:
			files = append(files, fileInfo{Path: name, Size: a.Size})
		case !slices.ContainsFunc(files, func(f fileInfo) bool { return f.Path == folder }):
			files = append(files, fileInfo{Path: folder, IsDir: true})
		}
	}
	return files, nil
}
