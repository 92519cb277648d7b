package kerneltest

import (
	"fmt"
	"math"
)

// A Tolerance is how far a result may be from what is right: Abs plus Rel times
// the magnitude of what is right. The zero value demands equality.
type Tolerance struct {
	Rel, Abs float64
}

// Near reports whether got is want within t. Infinities are near only
// themselves, NaN only NaN.
func (t Tolerance) Near(got, want float64) bool {
	if got == want || math.IsNaN(got) && math.IsNaN(want) {
		return true
	}
	if math.IsInf(got, 0) || math.IsInf(want, 0) {
		return false
	}
	return math.Abs(got-want) <= t.Abs+t.Rel*math.Abs(want)
}

// Number is any number that can be compared.
type Number interface{ ~float32 | ~float64 }

// Compare returns an error that names the first element of got that is not near
// that of want, or says that the lengths differ.
func Compare[G, W Number](t Tolerance, got []G, want []W) error {
	if len(got) != len(want) {
		return fmt.Errorf("got %d numbers, want %d", len(got), len(want))
	}
	for i, g := range got {
		if w := float64(want[i]); !t.Near(float64(g), w) {
			return fmt.Errorf("element %d: got %v, want %v, off by %.3g, allowed %.3g",
				i, g, w, math.Abs(float64(g)-w), t.Abs+t.Rel*math.Abs(w))
		}
	}
	return nil
}
