package tracker

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func filterRun() *RunInfo {
	return &RunInfo{
		ID: "01JD8ZK3T5AAAAAAAAAAAAAAAA", Name: "first run", Experiment: "cifar10", Status: Finished,
		Parent: "01JD8ZK3T5BBBBBBBBBBBBBBBB", Note: "above 60 %",
		Start: time.UnixMicro(1_700_000_000_123_456), End: time.UnixMicro(1_700_000_100_000_000),
		Params: map[string]string{"model": "mixer-4", "a b": "it's", "5x": "yes", "x.y/z": "deep"},
		Tags:   map[string]string{"course": "Vision", "mlflow.user": "ada"},
		Metrics: map[string]Metric{"val_accuracy": {Value: .65}, "nan": {Value: math.NaN()}, "val accuracy": {Value: -2},
			"1st": {Value: 1}, "inf": {Value: math.Inf(1)}, "val-loss": {Value: 3}},
		Inputs: []Input{{Name: "cifar10", Digest: "abc", Context: "train"}, {Name: "shapes", Digest: "def", Context: "test"}},
	}
}

func TestFilter(t *testing.T) {
	run := filterRun()
	for text, want := range map[string]bool{
		"": true, "  ": true,
		"metrics.val_accuracy > 0.6 and params.model = 'mixer-4' and tags.course = 'Vision'": true,
		"metrics.val_accuracy > 0.65":                              false,
		"metrics.val_accuracy >= 0.65":                             true,
		"metric.val_accuracy<.66":                                  true,
		"metrics.val_accuracy != 0.65":                             false,
		"metrics.val_accuracy = 65e-2":                             true,
		"metrics.`val accuracy` = -2":                              true,
		`metrics."val accuracy" <= -1.5`:                           true,
		"metrics.val-loss = 3":                                     true,
		"metrics.1st = 1":                                          true,
		"metrics.nan > 0":                                          false,
		"metrics.nan = nan":                                        true,
		"metrics.inf = inf":                                        true,
		"metrics.inf > 1e308":                                      true,
		"metrics.absent != 1":                                      false,
		"metrics.absent IS NULL":                                   true,
		"metrics.nan is not null":                                  true,
		"params.model != 'vit-1'":                                  true,
		`params.model = "mixer-4"`:                                 true,
		"params.`a b` = 'it''s'":                                   true,
		`params."a b" = 'it\'s'`:                                   true,
		"params.5x = 'yes'":                                        true,
		"params.x.y/z = 'deep'":                                    true,
		"params.absent != 'x'":                                     false,
		"params.model LIKE 'mixer%'":                               true,
		"params.model LIKE 'MIXER%'":                               false,
		"params.model ILIKE 'MIX_R-_'":                             true,
		"params.model not like '%4'":                               false,
		"tags.course ilike '%ISI%'":                                true,
		"tags.mlflow.user = 'ada'":                                 true,
		"tag.`mlflow.user` = 'ada'":                                true,
		"tags.mlflow.parentRunId = '01JD8ZK3T5BBBBBBBBBBBBBBBB'":   true,
		"tags.mlflow.parentRunId IN ('x')":                         false,
		"tags.mlflow.runName = 'first run'":                        true,
		"tags.`mlflow.note.content` LIKE '%60%'":                   true,
		"attributes.status = 'FINISHED'":                           true,
		"status != 'finished'":                                     false,
		"attributes.run_id IN ('x', '01JD8ZK3T5AAAAAAAAAAAAAAAA')": true,
		"run_id NOT IN ('x')":                                      true,
		"attribute.run_name = 'first run'":                         true,
		"attributes.`run name` like 'first%'":                      true,
		"attributes.start_time > 1700000000123":                    true,
		"attributes.end_time <= 1700000100000":                     true,
		"user_id = 'ada'":                                          true,
		"datasets.name = 'shapes'":                                 true,
		"dataset.digest in ('zzz')":                                false,
		"params.model = 'x' or metrics.nan = nan":                  true,
		"(params.model = 'x' or status = 'x') and run_id='x'":      false,
		"not params.model = 'x'":                                   true,
		"params.model = 'x' or params.model = 'mixer-4' and status = 'finished'": true,
	} {
		wanted, err := parseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := wanted == nil || wanted(run); got != want {
			t.Errorf("%s is %v, not %v", text, got, want)
		}
	}
}

func TestFilterIsBounded(t *testing.T) {
	long := strings.Repeat("params.a = 'b' or ", 5000) + "params.a = 'b'"
	var syntax *SyntaxError
	if _, err := ParseFilter(long); !errors.As(err, &syntax) || !strings.Contains(err.Error(), "at most 65536") || len(err.Error()) > 1000 {
		t.Errorf("a filter of %d bytes gave %v", len(long), err)
	}
}

