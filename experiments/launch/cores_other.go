//go:build !linux

package launch

import "os/exec"

// Cores lists the cores of this machine.
func Cores() []int { return numbered() }

// startOn starts a program; this system binds none to cores.
func startOn(cmd *exec.Cmd, _ []int) error { return cmd.Start() }
