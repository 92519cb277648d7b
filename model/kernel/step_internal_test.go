package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// stepFunctions are all that work element by element on up to five vectors, the
// first ones in place.
func stepFunctions() map[string]func(v [5][]float32) {
	return map[string]func(v [5][]float32){
		"add":           func(v [5][]float32) { Add(v[0], v[1]) },
		"multiply":      func(v [5][]float32) { Multiply(v[0], v[1]) },
		"scale":         func(v [5][]float32) { Scale(v[0], 0.37, v[1]) },
		"relu":          func(v [5][]float32) { ReLU(v[0], v[1]) },
		"maskPositive":  func(v [5][]float32) { MaskPositive(v[0], v[1], v[2]) },
		"decay":         func(v [5][]float32) { Decay(v[0], 0.01) },
		"descend":       func(v [5][]float32) { Descend(v[0], v[1], 0.1) },
		"momentum":      func(v [5][]float32) { Momentum(v[0], v[1], v[2], 0.1, 0.9, false) },
		"nesterov":      func(v [5][]float32) { Momentum(v[0], v[1], v[2], 0.1, 0.9, true) },
		"adam":          func(v [5][]float32) { Adam(v[0], v[1], v[3], v[2], nil, 0.1, 0.001, 0.01, 1e-7) },
		"amsgrad":       func(v [5][]float32) { Adam(v[0], v[1], v[3], v[2], v[4], 0.1, 0.001, 0.01, 1e-7) },
		"nadam":         func(v [5][]float32) { Nadam(v[0], v[1], v[3], v[2], 0.1, 0.001, 1.1, 0.2, 3, 0.01, 1e-7) },
		"rmsprop":       func(v [5][]float32) { RMSprop(v[0], v[3], v[2], nil, nil, 0.9, 0.1, 0.01, 1e-7, 0) },
		"rmsprop/m":     func(v [5][]float32) { RMSprop(v[0], v[3], v[2], v[1], nil, 0.9, 0.1, 0.01, 1e-7, 0.9) },
		"rmsprop/mean":  func(v [5][]float32) { RMSprop(v[0], v[3], v[2], nil, v[1], 0.9, 0.1, 0.01, 1e-7, 0) },
		"rmsprop/both":  func(v [5][]float32) { RMSprop(v[0], v[3], v[2], v[1], v[4], 0.9, 0.1, 0.01, 1e-7, 0.9) },
		"clamp":         func(v [5][]float32) { Clamp(v[0], 0.7) },
		"sigmoidSlope":  func(v [5][]float32) { SigmoidSlope(v[0], v[1], v[2]) },
		"tanhSlope":     func(v [5][]float32) { TanhSlope(v[0], v[1], v[2]) },
		"softplusSlope": func(v [5][]float32) { SoftplusSlope(v[0], v[1], v[2]) },
		"leaky":         func(v [5][]float32) { LeakyReLU(v[0], v[1], 0.2) },
		"leakySlope":    func(v [5][]float32) { LeakyReLUSlope(v[0], v[1], v[2], 0.2) },
		"elu":           func(v [5][]float32) { ELU(v[0], v[1], 1.5) },
		"eluSlope":      func(v [5][]float32) { ELUSlope(v[0], v[1], v[2], 1.5) },
		"geluSlope":     func(v [5][]float32) { GELUSlope(v[0], v[1], v[2]) },
		"adagrad":       func(v [5][]float32) { Adagrad(v[0], v[3], v[2], 0.01, 1e-7) },
		"lion":          func(v [5][]float32) { Lion(v[0], v[1], v[2], 0.01, 0.9, 0.1, 0.99, 0.01) },
	}
}

// vectors returns five vectors; the last two hold no negative numbers.
func vectors(r *rand.Rand, n int) (v [5][]float32) {
	for i := range v {
		v[i] = make([]float32, n)
		for j := range v[i] {
			v[i][j] = float32(r.NormFloat64())
			if i > 2 {
				v[i][j] *= v[i][j]
			}
		}
	}
	return v
}

// TestStepsAreTheLoopsInGo compares every set to the loops in Go, to the bit.
func TestStepsAreTheLoopsInGo(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for name, step := range stepFunctions() {
		for n := range 71 {
			before := vectors(r, n)
			want := before
			for i := range want {
				want[i] = slices.Clone(want[i])
			}
			run(portable, func() { step(want) })
			for _, s := range supported() {
				got := before
				for i := range got {
					got[i] = slices.Clone(got[i])
				}
				run(s, func() { step(got) })
				for i := range got {
					if j := firstDifference(got[i], want[i]); j >= 0 {
						t.Fatalf("%v: %s of %d: vector %d, number %d is %v, want %v", s, name, n, i, j, got[i][j], want[i][j])
					}
				}
			}
		}
	}
}

// run calls fn with s as the active set.
func run(s isa, fn func()) {
	before := active
	active = s
	defer func() { active = before }()
	fn()
}

// TestLongStepsAreDivided compares steps on more numbers than a loop takes at once
// with steps on parts.
func TestLongStepsAreDivided(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	const n, cut = 2*stretch + 5, 1000
	for name, step := range stepFunctions() {
		whole := vectors(r, n)
		var first, second [5][]float32
		for i := range whole {
			first[i], second[i] = slices.Clone(whole[i][:cut]), slices.Clone(whole[i][cut:])
		}
		step(whole)
		step(first)
		step(second)
		for i := range whole {
			if j := firstDifference(whole[i], slices.Concat(first[i], second[i])); j >= 0 {
				t.Errorf("%s: vector %d, number %d is %v", name, i, j, whole[i][j])
			}
		}
	}
}

func TestShortVectorsPanic(t *testing.T) {
	long, short := make([]float32, 8), make([]float32, 3, 8)
	for name, call := range map[string]func(){
		"add":      func() { Add(short, long) },
		"relu":     func() { ReLU(short, long) },
		"momentum": func() { Momentum(long, short, long, 0.1, 0.9, false) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of too few numbers did not panic", name)
				}
			}()
			call()
		}()
	}
}
