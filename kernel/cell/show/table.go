package show

import (
	"cmp"
	"encoding"
	"fmt"
	"html"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Of longer tables the first and last rows are shown, of longer texts in them the beginning.
const (
	maxRows    = 60
	maxColumns = 40
	maxCell    = 120
)

// Table shows rows as a table: a slice of structs (a column a field), of maps (a column a key), of slices or arrays, a
// map (keys and values), or anything else as a table of one column. The first row of a [][]string is its head.
func Table(rows any) {
	table, ok := tableOf(rows)
	if !ok {
		Value(rows)
		return
	}
	Value(table.bundle())
}

type table struct {
	head  []string
	rows  [][]string
	right []bool // columns of numbers
	total int    // rows in all
	wide  int    // columns that are left out
}

// tableOf makes a table of what looks like one.
func tableOf(value any) (t table, ok bool) {
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.Map {
		return mapTable(v)
	}
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array || v.Len() == 0 {
		return t, false
	}
	records := make([]reflect.Value, v.Len())
	for i := range records {
		records[i] = inner(v.Index(i))
	}
	t.total = len(records)
	first := records[0]
	if !first.IsValid() {
		return t, false
	}
	for _, r := range records {
		if !r.IsValid() || r.Kind() != first.Kind() || r.Kind() == reflect.Struct && r.Type() != first.Type() {
			return t, false
		}
	}
	switch first.Kind() {
	case reflect.Struct:
		if formatsItself(first) {
			return t, false
		}
		t.fromStructs(first.Type(), records)
	case reflect.Map:
		t.fromMaps(records)
	case reflect.Slice, reflect.Array:
		if first.Type().Elem().Kind() == reflect.Uint8 {
			return t, false
		}
		t.fromSlices(records)
	default:
		return t, false
	}
	t.finish()
	return t, len(t.head) > 0
}

// inner is what pointers and interfaces hold.
func inner(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

func formatsItself(v reflect.Value) bool {
	t := v.Type()
	for _, method := range []reflect.Type{reflect.TypeFor[fmt.Stringer](), reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[error]()} {
		if t.Implements(method) || reflect.PointerTo(t).Implements(method) {
			return true
		}
	}
	return false
}

// shown are the indices of the rows that are shown, with -1 where some are left out.
func shown(n int) []int {
	var rows []int
	for i := range n {
		switch {
		case n <= maxRows || i < maxRows/2 || i >= n-maxRows/2:
			rows = append(rows, i)
		case i == maxRows/2:
			rows = append(rows, -1)
		}
	}
	return rows
}

func (t *table) add(n int, cell func(row, column int) reflect.Value) {
	t.right = make([]bool, len(t.head))
	for c := range t.right {
		t.right[c] = true
	}
	for _, r := range shown(n) {
		row := make([]string, len(t.head))
		for c := range row {
			if r < 0 {
				row[c] = "⋮"
				continue
			}
			v := cell(r, c)
			row[c] = cellText(v)
			t.right[c] = t.right[c] && isNumber(v)
		}
		t.rows = append(t.rows, row)
	}
}

func (t *table) fromStructs(of reflect.Type, records []reflect.Value) {
	var columns []int
	for i := range of.NumField() {
		if of.Field(i).Name != "_" {
			columns = append(columns, i)
			t.head = append(t.head, of.Field(i).Name)
		}
	}
	t.add(len(records), func(r, c int) reflect.Value { return records[r].Field(columns[c]) })
}

func (t *table) fromMaps(records []reflect.Value) {
	keys := map[string]bool{}
	cells := make([]map[string]reflect.Value, len(records))
	for i, r := range records {
		cells[i] = map[string]reflect.Value{}
		for iter := r.MapRange(); iter.Next(); {
			key := cellText(iter.Key())
			keys[key] = true
			cells[i][key] = iter.Value()
		}
	}
	for key := range keys {
		t.head = append(t.head, key)
	}
	slices.Sort(t.head)
	t.add(len(records), func(r, c int) reflect.Value { return cells[r][t.head[c]] })
}

func (t *table) fromSlices(records []reflect.Value) {
	columns := 0
	for _, r := range records {
		columns = max(columns, r.Len())
	}
	if records[0].Type().Elem().Kind() == reflect.String && len(records) > 1 {
		for c := range columns {
			name := ""
			if c < records[0].Len() {
				name = records[0].Index(c).String()
			}
			t.head = append(t.head, name)
		}
		records = records[1:]
		t.total--
	} else {
		for c := range columns {
			t.head = append(t.head, strconv.Itoa(c))
		}
	}
	t.add(len(records), func(r, c int) reflect.Value {
		if c < records[r].Len() {
			return records[r].Index(c)
		}
		return reflect.Value{}
	})
}

func mapTable(v reflect.Value) (t table, ok bool) {
	if v.Len() == 0 {
		return t, false
	}
	type entry struct{ key, value reflect.Value }
	var entries []entry
	for iter := v.MapRange(); iter.Next(); {
		entries = append(entries, entry{iter.Key(), iter.Value()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return compare(inner(a.key), inner(b.key)) })
	t.head, t.total = []string{"key", "value"}, len(entries)
	t.add(len(entries), func(r, c int) reflect.Value {
		if c == 0 {
			return entries[r].key
		}
		return entries[r].value
	})
	t.finish()
	return t, true
}

func compare(a, b reflect.Value) int {
	switch {
	case a.IsValid() && b.IsValid() && a.CanInt() && b.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.IsValid() && b.IsValid() && a.CanUint() && b.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	case a.IsValid() && b.IsValid() && a.CanFloat() && b.CanFloat():
		return cmp.Compare(a.Float(), b.Float())
	}
	return cmp.Compare(cellText(a), cellText(b))
}

// finish leaves out columns beyond what fits.
func (t *table) finish() {
	if t.wide = len(t.head) - maxColumns; t.wide <= 0 {
		t.wide = 0
		return
	}
	t.head, t.right = t.head[:maxColumns], t.right[:maxColumns]
	for i := range t.rows {
		t.rows[i] = t.rows[i][:maxColumns]
	}
}

func isNumber(v reflect.Value) bool {
	v = inner(v)
	return !v.IsValid() || (v.CanInt() || v.CanUint() || v.CanFloat()) && !formatsItself(v)
}

// cellText is a value in a table: floats to six digits, long texts cut.
func cellText(v reflect.Value) string {
	if v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && (v.IsNil() || !formatsItself(v.Elem())) {
		v = inner(v)
	}
	if !v.IsValid() {
		return ""
	}
	text := ""
	if v.CanFloat() && !formatsItself(v) {
		text = strconv.FormatFloat(v.Float(), 'g', 6, 64)
	} else {
		text = fmt.Sprint(v)
	}
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > maxCell {
		text = string([]rune(text)[:maxCell-1]) + "…"
	}
	return text
}

// note says what is left out.
func (t *table) note() string {
	var parts []string
	if t.total > maxRows {
		parts = append(parts, fmt.Sprintf("%d rows in all", t.total))
	}
	if t.wide > 0 {
		parts = append(parts, fmt.Sprintf("%d more columns", t.wide))
	}
	return strings.Join(parts, ", ")
}

func (t *table) bundle() Bundle { return Bundle{HTMLType: t.html(), Text: t.text()} }

func (t *table) html() string {
	var b strings.Builder
	align := func(c int) string {
		if t.right[c] {
			return "right"
		}
		return "left"
	}
	b.WriteString("<table>\n<thead><tr>")
	for c, name := range t.head {
		fmt.Fprintf(&b, `<th style="text-align: %s">%s</th>`, align(c), html.EscapeString(name))
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for _, row := range t.rows {
		b.WriteString("<tr>")
		for c, cell := range row {
			fmt.Fprintf(&b, `<td style="text-align: %s">%s</td>`, align(c), html.EscapeString(cell))
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody>\n</table>")
	if note := t.note(); note != "" {
		fmt.Fprintf(&b, "\n<p>%s</p>", note)
	}
	return b.String()
}

func (t *table) text() string {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for c, cell := range row {
			widths[c] = max(widths[c], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	line := func(row []string) {
		var l strings.Builder
		for c, cell := range row {
			space := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
			if c > 0 {
				l.WriteString("  ")
			}
			if t.right[c] {
				l.WriteString(space + cell)
			} else {
				l.WriteString(cell + space)
			}
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	line(t.head)
	for _, row := range t.rows {
		line(row)
	}
	if note := t.note(); note != "" {
		b.WriteString("(" + note + ")\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
