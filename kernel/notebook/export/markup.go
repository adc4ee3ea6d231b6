package export

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	format "github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/alecthomas/chroma/v2/styles"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	render "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"patchlab/kernel/notebook"
)

// markdown renders a Markdown cell's text, or a Markdown output's (cell nil).
func (p *page) markdown(text string, cell *notebook.Cell) (string, error) {
	text, formulas := takeFormulas(text)
	md := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()), goldmark.WithRendererOptions(render.WithUnsafe()))
	var b bytes.Buffer
	if err := md.Convert([]byte(text), &b); err != nil {
		return "", fmt.Errorf("rendering Markdown: %w", err)
	}
	return p.tidy(putFormulas(b.String(), formulas), cell)
}

// forbidden elements load or send something, or change what the page is.
var forbidden = []atom.Atom{atom.Iframe, atom.Frame, atom.Frameset, atom.Object, atom.Embed, atom.Applet, atom.Base, atom.Meta, atom.Link, atom.Form}

// tidy makes a fragment of HTML fit into the page: elements are closed, pictures
// inlined, scripts dropped unless they are wanted, and what must not be there too.
func (p *page) tidy(fragment string, cell *notebook.Cell) (string, error) {
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(fragment), body)
	if err != nil {
		return "", fmt.Errorf("reading HTML: %w", err)
	}
	for _, n := range nodes {
		body.AppendChild(n)
	}
	p.clean(body, cell)
	var b strings.Builder
	for n := body.FirstChild; n != nil; n = n.NextSibling {
		if err := html.Render(&b, n); err != nil {
			return "", fmt.Errorf("writing HTML: %w", err)
		}
	}
	return b.String(), nil
}

// clean looks at what is in n.
func (p *page) clean(n *html.Node, cell *notebook.Cell) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if c.Type == html.ElementNode {
			switch {
			case c.DataAtom == atom.Script && !p.Scripts, slices.Contains(forbidden, c.DataAtom):
				p.dropped = p.dropped || c.DataAtom == atom.Script
				n.RemoveChild(c)
				c = next
				continue
			case c.DataAtom == atom.Img:
				p.picture(c, cell)
			case c.DataAtom == atom.Pre:
				highlight(c)
			}
			c.Attr = slices.DeleteFunc(c.Attr, func(a html.Attribute) bool {
				value := strings.ToLower(strings.Join(strings.Fields(a.Val), ""))
				return !p.Scripts && (strings.HasPrefix(a.Key, "on") || strings.HasPrefix(value, "javascript:"))
			})
			for i, a := range c.Attr { // the converter of formulas writes styles in any order
				if a.Key == "style" && c.Namespace == "math" {
					styles := strings.Split(strings.TrimSuffix(a.Val, ";"), ";")
					slices.Sort(styles)
					c.Attr[i].Val = strings.Join(styles, ";")
				}
			}
			slices.SortFunc(c.Attr, func(a, b html.Attribute) int { return strings.Compare(a.Key, b.Key) })
		}
		p.clean(c, cell)
		c = next
	}
}

// highlight colours a fenced block of a language that is known.
func highlight(pre *html.Node) {
	code := pre.FirstChild
	if code == nil || code.DataAtom != atom.Code || code.FirstChild == nil || len(code.Attr) == 0 {
		return
	}
	language, ok := strings.CutPrefix(code.Attr[0].Val, "language-")
	lexer := lexers.Get(language)
	if !ok || lexer == nil {
		return
	}
	tokens, err := lexer.Tokenise(nil, code.FirstChild.Data)
	if err != nil {
		return
	}
	var b strings.Builder
	if err := format.New(format.WithClasses(true), format.PreventSurroundingPre(true)).Format(&b, styles.Get("github"), tokens); err != nil {
		return
	}
	nodes, err := html.ParseFragment(strings.NewReader(b.String()), code)
	if err != nil {
		return
	}
	code.RemoveChild(code.FirstChild)
	for _, n := range nodes {
		code.AppendChild(n)
	}
	pre.Attr = []html.Attribute{{Key: "class", Val: "chroma"}}
}

// picture inlines an <img>: an attachment of the cell, or a file beside the
// notebook. One on the web becomes a link.
func (p *page) picture(img *html.Node, cell *notebook.Cell) {
	attr := func(key string) *html.Attribute {
		for i := range img.Attr {
			if img.Attr[i].Key == key {
				return &img.Attr[i]
			}
		}
		return nil
	}
	src := attr("src")
	if src == nil || strings.HasPrefix(src.Val, "data:") {
		return
	}
	img.Attr = slices.DeleteFunc(img.Attr, func(a html.Attribute) bool { return a.Key == "srcset" })
	src = attr("src")
	u, err := url.Parse(src.Val)
	if err != nil {
		return
	}
	switch {
	case u.Scheme == "attachment" && cell != nil:
		name := u.Opaque
		if unescaped, err := url.PathUnescape(name); err == nil {
			name = unescaped
		}
		if kind, text, ok := cell.Attachment(name); ok {
			src.Val = dataURI(kind, text)
		}
	case u.Scheme == "" && u.Host == "" && p.Dir != "":
		if data, err := p.file(u.Path); err == nil {
			kind := mime.TypeByExtension(filepath.Ext(u.Path))
			if kind == "" {
				kind = http.DetectContentType(data)
			}
			src.Val = dataURI(kind, base64.StdEncoding.EncodeToString(data))
		}
	case u.Scheme == "http" || u.Scheme == "https" || u.Host != "":
		text := src.Val
		if alt := attr("alt"); alt != nil && alt.Val != "" {
			text = alt.Val
		}
		img.Data, img.DataAtom = "a", atom.A
		img.Attr = []html.Attribute{{Key: "href", Val: src.Val}}
		img.AppendChild(&html.Node{Type: html.TextNode, Data: text})
	}
}

// file reads a file in the notebook's folder or below it, 50 MB at most.
func (p *page) file(path string) ([]byte, error) {
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(filepath.FromSlash(path))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > 50<<20 {
		return nil, fmt.Errorf("%s is no file of 50 MB at most", path)
	}
	return root.ReadFile(filepath.FromSlash(path))
}

// dataURI is a picture in base64 as an address; white space in it is dropped.
func dataURI(kind, text string) string {
	return "data:" + kind + ";base64," + strings.Join(strings.Fields(text), "")
}
