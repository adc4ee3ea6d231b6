package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/export"
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
the cells do.

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
		err = export.Go(&b, n)
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
	if err := notebook.WriteFile(output, b.Bytes()); err != nil {
		return fmt.Errorf("writing %s: %w", output, err)
	}
	fmt.Fprintln(cmd.OutOrStdout(), output)
	return nil
}
