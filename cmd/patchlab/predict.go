package main

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // decoders
	_ "image/png"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/image/draw"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
)

func newPredictCommand() *cobra.Command {
	var (
		kind   backend.Kind
		db     string
		format string
	)
	cmd := &cobra.Command{
		Use:   "predict RUN IMAGE…",
		Short: "Say what a run's network sees in pictures of yours",
		Long: `Say what a run's network sees in pictures of yours.

PNG or JPEG of any size: the largest centred square is scaled to the size of the
images that the network was trained on. Transparent parts become white.`,
		Example: `  patchlab predict latest cat.png
  patchlab predict mixer-4-1 *.jpg --format json`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "table" && format != "json" {
				return fmt.Errorf("format %q; allowed: table, json", format)
			}
			pictures, err := readPictures(args[1:])
			if err != nil {
				return err
			}
			t, err := openTrained(cmd, kind, db, args[0])
			if err != nil {
				return err
			}
			defer t.close()
			shape, err := datasets.Describe(t.recipe.Data.Name)
			if err != nil {
				return err
			}
			var pixels []uint8
			for _, p := range pictures {
				pixels = append(pixels, fit(p, shape.Height, shape.Channels)...)
			}
			logits, err := t.network.Logits(cmd.Context(), pixels, shape.Height, shape.Width, min(len(pictures), 64))
			if err != nil {
				return err
			}
			guesses := newGuesses(args[1:], shape.Classes, experiments.Rank(logits, t.recipe.Model.Classes))
			if format == "json" {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetIndent("", "  ")
				return out.Encode(guesses)
			}
			return writeGuesses(cmd.OutOrStdout(), guesses)
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "table", "table or json")
	backendFlag(f, &kind)
	dbFlag(f, &db)
	runs := completeRuns(&db)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return runs(cmd, args, word)
		}
		return []string{"png", "jpg", "jpeg"}, cobra.ShellCompDirectiveFilterFileExt
	}
	completeWords(cmd, "format", "table", "json")
	return cmd
}

func readPictures(files []string) ([]image.Image, error) {
	var pictures []image.Image
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		p, _, err := image.Decode(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w; allowed: PNG, JPEG", name, err)
		}
		pictures = append(pictures, p)
	}
	return pictures, nil
}

// fit scales the largest centred square of a picture to side × side pixels and
// returns them row by row, channels last.
func fit(p image.Image, side, channels int) []uint8 {
	b := p.Bounds()
	edge := min(b.Dx(), b.Dy())
	x, y := b.Min.X+(b.Dx()-edge)/2, b.Min.Y+(b.Dy()-edge)/2
	small := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(small, small.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.CatmullRom.Scale(small, small.Bounds(), p, image.Rect(x, y, x+edge, y+edge), draw.Over, nil)
	out := make([]uint8, 0, side*side*channels)
	for y := range side {
		for x := range side {
			c := small.RGBAAt(x, y)
			if channels == 1 {
				out = append(out, color.GrayModel.Convert(c).(color.Gray).Y)
			} else {
				out = append(out, c.R, c.G, c.B)
			}
		}
	}
	return out
}

// guess is what the network makes of one picture.
type guess struct {
	File string       `json:"file"`
	Top  []classGuess `json:"top"`
}

type classGuess struct {
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
}

func newGuesses(files, classes []string, predictions []experiments.Prediction) []guess {
	guesses := make([]guess, len(files))
	for i, p := range predictions {
		guesses[i].File = files[i]
		for k, c := range p.Classes {
			guesses[i].Top = append(guesses[i].Top, classGuess{classes[c], p.Probabilities[k]})
		}
	}
	return guesses
}

func writeGuesses(w io.Writer, guesses []guess) error {
	const width = 40
	for _, g := range guesses {
		fmt.Fprintln(w, g.File)
		for _, c := range g.Top {
			bar := strings.Repeat("█", int(c.Probability*width+.5))
			if _, err := fmt.Fprintf(w, "  %-14s %5.1f %%  %s\n", c.Class, 100*c.Probability, bar); err != nil {
				return err
			}
		}
	}
	return nil
}
