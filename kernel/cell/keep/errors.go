package keep

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Errors that callers tell apart.
var (
	// ErrNotKept is wrapped where nothing is kept under a name.
	ErrNotKept = errors.New("nothing is kept")
	// ErrType is wrapped where a value is asked for as another type than it was kept as, or as one of that name with
	// other fields.
	ErrType = errors.New("of another type")
)

// changedError is ErrType in its own words.
type changedError struct{ sentence string }

func (e *changedError) Error() string        { return e.sentence }
func (e *changedError) Is(target error) bool { return target == ErrType }

// unknownError is of a type in an interface that a reader cannot make from its name.
type unknownError struct{ name string }

func (e *unknownError) Error() string {
	return fmt.Sprintf("an interface in it holds a %s: give Get an example of one as a further argument, such as %s{}",
		short(e.name), short(e.name))
}

// short is a type's name as Go code has it: main's types bare, of paths of packages the last element.
func short(name string) string {
	var b strings.Builder
	for len(name) > 0 {
		i := strings.IndexAny(name, "*[]{}; ")
		word := name
		if i >= 0 {
			word = name[:i]
		}
		if j := strings.LastIndexByte(word, '/'); j >= 0 {
			word = word[j+1:]
		}
		b.WriteString(strings.TrimPrefix(word, "main."))
		if i < 0 {
			break
		}
		b.WriteByte(name[i])
		name = name[i+1:]
	}
	return b.String()
}

// differ says how the type that a value was kept as differs from the one that it is asked for as.
func differ(kept, asked header) error {
	if kept.Type != asked.Type {
		return &changedError{fmt.Sprintf("it was kept as %s and is asked for as %s", short(kept.Type), short(asked.Type))}
	}
	for _, name := range slices.Sorted(maps.Keys(kept.Types)) {
		was, is := kept.Types[name], asked.Types[name]
		switch {
		case is == was || is == "":
		case strings.HasPrefix(was, "form "), strings.HasPrefix(is, "form "):
			return &changedError{fmt.Sprintf("the type %s is written in another way now", short(name))}
		default:
			return &changedError{fmt.Sprintf("the type %s has changed: it was %s and is %s", short(name), short(was), short(is))}
		}
	}
	return &changedError{fmt.Sprintf("the type %s has changed", short(kept.Type))}
}
