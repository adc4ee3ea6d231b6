package ordered

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds how deep arrays and objects may nest.
const maxDepth = 1000

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Line, Column int // 1-based; the column counts bytes
	Problem      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

// Parse reads one JSON value. The value keeps no reference to data. Errors are
// *SyntaxError.
func Parse(data []byte) (v Value, err error) {
	p := &parser{text: string(data)}
	defer func() {
		if r := recover(); r != nil {
			problem, ok := r.(problem)
			if !ok {
				panic(r)
			}
			before := data[:min(p.at, len(data))]
			v, err = nil, &SyntaxError{
				Line:    1 + bytes.Count(before, []byte("\n")),
				Column:  len(before) - bytes.LastIndexByte(before, '\n'),
				Problem: string(problem),
			}
		}
	}()
	if !utf8.Valid(data) {
		for p.at = 0; p.at < len(data); {
			r, n := utf8.DecodeRune(data[p.at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			p.at += n
		}
		p.fail("byte 0x%02x is not UTF-8", data[p.at])
	}
	v = p.parse(0)
	p.space()
	if p.at < len(p.text) {
		p.fail("unexpected %q after the value", p.char())
	}
	return v, nil
}

// problem is what the parser panics with; Parse turns it into an error.
type problem string

type parser struct {
	text string
	at   int
}

func (p *parser) fail(format string, args ...any) { panic(problem(fmt.Sprintf(format, args...))) }

// char is the character at hand, for messages.
func (p *parser) char() string {
	if p.at >= len(p.text) {
		return "end of text"
	}
	_, n := utf8.DecodeRuneInString(p.text[p.at:])
	return p.text[p.at : p.at+n]
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// peek skips space and returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) expect(c byte) {
	if p.peek() != c {
		p.fail("%q where %q belongs", p.char(), string(c))
	}
	p.at++
}

func (p *parser) parse(depth int) Value {
	if depth > maxDepth {
		p.fail("nested deeper than %d", maxDepth)
	}
	switch p.peek() {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		return p.str()
	}
	return p.word()
}

func (p *parser) object(depth int) *Object {
	p.at++
	o := &Object{}
	if p.peek() == '}' {
		p.at++
		return o
	}
	for {
		if p.peek() != '"' {
			p.fail("%q where a member's name belongs", p.char())
		}
		raw := p.str()
		key, _ := Text(raw)
		p.expect(':')
		o.members = append(o.members, member{key, raw, p.parse(depth + 1)})
		if p.peek() == ',' {
			p.at++
			continue
		}
		p.expect('}')
		return o
	}
}

func (p *parser) array(depth int) *Array {
	p.at++
	a := &Array{}
	if p.peek() == ']' {
		p.at++
		return a
	}
	for {
		a.Items = append(a.Items, p.parse(depth+1))
		if p.peek() == ',' {
			p.at++
			continue
		}
		p.expect(']')
		return a
	}
}

func (p *parser) str() Scalar {
	start := p.at
	escaped := false
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '\\':
			escaped = true
			p.at++
		case c == '"':
			p.at++
			s := p.text[start:p.at]
			if escaped && !json.Valid([]byte(s)) {
				p.at = start
				p.fail("a string with an escape that JSON does not know")
			}
			return Scalar(s)
		case c < 0x20:
			p.fail("control character 0x%02x in a string", c)
		}
	}
	p.at = start
	p.fail("a string without end")
	return ""
}

func (p *parser) word() Scalar {
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' {
			p.at++
			continue
		}
		break
	}
	word := p.text[start:p.at]
	switch word {
	case "NaN", "Infinity", "-Infinity":
		return Scalar(word)
	}
	if word == "" || !json.Valid([]byte(word)) {
		p.at = start
		if word == "" {
			word = p.char()
		}
		p.fail("%q where a value belongs", word)
	}
	return Scalar(word)
}
