package parameters

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchlab/kernel/notebook/ordered"
)

// bits are the sizes of the number types.
func bits(kind string) (family string, size int) {
	switch kind {
	case "int", "uint":
		return kind, 64
	case "byte":
		return "uint", 8
	case "float32":
		return "float", 32
	case "float64":
		return "float", 64
	}
	for _, family := range []string{"int", "uint"} {
		if n, err := strconv.Atoi(strings.TrimPrefix(kind, family)); err == nil && slices.Contains([]int{8, 16, 32, 64}, n) {
			return family, n
		}
	}
	return "", 0
}

// settable says whether values of that Go type can be given as text.
func settable(kind string) bool {
	kind = strings.TrimPrefix(kind, "[]")
	family, _ := bits(kind)
	return family != "" || kind == "bool" || kind == "string" || kind == "time.Duration"
}

// guessed is the type of a value that nobody declared.
func guessed(text string) string {
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		return "int"
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return "float64"
	}
	if text == "true" || text == "false" {
		return "bool"
	}
	return "string"
}

// goLiteral turns a value's text into Go source of that type, and into JSON. The
// error says what is allowed.
func goLiteral(kind, text string) (string, ordered.Value, error) {
	if element, ok := strings.CutPrefix(kind, "[]"); ok {
		return sliceLiteral(element, text)
	}
	switch family, size := bits(kind); family {
	case "int":
		n, err := strconv.ParseInt(text, 0, size)
		if err != nil {
			return "", nil, fmt.Errorf("a whole number from %d to %d", math.MinInt64>>(64-size), math.MaxInt64>>(64-size))
		}
		return strconv.FormatInt(n, 10), ordered.Scalar(strconv.FormatInt(n, 10)), nil
	case "uint":
		n, err := strconv.ParseUint(text, 0, size)
		if err != nil {
			return "", nil, fmt.Errorf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-size))
		}
		return strconv.FormatUint(n, 10), ordered.Scalar(strconv.FormatUint(n, 10)), nil
	case "float":
		f, err := strconv.ParseFloat(text, size)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) { // Go has no literal for these
			return "", nil, errors.New("a finite number such as 0.5, 1e-3")
		}
		return string(ordered.Float(f)), ordered.Float(f), nil
	}
	switch kind {
	case "bool":
		if text != "true" && text != "false" {
			return "", nil, errors.New("true, false")
		}
		return text, ordered.Scalar(text), nil
	case "time.Duration":
		d, err := time.ParseDuration(text)
		if err != nil {
			return "", nil, errors.New("a duration such as 90s, 1.5h, 250ms")
		}
		return durationLiteral(d), ordered.String(text), nil
	}
	return strconv.Quote(text), ordered.String(text), nil
}

func durationLiteral(d time.Duration) string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"Hour", time.Hour}, {"Minute", time.Minute}, {"Second", time.Second}, {"Millisecond", time.Millisecond}, {"Microsecond", time.Microsecond}} {
		if d != 0 && d%unit.size == 0 {
			return fmt.Sprintf("%d * time.%s", d/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d * time.Nanosecond", d)
}

// sliceLiteral reads a JSON list, or words between commas.
func sliceLiteral(element, text string) (string, ordered.Value, error) {
	var words []string
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "[") {
		var items []json.RawMessage
		if json.Unmarshal([]byte(trimmed), &items) != nil {
			return "", nil, errors.New("a JSON list, or values between commas")
		}
		for _, item := range items {
			var word string
			if json.Unmarshal(item, &word) != nil {
				word = string(item)
			}
			words = append(words, word)
		}
	} else if trimmed != "" {
		words = strings.Split(trimmed, ",")
		for i := range words {
			words[i] = strings.TrimSpace(words[i])
		}
	}
	var literals []string
	list := &ordered.Array{}
	for _, w := range words {
		literal, value, err := goLiteral(element, w)
		if err != nil {
			return "", nil, fmt.Errorf("a list with each value %w", err)
		}
		literals = append(literals, literal)
		list.Items = append(list.Items, value)
	}
	return "[]" + element + "{" + strings.Join(literals, ", ") + "}", list, nil
}
