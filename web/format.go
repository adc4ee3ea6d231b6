package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"patchlab/compare"
	"patchlab/tracker"
)

// none stands where there is no value.
const none = "–"

// number writes a value for people: four significant digits, thousands parted.
func number(v float64) string {
	size := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return strings.Replace(strconv.FormatFloat(v, 'g', -1, 64), "Inf", "∞", 1)
	case v == math.Trunc(v) && size < 1e15:
		return compare.Decimal(v, 0)
	case size >= 1e6 || size < 1e-4:
		return strings.Replace(strconv.FormatFloat(v, 'g', 4, 64), "e-", "e−", 1)
	}
	return compare.Decimal(v, max(0, 3-int(math.Floor(math.Log10(size)))))
}

// percent writes a fraction as a percentage; what is no fraction as it is.
func percent(v float64) string {
	if !(v >= 0 && v <= 1) {
		return number(v)
	}
	return compare.Decimal(100*v, 2) + " %"
}

// moment writes a time for people, in this machine's zone.
func moment(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.Local().Format("2006-01-02 15:04")
}

// clock writes a time for programs.
func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// duration writes how long something took, two units at most.
func duration(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %02d h", int(d.Hours())/24, int(d.Hours())%24)
}

// size writes a number of bytes.
func size(n int64) string {
	v, unit := float64(n), 0
	for v >= 1000 && unit < 4 {
		v, unit = v/1000, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return strconv.FormatFloat(v, 'f', max(0, 2-int(math.Log10(v))), 64) + " " + []string{"", "kB", "MB", "GB", "TB"}[unit]
}

// shortID is as much of an ID as the commands need; the beginning of a ULID is
// its time, so runs of one minute share ten characters.
func shortID(id string) string { return id[:min(len(id), 14)] }

// sentence makes an error's text one. A name that it begins with, such as
// params.model, stays as it is.
func sentence(text string) string {
	text = strings.TrimSuffix(text, ".") + "."
	if first, _, _ := strings.Cut(text, " "); strings.ContainsAny(strings.TrimRight(first, ".,:"), "._/`") {
		return text
	}
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
}

// status is a run's in a word; being deleted or archived comes first.
func status(r *tracker.RunInfo) string {
	if r.Deleted {
		return "deleted"
	}
	return r.Status.String()
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return compare.Decimal(float64(n), 0) + " " + one + "s"
}
