package viz

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page's parts
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"math"
	"slices"
)

//go:embed page.html
var pageTemplate string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// Scene is an image with the attention of a network's layers for it. All layers
// have the same grid of patches.
type Scene struct {
	Name   string // of network and image, to choose by
	Note   string // one line, such as what the network says; may be empty
	Image  Image
	Layers []Attention
}

// Page is one file for a browser that needs nothing else: for each scene the
// reader points at a patch, or moves to it by keyboard, and sees where each head
// attends from there. Below stand pictures. Either may be missing, not both.
type Page struct {
	Title    string
	Scenes   []Scene
	Pictures []*Picture
}

// pageScene is a scene as the page's script reads it.
type pageScene struct {
	Name   string      `json:"name"`
	Note   string      `json:"note"`
	Grid   int         `json:"grid"`
	Image  string      `json:"image"` // data URI
	Layers []pageLayer `json:"layers"`
}

type pageLayer struct {
	Name string  `json:"name"`
	Max  float64 `json:"max"`
	// Heads holds a head's scores each, as base64 of 16-bit numbers,
	// little-endian: shares of Max in 65535ths.
	Heads []string `json:"heads"`
}

type pagePicture struct {
	Source        template.URL
	Alt           string
	Width, Height int
}

// Write writes the page. Its Content-Security-Policy, in the page itself, lets
// in nothing from anywhere, and of scripts and styles only its own, by hash.
func (p Page) Write(w io.Writer) error {
	if len(p.Scenes) == 0 && len(p.Pictures) == 0 {
		return fmt.Errorf("write page: neither scenes nor pictures; allowed: 1 or more of either")
	}
	var scenes []pageScene
	for _, s := range p.Scenes {
		scene, err := s.encode()
		if err != nil {
			return fmt.Errorf("write page: %w", err)
		}
		scenes = append(scenes, scene)
	}
	var pictures []pagePicture
	for _, picture := range p.Pictures {
		width, height := picture.Size()
		pictures = append(pictures, pagePicture{
			template.URL(dataURI(picture.PNG())), picture.Alt(), int(math.Round(width)), int(math.Round(height)),
		})
	}
	var colors []byte
	for i := range 256 {
		c := Viridis().At(float64(i) / 255)
		colors = append(colors, c.R, c.G, c.B)
	}
	data, err := json.Marshal(map[string]any{"scenes": scenes, "colors": colors}) // escapes <, > and &
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	parsed, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, map[string]any{
		"Policy": fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src data:; base-uri 'none'; form-action 'none'", hash(pageStyle), hash(pageScript)),
		"Style":  template.CSS(pageStyle), "Script": template.JS(pageScript), "Data": template.JS(data),
		"Title": p.Title, "Scenes": p.Scenes, "Pictures": pictures,
	}); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return writeAll(w, &out)
}

func (s Scene) encode() (pageScene, error) {
	if err := s.Image.check(); err != nil {
		return pageScene{}, fmt.Errorf("scene %s: %w", s.Name, err)
	}
	if len(s.Layers) == 0 {
		return pageScene{}, fmt.Errorf("scene %s: no layers of attention; allowed: 1 or more", s.Name)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, s.Image.picture()); err != nil {
		return pageScene{}, fmt.Errorf("scene %s: %w", s.Name, err)
	}
	out := pageScene{Name: s.Name, Note: s.Note, Grid: s.Layers[0].grid, Image: dataURI(b.Bytes())}
	for _, a := range s.Layers {
		if a.grid != out.Grid || a.heads == 0 {
			return pageScene{}, fmt.Errorf("scene %s: %s has %d × %d patches; allowed: %d × %d, as the first layer", s.Name, a.layer, a.grid, a.grid, out.Grid, out.Grid)
		}
		layer := pageLayer{Name: a.layer, Max: slices.Max(a.scores)}
		for h := range a.heads {
			var raw []byte
			for _, v := range a.Head(h) {
				raw = binary.LittleEndian.AppendUint16(raw, uint16(math.Round(v/layer.Max*math.MaxUint16)))
			}
			layer.Heads = append(layer.Heads, base64.StdEncoding.EncodeToString(raw))
		}
		out.Layers = append(out.Layers, layer)
	}
	return out, nil
}

func dataURI(picture []byte) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)
}

// hash names a text in a Content-Security-Policy.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
