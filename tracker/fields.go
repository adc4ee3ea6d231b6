package tracker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Fields are kept as flat JSON objects of strings. Listing thousands of runs
// decodes thousands of them, which is why there is a decoder for just that.

// encodeFields writes fields with sorted keys, without HTML's escapes.
func encodeFields(fields map[string]string) (string, error) {
	if len(fields) == 0 {
		return "{}", nil
	}
	for k, v := range fields {
		if err := checkName(k); err != nil {
			return "", err
		}
		if !utf8.ValidString(v) {
			return "", invalidf("the value of %q is not valid UTF-8", k)
		}
	}
	return encodeJSON(fields)
}

func encodeJSON(value any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// checkName accepts the name of a parameter, tag, metric or artifact.
func checkName(name string) error {
	switch {
	case name == "":
		return invalidf("a name is empty")
	case len(name) > 1000:
		return invalidf("the name %.40q… has %d bytes, at most 1000 are allowed", name, len(name))
	case !utf8.ValidString(name):
		return invalidf("the name %q is not valid UTF-8", name)
	case strings.ContainsRune(name, 0):
		return invalidf("the name %q contains a NUL byte", name)
	}
	return nil
}

// decodeFields reads a flat object. Keys are shared through names, values
// are parts of text.
func decodeFields(text string, names map[string]string) (map[string]string, error) {
	if text == "{}" {
		return map[string]string{}, nil
	}
	fields := make(map[string]string, strings.Count(text, `":"`))
	ok := text != "" && text[0] == '{'
	for rest := text; ok; {
		var key, value string
		if key, rest, ok = plainString(rest[1:]); !ok || rest == "" || rest[0] != ':' {
			break
		}
		if value, rest, ok = plainString(rest[1:]); !ok || rest == "" {
			break
		}
		name, known := names[key]
		if !known {
			name = strings.Clone(key)
			names[name] = name
		}
		fields[name] = value
		if rest == "}" {
			return fields, nil
		}
		ok = rest[0] == ','
	}
	clear(fields) // escapes, spaces: leave it to the general decoder
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return nil, fmt.Errorf("decoding fields: %w", err)
	}
	return fields, nil
}

// plainString takes a JSON string without escapes off the front of s.
func plainString(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	end := strings.IndexByte(s[1:], '"')
	if end < 0 || strings.IndexByte(s[1:1+end], '\\') >= 0 {
		return "", s, false
	}
	return s[1 : 1+end], s[2+end:], true
}
