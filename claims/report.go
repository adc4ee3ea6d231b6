package claims

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Book is what a report holds besides the claims.
type Book struct {
	Data    string // name and digest of the images; "" where there are none
	Machine string
	Backend string
	Command string
	Scale   Scale
	// Findings by the claims' names; a claim without one has not been measured.
	Findings map[string]Finding
}

// WriteMarkdown writes the book: a table, then each claim with its criterion,
// values and verdict.
func (k Book) WriteMarkdown(w io.Writer) error {
	var s strings.Builder
	images := "none, since the claims measured need none; seeds"
	if k.Data != "" {
		images = fmt.Sprintf("%s; %d trained on (a tenth of them held out), %d tested on, %d epochs, seeds", k.Data, k.Scale.Images, k.Scale.Tests, k.Scale.Epochs)
	}
	fmt.Fprintf(&s, "# The claims of the course, measured\n\nMade by `%s`: %s, %s.\nImages: %s 1 to %d.\n\n", k.Command, k.Machine, k.Backend, images, k.Scale.Seeds)
	s.WriteString("Each number of a claim must lie in a region. The regions were fixed before the first finding, and stayed. Methods did not\n" +
		"all: that of `data-efficient` was changed after a first finding against the claim, and timings were measured anew as kernels\n" +
		"changed; `results/claims-history.md` in the repository keeps the earlier findings. A 95 % t interval of the mean (over seeds, or\n" +
		"over rounds of timings) wholly within the region supports the claim, one wholly outside does not, one that reaches over the\n" +
		"border leaves it undecided here. Intervals are not corrected for there being several. A verdict is about these networks, images\n" +
		"and budgets, no others.\n\n")
	s.WriteString("| section | claim | measured | verdict |\n|---|---|---|---|\n")
	for _, c := range All() {
		f, ok := k.Findings[c.Name]
		if !ok {
			fmt.Fprintf(&s, "| %s | %s | | %s |\n", c.Section, c.Statement, c.missing())
			continue
		}
		var parts []string
		for _, p := range f.Parts {
			parts = append(parts, p.brief())
		}
		fmt.Fprintf(&s, "| %s | %s | %s | **%s** |\n", c.Section, c.Statement, strings.Join(parts, "<br>"), f.Verdict)
	}
	for _, c := range All() {
		fmt.Fprintf(&s, "\n## %s\n\n*%s* `--only %s`. %s\n\nSupported if %s.\n\n", c.Statement, c.Section, c.Name, c.Method, c.Criterion())
		f, ok := k.Findings[c.Name]
		if !ok {
			s.WriteString(capital(c.missing()) + ".\n")
			continue
		}
		fmt.Fprintf(&s, "**%s.** Measured %s by %s in %v", capital(string(f.Verdict)), f.When.Format(minute), f.Build, seconds(f.Seconds))
		if f.Load != "" {
			fmt.Fprintf(&s, "; load average %s", f.Load)
		}
		s.WriteString(".")
		if t := f.Trainings; t.Count > 0 {
			fmt.Fprintf(&s, " Its %d networks were trained from %s to %s by %s, in %v together.", t.Count,
				t.First.Format(minute), t.Last.Format(minute), strings.Join(t.Builds, ", "), seconds(t.Seconds))
		}
		s.WriteString("\n\n")
		for _, p := range f.Parts {
			var values []string
			for _, v := range p.Values {
				values = append(values, number(v))
			}
			fmt.Fprintf(&s, "- %s. %s: %s. Values: %s.\n", capital(p.brief()), capital(string(p.Verdict)), p.Because, strings.Join(values, ", "))
		}
		for _, note := range f.Notes {
			fmt.Fprintf(&s, "- Beside it: %s.\n", note)
		}
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// missing says of a claim that it has no finding.
func (c Claim) missing() string {
	if c.Times {
		return "not measured yet by this build"
	}
	return "not measured yet"
}

const minute = "2006-01-02 15:04 UTC"

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}

// brief is a part's number with its interval.
func (p Part) brief() string {
	return fmt.Sprintf("%s: %s, 95 %% %s to %s", p.What, number(p.Mean), number(p.Interval.Low), number(p.Interval.High))
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// Lines writes a finding for a terminal, in lines of at most 80 columns.
func (f Finding) Lines(w io.Writer) {
	for _, p := range f.Parts {
		fmt.Fprintf(w, "  %s\n    %s (95 %% %s to %s)\n", p.What, number(p.Mean), number(p.Interval.Low), number(p.Interval.High))
	}
	fmt.Fprintf(w, "  %s\n", f.Verdict)
}
