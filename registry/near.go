package registry

// nearNames bounds the names that a misspelt one is compared with.
const nearNames = 1024

// Near returns the name among names that differs least from name, if at most
// two letters are wrong, missing or too many; else "".
func Near[V any](name string, names map[string]V) string {
	best, least, seen := "", 3, 0
	for n := range names {
		if seen++; seen > nearNames {
			break
		}
		if d := distance(name, n, min(least+1, 3)); d < least || d == least && d < 3 && n < best {
			best, least = n, d
		}
	}
	return best
}

// distance returns the Levenshtein distance of a and b, or limit if it is not
// below that.
func distance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner, least := row[0], i+1
		row[0] = i + 1
		for j := range len(b) {
			d := min(row[j], row[j+1]) + 1
			if a[i] == b[j] {
				d = min(d, corner)
			} else {
				d = min(d, corner+1)
			}
			corner, row[j+1] = row[j+1], d
			least = min(least, d)
		}
		if least >= limit {
			return limit
		}
	}
	return min(row[len(b)], limit)
}
