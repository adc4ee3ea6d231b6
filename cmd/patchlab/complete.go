package main

import (
	"github.com/spf13/cobra"

	"patchlab/models"
	"patchlab/tracker"
)

// completeModels offers the named models to the shell.
func completeModels(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	for _, e := range models.Named() {
		ids = append(ids, e.Config.ID+"\t"+e.Summary)
	}
	for _, c := range models.Papers() {
		ids = append(ids, c.ID)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// completeRuns offers the latest runs of a database, by ID with the name beside it.
func completeRuns(db *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		open, err := tracker.Open(*db, tracker.ReadOnly())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer open.Close()
		runs, err := open.Runs(cmd.Context(), tracker.Query{Limit: 50})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words := []string{"latest"}
		for _, r := range runs {
			words = append(words, r.ID+"\t"+r.Name)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeWords offers a flag's few values.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}
