package learn

import "slices"

// A scratch is the memory that a monitor counts a message in.
type scratch struct {
	labels []truth
	grades map[uint64][]grade
	tested []grade
	wanted []uint64

	classes []string // of what an online learner predicts
	places  map[string]int
}

// placesOf returns the place of each class. It expects the same list again and again.
func (s *scratch) placesOf(classes []string) map[string]int {
	if s.places == nil || !slices.Equal(s.classes, classes) {
		s.classes, s.places = classes, places(classes)
	}
	return s.places
}
