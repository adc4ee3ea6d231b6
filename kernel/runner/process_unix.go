//go:build unix

package runner

import "syscall"

// interrupt sends what Ctrl-C sends, to the kernel and its children.
func (p *process) interrupt() error { return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGINT) }

func (p *process) terminate() { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) }

func (p *process) destroy() { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }
