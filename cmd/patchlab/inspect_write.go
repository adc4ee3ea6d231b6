package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"patchlab/save"
)

// pixelsPerPoint is the resolution of pictures as PNG, moviePixels of what
// moves: 960 and 480 pixels wide.
const (
	pixelsPerPoint = 2
	moviePixels    = 1
)

// writeFolder writes the pictures as files, and index.md, which shows them with
// their words.
func (in *inspection) writeFolder(dir string, f formats) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("cannot draw into %s: it is a file; name a folder, or a page that ends in .html", dir)
	}
	var index strings.Builder
	for _, d := range in.drawn {
		name := d.file + "." + f.still
		write := func(w io.Writer) error {
			if f.still == "svg" {
				return d.still.WriteSVG(w)
			}
			return d.still.WritePNG(w, pixelsPerPoint)
		}
		if d.movie != nil {
			name = d.file + ".gif"
			write = func(w io.Writer) error { return d.movie.WriteGIF(w, moviePixels) }
			if f.moving == "apng" {
				name = d.file + ".png"
				write = func(w io.Writer) error { return d.movie.WriteAPNG(w, moviePixels) }
			}
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := save.File(path, write); err != nil {
			return err
		}
		fmt.Fprintln(in.cmd.OutOrStdout(), path)
		fmt.Fprintf(&index, "![%s](%s)\n\n", strings.NewReplacer("[", "(", "]", ")", "\n", " ").Replace(d.alt()), name)
	}
	return save.File(filepath.Join(dir, "index.md"), func(w io.Writer) error {
		_, err := io.WriteString(w, strings.TrimSuffix(index.String(), "\n"))
		return err
	})
}
