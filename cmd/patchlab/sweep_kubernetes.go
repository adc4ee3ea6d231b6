package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
)

// kubernetesConfig is what manifests need, besides what trials ask of any cluster.
type kubernetesConfig struct {
	Image string `json:"image"`
	Claim string `json:"claim"`
	Mount string `json:"mount"`
}

func (c *kubernetesConfig) add(f *pflag.FlagSet) {
	f.StringVar(&c.Image, "image", "", "Kubernetes: the container `image`, which has patchlab")
	f.StringVar(&c.Claim, "claim", "", "Kubernetes: the PersistentVolumeClaim (ReadWriteMany) that holds the sweep's folder")
	f.StringVar(&c.Mount, "mount", "", "Kubernetes: the `folder` at which this machine and the pods mount it (default: the current one)")
}

// quantity is an amount of memory as Kubernetes writes it.
var quantity = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)?$`)

// complete checks what a manifest needs.
func (c *kubernetesConfig) complete(f *sweepFolder) error {
	if c.Image == "" || c.Claim == "" {
		return errors.New("a manifest needs --image, a container with patchlab, and --claim, a volume with the sweep's folder")
	}
	var err error
	if c.Mount == "" {
		c.Mount = filepath.Dir(f.dir)
	}
	if c.Mount, err = filepath.Abs(c.Mount); err != nil {
		return err
	}
	if in, err := filepath.Rel(c.Mount, f.dir); err != nil || strings.HasPrefix(in, "..") {
		return fmt.Errorf("--mount %s; it must hold the sweep's folder, %s, since the pods find it there", c.Mount, f.dir)
	}
	if f.Cluster.Memory == "" {
		f.Cluster.Memory = "4Gi"
	}
	if !quantity.MatchString(f.Cluster.Memory) {
		return fmt.Errorf("--memory %s; Kubernetes writes it such as 4Gi", f.Cluster.Memory)
	}
	return nil
}

// render merges what there is and writes the manifest of a sweep's next round.
func (f *sweepFolder) render(cmd *cobra.Command, plan *sweep.Plan, retryFailed bool) error {
	out := cmd.OutOrStdout()
	if err := os.MkdirAll(f.path(sweepJobs), 0o755); err != nil {
		return err
	}
	if missing, err := f.undone(); err != nil {
		return err
	} else if len(missing) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "The last round waits for %s: see that its Jobs are gone before you\napply another, with: kubectl delete -f %s\n",
			counted(len(missing), "trial"), f.path("job.yaml"))
	}
	if err := f.merge(cmd.Context(), out); err != nil {
		return err
	}
	runs, err := newSweepResults(f).read(cmd.Context(), f.DB)
	if err != nil {
		return err
	}
	r, trials, _, err := f.nextRound(plan, runs, true, retryFailed, 1<<16)
	if err != nil {
		return err
	}
	if _, err := f.know(cmd, trials); err != nil {
		return err
	}
	if err := f.save(); err != nil {
		return err
	}
	if len(r.Tasks) == 0 {
		printBest(out, f, trials, nil, runs)
		return nil
	}
	if err := f.saveRound(r); err != nil {
		return err
	}
	manifest, err := f.manifest(r)
	if err != nil {
		return errors.Join(err, os.Remove(f.roundPath(r.Number)))
	}
	path := f.path("job.yaml")
	if err := renameio.WriteFile(path, manifest, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "Round %d, %s; begin with: kubectl apply -f %s\nWhen its merge Job has ended, \"%s sweep resume %s\" renders what is left.\n",
		r.Number, counted(len(r.Tasks), "trial"), path, self(), f.ref())
	return nil
}

// manifest is that of a round.
func (f *sweepFolder) manifest(r sweepRound) ([]byte, error) {
	text := launch.KubernetesTemplate
	if f.Cluster.Template != "" {
		b, err := os.ReadFile(f.Cluster.Template)
		if err != nil {
			return nil, err
		}
		text = string(b)
	}
	program := f.Cluster.Program
	j := launch.KubernetesJob{
		Name: f.Spec.Name, Job: dnsLabel(fmt.Sprintf("%s-%d", f.Spec.Name, r.Number)), Round: r.Number, Trials: len(r.Tasks), Parallel: f.Cluster.Parallel,
		Grace: f.Cluster.Grace, Cores: f.Cluster.Cores, Memory: f.Cluster.Memory, GPUs: f.Cluster.GPUs,
		Image: f.Kubernetes.Image, Claim: f.Kubernetes.Claim, Mount: f.Kubernetes.Mount,
		Command:      launch.List(program, "sweep", "task", f.dir, "--round", strconv.Itoa(r.Number), "--index", "$(JOB_COMPLETION_INDEX)"),
		MergeCommand: launch.List(program, "sweep", "merge", f.dir, "--wait"),
	}
	if j.Parallel == 0 {
		j.Parallel = j.Trials
	}
	return j.Manifest(text)
}

var notLabel = regexp.MustCompile(`[^a-z0-9-]+`)

// dnsLabel is a name as Kubernetes allows it, short enough for "-merge" and the
// index of a pod.
func dnsLabel(name string) string {
	label := strings.Trim(notLabel.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if len(label) > 50 {
		label = strings.Trim(label[len(label)-50:], "-")
	}
	return label
}

// newSweepMergeCommand merges the results of a cluster's trials.
func newSweepMergeCommand() *cobra.Command {
	var wait bool
	cmd := ofSweep(&cobra.Command{
		Use:   "merge [SWEEP]",
		Short: "Merge what a cluster's trials recorded into results.db",
		Long: `Merge what a cluster's trials recorded into the sweep's results.db.

