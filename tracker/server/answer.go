package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"patchlab/tracker"
)

// apiError is an error in MLflow's form.
type apiError struct {
	status  int
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Message }

func invalid(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &apiError{http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", fmt.Sprintf(format, args...)}
}

// asAPIError finds MLflow's words for an error of the tracker.
func asAPIError(err error) *apiError {
	var said *apiError
	var syntax *tracker.SyntaxError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &said):
		return said
	case errors.As(err, &syntax):
		return &apiError{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "Invalid filter or order: " + syntax.Error()}
	case errors.As(err, &tooLarge):
		return &apiError{http.StatusRequestEntityTooLarge, "BAD_REQUEST", fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)}
	case errors.Is(err, tracker.ErrNotFound):
		return &apiError{http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", err.Error()}
	case errors.Is(err, tracker.ErrExists):
		return &apiError{http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", err.Error()}
	case errors.Is(err, tracker.ErrWriting):
		return &apiError{http.StatusConflict, "RESOURCE_CONFLICT", err.Error()}
	case errors.Is(err, tracker.ErrFinished):
		return &apiError{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", err.Error()}
	}
	// Not 500: clients would send the same again and again, and points twice.
	return &apiError{http.StatusInsufficientStorage, "INTERNAL_ERROR", err.Error()}
}

// writeAnswer writes an answer, or an error, as JSON.
func writeAnswer(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		e := asAPIError(err)
		w.WriteHeader(e.status)
		_ = json.NewEncoder(w).Encode(e)
		return
	}
	if answer == nil {
		answer = struct{}{}
	}
	_ = json.NewEncoder(w).Encode(answer) // escapes <, > and &
}

// pair is a parameter or a tag on the wire.
type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func toPairs(fields map[string]string, hidden string) []pair {
	pairs := make([]pair, 0, len(fields))
	for k, v := range fields {
		if hidden == "" || !strings.HasPrefix(k, hidden) {
			pairs = append(pairs, pair{k, v})
		}
	}
	return pairs
}

func toMap(pairs []pair) map[string]string {
	fields := make(map[string]string, len(pairs))
	for _, p := range pairs {
		fields[p.Key] = p.Value
	}
	return fields
}

// integer is an int64, which protobuf's JSON also writes as a text.
type integer int64

func (i *integer) UnmarshalJSON(text []byte) error {
	s := strings.Trim(string(text), `"`)
	if s == "null" {
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil { // 1.7e9 and 5.0 are whole numbers too
		f, ferr := strconv.ParseFloat(s, 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<62 {
			return fmt.Errorf("%s is not a whole number", text)
		}
		v = int64(f)
	}
	*i = integer(v)
	return nil
}

// float is a number, or "NaN", "Infinity", "-Infinity".
type float float64

func (f *float) UnmarshalJSON(text []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is not a number", text)
	}
	*f = float(v)
	return nil
}

func (f float) MarshalJSON() ([]byte, error) {
	switch v := float64(f); {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return strconv.AppendFloat(nil, v, 'g', -1, 64), nil
	}
}
