package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/backend"
	"patchlab/kernel/assist"
	"patchlab/kernel/child"
	"patchlab/kernel/spec"
)

func newKernelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kernel",
		Short: "Install the Jupyter kernel that runs Go in notebooks",
		Long: `Install the Jupyter kernel that runs Go in notebooks.

Its cells import this module's packages from any folder, complete names while
another cell runs, and show the value of their last expression.`,
		Example: `  patchlab kernel install                 for the user who runs it
  patchlab kernel install --sys-prefix    into the active Python environment
  patchlab kernel warm                    compile what cells import, once
  patchlab kernel list                    where it is, and whether it works`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKernelInstallCommand(), newKernelUninstallCommand(), newKernelListCommand(), newKernelWarmCommand(), newKernelRunCommand())
	return cmd
}

// kernelPlace are the flags that say where a kernelspec lies.
type kernelPlace struct {
	flags           *pflag.FlagSet
	user, sysPrefix bool
	prefix          string
}

func (p *kernelPlace) add(cmd *cobra.Command) {
	p.flags = cmd.Flags()
	f := p.flags
	f.BoolVar(&p.user, "user", false, "where Jupyter looks for this user's kernels (the default)")
	f.BoolVar(&p.sysPrefix, "sys-prefix", false, "in the Python environment whose python3 is first on PATH")
	f.StringVar(&p.prefix, "prefix", "", "below this folder, such as an environment's or /usr/local")
	cmd.MarkFlagsMutuallyExclusive("user", "sys-prefix", "prefix")
}

func (p *kernelPlace) kernels(ctx context.Context) (string, error) {
	switch {
	case p.sysPrefix:
		return spec.SysPrefix(ctx)
	case p.flags.Changed("prefix") && p.prefix == "": // a shell variable that is not set
		return "", errors.New("--prefix is empty: name the folder below which the kernel is to lie")
	case p.prefix != "":
		return spec.Prefix(p.prefix)
	}
	return spec.User()
}

func newKernelInstallCommand() *cobra.Command {
	place, module, toolsOnly := &kernelPlace{}, "", false
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Make the kernel known to Jupyter",
		Long: `Make the kernel known to Jupyter.

The programs behind it (gonb, gopls, goimports) are built from pinned sources
into your cache folder; Go fetches those sources once. Installing again changes
only what has changed.`,
		Example: `  patchlab kernel install
  patchlab kernel install --sys-prefix
  patchlab kernel install --prefix ~/jupyter
  patchlab kernel install --module ~/src/mine   whose packages notebooks import`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if toolsOnly {
				folder, _, err := spec.BuildTools(cmd.Context(), cmd.ErrOrStderr())
				if err == nil {
					fmt.Fprintln(cmd.OutOrStdout(), folder)
				}
				return err
			}
			kernels, err := place.kernels(cmd.Context())
			if err != nil {
				return err
			}
			return installKernel(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), kernels, module)
		},
	}
	place.add(cmd)
	cmd.Flags().StringVar(&module, "module", "", "the folder of the module whose packages notebooks import (default: the one around the current folder)")
	cmd.Flags().BoolVar(&toolsOnly, "tools-only", false, "build the programs behind the kernel, and no more")
	return cmd
}

// installKernel builds what the kernel runs and writes its kernelspec into a folder of kernelspecs.
func installKernel(ctx context.Context, out, log io.Writer, kernels, module string) error {
	root, err := kernelModule(module)
	if err != nil {
		return err
	}
	goProgram, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("looking for go, which builds the cells: %w", err)
	}
	if goProgram, err = filepath.Abs(goProgram); err != nil {
		return err
	}
	tools, err := spec.ToolsFolder()
	if err != nil {
		return err
	}
	if !spec.ToolsBuilt(tools) {
		fmt.Fprintln(log, "building gonb, gopls and goimports (a minute, once)")
	}
	if tools, _, err = spec.BuildTools(ctx, log); err != nil {
		return err
	}
	exe, err := spec.KeepExecutable()
	if err != nil {
		return err
	}
	s := spec.Spec{Executable: exe, Tools: tools, Go: filepath.Dir(goProgram), Module: root, Env: kernelEnv(ctx)}
	if cache, err := os.UserCacheDir(); err == nil {
		s.History = filepath.Join(cache, "patchlab", "kernel", "history.jsonl")
	}
	folder, changed, err := spec.Install(kernels, s)
	if err != nil {
		return err
	}
	did := "was there already"
	if changed {
		did = "installed"
	}
	fmt.Fprintf(out, "%s: %s, %s\n", spec.DisplayName, did, folder)
	if root == "" {
		fmt.Fprintln(out, "No Go module is around this folder; cells fetch what they import. Name one with --module.")
	} else {
		fmt.Fprintf(out, "Notebooks import the packages of the module in %s.\n", root)
		if w := (spec.Warming{Module: root, Flags: child.GoFlags()}); !w.Warmed() {
			fmt.Fprintf(out, "Next: %s kernel warm (minutes, once; else the first start does it in the background)\n", self())
		}
	}
	return nil
}

