// Package wire is how a cell speaks to the front about its run: over a Unix socket in the session's folder, one JSON
// object a line. All requests but OpLog are answered by one Reply each, in order; what went wrong with an OpLog is said
// with the next reply. OpArtifact is followed by as many bytes as it says.
package wire
