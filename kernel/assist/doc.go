// Package assist completes and explains names in cells, by a gopls of its own, so that it answers while a cell runs.
//
// The language server sees one Go file: the cell, wrapped as it will be compiled, with what the cells before it have
// declared. The file exists in the server's memory only; its folder is a workspace with the module that cells import.
package assist
