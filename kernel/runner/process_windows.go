package runner

import (
	"errors"
	"syscall"
)

func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func (p *process) interrupt() error {
	return errors.New("on Windows only kernels with interrupt_mode message can be interrupted")
}

func (p *process) terminate() { p.cmd.Process.Kill() }

func (p *process) destroy() { p.cmd.Process.Kill() }
