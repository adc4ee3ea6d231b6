package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
)

func newEvaluateCommand() *cobra.Command {
	var (
		kind   backend.Kind
		data   dataFlags
		db     string
		images string
		split  string
		format string
	)
	cmd := &cobra.Command{
		Use:   "evaluate RUN",
		Short: "Test a run's weights again, class by class",
		Long: `Test a run's weights again, class by class.

RUN is an ID, the beginning of one, a name, or "latest". Every image of the
split is used once. Nothing is written. --data tests it on other images than its
own, of the same classes; weights that were imported have none of their own.`,
		Example: `  patchlab evaluate latest
  patchlab evaluate mixer-4-1 --split validation
  patchlab evaluate mixer-4-1 --format json
  patchlab evaluate vit_tiny --data folder:flowers`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "table" && format != "json" {
				return fmt.Errorf("format %q; allowed: table, json", format)
			}
			if split != "test" && split != "validation" {
				return fmt.Errorf("split %q; allowed: test, validation", split)
			}
			t, err := openTrained(cmd, kind, db, args[0])
			if err != nil {
				return err
			}
			defer t.close()
			if cmd.Flags().Changed("data") {
				name, err := data.folder(images)
				if err != nil {
					return err
				}
				t.recipe.Data = otherData(t.recipe, name)
			} else if t.recipe.Data.Name == "" {
				return fmt.Errorf("run %s was imported and has no images of its own: name some with --data", oneLine(t.info.Name))
			} else {
				data.recorded(cmd, t.info)
			}
			d, err := data.load(cmd, t.recipe.Data)
			if err != nil {
				return err
			}
			if err := sameClasses(t.recipe, d); err != nil {
				if cmd.Flags().Changed("data") && d.Channels == t.recipe.Model.Channels {
					err = fmt.Errorf("%w; \"%s train --init %s --data %s%s\" fits it to them", err, self(), t.info.ID, images, dbHint(db))
				}
				return err
			}
			tested := d.Test
			if split == "validation" {
				_, tested = d.Holdout(t.recipe.Data.Validation)
			}
			e, err := t.network.Evaluate(cmd.Context(), tested, d.Height, d.Width, t.recipe.Batch)
			if err != nil {
				return err
			}
			r := newEvaluationReport(t, d, split, e)
			if format == "json" {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetIndent("", "  ")
				return out.Encode(r)
			}
			return r.write(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&images, "data", "", "cifar10, fashion-mnist, shapes, or folder:`DIR` (default: the run's)")
	f.StringVar(&split, "split", "test", "test or validation")
	f.StringVar(&format, "format", "table", "table or json")
	data.add(f)
	backendFlag(f, &kind)
	dbFlag(f, &db)
	cmd.ValidArgsFunction = completeRuns(&db)
	completeWords(cmd, "data", datasets.Names()...)
	completeWords(cmd, "split", "test", "validation")
	completeWords(cmd, "format", "table", "json")
	return cmd
}

// otherData are images that a network was not trained on, seen as its own are.
func otherData(recipe experiments.Recipe, name string) experiments.Data {
	d := experiments.Data{Name: name, Validation: max(recipe.Data.Validation, .1), Classes: recipe.Data.Classes}
	if !datasets.IsFolder(name) {
		return d
	}
	d.View = recipe.Data.View
	if d.View == nil {
		d.View = &datasets.View{Size: recipe.Model.ImageSize}
	}
	return d
}

// sameClasses refuses images of other classes than a network tells apart. An
// imported one may not know the names of its own.
func sameClasses(recipe experiments.Recipe, d *datasets.Dataset) error {
	if d.Channels != recipe.Model.Channels || len(d.Classes) != recipe.Model.Classes {
		return fmt.Errorf("%s has %d classes and %d channels, the network %d and %d",
			d.Name, len(d.Classes), d.Channels, recipe.Model.Classes, recipe.Model.Channels)
	}
	for i, class := range recipe.Data.Classes {
		if d.Classes[i] != class {
			return fmt.Errorf("class %d of %s is %s, the network's is %s", i, d.Name, oneLine(d.Classes[i]), oneLine(class))
		}
	}
	return nil
}

// evaluationReport is what patchlab evaluate tells; accuracies are fractions.
type evaluationReport struct {
	Run             string        `json:"run"`
	Model           string        `json:"model"`
	Data            string        `json:"data"`
	DataDigest      string        `json:"data_digest"`
	SameData        bool          `json:"same_data"` // as the run was made with
	Known           bool          `json:"-"`         // what it was made with
	Split           string        `json:"split"`
	Images          int           `json:"images"`
	Loss            float64       `json:"loss"`
	Top1            float64       `json:"top1"`
	Top5            float64       `json:"top5"`
	ImagesPerSecond float64       `json:"images_per_s"`
	Classes         []classReport `json:"classes"`
}

type classReport struct {
	Name     string  `json:"name"`
	Images   int     `json:"images"`
	Top1     float64 `json:"top1"`
	Confused string  `json:"confused_with"` // the class that most of its errors named
	Times    int     `json:"times"`
}

func newEvaluationReport(t trained, d *datasets.Dataset, split string, e experiments.Evaluation) evaluationReport {
	r := evaluationReport{
		Run: t.info.ID, Model: t.recipe.Model.ID, Data: d.Name, DataDigest: d.Digest, Split: split,
		Images: e.Images, Loss: e.Loss, Top1: e.Top1, Top5: e.Top5, ImagesPerSecond: e.ImagesPerSecond(),
	}
	r.Known = t.recipe.Epochs > 0 // else it was imported
	for _, in := range t.info.Inputs {
		r.SameData = r.SameData || in.Digest == d.Digest
	}
	confusion := make([][]int, len(d.Classes))
	for i := range confusion {
		confusion[i] = make([]int, len(d.Classes))
	}
	for _, p := range e.Predictions {
		confusion[p.Label][p.Classes[0]]++
	}
	for label, row := range confusion {
		c := classReport{Name: d.Classes[label]}
		for class, n := range row {
			c.Images += n
			if class != label && n > c.Times {
				c.Confused, c.Times = d.Classes[class], n
			}
		}
		if c.Images > 0 {
			c.Top1 = float64(row[label]) / float64(c.Images)
		}
		r.Classes = append(r.Classes, c)
	}
	return r
}

func (r evaluationReport) write(w io.Writer) error {
	fmt.Fprintf(w, "%s on %d %s images of %s:\ntop-1 %.2f %%, top-5 %.2f %%, loss %.4f, %.0f images/s\n",
		r.Model, r.Images, r.Split, r.Data, 100*r.Top1, 100*r.Top5, r.Loss, r.ImagesPerSecond)
	if !r.SameData && r.Known {
		fmt.Fprintln(w, "These are not the images that the run was made with: their digests differ.")
	}
	fmt.Fprintf(w, "\n%-12s %6s  %7s  %s\n", "class", "images", "top-1", "most often taken for")
	for _, c := range r.Classes {
		confused := ""
		if c.Times > 0 {
			confused = fmt.Sprintf("%s (%d)", c.Confused, c.Times)
		}
		if _, err := fmt.Fprintf(w, "%-12s %6d  %5.1f %%  %s\n", c.Name, c.Images, 100*c.Top1, confused); err != nil {
			return err
		}
	}
	return nil
}