// kernelModule returns the folder of the module that notebooks import: the one that was named, or the one around the
// current folder, or none.
func kernelModule(named string) (string, error) {
	if named != "" {
		abs, err := filepath.Abs(named)
		if err != nil {
			return "", err
		}
		if root, _ := spec.Module(abs); root == abs {
			return root, nil
		}
		return "", fmt.Errorf("--module %s: there is no go.mod in it", named)
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	root, _ := spec.Module(wd)
	return root, nil
}

// kernelEnv is the environment in which cells find XLA's plugin, where it is installed.
func kernelEnv(ctx context.Context) map[string]string {
	info, err := backend.Installed(ctx, backend.XLA)
	if err != nil || info.Plugin == "" {
		return nil
	}
	return map[string]string{
		"PJRT_PLUGIN_LIBRARY_PATH": filepath.Dir(info.Plugin), "GOMLX_BACKEND": "xla:cpu", "GOMLX_NO_AUTO_INSTALL": "1",
	}
}

func newKernelUninstallCommand() *cobra.Command {
	place := &kernelPlace{}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Make Jupyter forget the kernel",
		Long: `Make Jupyter forget the kernel.

The programs behind it stay in your cache folder.`,
		Example: `  patchlab kernel uninstall
  patchlab kernel uninstall --sys-prefix`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			kernels, err := place.kernels(cmd.Context())
			if err != nil {
				return err
			}
			folder, removed, err := spec.Uninstall(kernels)
			if err != nil {
				return err
			}
			did := "was not there"
			if removed {
				did = "removed"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s\n", spec.DisplayName, did, folder)
			return nil
		},
	}
	place.add(cmd)
	return cmd
}

func newKernelListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show where the kernel is installed, and whether it works",
		Example: `  patchlab kernel list
  patchlab kernel list --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := spec.Find(spec.Places(cmd.Context()))
			if asJSON {
				type row struct {
					Folder   string    `json:"folder"`
					Spec     spec.Spec `json:"spec"`
					Problems []string  `json:"problems"`
				}
				rows := []row{}
				for _, i := range found {
					rows = append(rows, row{i.Folder, i.Spec, append([]string{}, i.Problems...)})
				}
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(rows)
			}
			if len(found) == 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "The kernel is not installed. Next: %s kernel install\n", self())
			}
			for _, i := range found {
				state := "ok"
				if len(i.Problems) > 0 {
					state = strings.Join(i.Problems, "; ")
				}
				module := i.Spec.Module
				if module == "" {
					module = "none"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n  module   %s\n  tools    %s\n  program  %s\n  state    %s\n", i.Folder, module, i.Spec.Tools, i.Spec.Executable, state)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// warmAssistant has the language server of the kernel read the module once; it keeps what it has learned in a cache of
// its own.
func warmAssistant(cmd *cobra.Command, module string) error {
	tools, err := spec.ToolsFolder()
	if err != nil || !spec.ToolsBuilt(tools) {
		return err // "kernel install" has not been run yet
	}
	folder, err := os.MkdirTemp("", "patchlab-warm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	assistant := assist.New(assist.Options{Tools: tools, Module: module, Folder: folder})
	defer assistant.Close()
	if err := assistant.Warm(cmd.Context()); err != nil {
		return fmt.Errorf("warming the language server: %w", err)
	}
	fmt.Fprintln(cmd.OutOrStdout(), "The language server has read the module.")
	return nil
}

func newKernelWarmCommand() *cobra.Command {
	var module string
	cmd := &cobra.Command{
		Use:   "warm",
		Short: "Compile what cells import, so that the first ones need not",
		Example: `  patchlab kernel warm
  patchlab kernel warm --module ~/src/mine`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := kernelModule(module)
			if err != nil {
				return err
			}
			if root == "" {
				return errors.New("no Go module is around this folder; name one with --module")
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "compiling the packages of %s and what they import\n", root)
			if err := (spec.Warming{Module: root, Flags: child.GoFlags(), Progress: cmd.ErrOrStderr()}).Warm(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "Go's build cache holds what cells import.")
			return warmAssistant(cmd, root)
		},
	}
	cmd.Flags().StringVar(&module, "module", "", "the folder of the module (default: the one around the current folder)")
	return cmd
}
