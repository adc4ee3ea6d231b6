package backend

import "fmt"

// A step of AdamW on one table of weights w, by its gradient g and the moments m and v, as experiments.AdamW.Update
// writes it, with weight decay or without.
var (
	adamW = `
	d subtract g m
	rate1 broadcast_in_dim[] mean_rate
	dm multiply d rate1
	new_m add m dm
	gg multiply g g
	dd subtract gg v
	rate2 broadcast_in_dim[] square_rate
	dv multiply dd rate2
	new_v add v dv`
	decay = `
	rate3 broadcast_in_dim[] decay
	dw multiply w rate3
	decayed subtract w dw`
	move = `
	rate4 broadcast_in_dim[] rate
	up multiply new_m rate4
	root sqrt new_v
	epsilons broadcast_in_dim[] epsilon
	down add root epsilons
	step divide up down
	new_w subtract `

	decaying   = parsePattern(adamW + decay + move + "decayed step")
	undecaying = parsePattern(adamW + move + "w step")
)

// callAdamW replaces steps of AdamW by calls, one for each table, where XLA compiles and runs three kernels. What else
// uses a number in between still finds it.
func callAdamW(all statements) {
	for i := range all {
		for _, p := range []pattern{decaying, undecaying} {
			names := make(map[string]string)
			dims, ok := p.match(all[i:], names)
			if !ok {
				continue
			}
			arguments := []string{"w", "g", "m", "v", "mean_rate", "square_rate", "rate", "epsilon"}
			if names["decay"] != "" {
				arguments = append(arguments, "decay")
			}
			for k, name := range arguments {
				arguments[k] = names[name]
			}
			update := call("patchlab_adamw", "", dims, arguments, "xxxxsssss"[:len(arguments)], "xxx", [2]int{1, 2}, [2]int{2, 3})
			for k, step := range p {
				switch step[0] {
				case "new_m":
					all[i+k].text = fmt.Sprintf("    %s, %s, %s = %s\n", names["new_w"], names["new_m"], names["new_v"], update)
				case "new_v", "new_w":
					all[i+k].text = ""
				}
			}
		}
	}
}
