package tracker

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says where a filter or an order is wrong.
type SyntaxError struct {
	Text    string // the whole filter or order
	Offset  int    // where, in bytes
	Problem string
}

// Error returns the problem, its place counted in characters from 1, and the
// text with a mark under that place.
func (e *SyntaxError) Error() string {
	before := utf8.RuneCountInString(e.Text[:e.Offset])
	line := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, e.Text)
	return fmt.Sprintf("at character %d: %s\n  %s\n  %s^", before+1, e.Problem, line, strings.Repeat(" ", before))
}

type tokenKind int

const (
	endToken tokenKind = iota
	wordToken
	quotedToken // `x` or "x": a name, or a text where one is due
	textToken   // 'x'
	numberToken
	signToken // = != > >= < <= ( ) , .
)

type token struct {
	kind   tokenKind
	text   string // without quotes
	offset int
}

func (t token) String() string {
	if t.kind == endToken {
		return "the end"
	}
	return fmt.Sprintf("%q", t.text)
}

// is tells whether the token is a keyword, in upper or lower case.
func (t token) is(keyword string) bool {
	return t.kind == wordToken && strings.EqualFold(t.text, keyword)
}

func (t token) sign(s string) bool { return t.kind == signToken && t.text == s }

// lex cuts a filter or an order into tokens; the last is the end.
func lex(text string) ([]token, error) {
	var tokens []token
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		fail := func(problem string, args ...any) ([]token, error) {
			return nil, &SyntaxError{text, at, fmt.Sprintf(problem, args...)}
		}
		switch {
		case r == utf8.RuneError && size == 1:
			return fail("this is not UTF-8")
		case unicode.IsSpace(r):
			at += size
		case r == '\'' || r == '"' || r == '`':
			value, length, ok := unquote(text[at:], byte(r))
			if !ok {
				return fail("the quote %c is not closed", r)
			}
			kind := quotedToken
			if r == '\'' {
				kind = textToken
			}
			tokens = append(tokens, token{kind, value, at})
			at += length
		case isDigit(r), (r == '-' || r == '+' || r == '.') && startsNumber(text[at+1:], r):
			length := numberLength(text[at:])
			tokens = append(tokens, token{numberToken, text[at : at+length], at})
			at += length
		case isWord(r):
			length := strings.IndexFunc(text[at:], func(r rune) bool { return !isWord(r) && !strings.ContainsRune("-/:@", r) })
			if length < 0 {
				length = len(text) - at
			}
			tokens = append(tokens, token{wordToken, text[at : at+length], at})
			at += length
		default:
			length := 1
			if two := text[at:min(at+2, len(text))]; two == "!=" || two == ">=" || two == "<=" || two == "==" || two == "<>" {
				length = 2
			} else if !strings.ContainsRune("=<>(),.", r) {
				return fail("%q means nothing here", r)
			}
			sign := text[at : at+length]
			switch sign {
			case "==":
				sign = "="
			case "<>":
				sign = "!="
			}
			tokens = append(tokens, token{signToken, sign, at})
			at += length
		}
	}
	return append(tokens, token{endToken, "", len(text)}), nil
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// startsNumber tells whether what follows a sign or a point makes a number of it.
func startsNumber(rest string, lead rune) bool {
	if rest == "" {
		return false
	}
	return isDigit(rune(rest[0])) || lead != '.' && rest[0] == '.' && len(rest) > 1 && isDigit(rune(rest[1]))
}

// numberLength measures digits, points, letters and the sign of an exponent,
// so that a malformed number is one token, for one clear error.
func numberLength(text string) int {
	for i := 1; i < len(text); i++ {
		c := text[i]
		exponentSign := (c == '-' || c == '+') && (text[i-1] == 'e' || text[i-1] == 'E')
		if !isDigit(rune(c)) && c != '.' && c != '_' && !('a' <= c|0x20 && c|0x20 <= 'z') && !exponentSign {
			return i
		}
	}
	return len(text)
}

// unquote takes a quoted text off the front of s. A doubled quote stands for
// one, a backslash protects what follows where that is a quote or a backslash.
func unquote(s string, quote byte) (value string, length int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == quote || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case c == quote && i+1 < len(s) && s[i+1] == quote:
			i++
			b.WriteByte(c)
		case c == quote:
			return b.String(), i + 1, true
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}
