package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"patchlab/tracker"
)

// pageRows is how many runs a page lists.
const pageRows = 100

// listing is what an address of the runs page asks for.
type listing struct {
	Filter string
	Sort   string // a column's key, "-" before it for the other way round; "": the latest start first
	Show   string // "", "archived", "deleted" or "all"
	Page   int    // from 1
}

func parseListing(values url.Values) listing {
	l := listing{Filter: strings.TrimSpace(values.Get("q")), Sort: values.Get("sort"), Show: values.Get("show")}
	if !slices.Contains([]string{"archived", "deleted", "all"}, l.Show) {
		l.Show = ""
	}
	if _, ok := columnNamed(strings.TrimPrefix(l.Sort, "-")); !ok || l.Sort == "start" {
		l.Sort = ""
	}
	l.Page, _ = strconv.Atoi(values.Get("page"))
	l.Page = min(max(l.Page, 1), 1<<20)
	return l
}

// address is that of the runs page that shows the listing.
func (l listing) address() string {
	values := url.Values{}
	for key, value := range map[string]string{"q": l.Filter, "sort": l.Sort, "show": l.Show} {
		if value != "" {
			values.Set(key, value)
		}
	}
	if l.Page > 1 {
		values.Set("page", strconv.Itoa(l.Page))
	}
	if len(values) == 0 {
		return "/"
	}
	return "/?" + values.Encode()
}

// runsView is what runs.html shows.
type runsView struct {
	frame
	listing
	Good     string // the filter that the list is by: the last one that was right
	Mistake  *mistake
	Columns  []columnView
	Rows     []row
	Span     string
	Total    int // of the runs found; -1: not counted
	Previous string
	Next     string
	Blank    bool // there are no runs at all
	Events   string
}

// mistake is what is wrong with a filter, and where.
type mistake struct {
	Before, At, After string
	Problem           string
}

func newMistake(err error) *mistake {
	var syntax *tracker.SyntaxError
	if !errors.As(err, &syntax) {
		return nil
	}
	m := &mistake{Before: syntax.Text[:syntax.Offset], Problem: sentence(syntax.Problem)}
	rest := syntax.Text[syntax.Offset:]
	for i := range rest {
		if i > 0 { // the second character begins
			m.At, m.After = rest[:i], rest[i:]
			return m
		}
	}
	if m.At = rest; rest == "" {
		m.At = " "
	}
	return m
}

func (h *Handler) runsPage(w http.ResponseWriter, r *http.Request) error {
	view := runsView{frame: h.frame("Runs"), listing: parseListing(r.URL.Query())}
	if len(view.Filter) > 8000 {
		return &problem{http.StatusRequestURITooLong, "a filter of more than 8,000 bytes is too long for an address"}
	}
	view.Good = view.Filter
	f, err := h.list(r.Context(), view.listing)
	if view.Mistake = newMistake(err); view.Mistake != nil {
		asked := view.listing
		asked.Filter, asked.Page = strings.TrimSpace(r.URL.Query().Get("good")), 1
		if f, err = h.list(r.Context(), asked); newMistake(err) != nil {
			asked.Filter = ""
			f, err = h.list(r.Context(), asked)
		}
		view.Good = asked.Filter
	}
	if err != nil {
		return err
	}
	shown := view.listing
	shown.Filter = view.Good
	view.Rows = h.rows(r.Context(), f.runs)
	view.Columns = columnViews(shown)
	view.Span, view.Total = span(f, shown.Page), f.total
	if shown.Page > 1 {
		view.Previous = shown.turned(-1).address()
	}
	if f.more {
		view.Next = shown.turned(1).address()
	}
	view.Blank = len(f.runs) == 0 && shown.Filter == "" && shown.Page == 1 && shown.Show == ""
	if shown.Page == 1 && shown.Sort == "" && (shown.Show == "" || shown.Show == "all") {
		values := url.Values{"q": {shown.Filter}, "new": {"1"}}
		view.Events = "/events?" + values.Encode()
	} else {
		view.Events = "/events"
	}
	return h.render(w, "runs.html", view)
}

func (l listing) turned(by int) listing {
	l.Page += by
	return l
}

// span says which runs are shown, of how many.
func span(f found, page int) string {
	switch from := (page-1)*pageRows + 1; {
	case len(f.runs) == 0:
		return "no runs"
	case f.total == len(f.runs):
		return plural(f.total, "run")
	case f.total >= 0:
		return "runs " + number(float64(from)) + "–" + number(float64(from+len(f.runs)-1)) + " of " + number(float64(f.total))
	default:
		return "runs " + number(float64(from)) + "–" + number(float64(from+len(f.runs)-1)) + ", more follow"
	}
}

// rowsFragment is the rows of the runs that an address names, for the page's
// script.
func (h *Handler) rowsFragment(w http.ResponseWriter, r *http.Request) error {
	var runs []tracker.RunInfo
	for _, id := range namedRuns(r.URL.Query()["run"], followedMost) {
		run, err := h.db.Find(r.Context(), id)
		if errors.Is(err, tracker.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	return h.render(w, "rows", struct {
		frame
		Rows []row
	}{h.frame(""), h.rows(r.Context(), runs)})
}

// followedMost is how many runs a page follows at a time.
const followedMost = 2 * pageRows

// namedRuns keeps what has the form of an ID, each once, at most that many.
func namedRuns(ids []string, most int) []string {
	var out []string
	for _, id := range ids {
		if isID(id) && !slices.Contains(out, id) && len(out) < most {
			out = append(out, id)
		}
	}
	return out
}
