package keep

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Value keeps a value under a name for later cells, in place of what had the name. It stops the cell where the value
// cannot be kept; Save returns the error instead.
func Value[T any](name string, value T) {
	if err := Save(name, value); err != nil {
		panic(err)
	}
}

// Get returns the value that was kept under a name, as a copy of its own. Its type must be that of the value kept:
//
//	model := keep.Get[Model]("model")
//
// What an interface in it holds is found by its type's name among the types that T contains; a type that T does not
// contain is given by an example:
//
//	shapes := keep.Get[[]Shape]("shapes", Circle{}, &Square{})
//
// Get stops the cell where nothing is kept under the name, or something else; Load returns the error instead.
func Get[T any](name string, examples ...any) T {
	value, err := Load[T](name, examples...)
	if err != nil {
		panic(err)
	}
	return value
}

// Once returns the value that is kept under a name and computes and keeps it where there is none: once in a kernel's
// session, however often the cell runs. It is computed again after Forget, and where it was kept as another type.
//
//	data := keep.Once("data", func() (*Dataset, error) { return Download(url) })
//
// Where compute fails, Once stops the cell and keeps nothing.
func Once[T any](name string, compute func() (T, error), examples ...any) T {
	value, err := Load[T](name, examples...)
	switch {
	case err == nil:
		return value
	case errors.Is(err, ErrType):
		fmt.Fprintf(os.Stderr, "%v: computing it again\n", err)
	case !errors.Is(err, ErrNotKept):
		panic(err)
	}
	if value, err = compute(); err != nil {
		panic(fmt.Errorf("keep: computing %q: %w", name, err))
	}
	Value(name, value)
	return value
}

// Save is Value with an error: what is at which place in the value that cannot be kept.
func Save[T any](name string, value T) error {
	v := reflect.New(reflect.TypeFor[T]()).Elem()
	v.Set(reflect.ValueOf(&value).Elem())
	s, err := storeFor(name)
	if err == nil {
		err = s.write(name, func(w io.Writer) error { return write(w, name, v) })
	}
	if err != nil {
		return fmt.Errorf("keep: %q cannot be kept: %w", name, err)
	}
	return nil
}

// Load is Get with an error, which wraps ErrNotKept where nothing is kept under the name and ErrType where it is of
// another type.
func Load[T any](name string, examples ...any) (value T, err error) {
	if err := load(name, reflect.ValueOf(&value).Elem(), examples); err != nil {
		var none T
		return none, err
	}
	return value, nil
}

func load(name string, v reflect.Value, examples []any) error {
	file, err := Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := read(file, v, examples); err != nil {
		return fmt.Errorf("keep: %q: %w", name, err)
	}
	return nil
}

// others names what is kept, for someone who asked for what is not.
func others() string {
	entries, err := List()
	if err != nil || len(entries) == 0 {
		return ""
	}
	var names []string
	for _, e := range entries[:min(len(entries), 10)] {
		names = append(names, fmt.Sprintf("%q", e.Name))
	}
	return "; kept are " + strings.Join(names, ", ")
}

func storeFor(name string) (store, error) {
	if name == "" {
		return nil, errors.New("the name is empty: any other text is allowed")
	}
	return here()
}

// Has tells whether something is kept under a name.
func Has(name string) bool {
	s, err := storeFor(name)
	if err != nil {
		return false
	}
	file, err := s.open(name)
	if err != nil {
		return false
	}
	file.Close()
	return true
}

// Forget forgets what is kept under the names; names under which nothing is kept are no error.
func Forget(names ...string) error {
	for _, name := range names {
		s, err := storeFor(name)
		if err == nil {
			err = s.remove(name)
		}
		if err != nil {
			return fmt.Errorf("keep: forgetting %q: %w", name, err)
		}
	}
	return nil
}

// Entry says what is kept under a name.
type Entry struct {
	Name  string
	Type  string
	Bytes int64
	Kept  time.Time
}

// List lists what is kept, by name.
func List() ([]Entry, error) {
	s, err := here()
	if err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	files, err := s.all()
	if err != nil {
		return nil, fmt.Errorf("keep: listing what is kept: %w", err)
	}
	var entries []Entry
	for _, file := range files {
		h, _, err := readHeader(file)
		if err == nil {
			size, _ := file.Seek(0, io.SeekEnd)
			entries = append(entries, Entry{Name: h.Name, Type: short(h.Type), Bytes: size, Kept: h.Kept})
		}
		file.Close()
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// Open opens what is kept under a name as it is stored, for Read.
func Open(name string) (io.ReadSeekCloser, error) {
	s, err := storeFor(name)
	if err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	file, err := s.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keep: %w under the name %q in this session%s", ErrNotKept, name, others())
	}
	if err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	return file, nil
}
