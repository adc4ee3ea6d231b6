package track

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"patchlab/kernel/cell"
	"patchlab/kernel/cell/keep"
	"patchlab/kernel/cell/show"
	"patchlab/kernel/cell/wire"
)

// Active is the session's run, as a cell sees it. Its methods may be called from several goroutines; they stop the cell
// where the kernel cannot do what they ask, with the reason.
type Active struct {
	client *client // nil where no kernel listens
	id     string
	name   string
	quiet  bool

	mu    sync.Mutex
	curve *show.Curve // without a kernel
}

// Run begins the session's run, or goes on with it where it has that name already: a session has one run at a time, and
// a run of another name ends. An empty name is that of the session's run, or a new one made from the time.
func Run(name string) *Active {
	client, err := dial()
	if err != nil {
		fmt.Fprintf(os.Stderr, "track: run %q is not recorded: %v\n", name, err)
		return &Active{name: name}
	}
	return begin(client, wire.Request{Op: wire.OpStart, Name: name, Environment: modules()})
}

// Resume goes on with a run of the tracker, of an earlier session for instance: its name, its ID or the beginning of
// that, or "latest".
func Resume(ref string) *Active {
	client, err := dial()
	if err != nil {
		panic(fmt.Errorf("track: resuming %q: %w", ref, err))
	}
	return begin(client, wire.Request{Op: wire.OpResume, Name: ref})
}

func begin(c *client, q wire.Request) *Active {
	reply, err := c.ask(q, nil)
	if err != nil {
		c.close()
		panic(fmt.Errorf("track: run %q: %w", q.Name, err))
	}
	return &Active{client: c, id: reply.ID, name: reply.Name}
}

// modules are the versions of what the cell is built of.
func modules() map[string]string {
	fields := map[string]string{"go": runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fields
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		fields["module."+m.Path] = m.Version
	}
	return fields
}

// ID returns the run's ID in the tracker; "" where nothing is recorded.
func (a *Active) ID() string { return a.id }

// Name returns the run's name.
func (a *Active) Name() string { return a.name }

// Quiet has the run draw no curve below this cell.
func (a *Active) Quiet() *Active {
	a.quiet = true
	return a
}

// must has the kernel do something and stops the cell where it cannot.
func (a *Active) must(doing string, q wire.Request, body io.Reader) {
	if a.client == nil {
		return
	}
	if _, err := a.client.ask(q, body); err != nil {
		panic(fmt.Errorf("track: %s of run %q: %w", doing, a.name, err))
	}
}

// Log records metrics at a step; any step may come in any order. It returns before they are stored; Flush waits.
func (a *Active) Log(step int64, values map[string]float64) {
	if a.client == nil {
		a.print(step, values)
		return
	}
	q := wire.Request{Op: wire.OpLog, Time: time.Now().UnixMicro(), Step: step, Values: make(map[string]wire.Number, len(values)), Quiet: a.quiet}
	for key, value := range values {
		q.Values[key] = wire.Number(value)
	}
	if err := a.client.tell(q); err != nil {
		panic(fmt.Errorf("track: logging into run %q: %w", a.name, err))
	}
}

func (a *Active) print(step int64, values map[string]float64) {
	if a.quiet {
		return
	}
	a.mu.Lock()
	if a.curve == nil {
		a.curve = show.NewCurve(a.name)
	}
	curve := a.curve
	a.mu.Unlock()
	curve.Add(step, values)
}

// Flush returns when everything logged so far is in the tracker's file.
func (a *Active) Flush() {
	if a.client == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.curve != nil {
			a.curve.Flush()
		}
		return
	}
	a.must("flushing", wire.Request{Op: wire.OpFlush}, nil)
}

// Params records parameters: of a map what it holds, of a struct its exported fields, in fmt's words. A parameter keeps
// its value: giving it another stops the cell.
func (a *Active) Params(params any) {
	fields, err := fieldsOf(params)
	if err != nil {
		panic(fmt.Errorf("track: parameters of run %q: %w", a.name, err))
	}
	a.must("parameters", wire.Request{Op: wire.OpParams, Fields: fields}, nil)
}

