package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"syscall"

	"github.com/mattn/go-sqlite3"

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

// asAPIError finds MLflow's words for an error of the tracker. Of what goes
// wrong in the server itself, clients learn only that it did: the words of the
// tracker and of the system name files.
func (h *Handler) asAPIError(err error) *apiError {
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
	case errors.Is(err, tracker.ErrReadOnly):
		return &apiError{http.StatusForbidden, "PERMISSION_DENIED", "this server only shows its runs: it was started with --read-only"}
	case errors.Is(err, tracker.ErrFinished):
		return &apiError{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", err.Error()}
	}
	logger := h.options.ErrorLog
	if logger == nil {
		logger = log.Default()
	}
	logger.Printf("serving: %v", err)
	message := "the server could not do this; its log says why"
	var sqlite sqlite3.Error
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.As(err, &sqlite) && sqlite.Code == sqlite3.ErrFull {
		message = "the server's disk is full: what was acknowledged before is safe"
	}
	// Not 500: clients would send the same again and again, and points twice.
	return &apiError{http.StatusInsufficientStorage, "INTERNAL_ERROR", message}
}

// writeAnswer writes an answer, or an error, as JSON.
func (h *Handler) writeAnswer(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		e := h.asAPIError(err)
		w.WriteHeader(e.status)
		_ = json.NewEncoder(w).Encode(e)
		return
	}
	if answer == nil {
		answer = struct{}{}
	}
	_ = json.NewEncoder(w).Encode(answer) // escapes <, > and &
}
