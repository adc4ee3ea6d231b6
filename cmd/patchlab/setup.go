package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/kernel/spec"
)

func newSetupCommand() *cobra.Command {
	s := &setup{}
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Install XLA's plugin and download CIFAR-10",
		Long: `Install XLA's plugin and download CIFAR-10, both into your cache folder, and say
what was done.

Only a plugin with a known SHA-256 is installed: on Linux with x86-64 that of a
pip package, elsewhere the release whose hash ` + backend.PluginSHA256Env + `
names.

What is there already is left as it is. What can't be reached is left out:
Patchlab then computes in pure Go, and learns from its built-in shapes.`,
		Example: `  patchlab setup
  patchlab setup --no-data              only what computes
  patchlab setup --kernel               and the Jupyter kernel, for this user
  PATCHLAB_OFFLINE=1 patchlab setup     look, but download nothing`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	s.data.add(cmd.Flags())
	cmd.Flags().BoolVar(&s.noData, "no-data", false, "leave the data alone")
	cmd.Flags().BoolVar(&s.kernel, "kernel", false, "install the Jupyter kernel too, as \"kernel install\" does")
	return cmd
}

// setup is one call of the command.
type setup struct {
	data   dataFlags
	noData bool
	kernel bool
}

func (s *setup) run(cmd *cobra.Command) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	setupXLA(ctx, out, cmd.ErrOrStderr())
	if err := ctx.Err(); err != nil {
		return err
	}
	if gpu := checkGPU(ctx, backend.Describe()); gpu.Mend != "" {
		fmt.Fprintf(out, "GPU: %s. Several gigabytes, so yours to decide: %s\n", gpu.Detail, gpu.Mend)
	}
	if !s.noData {
		if err := s.setupData(cmd); err != nil {
			return err
		}
	}
	if s.kernel {
		kernels, err := spec.User()
		if err != nil {
			return err
		}
		if err := installKernel(ctx, out, cmd.ErrOrStderr(), kernels, ""); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "Next: %s quickstart\n", self())
	return nil
}

// setupXLA installs the CPU plugin where it is missing. Without it Patchlab still computes, so nothing here is an
// error.
func setupXLA(ctx context.Context, out, log io.Writer) {
	did := "was there already"
	info, err := backend.Installed(ctx, backend.XLA)
	if errors.Is(err, backend.ErrNoXLA) {
		fmt.Fprintln(out, "XLA: this build of Patchlab is without it; the pure-Go backend computes.")
		return
	}
	if err != nil {
		b, found, openErr := backend.Open(ctx, backend.XLA, log)
		if openErr != nil {
			fmt.Fprintf(out, "XLA: not installed (%v). The pure-Go backend computes, several times slower.\n", openErr)
			return
		}
		b.Finalize()
		info, did = found, "installed"
	}
	fmt.Fprintf(out, "XLA: %s, PJRT API %s, %s\n", did, info.PluginVersion, info.Plugin)
}

// setupData downloads CIFAR-10 where it is missing. A network that does not reach it is no error; a damaged file is.
func (s *setup) setupData(cmd *cobra.Command) error {
	did := "was there already"
	d, err := datasets.Load(cmd.Context(), "cifar10", datasets.Options{Dir: s.data.dir, Offline: true})
	var damaged *datasets.FormatError
	if errors.As(err, &damaged) && s.data.dir == "" && !backend.Offline() {
		// Only a folder of our own cache gets here: take it away and fetch it again.
		fmt.Fprintf(cmd.OutOrStdout(), "CIFAR-10: the cache is damaged (%v); it is fetched again.\n", err)
		if err := os.RemoveAll(filepath.Dir(damaged.File)); err != nil {
			return fmt.Errorf("removing the damaged cache: %w", err)
		}
		err = datasets.ErrUnavailable
	}
	if errors.Is(err, datasets.ErrUnavailable) && s.data.dir == "" && !backend.Offline() {
		did = "downloaded"
		bar := newDownloadBar(cmd.ErrOrStderr(), "cifar10")
		d, err = datasets.Load(cmd.Context(), "cifar10", datasets.Options{Progress: bar.progress})
		bar.finish()
	}
	switch {
	case errors.Is(err, datasets.ErrUnavailable):
		fmt.Fprintf(cmd.OutOrStdout(), "CIFAR-10: not here (%v).\n", err)
		return nil
	case err != nil:
		return fmt.Errorf("setting up CIFAR-10: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "CIFAR-10: %s, %d + %d images, %s\n", did, d.Train.Len(), d.Test.Len(), d.Source)
	return nil
}
