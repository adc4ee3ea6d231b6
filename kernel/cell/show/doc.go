// Package show is how a cell of a notebook shows more than text.
//
//	show.Value(rows)            // picks how: a table, a picture, a tensor's summary …
//	show.Markdown("**Done.**")  // or as what it is meant
//
//	bar := show.NewProgress("training", steps)  // in place: bar.Add(1)
//	curve := show.NewCurve("mixer-4")           // in place: curve.Add(step, metrics)
//
// Every output is a bundle of representations with text/plain among them, so that a front end shows the richest that
// it can and a run without one has words. Everything is drawn here, as SVG, PNG or HTML without scripts: nothing is
// fetched from a network, and JupyterLab, Notebook 7, VS Code and exported pages show the same. SVG travels as
// image/svg+xml. What changes in place is replaced as a whole, at most about seven times a second.
//
// In a program that no kernel of Patchlab's started, text goes to standard output: a progress bar prints a line for
// each tenth at most, a curve one summary when it is closed.
//
// # What Value picks
//
//   - a value with a method HTML() string, SVG() string, Markdown() string, LaTeX() string or PNG() []byte: that.
//   - image.Image, and []byte with an encoded picture: the picture.
//   - a slice of structs, of maps or of slices, and a map: a table; of long ones the first and last rows.
//   - template.HTML: HTML; json.RawMessage: JSON; a figure of go-plotly: as Plotly.
//   - a tensor of GoMLX: its corners, range, mean and standard deviation, and how many values are not finite.
//   - anything else: as fmt's %+v.
//
// Nothing here returns an error: what cannot be drawn is shown as its text with the reason.
package show
