package model

import (
	"slices"
	"strings"
)

// unknownWord says that word is no kind, which one was probably meant, and
// which there are.
func unknownWord(kind, word string, known []string) string {
	msg := "unknown " + kind + " \"" + shorten(word) + "\""
	if near := nearest(word, known); near != "" {
		msg += ", did you mean " + near + "?"
	}
	return msg + " (known: " + strings.Join(known, ", ") + ")"
}

// nearest returns the word of known that word is probably a misspelling of,
// empty if none is near enough.
func nearest(word string, known []string) string {
	const longest = 64
	w := []rune(foldWord(word))
	if len(w) > longest {
		return ""
	}
	best, bestDistance := "", len(w)/3+1
	for _, k := range known {
		if d := typingDistance(w, []rune(foldWord(k))); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// foldWord removes what people vary most in writing a word.
func foldWord(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}

// typingDistance is the optimal string alignment distance: how many letters
// must be inserted, removed, replaced or swapped with their neighbour to get
// from a to b.
func typingDistance(a, b []rune) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row := slices.Repeat([]int{i + 1}, len(b)+1)
		for j := range b {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
