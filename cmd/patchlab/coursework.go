package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"patchlab/coursework"
)

// envKey stands in for --key.
const envKey = "PATCHLAB_KEY"

func newCourseworkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "coursework",
		Short: "Hand assignments out, hand work in, collect and grade it",
		Long: `Hand assignments out, hand work in, collect and grade it.

A teacher makes an assignment of a notebook and gives its folder to the
students. A student hands in one signed file with the notebook and its runs. The
teacher collects the files, sees who handed in what another did, and has a
sample of the results computed again. The course's folder is laid out as
nbgrader's, which can grade the notebooks' cells beside this.`,
		Example: `  patchlab coursework new vision \
      --notebook notebooks/answers/02-vit/02-vit.ipynb
  patchlab coursework submit --student ada            the student, in the folder
  patchlab coursework collect downloads/ --course vision
  patchlab coursework grade 02-vit --course vision`,
		Args: knownSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCourseworkNewCommand(), newCourseworkKeyCommand(), newCourseworkSubmitCommand(),
		newCourseworkCollectCommand(), newCourseworkGradeCommand())
	return cmd
}

func newCourseworkNewCommand() *cobra.Command {
	var notebooks, claims []string
	var change coursework.Assignment
	cmd := &cobra.Command{
		Use:   "new DIR --notebook FILE…",
		Short: "Make assignments of notebooks, in a course's folder",
		Long: `Make an assignment of each notebook, in a course's folder, which is made too
where there is none. An assignment that is there already is never changed.

  DIR/source/NAME     the notebook with its answers
  DIR/release/NAME    what students get: answers and outputs removed by
                      nbgrader's conventions, a README, and assignment.json,
                      which says what is asked for and checked
  DIR/roster.csv      a line a student: the name, and the key once it is known`,
		Example: `  patchlab coursework new vision \
      --notebook notebooks/answers/02-vit/02-vit.ipynb
  patchlab coursework new vision --notebook hybrids.ipynb --runs 3 --sample 2`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f := cmd.Flags()
			if len(notebooks) > 1 && (f.Changed("name") || f.Changed("experiment")) {
				return errors.New("--name and --experiment are those of one notebook; make several assignments by several calls")
			}
			var drafts []*coursework.Draft
			for _, file := range notebooks { // all that may be wrong, before anything is written
				a := coursework.NewAssignment(file)
				for flag, set := range map[string]func(){
					"name":       func() { a.Name = change.Name },
					"experiment": func() { a.Experiment = change.Experiment },
					"runs":       func() { a.Runs = change.Runs },
					"sample":     func() { a.Sample = change.Sample },
					"tolerance":  func() { a.Tolerance = change.Tolerance },
					"claim":      func() { a.Claims = claims },
				} {
					if f.Changed(flag) {
						set()
					}
				}
				d, err := coursework.NewDraft(file, a)
				if err != nil {
					return err
				}
				drafts = append(drafts, d)
			}
			course, err := coursework.Create(args[0], drafts...)
			if err != nil {
				return err
			}
			for i, d := range drafts {
				name, done := d.Assignment.Name, d.Released
				fmt.Fprintf(cmd.OutOrStdout(), "%s: answers removed from %d cells, hidden tests from %d; hand out %s\n",
					name, done.Solutions, done.Hidden, course.ReleaseDir(name))
				if done.Solutions == 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: no cell is marked as a solution, so students get every cell as it is.\n", notebooks[i])
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&notebooks, "notebook", nil, "the notebook's `file`, repeatable")
	f.StringVar(&change.Name, "name", "", "the assignment's name (default: the notebook's)")
	f.StringVar(&change.Experiment, "experiment", "", "whose runs are handed in (default: the notebook's name)")
	f.IntVar(&change.Runs, "runs", 1, "how many finished runs are asked for at least")
	f.StringArrayVar(&claims, "claim", []string{"test_accuracy", "test_loss"}, "a `metric` that counts as a result, repeatable")
	f.IntVar(&change.Sample, "sample", 1, "how many of a student's runs grading trains again")
	f.Float64Var(&change.Tolerance, "tolerance", .01, "largest difference of an epoch's loss or accuracy (a fraction) that passes")
	cmd.MarkFlagRequired("notebook")
	cmd.RegisterFlagCompletionFunc("notebook", completeNotebooks)
	return cmd
}

// keyFlags say who a student is.
type keyFlags struct{ path, student string }

func (k *keyFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&k.path, "key", os.Getenv(envKey), "the key's `file` ($"+envKey+"; default: in your configuration folder)")
	f.StringVar(&k.student, "student", "", "your `login`, as your teacher knows it; needed the first time only")
}

