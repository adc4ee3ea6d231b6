// Package export turns notebooks into documents and programs: [HTML], a page in
// one file; [Markdown]; and [Go], a program that compiles.
//
// # The page
//
// It needs no network: pictures are inlined, formulas become MathML (those that
// the converter does not know are shown as LaTeX), code is highlighted without
// scripts, light or dark as the reader's system is. A Content-Security-Policy in
// the page keeps whatever a cell put into it from loading anything.
//
// HTML outputs stand in the page as nbconvert puts them there, but without
// scripts: these run only with [Options.Scripts], and then still without network.
// Frames, objects and forms are left out. A picture on the web becomes a link.
//
// Cells and outputs are hidden by the tags that nbconvert knows: remove-cell,
// remove-input, remove-output (also with _), hide-input and hide-output, which fold
// them, as JupyterLab's own source_hidden and outputs_hidden do.
package export
