//go:build !linux

package backend

// TunedEnv is the environment variable that guards [ReexecTuned] on Linux.
const TunedEnv = "PATCHLAB_TUNED"

// ReexecTuned does nothing: only glibc has the settings that it makes.
func ReexecTuned() error { return nil }
