package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/tracker"
	"patchlab/tracker/exchange"
)

func newRunsShowCommand(reading runsWrapper) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "show RUN",
		Short:   "Show everything about a run",
		Example: "  patchlab runs show latest\n  patchlab runs show --format json 01JD8ZK3T5",
		Args:    cobra.ExactArgs(1),
		RunE: reading(func(ctx context.Context, db *tracker.DB, args []string, out io.Writer) error {
			info, err := db.FindAny(ctx, args[0])
			if err != nil {
				return err
			}
			switch format {
			case "json":
				return showJSON(ctx, out, db, info)
			case "text":
				return showRun(ctx, out, db, info)
			}
			return fmt.Errorf("unknown format %q: text and json are known", format)
		}),
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

func showJSON(ctx context.Context, out io.Writer, db *tracker.DB, r tracker.RunInfo) error {
	var lines, indented bytes.Buffer
	if err := exchange.WriteJSON(ctx, &lines, db, []tracker.RunInfo{r}); err != nil {
		return err
	}
	if err := json.Indent(&indented, lines.Bytes(), "", "  "); err != nil {
		return fmt.Errorf("writing run %s as JSON: %w", r.ID, err)
	}
	_, err := indented.WriteTo(out)
	return err
}

func showRun(ctx context.Context, out io.Writer, db *tracker.DB, r tracker.RunInfo) error {
	var b strings.Builder
	width := lineWidth(out)
	section := func(title string) { fmt.Fprintf(&b, "\n%s\n", title) }
	line := func(key, value string) {
		fmt.Fprintf(&b, "  %-24s %s\n", cut(oneLine(key), 24), cut(oneLine(value), width-27))
	}
	fmt.Fprintf(&b, "%s\n", oneLine(r.Name))
	line("id", r.ID)
	line("experiment", r.Experiment)
	status := r.Status.String()
	if r.Deleted {
		status += ", DELETED (`patchlab runs restore` brings it back)"
	}
	line("status", status)
	if r.Damage != "" {
		fmt.Fprintf(&b, "  %-24s %s\n", "damage", oneLine(r.Damage))
	}
	line("started", r.Start.Local().Format("2006-01-02 15:04:05"))
	line("took", took(r))
	for _, extra := range [][2]string{{"parent", r.Parent}, {"digest", r.Digest}} {
		if extra[1] != "" {
			line(extra[0], extra[1])
		}
	}
	for _, part := range []struct {
		title  string
		fields map[string]string
	}{{"parameters", r.Params}, {"tags", r.Tags}, {"environment", r.Environment}} {
		if len(part.fields) > 0 {
			section(part.title)
			for _, key := range sorted(part.fields) {
				line(key, part.fields[key])
			}
		}
	}
	if len(r.Metrics) > 0 {
		section(fmt.Sprintf("%-24s   %12s %9s %12s %12s", "metrics", "latest", "step", "min", "max"))
		for _, key := range sorted(r.Metrics) {
			m := r.Metrics[key]
			fmt.Fprintf(&b, "  %-24s %12.6g %9d %12.6g %12.6g\n", cut(oneLine(key), 24), m.Value, m.Step, m.Min, m.Max)
		}
	}
	for i, input := range r.Inputs {
		if i == 0 {
			section("inputs")
		}
		line(input.Name+" "+input.Context, input.Digest)
	}
	artifacts, err := db.Artifacts(ctx, r.ID)
	if err != nil {
		section("artifacts")
		fmt.Fprintf(&b, "  %s\n", oneLine(err.Error()))
	}
	for i, a := range artifacts {
		if i == 0 {
			section("artifacts")
		}
		line(a.Name, fmt.Sprintf("%10d bytes  sha256 %s…", a.Size, a.SHA256[:12]))
	}
	if r.Note != "" {
		section("note")
		for text := range strings.Lines(r.Note) {
			fmt.Fprintf(&b, "  %s\n", oneLine(strings.TrimRight(text, "\r\n")))
		}
	}
	_, wrong := io.WriteString(out, b.String())
	return errors.Join(err, wrong)
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
