package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// request is a request whose fields come from the JSON body, or from the query
// of a GET.
type request struct {
	body  []byte
	query map[string][]string
	path  func(string) string
}

// answering answers a request with what is to be written as JSON.
type answering func(context.Context, *request) (any, error)

// takes decodes a request's fields into the struct that answer takes.
func takes[T any](answer func(context.Context, T) (any, error)) answering {
	return func(ctx context.Context, q *request) (any, error) {
		var in T
		if err := q.into(&in); err != nil {
			return nil, err
		}
		return answer(ctx, in)
	}
}

// required checks fields, each a name and its value, that may not be empty.
func required(fields ...string) error {
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1] == "" {
			return missing(fields[i])
		}
	}
	return nil
}

func missing(field string) error {
	return invalid("Missing value for required parameter '%s'.", field)
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request) (*request, error) {
	q := &request{query: r.URL.Query(), path: r.PathValue}
	if r.Method == http.MethodGet || r.Method == http.MethodDelete {
		return q, nil
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return nil, &apiError{http.StatusUnsupportedMediaType, "BAD_REQUEST", "the body must be of Content-Type application/json"}
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.options.BodyTime))
	var err error
	q.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, h.options.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &apiError{http.StatusRequestEntityTooLarge, "BAD_REQUEST",
			fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)}
	case err != nil:
		return nil, &apiError{http.StatusBadRequest, "BAD_REQUEST", "the body could not be read"}
	case !utf8.Valid(q.body): // decoding would replace what is not, silently
		return nil, &apiError{http.StatusBadRequest, "BAD_REQUEST", "the body is not valid UTF-8"}
	}
	return q, nil
}

// into decodes the fields into a struct. Unknown fields are ignored, as
// protobuf ignores them.
func (q *request) into(out any) error {
	if q.body != nil {
		return decodeJSON(q.body, out)
	}
	fields := make(map[string]string, len(q.query))
	for key, values := range q.query {
		fields[key] = values[0]
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return decodeJSON(body, out)
}

func decodeJSON(body []byte, out any) error {
	if len(body) == 0 {
		return nil
	}
	err := json.Unmarshal(body, out)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return invalid("the field %q holds a %s", wrongType.Field, wrongType.Value)
	case err != nil:
		return invalid("the body is not JSON as expected: %v", err)
	}
	return nil
}