func TestFilterErrorsPointAtTheCharacter(t *testing.T) {
	for _, test := range []struct {
		text   string
		offset int
		say    string
	}{
		{"metrics.val accuracy > 0.6", 12, `expected a comparison`},
		{"metrics.loss > 'x'", 15, "is a number"},
		{"metrics.loss > 1.2.3", 15, "is a number"},
		{"metrics.loss > 1 params.x = 'y'", 17, "expected and, or, or the end"},
		{"params.model = mixer", 15, "expected one in quotes"},
		{"params.model > 'a'", 13, "compare it by"},
		{"metrics.loss like 'a'", 13, "is a number"},
		{"metric.", 7, "expected a key"},
		{"colour.x = 1", 0, "unknown"},
		{"colour = 'x'", 0, "unknown attribute"},
		{"attributes.colour = 'x'", 10, "unknown attribute"},
		{"params.model = 'mixer", 15, "not closed"},
		{"params.model in 'x'", 16, "expected ("},
		{"params.model in ('x' 'y')", 21, "expected , or )"},
		{"params.model ; 'x'", 13, "means nothing"},
		{"(params.model = 'x'", 19, "expected )"},
		{"params.model = 'ключ' & x", strings.IndexByte("params.model = 'ключ' & x", '&'), "means nothing"},
		{"params.a = 'x' and", 18, "expected a name"},
		{"datasets.size = 'x'", 8, "a dataset has no"},
		{"params.a is nul", 12, "expected null"},
		{"params.a = 'x\xff' and \xff", 20, "UTF-8"},
		{strings.Repeat("(", 500), 101, "nest deeper"},
	} {
		_, err := parseFilter(test.text)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if syntax.Offset != test.offset || !strings.Contains(syntax.Problem, test.say) {
			t.Errorf("%s: at %d: %s; it should say %q at %d", test.text, syntax.Offset, syntax.Problem, test.say, test.offset)
		}
	}
	_, err := parseFilter("params.имя = x")
	want := "at character 14: params.имя is a text: expected one in quotes such as 'mixer-4', found \"x\"\n" +
		"  params.имя = x\n" +
		"               ^"
	if err == nil || err.Error() != want {
		t.Errorf("the error is\n%v\nnot\n%s", err, want)
	}
}

func TestOrderLimitOffset(t *testing.T) {
	db := newDB(t, ticking())
	for _, spec := range []struct {
		name string
		loss float64
	}{{"a", 3}, {"b", math.NaN()}, {"c", 1}, {"d", 2}, {"e", math.Inf(-1)}} {
		run := start(t, db, Spec{Name: spec.name, Params: map[string]string{"even": map[bool]string{true: "yes", false: "no"}[spec.loss == 2]}})
		must(t, run.Log(1, map[string]float64{"loss": spec.loss}))
		must(t, run.Finish(Finished))
	}
	must(t, start(t, db, Spec{Name: "none"}).Finish(Finished))
	for _, test := range []struct {
		query Query
		want  string
	}{
		{Query{}, "none e d c b a"},
		{Query{Limit: 2, Offset: 1}, "e d"},
		{Query{OrderBy: "metrics.loss"}, "e c d a b none"},
		{Query{OrderBy: "metrics.loss DESC"}, "a d c e b none"},
		{Query{OrderBy: "metrics.loss DESC", Limit: 2, Offset: 1}, "d c"},
		{Query{OrderBy: "params.even desc, attributes.start_time asc"}, "d a b c e none"},
		{Query{Filter: "metrics.loss < 5", OrderBy: "run_name"}, "a c d e"},
		{Query{Filter: "metrics.loss < 5", Limit: 2}, "e d"},
		{Query{Filter: "metrics.loss < 5", Limit: 2, Offset: 3}, "a"},
		{Query{Offset: 100, OrderBy: "run_name"}, ""},
	} {
		runs, err := db.Runs(t.Context(), test.query)
		must(t, err)
		var names []string
		for _, r := range runs {
			names = append(names, r.Name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%+v gives %q, not %q", test.query, got, test.want)
		}
	}
	var syntax *SyntaxError
	if _, err := db.Runs(t.Context(), Query{OrderBy: "metrics.loss upwards"}); !errors.As(err, &syntax) || syntax.Offset != 13 {
		t.Errorf("a wrong order: %v", err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"metrics.val_accuracy > 0.6 and params.model = 'mixer-4'", "tags.`a b` ilike \"%x_\"", "a in ('x','y')",
		"not (status is null or datasets.name != 'x')", "metrics.5x = -1e-3", "x.\"", "metrics.loss DESC, run_name"} {
		f.Add(seed)
	}
	run := filterRun()
	f.Fuzz(func(t *testing.T, text string) {
		check := func(err error) {
			var syntax *SyntaxError
			if err != nil && (!errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(text) || err.Error() == "") {
				t.Fatalf("%q: %v", text, err)
			}
		}
		wanted, err := parseFilter(text)
		check(err)
		if wanted != nil {
			wanted(run)
		}
		order, err := parseOrder(text)
		check(err)
		if order != nil && order(run, run) != 0 {
			t.Fatalf("%q: a run comes before itself", text)
		}
	})
}
