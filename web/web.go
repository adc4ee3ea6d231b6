package web

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"patchlab/compare"
	"patchlab/compare/report"
	"patchlab/tracker"
)

//go:embed page/*.html page/page.css page/page.js
var files embed.FS

// Options change what a handler shows. The zero Options are fit for use.
type Options struct {
	Name     string          // of the database, in titles; "" for none
	ReadOnly bool            // show no forms that change anything, and refuse them
	Interval time.Duration   // between two looks at what is running; a second where 0
	Stop     <-chan struct{} // ends the streams of events when closed, so that the server can stop
	Now      func() time.Time

	// ErrorLog takes what goes wrong in the server itself, of which readers are
	// told only that it did; the log package's logger where nil.
	ErrorLog *log.Logger
}

// Handler answers with the pages.
type Handler struct {
	db        *tracker.DB
	options   Options
	mux       *http.ServeMux
	templates *template.Template
	assets    map[string]asset
	sparks    sparks
	orders    orders
	building  chan struct{} // full while a comparison is built
}

// New makes a handler over a database, which has to be open for writing unless
// the options say ReadOnly.
func New(db *tracker.DB, o Options) *Handler {
	o.Interval = cmp.Or(o.Interval, time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ErrorLog == nil {
		o.ErrorLog = log.Default()
	}
	h := &Handler{db: db, options: o, mux: http.NewServeMux(), sparks: sparks{known: map[sparkKey]template.HTML{}},
		orders: orders{known: map[orderKey]order{}}, building: make(chan struct{}, 1)}
	h.assets = map[string]asset{
		"page.css": newAsset("text/css; charset=utf-8", report.Style()+read("page.css")),
		"page.js":  newAsset("text/javascript; charset=utf-8", read("page.js")),
	}
	h.templates = template.Must(template.New("").Funcs(template.FuncMap{
		"asset": h.assetPath, "moment": moment, "clock": clock, "bytes": size, "short": shortID, "number": number, "escapePath": escapePath,
	}).ParseFS(files, "page/*.html"))
	h.routes()
	return h
}

func read(name string) string {
	text, err := files.ReadFile("page/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

func (h *Handler) routes() {
	get := func(pattern string, answer func(http.ResponseWriter, *http.Request) error) {
		h.mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) { h.fail(w, r, answer(w, r)) })
	}
	get("/{$}", h.runsPage)
	get("/rows", h.rowsFragment)
	get("/events", h.runsEvents)
	get("/compare", h.comparePage)
	get("/runs/{id}", h.runPage)
	get("/runs/{id}/live", h.runFragment)
	get("/runs/{id}/events", h.runEvents)
	get("/runs/{id}/artifacts/{name...}", h.artifact)
	get("/assets/{name}", h.asset)
	for name, edit := range edits() {
		h.mux.HandleFunc("POST /runs/{id}/"+name, func(w http.ResponseWriter, r *http.Request) { h.fail(w, r, h.edit(w, r, edit)) })
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, &problem{http.StatusNotFound, "there is no such page"})
	})
}

// policy is the Content-Security-Policy of the pages.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP answers a request that the server's guard let through.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin") // "no-referrer" would make forms say Origin: null
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}

// problem is an error with its HTTP status.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

// fail answers with an error page where there is an error. Of what goes wrong in
// the server itself, readers learn only that it did: the words of the tracker and
// of the system name files.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil || r.Context().Err() != nil {
		return
	}
	status, text := http.StatusInternalServerError, err.Error()
	var said *problem
	var syntax *tracker.SyntaxError
	var options *compare.OptionsError
	switch {
	case errors.As(err, &said):
		status = said.status
	case errors.Is(err, tracker.ErrNotFound):
		status = http.StatusNotFound
	case errors.As(err, &syntax), errors.As(err, &options), errors.Is(err, tracker.ErrInvalid):
		status = http.StatusBadRequest
	default:
		text = "this could not be done; " + h.logged(err)
	}
	view := errorView{frame: h.frame(fmt.Sprintf("%d %s", status, http.StatusText(status))), Text: sentence(text)}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = h.templates.ExecuteTemplate(w, "error.html", view)
}

// logged logs what went wrong in the server itself, and returns the words that
// tell a reader so.
func (h *Handler) logged(err error) string {
	h.options.ErrorLog.Printf("serving a page: %v", err)
	return "the server's log says why"
}

type errorView struct {
	frame
	Text string
}

// frame is what every page has.
type frame struct {
	Title, Name string
	ReadOnly    bool
}

func (h *Handler) frame(title string) frame {
	return frame{Title: title, Name: h.options.Name, ReadOnly: h.options.ReadOnly}
}

// render writes a page whole, or returns an error and writes nothing.
func (h *Handler) render(w http.ResponseWriter, name string, view any) error {
	var out strings.Builder
	if err := h.templates.ExecuteTemplate(&out, name, view); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, out.String()) // else the reader is gone
	return nil
}

// find looks a run up by its whole ID, deleted ones included.
func (h *Handler) find(r *http.Request) (tracker.RunInfo, error) {
	id := r.PathValue("id")
	if !isID(id) {
		return tracker.RunInfo{}, &problem{http.StatusNotFound, fmt.Sprintf("%.40q is not the ID of a run", id)}
	}
	return h.db.Find(r.Context(), id)
}

// isID tells whether a text has the form of a run's ID.
func isID(text string) bool {
	return len(text) == 26 && strings.Trim(text, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == ""
}

// escapePath writes a slash-separated name as part of an address.
func escapePath(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// sparks keeps sparklines of metrics that did not change since.
type sparks struct {
	mu    sync.Mutex
	known map[sparkKey]template.HTML
}
