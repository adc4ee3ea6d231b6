// Package notebook reads and writes Jupyter notebooks (nbformat 4.0 to 4.5 and
// later minor versions) without loss: fields that it does not know stay, keys
// keep their order, numbers and strings their spelling, and a file that Jupyter
// wrote comes back byte for byte. What is new is laid out as Jupyter lays it
// out: texts as lists of lines, keys sorted, characters unescaped.
//
// A notebook is a list of cells; a code cell has outputs. Parameters,
// comparison and export live in the sub-packages parameters, check and export.
//
// The format: https://nbformat.readthedocs.io/en/latest/format_description.html
package notebook
