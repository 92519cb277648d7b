package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestReductionsAreTheLoopsInGo compares every set to the loops in Go, to the bit, at
// every length and alignment.
func TestReductionsAreTheLoopsInGo(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	reductions := map[string]func(x []float32) float64{
		"Sum":        Sum,
		"SumSquares": SumSquares,
		"Max":        func(x []float32) float64 { return float64(Max(x)) },
	}
	for name, reduce := range reductions {
		for n := 1; n <= 150; n++ {
			x := vectors(r, n+3)[0][n%4:][:n]
			var want float64
			run(portable, func() { want = reduce(x) })
			for set := range everySet() {
				if got := reduce(x); math.Float64bits(got) != math.Float64bits(want) {
					t.Errorf("%s: %s of %d = %v, want %v", set, name, n, got, want)
				}
			}
		}
	}
}

func TestSumsAreInTheirOrder(t *testing.T) {
	// 1 is lost beside 2⁵³, unless it meets another 1 first.
	x := make([]float32, 40)
	x[0], x[16], x[32], x[1], x[9] = 0x1p53, 1, 1, 1, 1
	for set := range everySet() {
		if got, want := Sum(x), 0x1p53+2; got != want {
			t.Errorf("%s: Sum = %v, want %v", set, got, want)
		}
	}
}

func TestMaxAtItsEdges(t *testing.T) {
	inf, nan, minus := float32(math.Inf(1)), float32(math.NaN()), float32(math.Copysign(0, -1))
	for set := range everySet() {
		for n := 1; n <= 40; n++ {
			x := make([]float32, n)
			for i := range x {
				for _, tt := range []struct{ rest, one, want float32 }{
					{-2, -1, -1}, {-2, nan, nan}, {inf, nan, nan}, {-inf, -inf, -inf}, {minus, minus, 0}, {-inf, minus, 0}, {-1, inf, inf},
				} {
					for j := range x {
						x[j] = tt.rest
					}
					x[i] = tt.one
					if got := Max(x); !same(got, tt.want) {
						t.Fatalf("%s: Max of %d with %v at %d, else %v = %v, want %v", set, n, tt.one, i, tt.rest, got, tt.want)
					}
				}
			}
		}
	}
}

func TestSumSquaresDoesNotOverflow(t *testing.T) {
	x := make([]float32, 100)
	for i := range x {
		x[i] = math.MaxFloat32
	}
	for set := range everySet() {
		if got := SumSquares(x); math.IsInf(got, 0) {
			t.Errorf("%s: SumSquares = %v", set, got)
		}
	}
}

func TestSumColumnsOfEveryShape(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for set := range everySet() {
		for cols := range 71 {
			for _, rows := range []int{0, 1, 2, 7} {
				x := vectors(r, rows*cols)[0]
				want, got := make([]float32, cols), make([]float32, cols)
				for i, v := range x {
					want[i%cols] += v
				}
				Fill(got, 9)
				SumColumns(got, x, rows)
				if i := firstDifference(got, want); i >= 0 {
					t.Fatalf("%s: (%d, %d): column %d is %v, want %v", set, rows, cols, i, got[i], want[i])
				}
			}
		}
	}
}

// TestSoftmaxIsWithinItsBound compares rows to float64, and to the bit to those in Go and
// to single rows. Differences of hundreds and numbers of millions must not cost digits.
func TestSoftmaxIsWithinItsBound(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	worst := 0.0
	for cols := 1; cols <= 70; cols++ {
		const rows = 3
		x := vectors(r, rows*cols)[0]
		for i := range x {
			x[i] = x[i]*float32(cols) + float32(i/cols)*1e5
		}
		want, sums := make([]float32, len(x)), make([]float64, rows)
		run(portable, func() { SoftmaxRows(want, x, cols) })
		for row := range rows {
			part := x[row*cols:][:cols]
			worst = max(worst, softmaxError(part, want[row*cols:][:cols]))
			run(portable, func() { sums[row] = LogSumExp(part) })
			if exact := exactLogSumExp(part); math.Abs(sums[row]-exact) > 3e-7 {
				t.Errorf("LogSumExp of %d = %v, want %v", cols, sums[row], exact)
			}
		}
		for set := range everySet() {
			got := make([]float32, len(x))
			SoftmaxRows(got, x, cols)
			alone := append([]float32{}, x...)
			for row := range rows {
				part := alone[row*cols:][:cols]
				if got := LogSumExp(part); got != sums[row] {
					t.Errorf("%s: LogSumExp of %d = %v, want %v", set, cols, got, sums[row])
				}
				if got := Softmax(part, part); got != sums[row] {
					t.Errorf("%s: Softmax of %d returns %v, want %v", set, cols, got, sums[row])
				}
			}
			if i := firstDifference(got, want); i >= 0 {
				t.Fatalf("%s: of %d: number %d is %v, want %v", set, cols, i, got[i], want[i])
			}
			if i := firstDifference(alone, want); i >= 0 {
				t.Fatalf("%s: of %d, alone and in place: number %d is %v, want %v", set, cols, i, alone[i], want[i])
			}
		}
	}
	if t.Logf("greatest error %.3f ulp", worst); worst > 3 {
		t.Errorf("greatest error %.3f ulp, want at most 3", worst)
	}
}

// softmaxError returns the greatest error of y in units of the last place.
func softmaxError(x, y []float32) float64 {
	sum, worst := exactLogSumExp(x), 0.0
	for i, v := range x {
		want := math.Exp(float64(v) - sum)
		worst = max(worst, math.Abs(float64(y[i])-want)/ulp(want))
	}
	return worst
}

func exactLogSumExp(x []float32) float64 {
	largest, sum := float64(Max(x)), 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - largest)
	}
	return largest + math.Log(sum)
}

func TestSoftmaxAtItsEdges(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tests := []struct {
		name string
		x, y []float32
	}{
		{"nothing", []float32{-inf, 0, -inf}, []float32{0, 1, 0}},
		{"nothing anywhere", []float32{-inf, -inf}, []float32{nan, nan}},
		{"infinite", []float32{0, inf}, []float32{nan, nan}},
		{"NaN", []float32{0, nan, 1}, []float32{nan, nan, nan}},
		{"far apart", []float32{-math.MaxFloat32, math.MaxFloat32, 0}, []float32{0, 1, 0}},
	}
	for set := range everySet() {
		for _, tt := range tests {
			for _, more := range []int{0, 6, 20} { // elsewhere in vectors
				x, want := make([]float32, more), make([]float32, more)
				Fill(x, -inf)
				if more > 0 && tt.y[0] != tt.y[0] {
					Fill(want, nan)
				}
				x, want = append(x, tt.x...), append(want, tt.y...)
				got := make([]float32, len(x))
				Softmax(got, x)
				if i := firstDifference(got, want); i >= 0 {
					t.Errorf("%s: %s: Softmax(%v) = %v, want %v", set, tt.name, x, got, want)
				}
			}
		}
	}
}
