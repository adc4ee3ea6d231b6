package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"patchlab/compare/rerun"
	"patchlab/kernel/cell/record"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/check"
	"patchlab/kernel/runner"
	"patchlab/tracker"
)

// rerunNotebook executes the notebook of a run again, where the run is a notebook's, and says whether metrics and
// outputs are the same; done is false where it is none.
func (o *trainOptions) rerunNotebook(cmd *cobra.Command, ref string, tolerance float64) (done bool, err error) {
	db, old, err := readRun(cmd.Context(), o.db, ref)
	if err != nil {
		return false, err
	}
	isNotebook := old.Tags[record.TagKind] == record.KindNotebook
	var before *notebook.Notebook
	if isNotebook {
		before, err = executedCells(cmd.Context(), db, old)
	}
	if err := errors.Join(err, db.Close()); err != nil || !isNotebook {
		return isNotebook, err
	}
	if old.Status != tracker.Finished {
		return true, fmt.Errorf("run %s is %s; only a finished run can be rerun", old.Name, old.Status)
	}
	after, ran, err := o.execute(cmd, old, before)
	if err != nil {
		return true, err
	}
	differences, err := check.Compare(before, after, check.Options{})
	if err != nil {
		return true, err
	}
	showDifferences(cmd.OutOrStdout(), differences, colourful(cmd.OutOrStdout()))
	outputs := fmt.Sprintf("the outputs of %d cells are the same", ran)
	if len(differences) > 0 {
		outputs = fmt.Sprintf("the outputs of %d of %d cells differ", len(differences), ran)
	}
	verdict, err := notebookVerdict(cmd.Context(), o.db, old.ID, outputs, tolerance)
	if err != nil {
		return true, err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", old.Name, verdict.Sentence)
	return true, nil
}

func executedCells(ctx context.Context, db *tracker.DB, info tracker.RunInfo) (*notebook.Notebook, error) {
	r, err := db.OpenArtifact(ctx, info.ID, record.Artifact)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", info.Name, err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", info.Name, err)
	}
	return notebook.Parse(text)
}

// execute executes the cells that a run has, in the folder that it was in, as far as that is there. Its kernel records
// into the same file.
func (o *trainOptions) execute(cmd *cobra.Command, old tracker.RunInfo, before *notebook.Notebook) (after *notebook.Notebook, ran int, err error) {
	kernel, err := kernelOf(before, "")
	if err != nil {
		return nil, 0, err
	}
	database, err := filepath.Abs(o.db)
	if err != nil {
		return nil, 0, err
	}
	folder := old.Environment[envFolder]
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		fmt.Fprintf(cmd.ErrOrStderr(), "The run's folder %s is not here; the cells are executed in this one.\n", folder)
		folder = "."
	}
	progress := newCellProgress(cmd.ErrOrStderr())
	after = before.Clone()
	err = runner.Run(cmd.Context(), after, runner.Options{
		Kernel: kernel, Progress: progress.tell,
		Start: runner.StartOptions{
			Dir: folder, Timeout: time.Minute,
			Env: []string{envDB + "=" + database, envRerunOf + "=" + old.ID, sessionName + "=" + old.Tags[record.TagFile]},
		},
	})
	progress.close()
	if err != nil {
		showTrace(cmd, err)
	}
	return after, progress.ran, err
}

// notebookVerdict sets the metrics of a run and of its latest rerun side by side and tags both with what that gives.
func notebookVerdict(ctx context.Context, path, oldID, outputs string, tolerance float64) (v rerun.Verdict, err error) {
	db, err := tracker.Open(path)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	old, err := db.Find(ctx, oldID)
	if err != nil {
		return v, err
	}
	again, err := db.Runs(ctx, tracker.Query{Filter: fmt.Sprintf("tags.`%s` = '%s'", record.TagRerun, oldID), Limit: 1})
	if err != nil {
		return v, err
	}
	if len(again) == 0 {
		return v, fmt.Errorf("the cells of run %s were executed again, but began no run: they may have asked for it in a cell that is not among them", old.Name)
	}
	if v, err = rerun.Judge(ctx, db, old, again[0], tolerance); err != nil {
		return v, err
	}
	v.Sentence += "; " + outputs
	return v, v.Store(ctx, db, oldID, again[0].ID)
}
