package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/export"
	"patchlab/kernel/spec"
	"patchlab/save"
)

func newNotebookExportCommand() *cobra.Command {
	var to, output string
	var options export.Options
	cmd := &cobra.Command{
		Use:   "export FILE --to html|markdown|go",
		Short: "Turn a notebook into a page, a text or a program",
		Long: `Turn a notebook into a page, a text or a program.

html is one file that needs no network: pictures are inlined, formulas are
MathML, code is highlighted, dark or light as the reader's system is. HTML
outputs stay, but their scripts run only with --scripts, and then without
network too. markdown is one file likewise. go is a program with the cells'
declarations and a function for the statements of each cell; it compiles where
the cells do. What cells use without importing it is found in the module of the
notebook's folder, else in that of the installed kernel.

Nothing is run: export what "patchlab notebook run" or Jupyter saved.`,
		Example: `  patchlab notebook export out.ipynb --to html
  patchlab notebook export out.ipynb --to go -o main.go
  patchlab notebook export out.ipynb --to markdown -o -`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeNotebooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return exportNotebook(cmd, args[0], to, output, options)
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "to", "html", "what to make: html, markdown, go")
	f.StringVarP(&output, "output", "o", "", "the `file` to write, - for standard output")
	f.StringVar(&options.Title, "title", "", "the page's title (default: the first heading)")
	f.BoolVar(&options.Scripts, "scripts", false, "keep the scripts of HTML outputs")
	cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions([]string{"html", "markdown", "go"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// inModule does something in the module whose packages a folder's notebooks
// import, which is where Go looks for them.
func inModule(ctx context.Context, folder string, do func() error) (err error) {
	folder, err = filepath.Abs(folder)
	if err != nil {
		return err
	}
	root, _ := spec.Module(folder)
	if root == "" {
		for _, kernel := range spec.Find(spec.Places(ctx)) {
			if root = kernel.Spec.Module; root != "" {
				break
			}
		}
	}
	if root == "" {
		return do()
	}
	back, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return fmt.Errorf("looking for the packages of the module in %s: %w", root, err)
	}
	defer func() { err = errors.Join(err, os.Chdir(back)) }()
	return do()
}

func exportNotebook(cmd *cobra.Command, input, to, output string, o export.Options) error {
	endings := map[string]string{"html": ".html", "markdown": ".md", "go": ".go"}
	if !slices.Contains([]string{"html", "markdown", "go"}, to) {
		return fmt.Errorf("--to %s; allowed: html, markdown, go", to)
	}
	n, err := notebook.Read(input)
	if err != nil {
		return err
	}
	n.Upgrade() // cells are named by their IDs
	o.Dir = filepath.Dir(input)
	var b bytes.Buffer
	switch to {
	case "html":
		err = export.HTML(&b, n, o)
	case "markdown":
		err = export.Markdown(&b, n, o)
	case "go":
		err = inModule(cmd.Context(), o.Dir, func() error { return export.Go(&b, n) })
	}
	if err != nil {
		return fmt.Errorf("exporting %s: %w", input, err)
	}
	if output == "-" {
		_, err := cmd.OutOrStdout().Write(b.Bytes())
		return err
	}
	if output == "" {
		output = strings.TrimSuffix(input, filepath.Ext(input)) + endings[to]
	}
	if err := save.Bytes(output, b.Bytes()); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), output)
	return nil
}
