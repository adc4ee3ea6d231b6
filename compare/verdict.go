package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// verdict says in a sentence or three what the table shows.
func (b *builder) verdict(t *Table) string {
	best, fastest := t.extreme("accuracy"), t.extreme("train")
	if best == nil {
		return ""
	}
	if len(t.Rows) == 1 {
		return fmt.Sprintf("%s reaches %s; with one configuration there is nothing to set it against.", best.Name, describeAccuracy(best))
	}
	out := []string{fmt.Sprintf("%s is the most accurate: %s%s.", best.Name, describeAccuracy(best), b.rivals(t, best))}
	if len(t.Mixed) > 0 {
		return out[0] + " Speeds are of different " + plural(t.Mixed) + ", so nothing is said of them."
	}
	if fastest != nil {
		out = append(out, fastestSentence(best, fastest))
	}
	if s := frontSentence(t); s != "" {
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// extreme is the row with the best mean of a column, nil if none has it.
func (t *Table) extreme(key string) *Row {
	column, err := ColumnNamed(key)
	if err != nil {
		return nil
	}
	var best *Row
	for i := range t.Rows {
		v := float64(t.Rows[i].Quantities[key].Mean)
		if math.IsNaN(v) {
			continue
		}
		if best == nil || (v > float64(best.Quantities[key].Mean)) == column.Higher && v != float64(best.Quantities[key].Mean) {
			best = &t.Rows[i]
		}
	}
	return best
}

func describeAccuracy(r *Row) string {
	q := r.Quantities["accuracy"]
	column, _ := ColumnNamed("accuracy")
	text := column.Format(float64(q.Mean)) + " % "
	if q.Method != "" {
		text += fmt.Sprintf("(%s to %s", column.Format(float64(q.Low)), column.Format(float64(q.High)))
	} else {
		text += "(no interval"
	}
	return text + fmt.Sprintf(", %s)", count(r.Seeds, "seed"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%s %ss", Decimal(float64(n), 0), what)
}

// rivals says how the best stands to all the others.
func (b *builder) rivals(t *Table, best *Row) string {
	var like []string
	for _, r := range t.Rows {
		if r.Name == best.Name {
			continue
		}
		if p, ok := t.Pair(best.Name, r.Name); ok && p.Verdict != Better {
			like = append(like, r.Name)
		}
	}
	switch rest := len(t.Rows) - 1 - len(like); {
	case len(like) == 0:
		return ", shown better than every other"
	case rest == 0:
		return ", but no difference from any other is shown"
	default:
		return fmt.Sprintf(", shown better than %d of %d others, but not than %s", rest, rest+len(like), list(like, 4))
	}
}

func fastestSentence(best, fastest *Row) string {
	speed, _ := ColumnNamed("train")
	if best.Name == fastest.Name {
		return fmt.Sprintf("It also trains the fastest, %s images/s.", speed.Format(float64(fastest.Quantities["train"].Mean)))
	}
	lost := 100 * float64(best.Quantities["accuracy"].Mean-fastest.Quantities["accuracy"].Mean)
	text := fmt.Sprintf("%s trains the fastest, %s images/s", fastest.Name, speed.Format(float64(fastest.Quantities["train"].Mean)))
	if ratio := float64(fastest.Quantities["train"].Mean / best.Quantities["train"].Mean); !math.IsNaN(ratio) {
		text += fmt.Sprintf(", %.1f times %s, for %s points less", ratio, best.Name, Decimal(lost, 2))
	}
	return text + "."
}

// frontSentence lists who is on the front of training speed and accuracy.
func frontSentence(t *Table) string {
	type place struct {
		name  string
		speed float64
		p     Number
	}
	var on []place
	for _, r := range t.Rows {
		if f := r.Fronts["train"]; f.On {
			on = append(on, place{r.Name, float64(r.Quantities["train"].Mean), f.Probability})
		}
	}
	if len(on) < 2 {
		return ""
	}
	slices.SortFunc(on, func(a, b place) int { return int(math.Copysign(1, b.speed-a.speed)) })
	names := make([]string, len(on))
	for i, p := range on {
		names[i] = fmt.Sprintf("%s (probability %.2f)", p.name, p.p)
	}
	return fmt.Sprintf("Nothing is both faster to train and more accurate than %s.", list(names, 6))
}

// list joins names with commas and "or", at most that many.
func list(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" or %d more", len(names)-most)
	}
	return join(names, "or")
}
