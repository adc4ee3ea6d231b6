// Package process finds, watches and ends the processes that a kernel has started, and those that they have started:
// none may outlive it.
package process
