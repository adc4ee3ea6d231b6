package runner

import "syscall"

// attributes puts the kernel into a session of its own, so that Ctrl-C reaches
// it only through us, and ends it when we are killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
}