// find reads the key, or makes it and says so.
func (k *keyFlags) find(cmd *cobra.Command) (key *coursework.Key, err error) {
	if k.path == "" {
		if k.path, err = coursework.DefaultKeyPath(); err != nil {
			return nil, err
		}
	}
	key, made, err := coursework.FindKey(k.path, k.student)
	if made && err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "Made your key in %s. Keep it: it shows that your work is yours.\nIts public half, for your teacher: %s\n", k.path, key.Public())
	}
	return key, err
}

func newCourseworkKeyCommand() *cobra.Command {
	k := &keyFlags{}
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Show your public key, and make the key where there is none",
		Long: `Show your public key as a line of the teacher's roster.csv, and make the key
where there is none. The private half lies in a file that you alone can read;
whoever has it can hand in under your name.`,
		Example: `  patchlab coursework key --student ada
  patchlab coursework key >> roster.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := k.find(cmd)
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s,%s\n", key.Student, key.Public())
			}
			return err
		},
	}
	k.add(cmd)
	return cmd
}

func newCourseworkSubmitCommand() *cobra.Command {
	k := &keyFlags{}
	w := coursework.Work{}
	cmd := &cobra.Command{
		Use:   "submit [DIR]",
		Short: "Pack your notebook and its runs into one signed file",
		Long: `Pack your notebook and its runs into one signed file, to send to your teacher.
DIR is the assignment's folder (default: this one). The file is read back and
checked before it has its name. The first time, your key is made in your
configuration folder; one that --key names must be there.

Every finished run of the assignment's experiment is handed in, unless --run
names some. A run that is still running is refused; one that failed or was
killed is left out. Handing in again replaces what you handed in before.`,
		Example: `  patchlab coursework submit --student ada      the first time
  patchlab coursework submit
  patchlab coursework submit 02-vit --run "positions" --run 01JD8ZK3`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.Dir = "."
			if len(args) > 0 {
				w.Dir = args[0]
			}
			a, err := coursework.ReadAssignment(w.Dir)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("db") && os.Getenv(envDB) == "" { // where notebooks record
				w.DB = filepath.Join(w.Dir, "patchlab.db")
			}
			if err := w.Check(cmd.Context(), a); err != nil { // before a key is made for nothing
				return err
			}
			if k.path != "" { // a mistyped name must not make somebody else of a student
				if _, err := os.Stat(k.path); errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("there is no key %s: name the file of yours, or make one with: %s coursework key --key %s --student LOGIN", k.path, self(), k.path)
				}
			}
			if w.Key, err = k.find(cmd); err != nil {
				return err
			}
			w.Made = time.Now()
			if w.Output == "" {
				w.Output = w.Key.Student + "-" + a.Name + coursework.Extension
			}
			done, err := coursework.Submit(cmd.Context(), w)
			if err != nil {
				return err
			}
			for _, left := range done.LeftOut {
				fmt.Fprintf(cmd.ErrOrStderr(), "Left out, since it is %s: run %s\n", left.Status, oneLine(left.Name))
			}
			out := cmd.OutOrStdout()
			for _, r := range done.Manifest.Runs {
				fmt.Fprintf(out, "%-30s", cut(oneLine(r.Name), 30))
				for _, claim := range a.Claims {
					fmt.Fprintf(out, "  %s %s", claim, r.Claim(claim))
				}
				fmt.Fprintln(out)
			}
			fmt.Fprintf(out, "%s: %s by %s, %s, %.1f MB, signed with %s\n", w.Output, a.Name, w.Key.Student,
				countRuns(len(done.Manifest.Runs)), float64(done.Size)/1e6, w.Key.Public().Short())
			return nil
		},
	}
	k.add(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&w.Runs, "run", nil, "a `run` to hand in, by ID or name, repeatable")
	f.StringVarP(&w.Output, "output", "o", "", "the `file` to write (default: STUDENT-ASSIGNMENT"+coursework.Extension+" here)")
	dbFlag(f, &w.DB)
	f.Lookup("db").DefValue = "patchlab.db in DIR"
	cmd.RegisterFlagCompletionFunc("run", completeRuns(&w.DB))
	return cmd
}

func countRuns(n int) string {
	if n == 1 {
		return "1 run"
	}
	return fmt.Sprintf("%d runs", n)
}
