package kernel

import "iter"

// everySet yields the name of every instruction set of this machine while it is the
// active one.
func everySet() iter.Seq[string] {
	return func(yield func(string) bool) {
		before := active
		defer func() { active = before }()
		for _, s := range supported() {
			active = s
			if !yield(s.String()) {
				return
			}
		}
	}
}
