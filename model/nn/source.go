package nn

import "math/rand/v2"

// A source draws random numbers from a seed; every parameter has a stream of
// its own.
type source struct{ *rand.Rand }

// newSource returns the stream that seed and path name.
func newSource(seed uint64, path ...uint64) *source {
	key := mix(seed, path...)
	return &source{rand.New(rand.NewPCG(key, mix(key, 1)))}
}

// mix returns a number that depends on all bits of seed and path, and on the order
// of the path.
func mix(seed uint64, path ...uint64) uint64 {
	h := splitmix(seed)
	for _, p := range path {
		h = splitmix(h + p)
	}
	return h
}

// splitmix is the output function of SplitMix64 (Steele, Lea and Flood, Fast
// splittable pseudorandom number generators, 2014, with Stafford's mix 13).
func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// uniform draws from [lo, hi).
func (s *source) uniform(values []float32, lo, hi float64) {
	for i := range values {
		values[i] = float32(lo + (hi-lo)*s.Float64())
	}
}

// normal draws from the normal distribution.
func (s *source) normal(values []float32, mean, deviation float64) {
	for i := range values {
		values[i] = float32(mean + deviation*s.NormFloat64())
	}
}

// truncated draws from the normal distribution, again if a draw is more than two
// deviations from the mean.
func (s *source) truncated(values []float32, mean, deviation float64) {
	for i := range values {
		z := s.NormFloat64()
		for z < -2 || z > 2 {
			z = s.NormFloat64()
		}
		values[i] = float32(mean + deviation*z)
	}
}
