package feature_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/modelbus/modelbus/model/feature"
)

// pixels returns a frame schema of one vector that may be missing, unscaled.
func pixels(size int) *feature.Schema {
	return regression(feature.Feature{Name: "x", Type: feature.Vector, Size: size, Missing: feature.MissingMean})
}

// TestVectorsLoseNothing stores rows that fit bytes before and after rows that do
// not, over several pieces, and wants all back to the bit.
func TestVectorsLoseNothing(t *testing.T) {
	const size, rows = 100, 5000 // 1,000 to 2,000 rows a piece
	negativeZero := float32(math.Copysign(0, -1))
	for name, odd := range map[string]float32{
		"fraction": 0.5, "negative": -1, "256": 256, "huge": 3e9, "largest": math.MaxFloat32,
		"smallest": math.SmallestNonzeroFloat32, "negative zero": negativeZero,
	} {
		for _, at := range []int{0, 17, 1500, rows - 1} {
			t.Run(fmt.Sprintf("%s in row %d", name, at), func(t *testing.T) {
				f := feature.NewFrame(pixels(size), false)
				x := make([]float32, size)
				content := func(row int) []float32 {
					for j := range x {
						x[j] = float32((row + j) % 256)
					}
					if row == at {
						x[size-1] = odd
					}
					return x
				}
				for i := range rows {
					if err := f.Append(feature.Row{Values: []feature.Value{vec(content(i)...)}}); err != nil {
						t.Fatal(err)
					}
				}
				for i := range rows {
					got, want := f.Row(i).Values[0].Vector, content(i)
					for j := range want {
						if math.Float32bits(got[j]) != math.Float32bits(want[j]) {
							t.Fatalf("row %d, position %d: got %v, want %v", i, j, got[j], want[j])
						}
					}
				}
			})
		}
	}
}

// TestVectorsTransformAlike wants the same matrix of the same rows, whether a
// frame stores them as bytes or, because of another row, as floats.
func TestVectorsTransformAlike(t *testing.T) {
	for _, scale := range [][]feature.Scale{
		{feature.None},
		{feature.Rescale},
		{feature.Standardize},
		{feature.Log1p, feature.MinMax},
	} {
		t.Run(fmt.Sprint(scale), func(t *testing.T) {
			s := pixels(3)
			s.Features[0].Scale = scale
			rows := []feature.Value{vec(0, 7, 255), vec(128, 3, 1), vec(1, 2, 3)}
			narrow, wide := frameOf(t, s, rows...), frameOf(t, s, append(rows, vec(0.25, 0, 0), none)...)
			p, err := feature.Fit(wide)
			if err != nil {
				t.Fatal(err)
			}
			got, want := make([]float32, 9), make([]float32, 9)
			if err := p.Transform(got, narrow, 0, 3); err != nil {
				t.Fatal(err)
			}
			if err := p.Gather(want, wide, []int{0, 1, 2}); err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Errorf("number %d: got %v, want %v", i, got[i], want[i])
				}
			}
		})
	}
}

// TestVectorsFitAlike wants the same statistics of both stores.
func TestVectorsFitAlike(t *testing.T) {
	s := pixels(2)
	s.Features[0].Scale = []feature.Scale{feature.Standardize}
	rows := []feature.Value{vec(0, 7), vec(128, 3), vec(1, 255)}
	narrow, wide := frameOf(t, s, rows...), frameOf(t, s, append(rows, vec(0.5, 0.5))...)
	a, err := feature.Fit(narrow)
	if err != nil {
		t.Fatal(err)
	}
	b, err := feature.FitRows(wide, []int{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range b.State().Stats {
		if got := a.State().Stats[name]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestMissingVectorAmongBytes keeps a missing vector missing, and its neighbours
// what they are.
func TestMissingVectorAmongBytes(t *testing.T) {
	f := frameOf(t, pixels(2), vec(1, 2), none, vec(3, 255))
	if got := f.Row(1).Values[0]; got.Kind != feature.KindMissing {
		t.Errorf("row 1: got %v, want a missing value", got)
	}
	for i, want := range map[int]string{0: "[1 2]", 2: "[3 255]"} {
		if got := fmt.Sprint(f.Row(i).Values[0].Vector); got != want {
			t.Errorf("row %d: got %s, want %s", i, got, want)
		}
	}
}

// TestImagesTakeBytes bounds the memory of rows of bytes: one byte a number, and
// half as much again for the allocator's size classes, the labels and what is
// taken ahead.
func TestImagesTakeBytes(t *testing.T) {
	const size, rows = 784, 4000
	var before, after runtime.MemStats
	x := make([]float32, size)
	for j := range x {
		x[j] = float32(j % 256)
	}
	row := feature.Row{Values: []feature.Value{vec(x...)}, Label: num(1)}
	f := feature.NewFrame(pixels(size), true)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range rows {
		if err := f.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got, want := int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(rows*size*3/2); got > want {
		t.Errorf("%d rows of %d bytes take %d bytes, want at most %d", rows, size, got, want)
	}
	runtime.KeepAlive(f)
}