// Tags sets tags, replacing those of the same names.
func (a *Active) Tags(tags map[string]string) {
	a.must("tags", wire.Request{Op: wire.OpTags, Fields: tags}, nil)
}

// Note replaces the run's note, which is Markdown.
func (a *Active) Note(markdown string) {
	a.must("the note", wire.Request{Op: wire.OpNote, Text: markdown}, nil)
}

// Input records a dataset that the run reads, with the digest of its content; context says what for, such as "train".
func (a *Active) Input(name, digest, context string) {
	a.must("an input", wire.Request{Op: wire.OpInput, Name: name, Text: digest, Context: context}, nil)
}

// File stores a file as the run's artifact of that name.
func (a *Active) File(name, path string) {
	file, err := os.Open(path)
	if err != nil {
		panic(fmt.Errorf("track: artifact %q: %w", name, err))
	}
	defer file.Close()
	a.Artifact(name, file)
}

// Artifact stores what r has from its beginning to its end under a name such as "plots/loss.svg".
func (a *Active) Artifact(name string, r io.ReadSeeker) {
	size, err := r.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = r.Seek(0, io.SeekStart)
	}
	if err != nil {
		panic(fmt.Errorf("track: artifact %q: %w", name, err))
	}
	a.must("artifact "+name, wire.Request{Op: wire.OpArtifact, Name: name, Size: size}, r)
}

// Keep stores what package keep has under the names as artifacts of the run, where they outlive the session; package
// track's Get reads them.
func (a *Active) Keep(names ...string) {
	for _, name := range names {
		file, err := keep.Open(name)
		if err != nil {
			panic(err)
		}
		a.Artifact(artifactOf(name), file)
		file.Close()
	}
}

func artifactOf(name string) string { return "values/" + url.PathEscape(name) + ".value" }

// Get returns a value that Keep stored with a run: its name, its ID or the beginning of that, or "latest". As keep.Get
// it stops the cell where there is none or its type has changed, and takes examples of what interfaces hold.
func Get[T any](run, name string, examples ...any) T {
	value, err := get[T](run, name, examples)
	if err != nil {
		panic(fmt.Errorf("track: value %q of run %q: %w", name, run, err))
	}
	return value
}

func get[T any](run, name string, examples []any) (value T, err error) {
	c, err := dial()
	if err != nil {
		return value, err
	}
	defer c.close()
	reply, err := c.ask(wire.Request{Op: wire.OpFetch, Name: run, Text: artifactOf(name)}, nil)
	if err != nil {
		return value, err
	}
	defer os.Remove(reply.Path)
	file, err := os.Open(reply.Path)
	if err != nil {
		return value, err
	}
	defer file.Close()
	return keep.Read[T](file, examples...)
}

// End ends the run with this cell, well.
func (a *Active) End() { a.end("finished") }

// Fail ends the run with this cell as failed.
func (a *Active) Fail() { a.end("failed") }

func (a *Active) end(status string) {
	if a.client != nil {
		a.must("ending", wire.Request{Op: wire.OpEnd, Text: status}, nil)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.curve != nil {
		a.curve.Close()
		a.curve = nil
	}
}

// fieldsOf turns parameters into texts.
func fieldsOf(params any) (map[string]string, error) {
	v := reflect.ValueOf(params)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	fields := map[string]string{}
	switch {
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		for iter := v.MapRange(); iter.Next(); {
			fields[iter.Key().String()] = fmt.Sprint(iter.Value())
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fields[f.Name] = fmt.Sprint(v.Field(i))
			}
		}
	default:
		return nil, fmt.Errorf("a %T, allowed are structs and maps by string", params)
	}
	return fields, nil
}

func socket() (string, error) {
	folder := os.Getenv(cell.Session)
	if folder == "" {
		return "", cell.ErrNoSession
	}
	return folder + "/" + cell.Socket, nil
}
