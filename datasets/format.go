package datasets

import "fmt"

// FormatError says where a dataset file stops making sense.
type FormatError struct {
	File   string
	Offset int64  // of the first byte that is wrong or missing; in the unpacked content of a gzipped file
	Reason string // what is there and what is allowed
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: byte %d: %s", e.File, e.Offset, e.Reason)
}
