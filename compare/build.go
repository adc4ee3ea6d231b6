package compare

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"patchlab/compare/stats"
	"patchlab/tracker"
)

// Build reads the runs that the options choose and compares them. Options that
// cannot be are an [OptionsError], a wrong filter is a [tracker.SyntaxError].
func Build(ctx context.Context, src Source, o Options) (*Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, &OptionsError{err}
	}
	query := tracker.Query{Filter: o.Filter}
	if o.Limit > 0 {
		query.Limit = o.Limit + 1
	}
	runs, err := src.Runs(ctx, query)
	if err != nil {
		return nil, err
	}
	more := o.Limit > 0 && len(runs) > o.Limit
	if more {
		runs = runs[:o.Limit]
	}
	if len(runs) > 0 {
		if err := checkBy(runs, o.By); err != nil {
			return nil, &OptionsError{err}
		}
	}
	slices.SortStableFunc(runs, func(a, b tracker.RunInfo) int { // the oldest first, whatever the source's order
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.ID, b.ID))
	})
	report := &Report{
		Version: Version, Made: o.Made, Filter: o.Filter, By: o.By, Level: o.Level, Across: o.Across, Against: o.Name,
		Excluded: []Excluded{}, Tables: []Table{}, Warnings: []Warning{},
	}
	if o.Target > 0 {
		target := Number(o.Target)
		report.Target = &target
	}
	if more {
		report.Warnings = append(report.Warnings, Warning{Code: "latest", Text: fmt.Sprintf(
			"only the latest %s of the runs found are compared here: a narrower filter leaves none out, and the command patchlab compare takes all", Decimal(float64(o.Limit), 0))})
	}
	counted := report.exclude(runs)
	report.Counted = len(counted)
	b := builder{ctx: ctx, src: src, o: o}
	if o.Curves || o.Target > 0 {
		if err := b.readCurves(counted); err != nil {
			return nil, err
		}
	}
	for _, part := range partition(counted, o.Across) {
		table, err := b.table(part)
		if err != nil {
			return nil, err
		}
		report.Tables = append(report.Tables, table)
	}
	report.warnSeparated()
	return report, nil
}

// exclude keeps the finished runs that have a test accuracy and counts the
// others by reason.
func (rep *Report) exclude(runs []tracker.RunInfo) (counted []tracker.RunInfo) {
	reasons := map[string][]string{}
	for _, r := range runs {
		accuracy, measured := r.Metrics["test_accuracy"]
		switch {
		case r.Status != tracker.Finished:
			reasons[r.Status.String()] = append(reasons[r.Status.String()], r.ID)
		case !measured:
			reasons["without test accuracy"] = append(reasons["without test accuracy"], r.ID)
		case !(accuracy.Value >= 0 && accuracy.Value <= 1):
			reasons["with a test accuracy outside 0 to 1"] = append(reasons["with a test accuracy outside 0 to 1"], r.ID)
		default:
			counted = append(counted, r)
		}
	}
	for reason, ids := range reasons {
		rep.Excluded = append(rep.Excluded, Excluded{Reason: reason, Runs: len(ids), IDs: ids})
	}
	slices.SortFunc(rep.Excluded, func(a, b Excluded) int { return strings.Compare(a.Reason, b.Reason) })
	return counted
}

// partition parts the runs into those that may share a table, in the order of
// their settings.
func partition(runs []tracker.RunInfo, across []string) [][]tracker.RunInfo {
	parts := map[Setting][]tracker.RunInfo{}
	var order []Setting
	for _, r := range runs {
		key := settingOf(r).without(across)
		if _, ok := parts[key]; !ok {
			order = append(order, key)
		}
		parts[key] = append(parts[key], r)
	}
	slices.SortFunc(order, compareSettings)
	out := make([][]tracker.RunInfo, len(order))
	for i, key := range order {
		out[i] = parts[key]
	}
	return out
}

