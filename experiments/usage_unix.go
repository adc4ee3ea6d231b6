//go:build unix

package experiments

import (
	"time"

	"golang.org/x/sys/unix"
)

// ProcessorTime is what this process's threads have used of all cores so far,
// in user and system mode; 0 where the system does not tell.
func ProcessorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
