package compare

import "strings"

// mostLines bounds the texts that lineDiff compares; of longer ones it takes
// the beginning and says so.
const mostLines = 2000

func lines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	all := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(all) > mostLines {
		all = append(all[:mostLines:mostLines], "… (cut here)")
	}
	return all
}

// lineDiff lists the lines of a and b by a longest common subsequence: " "
// before a common line, "-" before one of a, "+" before one of b. Common lines
// more than three away from a change are left out, "…" in their stead.
func lineDiff(a, b []string) []string {
	// length[i][j] is that of the longest common subsequence of a[i:] and b[j:].
	length := make([][]int32, len(a)+1)
	for i := range length {
		length[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, " "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			out = append(out, "-"+a[i])
			i++
		default:
			out = append(out, "+"+b[j])
			j++
		}
	}
	return shortened(out)
}

// shortened leaves out common lines that are far from any change.
func shortened(all []string) []string {
	const context = 3
	keep := make([]bool, len(all))
	for i, line := range all {
		if line[0] != ' ' {
			for k := max(0, i-context); k <= min(len(all)-1, i+context); k++ {
				keep[k] = true
			}
		}
	}
	var out []string
	for i, line := range all {
		switch {
		case keep[i]:
			out = append(out, line)
		case i == 0 || keep[i-1]:
			out = append(out, "…")
		}
	}
	return out
}