On Slurm a job does it after each round. Nothing must write results.db
meanwhile.`,
		Example: "  patchlab sweep merge rates",
	}, func(cmd *cobra.Command, f *sweepFolder) error {
		if f.Launcher == launchLocal {
			return fmt.Errorf("sweep %s runs on this machine, where all trials are recorded in %s: there is nothing to merge", f.Spec.Name, f.DB)
		}
		for wait {
			missing, err := f.undone()
			if err != nil {
				return err
			}
			if len(missing) == 0 {
				break
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: waiting for %s\n", time.Now().Format(time.DateTime), counted(len(missing), "trial"))
			select {
			case <-time.After(10 * time.Second):
			case <-cmd.Context().Done():
				return cmd.Context().Err()
			}
		}
		return f.merge(cmd.Context(), cmd.OutOrStdout())
	})
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until all trials of the last round have ended")
	return cmd
}

// donePath is the file that says that a task of a round has ended.
func (f *sweepFolder) donePath(round, index int) string {
	return f.path(sweepJobs, fmt.Sprintf("round-%04d-%d.done", round, index))
}

// undone are the digests of the last round's trials that have not ended.
func (f *sweepFolder) undone() (digests []string, err error) {
	rounds, err := f.rounds()
	if err != nil || len(rounds) == 0 {
		return nil, err
	}
	last := rounds[len(rounds)-1]
	for i, t := range last.Tasks {
		if _, err := os.Stat(f.donePath(last.Number, i)); errors.Is(err, os.ErrNotExist) {
			digests = append(digests, t.Digest)
		} else if err != nil {
			return nil, err
		}
	}
	return digests, nil
}

// newSweepTemplateCommand prints a cluster's template, to be edited.
func newSweepTemplateCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "template slurm|kubernetes",
		Short:     "Print a cluster's job template, to edit and give by --template",
		Example:   "  patchlab sweep template slurm > mine.sh",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{launchSlurm, launchKubernetes},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := launch.SlurmTemplate
			if args[0] == launchKubernetes {
				text = launch.KubernetesTemplate
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
}
