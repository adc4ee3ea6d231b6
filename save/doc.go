// Package save writes files whole: whoever reads one, also after a crash, sees the
// old file or the new one. A file keeps its permissions, a link stays one, and what
// is no regular file, such as a pipe, is written to directly.
package save
