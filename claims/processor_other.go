//go:build !unix

package claims

import "time"

var began = time.Now()

// processorTime is wall time where the system does not tell.
func processorTime() time.Duration { return time.Since(began) }