// warnSeparated says why there are several tables.
func (rep *Report) warnSeparated() {
	if len(rep.Tables) < 2 {
		return
	}
	settings := make([]Setting, len(rep.Tables))
	for i, t := range rep.Tables {
		settings[i] = t.Setting
	}
	aspects := differing(settings)
	rep.Warnings = append(rep.Warnings, Warning{Code: "separated", Text: fmt.Sprintf(
		"%d tables: runs of different %s are not put side by side, since their numbers do not mean the same; --across %s does it all the same and marks the cells",
		len(rep.Tables), plural(aspects), strings.Join(aspects, ","))})
}

func plural(aspects []string) string {
	out := make([]string, len(aspects))
	for i, a := range aspects {
		out[i] = a + "s"
	}
	return join(out, "and")
}

// builder makes one report.
type builder struct {
	ctx    context.Context
	src    Source
	o      Options
	curves map[string]Curve // by run, if read
	paired bool             // single runs are compared image by image

	resamples int // of a pair's bootstrap
}

// random gives a source of its own to each use, so that one more bootstrap
// does not change the others.
func (b *builder) random(use string) rand.Source {
	h := b.o.Seed
	for _, c := range []byte(use) {
		h = (h ^ uint64(c)) * 0x100000001b3 // FNV-1a
	}
	return rand.NewPCG(h, 0x9e3779b97f4a7c15)
}

func (b *builder) table(runs []tracker.RunInfo) (Table, error) {
	t := Table{Setting: settingOf(runs[0]).without(b.o.Across), Warnings: []Warning{}, Pairs: []Pair{}, Mixed: []string{}}
	t.mark(runs)
	groups := group(runs, b.o.By)
	for i := range groups {
		row, err := b.row(&t, &groups[i])
		if err != nil {
			return t, fmt.Errorf("%s: %w", groups[i].name, err)
		}
		t.Rows = append(t.Rows, row)
	}
	t.sort(b.o.Sort, groups)
	t.differs(groups, b.o.By)
	if err := b.fronts(&t, groups); err != nil {
		return t, err
	}
	if err := b.pairs(&t, groups); err != nil {
		return t, err
	}
	if b.o.Curves {
		b.equal(&t, groups)
	}
	if b.o.Steps {
		if err := b.steps(&t, groups); err != nil {
			return t, err
		}
	}
	t.warnVersions(runs)
	if b.o.BCa {
		for _, row := range t.Rows {
			if row.Seeds > 1 && row.Seeds < 10 {
				t.warnRow(row.Name, "bca", "%s: a bootstrap interval over %d seeds is too narrow; trust it from about 10", row.Name, row.Seeds)
			}
		}
	}
	if len(t.shorter) > 0 {
		t.warn("reference-epochs", "trained for fewer epochs than the %s, so the gap is not one of accuracy alone: %s",
			b.o.Name, strings.Join(t.shorter, ", "))
	}
	t.warnAveraged(b.o.By)
	t.gatherWarnings()
	t.Verdict = b.verdict(&t)
	return t, nil
}

// mark gives a letter to each setting of the table.
func (t *Table) mark(runs []tracker.RunInfo) {
	var settings []Setting
	for _, r := range runs {
		if s := settingOf(r); !slices.Contains(settings, s) {
			settings = append(settings, s)
		}
	}
	slices.SortFunc(settings, compareSettings)
	t.Mixed = append(t.Mixed, differing(settings)...)
	for i, s := range settings {
		t.Settings = append(t.Settings, MarkSetting{Mark: letter(i), Setting: s})
	}
	if len(t.Mixed) > 0 {
		t.Warnings = append(t.Warnings, Warning{Code: "mixed", Text: fmt.Sprintf(
			"different %s in one table, as asked by --across: a marked cell cannot be compared with one of another mark", plural(t.Mixed))})
	}
}

func letter(i int) string {
	if i < 26 {
		return string(rune('a' + i))
	}
	return letter(i/26-1) + letter(i%26)
}

