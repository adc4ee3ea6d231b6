package course

import (
	"fmt"
	"strings"

	"gonum.org/v1/gonum/stat"

	"patchlab/compare/stats"
	"patchlab/kernel/cell/show"
)

// Accuracy is the test accuracy of what Train trained under that name, in
// percent, one value a seed.
func (l Lesson) Accuracy(what string) []float64 { return l.metric(what, "test_accuracy", 100) }

// Speed is how many images a second each training of that name took.
func (l Lesson) Speed(what string) []float64 { return l.metric(what, "train_images_per_s", 1) }

func (l Lesson) metric(what, key string, scale float64) (values []float64) {
	db := reader(what)
	defer db.Close()
	for seed := int64(1); seed <= int64(l.Seeds); seed++ {
		m, ok := l.run(db, what, seed).Metrics[key]
		if !ok {
			panic(fmt.Errorf("the training of %q has no %s", what, key))
		}
		values = append(values, scale*m.Value)
	}
	return values
}

// Over measures each trained network of that name: one value a seed.
func (l Lesson) Over(what string, measure func(*Network) float64) (values []float64) {
	for seed := int64(1); seed <= int64(l.Seeds); seed++ {
		net := l.load(what, seed)
		values = append(values, measure(net))
		net.Close()
	}
	return values
}

// Less subtracts value by value: what was trained with the same seed.
func Less(a, b []float64) []float64 {
	return together(a, b, func(x, y float64) float64 { return x - y })
}

// Ratio divides value by value.
func Ratio(a, b []float64) []float64 {
	return together(a, b, func(x, y float64) float64 { return x / y })
}

func together(a, b []float64, combine func(x, y float64) float64) []float64 {
	if len(a) != len(b) {
		panic(fmt.Errorf("%d values beside %d: both need one a seed", len(a), len(b)))
	}
	out := make([]float64, len(a))
	for i := range a {
		out[i] = combine(a[i], b[i])
	}
	return out
}

// Mean of the values.
func Mean(values []float64) float64 { return stat.Mean(values, nil) }

// Claim says whether the measured values, one a seed or a repetition, lie above
// a number as somebody claims: on average, with the 95 % interval that Student's
// t gives, which takes the values for independent and about normal. Only an
// interval wholly on one side of the number shows anything. Several claims in
// one notebook are not corrected for being several.
func Claim(claim, measured string, values []float64, above float64) {
	sign := above == 0 // a difference
	verdict := "**Not shown here**: one value has no spread. Train more seeds."
	if len(values) > 1 {
		i := must(stats.MeanT(values, .95))
		switch {
		case i.Low > above:
			verdict = "**It holds here.**"
		case i.High < above:
			verdict = "**Here it is the other way round.**"
		default:
			verdict = fmt.Sprintf("**Not shown here**: %s lies within the interval.", short(above, false))
		}
	}
	show.Markdown(fmt.Sprintf("> *%s*\n>\n> Measured: %s %s. The claim asks for more than %s.\n>\n> %s",
		claim, measured, spread(values, sign), short(above, false), verdict))
}

// spread writes the mean of values, its interval and the values themselves.
func spread(values []float64, sign bool) string {
	mean := short(Mean(values), sign)
	if len(values) < 2 {
		return mean + " with one seed"
	}
	i := must(stats.MeanT(values, .95))
	each := make([]string, len(values))
	for k, v := range values {
		each[k] = short(v, sign)
	}
	return fmt.Sprintf("%s, 95 %% interval %s to %s (each: %s)", mean, short(i.Low, sign), short(i.High, sign), strings.Join(each, ", "))
}

// short writes three digits, as a table of measured numbers does.
func short(v float64, sign bool) string {
	format := "%.3g"
	if v <= -1000 || v >= 1000 {
		format = "%.0f"
	} else if v <= -100 || v >= 100 || v == float64(int(v)) {
		format = "%.0f"
	}
	text := fmt.Sprintf(format, v)
	if sign && v > 0 {
		text = "+" + text
	}
	return strings.Replace(text, "-", "−", 1)
}
