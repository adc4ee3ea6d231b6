package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/kernel/notebook"
	"patchlab/kernel/runner"
)

func newNotebookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notebook",
		Short: "Run, check and export notebooks without a browser",
		Long: `Run, check and export notebooks without a browser.

Any installed Jupyter kernel can run, not only Patchlab's Go; the notebook names
its own. Notebooks are read and written without loss.`,
		Example: `  patchlab notebook run 02-mixer.ipynb -o out.ipynb -p epochs=3
  patchlab notebook check 02-mixer.ipynb
  patchlab notebook export out.ipynb --to html`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newNotebookRunCommand(), newNotebookCheckCommand(), newNotebookExportCommand())
	return cmd
}

// kernelOf finds the kernel that a notebook is to run on: the one that the user
// names, else the one that it names, else its language's usual one.
func kernelOf(n *notebook.Notebook, name string) (runner.Spec, error) {
	if name == "" {
		name = n.Kernel()
	}
	if name == "" {
		switch n.Language() {
		case "go":
			name = "patchlab"
		case "python":
			name = "python3"
		default:
			return runner.Spec{}, fmt.Errorf("the notebook names no kernel; name one with --kernel-name")
		}
	}
	return runner.Find(name)
}

// completeNotebooks offers notebook files to the shell.
func completeNotebooks(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"ipynb"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeKernels offers the installed kernels to the shell.
func completeKernels(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	specs, err := runner.List()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, s := range specs {
		names = append(names, s.Name+"\t"+s.DisplayName)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// colourful says whether colours may be written to w: a terminal that has them,
// and nobody asked for none (https://no-color.org).
func colourful(w any) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// shellWord quotes a word for a POSIX shell where it needs that.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:,+@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
