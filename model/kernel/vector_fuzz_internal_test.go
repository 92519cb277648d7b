package kernel

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// FuzzVectors runs every element-wise function on any numbers, at any alignment: the
// instruction sets must agree to the bit, with NaN for NaN, and leave alone what is beside
// the vectors.
func FuzzVectors(f *testing.F) {
	f.Add([]byte{}, uint8(0))
	f.Add([]byte{0, 0, 128, 63, 0, 0, 128, 255, 0, 0, 192, 127, 1, 0, 0, 0, 0, 0, 0, 128}, uint8(3))
	seed := make([]byte, 4*5*19)
	for i := range seed {
		seed[i] = byte(i * 37)
	}
	f.Add(seed, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, offset uint8) {
		before := decode(data, int(offset%8))
		for name, fn := range elementwise() {
			want := clones(before)
			run(portable, func() { fn(inner(want, int(offset%8))) })
			for set := range everySet() {
				got := clones(before)
				fn(inner(got, int(offset%8)))
				for i := range got {
					if j := firstDifference(got[i], want[i]); j >= 0 {
						t.Fatalf("%s: %s: vector %d, number %d is %v, want %v", set, name, i, j, got[i][j], want[i][j])
					}
				}
			}
		}
	})
}

// margin is how many numbers are beside a vector on either side.
const margin = 16

// decode makes five vectors of the numbers in data, each offset numbers past its margin.
func decode(data []byte, offset int) (v [5][]float32) {
	n := min(len(data)/(4*len(v)), 100)
	for i := range v {
		v[i] = make([]float32, margin+offset+n+margin)
		Fill(v[i], 0.25)
		for j := range n {
			bits := binary.LittleEndian.Uint32(data[4*(i*n+j):])
			v[i][margin+offset+j] = math.Float32frombits(bits)
		}
	}
	return v
}

func clones(v [5][]float32) [5][]float32 {
	for i := range v {
		v[i] = slices.Clone(v[i])
	}
	return v
}

// inner returns the vectors without what is beside them.
func inner(v [5][]float32, offset int) [5][]float32 {
	for i := range v {
		v[i] = v[i][margin+offset : len(v[i])-margin]
	}
	return v
}

// elementwise returns all that work on vectors.
func elementwise() map[string]func(v [5][]float32) {
	all := stepFunctions()
	for _, f := range approximations() {
		all[f.name] = func(v [5][]float32) { f.apply(v[0], v[1]) }
	}
	all["softmax"] = func(v [5][]float32) { SoftmaxRows(v[0], v[1], max(len(v[0]), 1)) }
	all["sumColumns"] = func(v [5][]float32) {
		cols := len(v[0]) / 3
		SumColumns(v[0][:cols], v[1], 3)
	}
	all["reductions"] = func(v [5][]float32) {
		if len(v[0]) > 3 {
			v[0][0], v[0][1], v[0][2] = float32(Sum(v[1])), float32(SumSquares(v[1])), Max(v[1])
			v[0][3] = float32(LogSumExp(v[1]))
		}
	}
	return all
}
