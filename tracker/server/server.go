package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"patchlab/tracker"
)

// Options bound what a server accepts. The zero Options serve loopback.
type Options struct {
	Token        string        // where not empty, every request must carry it
	Hosts        []string      // names besides localhost, 127.0.0.1 and ::1 that requests may name
	MaxBody      int64         // bytes of a JSON body; 32 MiB where 0
	MaxArtifact  int64         // bytes of an artifact; 16 GiB where 0
	SlowestBytes int64         // bytes a second below which an upload is cut off; 1024 where 0
	BodyTime     time.Duration // for sending a JSON body; 30 s where 0
	Version      string        // what /version answers; MLflow's clients compare it with their own

	// Pages answers what is no endpoint of the protocol, nor below /api/,
	// behind the same checks. Its answers begin with headers that forbid
	// everything (Content-Security-Policy, Cache-Control, Content-Type), which
	// it overrides, and with a deadline for writing, which it extends through
	// http.ResponseController. Where nil, such requests are answered with 404.
	Pages http.Handler
}

// Handler answers MLflow's protocol.
type Handler struct {
	db      *tracker.DB
	options Options
	guard   guard
	mux     *http.ServeMux

	mu      sync.Mutex
	writing map[string]*tracker.Run // runs that clients have started and not ended
}

// New makes a handler over a database that is open for writing.
func New(db *tracker.DB, o Options) *Handler {
	if o.MaxBody <= 0 {
		o.MaxBody = 32 << 20
	}
	if o.MaxArtifact <= 0 {
		o.MaxArtifact = 16 << 30
	}
	if o.SlowestBytes <= 0 {
		o.SlowestBytes = 1024
	}
	if o.BodyTime <= 0 {
		o.BodyTime = 30 * time.Second
	}
	if o.Version == "" {
		o.Version = "3.17.0"
	}
	h := &Handler{db: db, options: o, guard: newGuard(o), mux: http.NewServeMux(), writing: map[string]*tracker.Run{}}
	h.routes()
	return h
}

// routes is everything that the server answers; all else is refused.
func (h *Handler) routes() {
	const api, models = "/api/2.0/mlflow/", "/api/2.0/mlflow/logged-models"
	for _, route := range []struct {
		pattern string
		answer  func(context.Context, *request) (any, error)
	}{
		{"POST " + api + "experiments/create", h.createExperiment},
		{"GET " + api + "experiments/get", h.getExperiment},
		{"GET " + api + "experiments/get-by-name", h.getExperimentByName},
		{"POST " + api + "experiments/search", h.searchExperiments},
		{"GET " + api + "experiments/search", h.searchExperiments},
		{"POST " + api + "experiments/update", h.updateExperiment},
		{"POST " + api + "experiments/delete", h.deleteExperiment},
		{"POST " + api + "experiments/restore", h.restoreExperiment},
		{"POST " + api + "experiments/set-experiment-tag", h.tagExperiment},
		{"POST " + api + "runs/create", h.createRun},
		{"GET " + api + "runs/get", h.getRun},
		{"POST " + api + "runs/update", h.updateRun},
		{"POST " + api + "runs/search", h.searchRuns},
		{"POST " + api + "runs/delete", h.deleteRun},
		{"POST " + api + "runs/restore", h.restoreRun},
		{"POST " + api + "runs/log-metric", h.logMetric},
		{"POST " + api + "runs/log-parameter", h.logParameter},
		{"POST " + api + "runs/log-batch", h.logBatch},
		{"POST " + api + "runs/set-tag", h.setTag},
		{"POST " + api + "runs/delete-tag", h.deleteTag},
		{"POST " + api + "runs/log-inputs", h.logInputs},
		{"POST " + api + "runs/outputs", h.logOutputs},
		{"POST " + api + "runs/log-model", h.logModelRecord},
		{"GET " + api + "metrics/get-history", h.metricHistory},
		{"GET " + api + "artifacts/list", h.listRunArtifacts},
		{"POST " + models, h.createModel},
		{"POST " + models + "/search", h.searchModels},
		{"GET " + models + "/{model}", h.getModel},
		{"PATCH " + models + "/{model}", h.finalizeModel},
		{"PATCH " + models + "/{model}/tags", h.tagModel},
		{"POST " + models + "/{model}/params", h.paramModel},
		{"GET /api/2.0/mlflow-artifacts/artifacts", h.listArtifacts},
		{"GET /api/3.0/mlflow/server-info", h.serverInfo},
	} {
		h.mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) {
			q, err := h.read(w, r)
			var answer any
			if err == nil {
				answer, err = route.answer(r.Context(), q)
			}
			writeAnswer(w, answer, err)
		})
	}
	h.mux.HandleFunc("PUT /api/2.0/mlflow-artifacts/artifacts/{path...}", h.putArtifact)
	h.mux.HandleFunc("GET /api/2.0/mlflow-artifacts/artifacts/{path...}", h.getArtifact)
	h.mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, h.options.Version) })
	h.mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "OK") })
	unknown := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeAnswer(w, nil, &apiError{http.StatusNotFound, "ENDPOINT_NOT_FOUND", "this server does not have that endpoint"})
	})
	h.mux.Handle("/api/", unknown)
	if h.options.Pages == nil {
		h.mux.Handle("/", unknown)
	} else {
		h.mux.Handle("/", h.options.Pages)
	}
}

