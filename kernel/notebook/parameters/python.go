package parameters

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// pythonSource is the cell that papermill would write for these parameters; cell
// is the tagged one, or nil.
func pythonSource(cell *notebook.Cell, assignments []Assignment, values *ordered.Object) (source string, warnings []string) {
	source = "# Parameters\n"
	for _, a := range assignments {
		literal, value := pythonLiteral(a.Text)
		if a.value != nil {
			literal, value = pythonValue(a.value), a.value
		}
		source += a.Name + " = " + literal + "\n"
		values.Set(a.Name, value)
		assigned := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(a.Name) + `\s*(:[^=\n]*)?=`)
		if cell != nil && !assigned.MatchString(cell.Source()) {
			warnings = append(warnings, fmt.Sprintf("the cell tagged %s assigns no %s", Tag, a.Name))
		}
	}
	return source, warnings
}

// pythonLiteral reads a value's text as papermill's command line does (True,
// False, None, int, float, else str) and writes it as papermill's translator does.
func pythonLiteral(text string) (string, ordered.Value) {
	switch text {
	case "True":
		return text, ordered.Scalar("true")
	case "False":
		return text, ordered.Scalar("false")
	case "None":
		return text, ordered.Null
	}
	trimmed := strings.TrimSpace(text)
	digits := strings.ReplaceAll(trimmed, "_", "")
	odd := strings.HasPrefix(trimmed, "_") || strings.HasSuffix(trimmed, "_") || strings.Contains(trimmed, "__")
	if n, ok := new(big.Int).SetString(digits, 10); ok && !odd {
		return n.String(), ordered.Scalar(n.String())
	}
	if f, err := strconv.ParseFloat(digits, 64); (err == nil || math.IsInf(f, 0)) && !odd && !strings.ContainsAny(digits, "xXpP") {
		literal := string(ordered.Float(f))
		switch {
		case math.IsNaN(f):
			literal = "float('nan')"
		case math.IsInf(f, 1):
			literal = "float('inf')"
		case math.IsInf(f, -1):
			literal = "float('-inf')"
		}
		return literal, ordered.Float(f)
	}
	return `"` + unicodeEscape(text) + `"`, ordered.String(text)
}

// pythonValue writes a value as papermill's translator does.
func pythonValue(v ordered.Value) string {
	switch v := v.(type) {
	case *ordered.Array:
		var items []string
		for _, item := range v.Items {
			items = append(items, pythonValue(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case *ordered.Object:
		var members []string
		for _, key := range v.Keys() {
			members = append(members, `"`+unicodeEscape(key)+`": `+pythonValue(v.Get(key)))
		}
		return "{" + strings.Join(members, ", ") + "}"
	}
	if text, ok := ordered.Text(v); ok {
		return `"` + unicodeEscape(text) + `"`
	}
	switch scalar := v.(ordered.Scalar); scalar {
	case "true":
		return "True"
	case "false":
		return "False"
	case ordered.Null:
		return "None"
	case "NaN":
		return "float('nan')"
	case "Infinity":
		return "float('inf')"
	case "-Infinity":
		return "float('-inf')"
	default:
		return string(scalar)
	}
}

// unicodeEscape writes text as Python's codec unicode_escape does, and escapes
// double quotes.
func unicodeEscape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\' || r == '"':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r >= 0x20 && r < 0x7f:
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}
