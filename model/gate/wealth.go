package gate

import (
	"fmt"
	"math"
	"slices"
)

// stakes is how many bets a wealth is spread over: the j-th stakes 2^−(j+1) of
// what it owns.
const stakes = 9

// A wealth is what one owns who began with 1 and bet, over and over and a part
// of it each time, that the next of a stream of numbers in [−1, 1] is positive.
// Unless their mean is above 0 it grows beyond 1/alpha with a chance of at most
// alpha, ever (Ville 1939): a test that one may look at whenever one likes
// (Waudby-Smith and Ramdas 2023, "Estimating means of bounded random variables by
// betting"). An equal part is staked on each of the stakes, so that large and
// small differences are found without knowing their size.
type wealth struct {
	Parts [stakes]float64 `json:"parts"` // what each stake owns, over
	Logs  [stakes]float64 `json:"logs"`  // the exponential of this
}

func newWealth() wealth {
	w := wealth{}
	for j := range w.Parts {
		w.Parts[j] = 1
	}
	return w
}

func (w *wealth) add(d float64) {
	if d == 0 {
		return
	}
	const large = 1e100
	stake := 0.5
	for j := range w.Parts {
		w.Parts[j] *= 1 + stake*d
		if w.Parts[j] > large || w.Parts[j] < 1/large {
			w.Logs[j] += math.Log(w.Parts[j])
			w.Parts[j] = 1
		}
		stake /= 2
	}
}

// exceeds reports whether the wealth is at least x.
func (w *wealth) exceeds(x float64) bool {
	sum := 0.0
	for j, part := range w.Parts {
		if w.Logs[j] != 0 {
			part *= math.Exp(w.Logs[j])
		}
		sum += part
	}
	return sum >= x*stakes
}

// log returns the logarithm of the wealth.
func (w *wealth) log() float64 {
	logs := w.Logs
	for j, part := range w.Parts {
		logs[j] += math.Log(part)
	}
	most := slices.Max(logs[:])
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - most)
	}
	return most + math.Log(sum/stakes)
}

func (w *wealth) check() error {
	for j, l := range w.Logs {
		if !(w.Parts[j] > 1e-200 && w.Parts[j] < 1e200 && math.Abs(l) < maxCount) {
			return fmt.Errorf("stake %d owns %v·exp(%v)", j, w.Parts[j], l)
		}
	}
	return nil
}
