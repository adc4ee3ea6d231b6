//go:build !unix

package experiments

import "time"

// ProcessorTime is not told here.
func ProcessorTime() time.Duration { return 0 }
