package source

import (
	"go/scanner"
	"go/token"
	"strings"
)

// The answers of IsComplete.
const (
	Complete   = "complete"
	Incomplete = "incomplete"
	Invalid    = "invalid"
)

// IsComplete says whether a cell can be run as it is, by Go's parser, and with which indentation it goes on if it is
// incomplete. It does not look at types.
func IsComplete(code string) (status, indent string) {
	c := Parse(code)
	if c.Open {
		return Incomplete, ""
	}
	if c.Foreign {
		return Complete, ""
	}
	at := c.mainAt()
	status, err := c.check(at, false)
	if status != Complete && at < 0 {
		if first := c.statementsAt(err); first >= 0 {
			status, _ = c.check(first, true)
		}
	}
	if status == Incomplete {
		indent = strings.Repeat("\t", max(0, depth(code)))
	}
	return status, indent
}

// check parses the cell. It is incomplete where the first error is that it ends.
func (c *Cell) check(mainAt int, inLine bool) (string, error) {
	f := c.file(mainAt, inLine, true)
	_, err := parse(token.NewFileSet(), f.text)
	if err == nil {
		return Complete, nil
	}
	list, ok := err.(scanner.ErrorList)
	if !ok || len(list) == 0 {
		return Invalid, err
	}
	for _, e := range list {
		if e.Msg == "raw string literal not terminated" || e.Msg == "comment not terminated" {
			return Incomplete, err
		}
	}
	if strings.Contains(list[0].Msg, "expected declaration") {
		return Invalid, err // a brace too many has closed main
	}
	// The newline after the last token ends a statement, so errors there are errors at the end too.
	if list[0].Pos.Offset >= len(strings.TrimRight(f.text[:f.end], " \t\r\n")) {
		return Incomplete, err
	}
	return Invalid, err
}

// depth counts the brackets that are open at the end of the code.
func depth(code string) int {
	var s scanner.Scanner
	fset := token.NewFileSet()
	s.Init(fset.AddFile("", -1, len(code)), []byte(code), func(token.Position, string) {}, 0)
	n := 0
	for {
		switch _, tok, _ := s.Scan(); tok {
		case token.LPAREN, token.LBRACK, token.LBRACE:
			n++
		case token.RPAREN, token.RBRACK, token.RBRACE:
			n--
		case token.EOF:
			return n
		}
	}
}
