package main

import (
	"encoding/json"
	"fmt"
	"image"
	"io"
	"strings"

	"github.com/spf13/cobra"

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

PNG or JPEG of any size: the largest centred square, or as much of it as the
network was trained on, is scaled to the size of the images that it was trained
on. Transparent parts become white.`,
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
			shape, err := t.recipe.Images()
			if err != nil {
				return err
			}
			var pixels []uint8
			for _, p := range pictures {
				pixels = append(pixels, t.recipe.View(shape).Apply(p, shape.Channels)...)
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
		p, err := datasets.ReadPicture(name)
		if err != nil {
			return nil, err
		}
		pictures = append(pictures, p)
	}
	return pictures, nil
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