// ServeHTTP checks where a request comes from before anything looks at it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "text/plain; charset=utf-8")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(4 * h.options.BodyTime)) // getArtifact asks for more
	// A body that is refused is waited for too: net/http reads it away.
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.options.BodyTime))
	}
	if err := h.guard.check(r); err != nil {
		if asAPIError(err).status == http.StatusUnauthorized {
			header.Set("WWW-Authenticate", `Basic realm="Patchlab"`) // so that a browser asks for the token, as a password
		}
		writeAnswer(w, nil, err)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// request is a decoded request: its fields come from the JSON body, or from
// the query of a GET.
type request struct {
	body  []byte
	query map[string][]string
	path  func(string) string
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request) (*request, error) {
	q := &request{query: r.URL.Query(), path: r.PathValue}
	if r.Method == http.MethodGet {
		return q, nil
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return nil, &apiError{http.StatusUnsupportedMediaType, "BAD_REQUEST", "the body must be of Content-Type application/json"}
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.options.BodyTime))
	var err error
	q.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, h.options.MaxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &apiError{http.StatusRequestEntityTooLarge, "BAD_REQUEST",
			fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)}
	}
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, "BAD_REQUEST", "the body could not be read"}
	}
	return q, nil
}

// into decodes the fields into a struct. Unknown fields are ignored, as
// protobuf ignores them.
func (q *request) into(out any) error {
	if q.body == nil {
		fields := map[string]any{}
		for key, values := range q.query {
			fields[key] = values[0]
		}
		body, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		return decodeJSON(body, out)
	}
	return decodeJSON(q.body, out)
}

func decodeJSON(body []byte, out any) error {
	if len(body) == 0 {
		return nil
	}
	err := json.Unmarshal(body, out)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return invalid("the field %q holds a %s", wrongType.Field, wrongType.Value)
	case err != nil:
		return invalid("the body is not JSON as expected: %v", err)
	}
	return nil
}

func (h *Handler) serverInfo(context.Context, *request) (any, error) {
	return map[string]any{"store_type": "SqlStore", "workspaces_enabled": false}, nil
}

// write does something to a run: through the handle of whoever writes it now,
// or by reopening a run that has ended, which ends it again as it was.
func (h *Handler) write(ctx context.Context, id string, do func(*tracker.Run) error) error {
	h.mu.Lock()
	run := h.writing[id]
	h.mu.Unlock()
	if run != nil {
		return do(run)
	}
	info, err := h.active(ctx, id)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if run := h.writing[id]; run != nil {
		return do(run)
	}
	run, err = h.db.Resume(ctx, id)
	if err != nil {
		return err
	}
	if info.Status == tracker.Crashed { // begun through a server that is gone: it goes on here
		h.writing[id] = run
		return do(run)
	}
	return errors.Join(do(run), run.FinishAt(info.End, info.Status))
}

// find looks a run up by its whole ID, deleted ones included.
func (h *Handler) find(ctx context.Context, id string) (tracker.RunInfo, error) {
	if len(id) != 26 {
		return tracker.RunInfo{}, notFound("Run with id=%s not found", id)
	}
	info, err := h.db.Find(ctx, id)
	if errors.Is(err, tracker.ErrNotFound) || err == nil && info.ID != id {
		return info, notFound("Run with id=%s not found", id)
	}
	return info, err
}

// active is find for a run that is about to be changed: it may not be deleted.
func (h *Handler) active(ctx context.Context, id string) (tracker.RunInfo, error) {
	info, err := h.find(ctx, id)
	if err == nil && info.Deleted {
		err = invalid("The run %s must be in the 'active' state. Current state is deleted.", id)
	}
	return info, err
}
