// Package comparecmd is the command line of package compare, which the
// programs compare and patchlab share: flags, the reference's figures, and
// where the report goes.
package comparecmd
