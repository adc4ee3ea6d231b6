package export

import "testing"

func TestWellFormed(t *testing.T) {
	for tex, want := range map[string]bool{
		`x`: true, `\frac{a}{b}`: true, `\sqrt[3]{x}`: true, `\hat\mathbf{x}`: true, `\left(\frac12\right)`: true, `\left.x\right|`: true,
		`\begin{aligned} a &= b \\ c &= d \end{aligned}`: true, `x^{2}_i`: true, `50\%`: true, `\{1,2\}`: true, `f'`: true,
		``: false, `\frac`: false, `\hat{}`: false, `x^`: false, `{x`: false, `x}`: false, `\left(x`: false, `x\right)`: false, `a % b`: false,
		`\begin{a}\end{a}`: false, `\begin{a}x\end{b}`: false, `\begin{a}x`: false, `\sqrt & x`: false, `^\limits`: false, `\newcommand{\a}{b}`: false,
	} {
		if got := wellFormed(tex); got != want {
			t.Errorf("%s: %v", tex, got)
		}
	}
	for tex, want := range map[string]string{
		`[0,1]`: `[0,1]`, `[0,1)`: `[0,1\rparen `, `f(x]+a)`: `f(x\rbrack +a)`, `\left[0,1\right)`: `\left[0,1\right)`, `{(}a)`: `{(}a\rparen `, `\{a\}`: `\{a\}`, `\big)`: `\big)`,
	} {
		if got := pairDelimiters(tex); got != want {
			t.Errorf("%s became %s, want %s", tex, got, want)
		}
	}
}
