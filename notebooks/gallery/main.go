// Command gallery renders the six notebooks, as they are, to pages that lead from
// one to the next, with an index that shows a picture of each:
//
//	go run ./notebooks/gallery -o build/gallery
//
// The pages need no network and follow the reader's dark mode.
package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"flag"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/export"
)

//go:embed index.html
var indexText string

//go:embed nav.html
var navText string

func main() {
	log.SetFlags(0)
	in := flag.String("in", "notebooks", "the folder of the notebooks")
	out := flag.String("o", "build/gallery", "the folder to write")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("gallery: unexpected argument %q; allowed: flags alone", flag.Arg(0))
	}
	if err := run(*in, *out, os.Stdout); err != nil {
		log.Fatal("gallery: ", err)
	}
}

// lesson is one notebook.
type lesson struct {
	Page    string // its file
	Title   string
	Summary string       // the paragraph below its title
	Picture template.URL // the first of the cell tagged "cover"; "" where there is none
	Alt     string
	Width   int
	Height  int

	notebook *notebook.Notebook
}

// pages is what a page's links lead to; nil where there is nothing.
type pages struct{ Before, After *lesson }

func run(in, out string, stdout io.Writer) error {
	files, err := filepath.Glob(filepath.Join(in, "0*.ipynb"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no notebooks named 0*.ipynb", in)
	}
	var lessons []lesson
	for _, file := range files {
		l, err := read(file)
		if err != nil {
			return err
		}
		lessons = append(lessons, l)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for i := range lessons {
		var p pages
		if i > 0 {
			p.Before = &lessons[i-1]
		}
		if i+1 < len(lessons) {
			p.After = &lessons[i+1]
		}
		if err := lessons[i].write(out, p); err != nil {
			return err
		}
	}
	var index bytes.Buffer
	if err := template.Must(template.New("index").Parse(indexText)).Execute(&index, lessons); err != nil {
		return fmt.Errorf("the index: %w", err)
	}
	path := filepath.Join(out, "index.html")
	if err := os.WriteFile(path, index.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "wrote %s and %d pages\n", path, len(lessons))
	return nil
}

// read finds in a notebook what the index says of it.
func read(file string) (lesson, error) {
	n, err := notebook.Read(file)
	if err != nil {
		return lesson{}, err
	}
	l := lesson{Page: strings.TrimSuffix(filepath.Base(file), ".ipynb") + ".html", notebook: n}
	if len(n.Cells) == 0 || n.Cells[0].Kind() != notebook.Markdown {
		return l, fmt.Errorf("%s does not begin with a title", file)
	}
	title, rest, _ := strings.Cut(n.Cells[0].Source(), "\n")
	_, l.Title, _ = strings.Cut(title, ". ") // "# 1. Why attention exists"
	l.Summary, _, _ = strings.Cut(strings.TrimSpace(rest), "\n")
	for _, c := range n.Cells {
		if !c.Tagged("cover") {
			continue
		}
		for _, o := range c.Outputs() {
			if text, ok := o.MIME("image/png"); ok && l.Picture == "" {
				text = strings.Join(strings.Fields(text), "")
				if l.Width, l.Height, err = size(text); err != nil {
					return l, fmt.Errorf("%s, cell %s: %w", file, c.ID(), err)
				}
				l.Picture = template.URL("data:image/png;base64," + text)
				l.Alt, _ = o.MIME("text/plain")
			}
		}
	}
	return l, nil
}

func size(encoded string) (width, height int, err error) {
	c, err := png.DecodeConfig(base64.NewDecoder(base64.StdEncoding, strings.NewReader(encoded)))
	return c.Width, c.Height, err
}

// write writes the lesson's page, with links to the pages around it.
func (l lesson) write(out string, p pages) error {
	var page, nav bytes.Buffer
	if err := export.HTML(&page, l.notebook, export.Options{}); err != nil {
		return fmt.Errorf("%s: %w", l.Page, err)
	}
	if err := template.Must(template.New("nav").Parse(navText)).Execute(&nav, p); err != nil {
		return fmt.Errorf("%s: %w", l.Page, err)
	}
	text := strings.Replace(page.String(), "<main>\n", "<main>\n"+nav.String(), 1)
	if end := strings.LastIndex(text, "</main>"); end >= 0 {
		text = text[:end] + nav.String() + text[end:]
	}
	for _, around := range []*lesson{p.Before, p.After} { // links in the prose lead to pages here
		if around != nil {
			text = strings.ReplaceAll(text, `href="`+strings.TrimSuffix(around.Page, ".html")+`.ipynb"`, `href="`+around.Page+`"`)
		}
	}
	return os.WriteFile(filepath.Join(out, l.Page), []byte(text), 0o644)
}