// marks are the letters of the settings of these runs, where the table mixes
// something that touches quantities of this kind.
func (t *Table) marks(runs []tracker.RunInfo, kind Kind) string {
	if !slices.ContainsFunc(t.Mixed, func(aspect string) bool { return touches(aspect, kind) }) {
		return ""
	}
	letters := map[string]bool{}
	for _, r := range runs {
		s := settingOf(r)
		for _, m := range t.Settings {
			if m.Setting == s {
				letters[m.Mark] = true
			}
		}
	}
	return strings.Join(sorted(letters), "+")
}

// sort orders rows and their groups alike, the best of a column first; rows
// without the quantity come last, rows alike by name.
func (t *Table) sort(by string, groups []grouped) {
	key, reverse := strings.CutPrefix(by, "-")
	column, _ := ColumnNamed(key) // checked by withDefaults; "name" has none
	order := make([]int, len(t.Rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		names := naturalCompare(t.Rows[i].Name, t.Rows[j].Name)
		if key == "name" {
			if reverse {
				return -names
			}
			return names
		}
		x, y := float64(t.Rows[i].Quantities[key].Mean), float64(t.Rows[j].Quantities[key].Mean)
		switch {
		case math.IsNaN(x) || math.IsNaN(y):
			if math.IsNaN(x) == math.IsNaN(y) {
				return names
			}
			return map[bool]int{true: 1, false: -1}[math.IsNaN(x)]
		case column.Higher != reverse:
			return cmp.Or(cmp.Compare(y, x), names)
		}
		return cmp.Or(cmp.Compare(x, y), names)
	})
	rows, sortedGroups := make([]Row, len(order)), make([]grouped, len(order))
	for to, from := range order {
		rows[to], sortedGroups[to] = t.Rows[from], groups[from]
	}
	t.Rows = rows
	copy(groups, sortedGroups)
}

// fronts fills in each row's place on the Pareto fronts of training and of
// inference speed against accuracy.
func (b *builder) fronts(t *Table, groups []grouped) error {
	for i := range t.Rows {
		t.Rows[i].Fronts = map[string]Front{}
	}
	for _, key := range []string{"train", "infer"} {
		column, err := ColumnNamed(key)
		if err != nil {
			return err
		}
		var rows []int
		var clouds []stats.Cloud
		var x, y []float64
		for i, g := range groups {
			cloud := stats.Cloud{Trials: g.testImages}
			for _, u := range g.units {
				if speed := u.mean(column.read); !math.IsNaN(speed) {
					cloud.X, cloud.Y = append(cloud.X, speed), append(cloud.Y, u.accuracy)
				}
			}
			if len(cloud.X) == 0 {
				continue
			}
			rows, clouds = append(rows, i), append(clouds, cloud)
			x, y = append(x, stats.Describe(cloud.X).Mean), append(y, stats.Describe(cloud.Y).Mean)
		}
		worlds := 2000
		if len(rows) > 100 {
			worlds = 200
		}
		probability, err := stats.FrontProbability(clouds, worlds, b.random("front "+key))
		if err != nil {
			return err
		}
		on := stats.Front(x, y)
		for k, i := range rows {
			t.Rows[i].Fronts[key] = Front{On: on[k], Probability: Number(probability[k]), Mark: t.marks(groups[i].runs, Speed)}
		}
	}
	return nil
}

// warnVersions says that the runs were made by different code.
func (t *Table) warnVersions(runs []tracker.RunInfo) {
	for _, part := range [...]struct{ key, what string }{
		{"git_commit", "git commits"}, {"plugin_version", "versions of the backend's plugin"}, {"go", "versions of Go"},
	} {
		seen := map[string]bool{}
		for _, r := range runs {
			if version := r.Environment[part.key]; version != "" { // pure Go has no plugin
				seen[version] = true
			}
		}
		if len(seen) > 1 {
			t.warn("versions", "these runs come from %d different %s", len(seen), part.what)
		}
	}
	dirty := 0
	for _, r := range runs {
		if r.Environment["git_dirty"] == "yes" {
			dirty++
		}
	}
	if dirty > 0 {
		t.warn("dirty", "%s of %s ran code with changes that were not committed (kept with the run as git.diff)",
			Decimal(float64(dirty), 0), count(len(runs), "run"))
	}
}
