package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

// naive returns the naive product in float64, and for every element the sum of
// its terms' magnitudes.
func naive(c, a, b View, e Epilogue) (result, magnitude []float64) {
	for i := range c.Rows {
		for j := range c.Cols {
			sum := 0.0
			if e.Accumulate {
				sum = float64(c.Data[i*c.RowStride+j])
			}
			if e.Bias != nil {
				sum = float64(e.Bias[j])
			}
			size := math.Abs(sum)
			for k := range a.Cols {
				term := float64(a.Data[i*a.RowStride+k*a.ColStride]) * float64(b.Data[k*b.RowStride+j*b.ColStride])
				sum += term
				size += math.Abs(term)
			}
			if e.Activation == ThenReLU {
				sum = max(sum, 0)
			}
			result, magnitude = append(result, sum), append(magnitude, size)
		}
	}
	return result, magnitude
}

// drawView returns a matrix with gaps between rows, in either order of strides.
func drawView(t *rapid.T, r *rand.Rand, rows, cols int, name string) View {
	long, short := cols, rows
	transposed := rapid.Bool().Draw(t, name+" transposed")
	if transposed {
		long, short = rows, cols
	}
	inner := rapid.IntRange(1, 2).Draw(t, name+" inner stride")
	outer := long*inner + rapid.IntRange(0, 3).Draw(t, name+" gap")
	offset := rapid.IntRange(0, 3).Draw(t, name+" offset")
	data := make([]float32, offset+outer*short+1)
	for i := range data {
		data[i] = float32(r.IntN(5)-2) * r.Float32() // a fifth of zeros
	}
	v := View{Data: data[offset:], Rows: rows, Cols: cols, RowStride: outer, ColStride: inner}
	if transposed {
		v.RowStride, v.ColStride = inner, outer
	}
	return v
}

func TestMultiplyIsTheProduct(t *testing.T) {
	for set := range everySet() {
		t.Run(set, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				size := rapid.OneOf(rapid.IntRange(0, 40), rapid.SampledFrom([]int{64, 130, 513}))
				m, k, n := rapid.IntRange(0, 40).Draw(t, "m"), size.Draw(t, "k"), size.Draw(t, "n")
				r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
				a, b := drawView(t, r, m, k, "A"), drawView(t, r, k, n, "B")
				stride := n + rapid.IntRange(0, 3).Draw(t, "gap of C")
				c := View{Data: make([]float32, m*stride+1), Rows: m, Cols: n, RowStride: stride, ColStride: 1}
				for i := range c.Data {
					c.Data[i] = r.Float32()
				}
				var e Epilogue
				if rapid.Bool().Draw(t, "relu") {
					e.Activation = ThenReLU
				}
				switch rapid.IntRange(0, 2).Draw(t, "start") {
				case 1:
					e.Accumulate = true
				case 2:
					e.Bias = Matrix(make([]float32, n), 1, n).Data
					for i := range e.Bias {
						e.Bias[i] = r.Float32() - 0.5
					}
				}
				want, magnitude := naive(c, a, b, e)
				before := slices.Clone(c.Data)
				g := Gemm{Threads: rapid.IntRange(0, 4).Draw(t, "threads")}
				g.Multiply(c, a, b, e)
				for i := range m {
					for j := range n {
						// A sum of k+1 rounded terms is off by at most (k+1)·2⁻²³ of their
						// magnitudes (Higham, Accuracy and Stability, §3.1).
						tolerance := kerneltest.Tolerance{Abs: float64(k+1) * 0x1p-23 * magnitude[i*n+j]}
						if got := float64(c.Data[i*stride+j]); !tolerance.Near(got, want[i*n+j]) {
							t.Fatalf("C[%d, %d] = %v, want %v", i, j, got, want[i*n+j])
						}
					}
					if m > 0 && !slices.Equal(c.Data[i*stride+n:(i+1)*stride], before[i*stride+n:(i+1)*stride]) {
						t.Fatalf("Multiply wrote between rows %d and %d", i, i+1)
					}
				}
			})
		})
	}
}

