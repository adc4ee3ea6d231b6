package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/save"
	"patchlab/tracker"
)

// inspectFlags are those of patchlab inspect.
type inspectFlags struct {
	images  []string
	what    []string
	formats []string
	out     string
	db      string
	kind    backend.Kind
	data    dataFlags
}

func newInspectCommand() *cobra.Command {
	var o inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect RUN…",
		Short: "Draw what a run's network looks at and has learned",
		Long: `Draw what a run's network looks at and has learned.

RUN is an ID, the beginning of one, a name, or "latest". Without --what, every
picture that fits its architecture is drawn into a folder, with a file index.md
that says in words what each shows. With -o PAGE.html one page comes out
instead, which needs no network: point at a patch, by mouse or keyboard, and see
where each head attends. With several runs, one image is shown as each sees it.

Pictures (--what), and what they need:
` + drawingsHelp() + `
A class token is left out of attention, which is then among the patches alone.
An image is its index in the test split of the run's dataset, or a PNG or JPEG
of yours, whose largest centred square is used.`,
		Example: `  patchlab inspect latest
  patchlab inspect vit-vis-1 --image 12 --what attention,rollout --format svg
  patchlab inspect vit-vis-1 --image cat.jpg -o page.html
  patchlab inspect vit-2-1 mixer-4-1 convmixer-1 mixer1-vit1-1 --image 7`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runInspect(cmd, args, o) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.images, "image", []string{"0"}, "index in the test split, or `file`; several by commas")
	f.StringSliceVar(&o.what, "what", nil, "`pictures`, several by commas (default: all that fit)")
	f.StringSliceVar(&o.formats, "format", []string{"png", "gif"}, "png or svg, and gif or apng for what moves")
	f.StringVarP(&o.out, "output", "o", "", "`folder`, or page that ends in .html (default: inspect-NAME-ID of the run)")
	o.data.add(f)
	backendFlag(f, &o.kind)
	dbFlag(f, &o.db)
	runs := completeRuns(&o.db)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return runs(cmd, nil, word)
	}
	completeWords(cmd, "what", drawingNames(drawings())...)
	completeWords(cmd, "format", "png", "svg", "gif", "apng")
	return cmd
}

// formats says how stills and what moves are written.
type formats struct{ still, moving string }

// parseFormats takes one of png and svg and one of gif and apng; what is not
// named keeps its default.
func parseFormats(words []string) (formats, error) {
	f := formats{"png", "gif"}
	for _, w := range words {
		switch w {
		case "png", "svg":
			f.still = w
		case "gif", "apng":
			f.moving = w
		default:
			return f, fmt.Errorf("format %q; allowed: png, svg, gif, apng", w)
		}
	}
	return f, nil
}

func runInspect(cmd *cobra.Command, refs []string, o inspectFlags) error {
	f, err := parseFormats(o.formats)
	if err != nil {
		return err
	}
	chosen, err := chooseDrawings(o.what, len(refs) > 1)
	if err != nil {
		return err
	}
	if len(o.images) == 0 {
		return fmt.Errorf("no image; allowed: an index in the test split, a PNG, a JPEG")
	}
	page := strings.EqualFold(filepath.Ext(o.out), ".html")
	if page {
		if err := save.Check(o.out); err != nil {
			return err
		}
	}
	var found []stored
	for _, ref := range refs {
		s, err := findStored(cmd.Context(), o.db, ref)
		if err != nil {
			return err
		}
		defer s.close()
		found = append(found, s)
	}
	b, _, err := openBackend(cmd, o.kind)
	if err != nil {
		return err
	}
	defer b.Finalize()
	in := &inspection{cmd: cmd, data: o.data, asked: len(o.what) > 0}
	defer in.close()
	for _, s := range found {
		if err := in.add(s, b); err != nil {
			return err
		}
	}
	if err := in.oneDataset(); err != nil {
		return err
	}
	if err := in.choose(chosen); err != nil {
		return err
	}
	if err := in.pick(o.images); err != nil {
		return err
	}
	if err := in.draw(); err != nil {
		return err
	}
	if o.out == "" {
		o.out = "inspect-" + folderName(in.runs[0].info)
	}
	if page {
		return in.writePage(o.out)
	}
	return in.writeFolder(o.out, f)
}

// folderName is that of a run's own pictures: runs may share their name, and not
// their ID.
func folderName(info tracker.RunInfo) string { return fileName(info.Name) + "-" + info.ID }

// fileName makes a name one that every file system takes.
func fileName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '-'
	}, name)
	return strings.Trim(clean, ".")
}

// chooseDrawings finds pictures by name; without names all, or, of several
// runs, the one that shows them side by side.
func chooseDrawings(names []string, several bool) ([]drawing, error) {
	all := drawings()
	if len(names) == 0 {
		if several {
			names = []string{"views"}
		} else {
			return all, nil
		}
	}
	var out []drawing
	for _, name := range names {
		i := slices.IndexFunc(all, func(d drawing) bool { return d.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no picture %q; allowed: %s", name, strings.Join(drawingNames(all), ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

func drawingNames(list []drawing) []string {
	var names []string
	for _, d := range list {
		names = append(names, d.name)
	}
	return names
}
