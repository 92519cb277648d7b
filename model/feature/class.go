package feature

import (
	"slices"
	"strings"
)

// nearest bounds how far a word may be from the one that was perhaps meant.
const nearest = 2

// CheckClass returns an error that wraps [ErrInvalid], names the classes and, if there
// is one, that which was perhaps meant, unless class is one of those known.
func CheckClass(class string, known []string) error {
	if slices.Contains(known, class) {
		return nil
	}
	return unknownClass(class, known)
}

func unknownClass(class string, known []string) error {
	if meant, ok := meantBy(class, known); ok {
		return invalidf("unknown class %s, did you mean %s? The classes are %s", quote(class), quote(meant), list(known))
	}
	return invalidf("unknown class %s: the classes are %s", quote(class), list(known))
}

// meantBy returns the word that differs least from a misspelt one, but for upper and
// lower case, if that is in at most two letters and half of them.
func meantBy(word string, words []string) (meant string, ok bool) {
	least := min(nearest, len(word)/2) + 1
	for _, w := range words {
		if d := distance(strings.ToLower(word), strings.ToLower(w)); d < least {
			meant, least = w, d
		}
	}
	return meant, meant != ""
}

// distance returns how many bytes must be added, left out or changed to make b of a
// (Levenshtein, 1966).
func distance(a, b string) int {
	if max(len(a)-len(b), len(b)-len(a)) > nearest {
		return nearest + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			corner, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, corner+cost)
		}
	}
	return row[len(b)]
}