// TestMultiplyBits shows that an element of a product depends on its row of A and
// its column of B only, to the bit.
func TestMultiplyBits(t *testing.T) {
	for set := range everySet() {
		t.Run(set, func(t *testing.T) {
			const m, k, n = 33, 784, 300
			r := rand.New(rand.NewPCG(3, 4))
			a, b := operand(r, m, k, false), operand(r, k, n, false)
			bias := operand(r, 1, n, false).Data
			e := Epilogue{Bias: bias, Activation: ThenReLU}
			whole := make([]float32, m*n)
			new(Gemm).Multiply(Matrix(whole, m, n), a, b, e)

			for _, threads := range []int{2, 3, 7, 64} {
				t.Run(fmt.Sprintf("threads=%d", threads), func(t *testing.T) {
					got := make([]float32, m*n)
					g := Gemm{Threads: threads}
					g.Multiply(Matrix(got, m, n), a, b, e)
					if err := kerneltest.Compare(kerneltest.Tolerance{}, got, whole); err != nil {
						t.Error(err)
					}
				})
			}
			t.Run("rows alone", func(t *testing.T) {
				for i := range m {
					got := make([]float32, n)
					new(Gemm).Multiply(Matrix(got, 1, n), Matrix(a.Data[i*k:], 1, k), b, e)
					if err := kerneltest.Compare(kerneltest.Tolerance{}, got, whole[i*n:(i+1)*n]); err != nil {
						t.Fatalf("row %d: %v", i, err)
					}
				}
			})
			t.Run("transposed in memory", func(t *testing.T) {
				turned := make([]float32, k*n)
				transpose(Matrix(turned, n, k), b.T())
				got := make([]float32, m*n)
				new(Gemm).Multiply(Matrix(got, m, n), a, Matrix(turned, n, k).T(), e)
				if err := kerneltest.Compare(kerneltest.Tolerance{}, got, whole); err != nil {
					t.Error(err)
				}
			})
			for offset := range 5 {
				t.Run(fmt.Sprintf("memory shifted by %d", offset), func(t *testing.T) {
					got := make([]float32, offset+m*n)[offset:]
					moved := append(make([]float32, offset), b.Data...)[offset:]
					new(Gemm).Multiply(Matrix(got, m, n), a, Matrix(moved, k, n), e)
					if err := kerneltest.Compare(kerneltest.Tolerance{}, got, whole); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

func TestMultiplyAllocatesNothingOnceGrown(t *testing.T) {
	for set := range everySet() {
		t.Run(set, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			a, b := operand(r, 8, 50, false), operand(r, 50, 40, true)
			c := Matrix(make([]float32, 8*40), 8, 40)
			var g Gemm
			g.Multiply(c, a, b, Epilogue{})
			if got := testing.AllocsPerRun(20, func() { g.Multiply(c, a, b, Epilogue{}) }); got != 0 {
				t.Errorf("Multiply allocates %v times, want 0", got)
			}
		})
	}
}

func TestMultiplyPanicsOnWrongShapes(t *testing.T) {
	matrix := func(rows, cols int) View { return Matrix(make([]float32, rows*cols), rows, cols) }
	short := matrix(2, 3)
	short.Data = short.Data[:5]
	tests := []struct {
		name    string
		c, a, b View
		e       Epilogue
	}{
		{"inner dimensions differ", matrix(2, 2), matrix(2, 3), matrix(4, 2), Epilogue{}},
		{"rows differ", matrix(3, 2), matrix(2, 3), matrix(3, 2), Epilogue{}},
		{"columns differ", matrix(2, 3), matrix(2, 3), matrix(3, 2), Epilogue{}},
		{"A too short", matrix(2, 2), short, matrix(3, 2), Epilogue{}},
		{"B too short", matrix(3, 3), matrix(3, 2), short, Epilogue{}},
		{"C too short", short, matrix(2, 2), matrix(2, 3), Epilogue{}},
		{"C transposed", matrix(2, 3).T(), matrix(3, 2), matrix(2, 2), Epilogue{}},
		{"bias too short", matrix(2, 2), matrix(2, 3), matrix(3, 2), Epilogue{Bias: make([]float32, 1)}},
		{"bias and accumulate", matrix(2, 2), matrix(2, 3), matrix(3, 2), Epilogue{Bias: make([]float32, 2), Accumulate: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Multiply did not panic")
				}
			}()
			new(Gemm).Multiply(tt.c, tt.a, tt.b, tt.e)
		})
	}
}

// operand returns a random matrix, in transposed memory if t is set.
func operand(r *rand.Rand, rows, cols int, t bool) View {
	data := make([]float32, rows*cols)
	for i := range data {
		data[i] = r.Float32()*2 - 1
	}
	if t {
		return Matrix(data, cols, rows).T()
	}
	return Matrix(data, rows, cols)
}

// A product over nothing is what its sums start from, whatever the strides.
func TestMultiplyOverNothing(t *testing.T) {
	for set := range everySet() {
		c := Matrix([]float32{9: 1, 16*128 - 1: 2}, 16, 128)
		a := View{Rows: 16, RowStride: 1024, ColStride: 1}
		bias := make([]float32, 128)
		bias[5] = 7
		new(Gemm).Multiply(c, a, View{Cols: 128, RowStride: 128, ColStride: 1}, Epilogue{Bias: bias})
		if c.Data[5] != 7 || c.Data[9] != 0 || c.Data[15*128+5] != 7 || c.Data[16*128-1] != 0 {
			t.Errorf("%s: C is not the bias", set)
		}
	}
}
