package server

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
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

	// ErrorLog takes what goes wrong in the server itself, of which clients are
	// told only that it did; the log package's logger where nil.
	ErrorLog *log.Logger

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

	mu   sync.Mutex
	runs map[string]*held // runs that are written to now
}

// New makes a handler over a database. Over one that is open for reading only,
// whoever writes is refused.
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
	h := &Handler{db: db, options: o, guard: newGuard(o), mux: http.NewServeMux(), runs: map[string]*held{}}
	h.routes()
	return h
}

// routes is everything that the server answers; all else is refused.
func (h *Handler) routes() {
	const api, models = "/api/2.0/mlflow/", "/api/2.0/mlflow/logged-models"
	for pattern, answer := range map[string]answering{
		"POST " + api + "experiments/create":                takes(h.createExperiment),
		"GET " + api + "experiments/get":                    takes(h.getExperiment),
		"GET " + api + "experiments/get-by-name":            takes(h.getExperimentByName),
		"POST " + api + "experiments/search":                takes(h.searchExperiments),
		"GET " + api + "experiments/search":                 takes(h.searchExperiments),
		"POST " + api + "experiments/update":                takes(h.updateExperiment),
		"POST " + api + "experiments/delete":                takes(h.deleteExperiment),
		"POST " + api + "experiments/restore":               takes(h.restoreExperiment),
		"POST " + api + "experiments/set-experiment-tag":    takes(h.tagExperiment),
		"POST " + api + "experiments/delete-experiment-tag": takes(h.untagExperiment),
		"POST " + api + "runs/create":                       takes(h.createRun),
		"GET " + api + "runs/get":                           takes(h.getRun),
		"POST " + api + "runs/update":                       takes(h.updateRun),
		"POST " + api + "runs/search":                       takes(h.searchRuns),
		"POST " + api + "runs/delete":                       takes(h.deleteRun),
		"POST " + api + "runs/restore":                      takes(h.restoreRun),
		"POST " + api + "runs/log-metric":                   takes(h.logMetric),
		"POST " + api + "runs/log-parameter":                takes(h.logParameter),
		"POST " + api + "runs/log-batch":                    takes(h.logBatch),
		"POST " + api + "runs/set-tag":                      takes(h.setTag),
		"POST " + api + "runs/delete-tag":                   takes(h.deleteTag),
		"POST " + api + "runs/log-inputs":                   takes(h.logInputs),
		"POST " + api + "runs/outputs":                      takes(h.logOutputs),
		"POST " + api + "runs/log-model":                    takes(h.logModelRecord),
		"GET " + api + "metrics/get-history":                takes(h.metricHistory),
		"GET " + api + "artifacts/list":                     takes(h.listRunArtifacts),
		"POST " + models:                                    takes(h.createModel),
		"POST " + models + "/search":                        takes(h.searchModels),
		"GET " + models + "/{model}":                        h.getModel,
		"PATCH " + models + "/{model}":                      h.finalizeModel,
		"DELETE " + models + "/{model}":                     h.deleteModel,
		"PATCH " + models + "/{model}/tags":                 h.tagModel,
		"DELETE " + models + "/{model}/tags/{tag}":          h.untagModel,
		"POST " + models + "/{model}/params":                h.paramModel,
		"GET /api/2.0/mlflow-artifacts/artifacts":           takes(h.listArtifacts),
		"GET /api/3.0/mlflow/server-info":                   h.serverInfo,
	} {
		h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			q, err := h.read(w, r)
			var said any
			if err == nil {
				said, err = answer(r.Context(), q)
			}
			h.writeAnswer(w, said, err)
		})
	}
	h.mux.HandleFunc("PUT /api/2.0/mlflow-artifacts/artifacts/{path...}", h.putArtifact)
	h.mux.HandleFunc("GET /api/2.0/mlflow-artifacts/artifacts/{path...}", h.getArtifact)
	h.mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, h.options.Version) })
	h.mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "OK") })
	unknown := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.writeAnswer(w, nil, &apiError{http.StatusNotFound, "ENDPOINT_NOT_FOUND", "this server does not have that endpoint"})
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
		header.Set("Connection", "close") // who may not enter holds no connection
		if h.asAPIError(err).status == http.StatusUnauthorized {
			header.Set("WWW-Authenticate", `Basic realm="Patchlab"`) // so that a browser asks for the token, as a password
		}
		h.writeAnswer(w, nil, err)
		return
	}
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) serverInfo(context.Context, *request) (any, error) {
	return map[string]any{"store_type": "SqlStore", "workspaces_enabled": false}, nil
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
	if err == nil && info.Status == tracker.Damaged {
		err = &apiError{http.StatusConflict, "RESOURCE_CONFLICT", "the run " + id + " is damaged in the server's file: it cannot be changed"}
	} else if err == nil && info.Deleted {
		err = invalid("The run %s must be in the 'active' state. Current state is deleted.", id)
	}
	return info, err
}
