package ordered

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Value is a *Object, an *Array or a Scalar.
type Value interface{ value() }

// Scalar is a string, number, true, false or null as JSON text.
type Scalar string

// Array is a JSON array.
type Array struct{ Items []Value }

// Object is a JSON object. The zero value is empty and ready for use.
type Object struct{ members []member }

type member struct {
	key   string // decoded
	raw   Scalar // as written
	value Value
}

func (Scalar) value()  {}
func (*Array) value()  {}
func (*Object) value() {}

// Null is JSON's null.
const Null = Scalar("null")

// String returns text as a scalar, escaped as Python's json.dumps with
// ensure_ascii=False does: quotes, backslashes and control characters only.
// Bytes that are not UTF-8 become U+FFFD.
func String(text string) Scalar {
	text = strings.ToValidUTF8(text, "\uFFFD")
	b := make([]byte, 0, len(text)+2)
	b = append(b, '"')
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\b':
			b = append(b, '\\', 'b')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c < 0x20:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return Scalar(append(b, '"'))
}

// Strings returns an array of strings.
func Strings(texts ...string) *Array {
	a := &Array{Items: make([]Value, len(texts))}
	for i, t := range texts {
		a.Items[i] = String(t)
	}
	return a
}

// From turns a Go value into a Value: nil, bool, string, integers, float64,
// []string, []any, map[string]any (members sorted), json.RawMessage, or a Value.
func From(v any) (Value, error) {
	switch v := v.(type) {
	case nil:
		return Null, nil
	case Value:
		return v, nil
	case bool:
		return Scalar(strconv.FormatBool(v)), nil
	case string:
		return String(v), nil
	case int:
		return Scalar(strconv.Itoa(v)), nil
	case int64:
		return Scalar(strconv.FormatInt(v, 10)), nil
	case float64:
		return Float(v), nil
	case []string:
		return Strings(v...), nil
	case json.RawMessage:
		return Parse(v)
	case []any:
		a := &Array{}
		for _, item := range v {
			x, err := From(item)
			if err != nil {
				return nil, err
			}
			a.Items = append(a.Items, x)
		}
		return a, nil
	case map[string]any:
		o := &Object{}
		for key, item := range v {
			x, err := From(item)
			if err != nil {
				return nil, fmt.Errorf("member %q: %w", key, err)
			}
			o.Set(key, x)
		}
		return o, nil
	}
	return nil, fmt.Errorf("%T has no JSON form here; allowed: nil, bool, string, int, int64, float64, lists and maps of these", v)
}

// Float returns a number as Python writes it: always with a point or an
// exponent; NaN and Infinity by name.
func Float(f float64) Scalar {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		format = 'e'
	}
	s := strconv.FormatFloat(f, format, -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return Scalar(s)
}

// Text returns a scalar string's text; false for any other value.
func Text(v Value) (string, bool) {
	s, ok := v.(Scalar)
	if !ok || len(s) < 2 || s[0] != '"' {
		return "", false
	}
	if !strings.ContainsRune(string(s), '\\') {
		return string(s[1 : len(s)-1]), true
	}
	var text string
	if err := json.Unmarshal([]byte(s), &text); err != nil {
		return "", false
	}
	return text, true
}

// Int returns a whole number; false for any other value.
func Int(v Value) (int64, bool) {
	s, ok := v.(Scalar)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(string(s), 10, 64)
	return n, err == nil
}

// Len is the number of members.
func (o *Object) Len() int {
	if o == nil {
		return 0
	}
	return len(o.members)
}

// Keys returns the names of the members in order.
func (o *Object) Keys() []string {
	if o == nil {
		return nil
	}
	keys := make([]string, len(o.members))
	for i, m := range o.members {
		keys[i] = m.key
	}
	return keys
}

// at is the place of key's last member, or -1.
func (o *Object) at(key string) int {
	if o == nil {
		return -1
	}
	for i := len(o.members) - 1; i >= 0; i-- {
		if o.members[i].key == key {
			return i
		}
	}
	return -1
}

// Get returns the value of key, nil where there is none. Of members with the
// same name the last one counts, as in Python and JavaScript.
func (o *Object) Get(key string) Value {
	if i := o.at(key); i >= 0 {
		return o.members[i].value
	}
	return nil
}

// Text returns the string under key, "" where there is none.
func (o *Object) Text(key string) string {
	text, _ := Text(o.Get(key))
	return text
}

// Object returns the object under key, nil where there is none. A nil object
// may be asked like an empty one.
func (o *Object) Object(key string) *Object {
	sub, _ := o.Get(key).(*Object)
	return sub
}

// Items returns the items of the array under key, nil where there is none.
func (o *Object) Items(key string) []Value {
	if a, ok := o.Get(key).(*Array); ok {
		return a.Items
	}
	return nil
}

// Set replaces key's value in its place. A new member goes where the order of
// names wants it when the others are sorted, as Jupyter sorts them; else last.
func (o *Object) Set(key string, v Value) {
	if i := o.at(key); i >= 0 {
		o.members[i].value = v
		return
	}
	m := member{key: key, raw: String(key), value: v}
	i := len(o.members)
	byKey := func(a, b member) int { return strings.Compare(a.key, b.key) }
	if slices.IsSortedFunc(o.members, byKey) {
		i = sort.Search(i, func(i int) bool { return o.members[i].key > key })
	}
	o.members = slices.Insert(o.members, i, m)
}

// Sub returns the object under key, which it makes where there is none.
func (o *Object) Sub(key string) *Object {
	if sub := o.Object(key); sub != nil {
		return sub
	}
	sub := &Object{}
	o.Set(key, sub)
	return sub
}

// Delete removes every member of that name.
func (o *Object) Delete(key string) {
	o.members = slices.DeleteFunc(o.members, func(m member) bool { return m.key == key })
}

// Sort sorts the members of v and of all in it by name, as json.dumps does with
// sort_keys.
func Sort(v Value) {
	switch v := v.(type) {
	case *Array:
		for _, item := range v.Items {
			Sort(item)
		}
	case *Object:
		slices.SortStableFunc(v.members, func(a, b member) int { return strings.Compare(a.key, b.key) })
		for _, m := range v.members {
			Sort(m.value)
		}
	}
}

// Clone returns a copy that shares nothing with v.
func Clone(v Value) Value {
	switch v := v.(type) {
	case *Array:
		c := &Array{Items: make([]Value, len(v.Items))}
		for i, item := range v.Items {
			c.Items[i] = Clone(item)
		}
		return c
	case *Object:
		c := &Object{members: slices.Clone(v.members)}
		for i, m := range c.members {
			c.members[i].value = Clone(m.value)
		}
		return c
	}
	return v
}
