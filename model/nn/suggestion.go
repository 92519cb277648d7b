package nn

import (
	"fmt"
	"strings"
)

// unknownWord says that word is no kind, which one was probably meant, and
// which there are.
func unknownWord(kind, word string, known []string) string {
	if len(known) == 0 {
		return fmt.Sprintf("unknown %s %s; there are none", kind, describe(word))
	}
	msg := fmt.Sprintf("unknown %s %s", kind, describe(word))
	if near := Nearest(word, known); near != "" {
		msg += fmt.Sprintf("; did you mean %q?", near)
	}
	return msg + " (known: " + strings.Join(known, ", ") + ")"
}

// Nearest returns the word of known that word is a misspelling of, empty if none
// is near: at most a third of its letters away.
func Nearest(word string, known []string) string {
	folded := []rune(fold(word))
	if len(folded) > 64 {
		return ""
	}
	best, bestDistance := "", len(folded)/3+1
	for _, k := range known {
		if d := editDistance(folded, []rune(fold(k))); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// editDistance is the least number of letters to insert, drop, replace or swap
// with their neighbour that make a into b (optimal string alignment).
func editDistance(a, b []rune) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range b {
			replaced := above[j]
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(row[j]+1, above[j+1]+1, replaced)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
