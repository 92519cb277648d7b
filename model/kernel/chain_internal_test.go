package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// chain computes C as the package promises. The race detector would make it ten times
// slower, and has nothing to find in it.
//
//go:norace
func chain(c, a, b View, e Epilogue) {
	for i := range c.Rows {
		for j := range c.Cols {
			sum := float32(0)
			switch {
			case e.Accumulate:
				sum = c.Data[i*c.RowStride+j]
			case e.Bias != nil:
				sum = e.Bias[j]
			}
			for k := range a.Cols {
				sum = fma(a.Data[i*a.RowStride+k*a.ColStride], b.Data[k*b.RowStride+j*b.ColStride], sum)
			}
			if e.Activation == ThenReLU && sum < 0 {
				sum = 0
			}
			c.Data[i*c.RowStride+j] = sum
		}
	}
}

// TestEveryShapeIsTheChain runs all sizes to 70 for M, N and K, half of the pairs of M
// and N, with all transposes and odd strides. Micro-kernels must give the very bits of the chain.
func TestEveryShapeIsTheChain(t *testing.T) {
	for set := range everySet() {
		t.Run(set, func(t *testing.T) {
			if active == portable {
				return // its multiplications may be rounded before the additions
			}
			const most = 70
			step := 2
			if !thorough {
				step = 23
			}
			g := Gemm{Threads: 2}
			var w Gemm
			r := rand.New(rand.NewPCG(7, 7))
			for m := 1; m <= most; m++ {
				for n := 1 + m%step; n <= most; n += step {
					k := 1 + (31*m+17*n)%most
					if (m+n)%97 == 0 {
						k += 2 * 1024 // more than a block
					}
					s := shape{m: m, k: k, n: n, kind: m*most + n}
					a, b, c, e := s.operands(r)
					want := c
					want.Data = slices.Clone(c.Data)
					chain(want, a, b, e)
					again := c
					again.Data = slices.Clone(c.Data)
					g.Multiply(c, a, b, e)
					if i := firstDifference(c.Data, want.Data); i >= 0 {
						t.Fatalf("%+v: number %d of C is %v, want %v", s, i, c.Data[i], want.Data[i])
					}
					w.MultiplyPacked(again, a, PackWeights(b), e)
					if i := firstDifference(again.Data, want.Data); i >= 0 {
						t.Fatalf("%+v, packed: number %d of C is %v, want %v", s, i, again.Data[i], want.Data[i])
					}
				}
			}
		})
	}
}

// TestEveryWayIsTheChain runs a product for each way that Multiply may take, divided or
// not.
func TestEveryWayIsTheChain(t *testing.T) {
	tests := []struct {
		shape

		name string
	}{
		{shape{m: packRows * 2, k: 70, n: 300}, "B packed, panels of four"},
		{shape{m: packRows, k: 30, n: 512 + 9}, "B packed in two blocks of columns"},
		{shape{m: fewRows + 1, k: 1030, n: 1027}, "B packed, far"},
		{shape{m: fewRows, k: 1030, n: 1027}, "B read once"},
		{shape{m: 1, k: 301, n: rowCols + 21}, "one row"},
		{shape{m: 40, k: 1000, n: 300}, "A copied"},
		{shape{m: 540, k: 770, n: 130}, "A copied by each goroutine"},
		{shape{m: 5000, k: 50, n: 9}, "rows divided"},
		{shape{m: 90, k: 103, n: 75, kind: 3}, "B transposed and packed"},
		{shape{m: 6, k: 170, n: 290, kind: 3}, "sides changed"},
		{shape{m: 290, k: 34, n: 170, kind: 1}, "A transposed and turned"},
		{shape{m: 290, k: 9, n: 170, kind: 1}, "A transposed"},
		{shape{m: 1, k: 1100, n: 1027, kind: 4}, "one row, far"},
		{shape{m: 13, k: 2070, n: 530, kind: 4}, "B far in two blocks and more"},
		{shape{m: 2, k: 40000, n: 33, kind: 4}, "B far in few panels"},
	}
	divided := []int{1, 2, 3, 16}
	for set := range everySet() {
		for _, tt := range tests {
			t.Run(set+"/"+tt.name, func(t *testing.T) {
				if active == portable {
					return // its multiplications may be rounded before the additions
				}
				a, b, c, e := tt.operands(rand.New(rand.NewPCG(1, 1)))
				want := c
				want.Data = slices.Clone(c.Data)
				chain(want, a, b, e)
				packed := PackWeights(b)
				for _, threads := range divided {
					got := c
					got.Data = slices.Clone(c.Data)
					g := Gemm{Threads: threads}
					g.Multiply(got, a, b, e)
					if i := firstDifference(got.Data, want.Data); i >= 0 {
						t.Errorf("threads %d: number %d of C is %v, want %v", threads, i, got.Data[i], want.Data[i])
					}
					copy(got.Data, c.Data)
					g.MultiplyPacked(got, a, packed, e)
					if i := firstDifference(got.Data, want.Data); i >= 0 {
						t.Errorf("threads %d, packed: number %d of C is %v, want %v", threads, i, got.Data[i], want.Data[i])
					}
				}
			})
		}
	}
}

// Weights of very many rows end with a block that is far shorter than the others: what the
// only panel asks for while the one before is computed must be inside it.
func TestShortLastBlock(t *testing.T) {
	const depth, nr, panels = 512, 32, 2
	for rest := 1; rest <= depth; rest++ {
		for far := 1; far <= panels; far++ {
			b := block{depth: depth, row: nr, next: (depth + rest) * nr, far: far}
			b.data = make([]float32, far*b.next)
			for q := range far {
				for _, parts := range []int{1, 2, 7, 16} {
					a := b.ahead(q, parts)
					for part := range parts {
						a.of(part) // panics if it is outside
					}
					if full := rest == depth || far > 1; full && a.of(0) == nil {
						t.Errorf("panel %d of %d asks for nothing with %d rows to come", q, far, rest)
					}
				}
			}
		}
	}
}

// A shape is a product and which of the ways to lay it out.
type shape struct{ m, k, n, kind int }

func (s shape) operands(r *rand.Rand) (a, b, c View, e Epilogue) {
	layout := func(rows, cols, kind int) View {
		inner, gap := 1+kind>>1&1, kind>>2%4
		v := View{Rows: rows, Cols: cols, RowStride: cols*inner + gap, ColStride: inner}
		if kind&1 != 0 {
			v.RowStride, v.ColStride = inner, rows*inner+gap
		}
		v.Data = make([]float32, (rows-1)*v.RowStride+(cols-1)*v.ColStride+1)
		for i := range v.Data {
			v.Data[i] = r.Float32() - 0.5
		}
		return v
	}
	a, b = layout(s.m, s.k, s.kind), layout(s.k, s.n, s.kind/3)
	c = layout(s.m, s.n, s.kind/5&^3)
	switch s.kind % 3 {
	case 1:
		e.Accumulate = true
	case 2:
		e.Bias = operand(r, 1, s.n, false).Data
	}
	if s.kind%2 == 1 {
		e.Activation = ThenReLU
	}
	return a, b, c, e
}

// firstDifference returns the first place where a and b differ, -1 if there is none.
func firstDifference(a, b []float32) int {
	for i := range a {
		if !same(a[i], b[i]) {
			return i
		}
	}
	return -1
}

func TestActivationsFollowTheSums(t *testing.T) {
	for set := range everySet() {
		t.Run(set, func(t *testing.T) {
			r := rand.New(rand.NewPCG(2, 2))
			for _, m := range []int{1, 5, 200} {
				a, b := operand(r, m, 300, false), operand(r, 300, 70, true)
				sums, got := make([]float32, m*70), make([]float32, m*70)
				g := Gemm{Threads: 3}
				g.Multiply(Matrix(sums, m, 70), a, b, Epilogue{})
				for act, fn := range map[Activation]func(y, x []float32){ThenReLU: ReLU, ThenSigmoid: Sigmoid, ThenTanh: Tanh, ThenGELU: GELU} {
					want := make([]float32, m*70)
					fn(want, sums)
					g.Multiply(Matrix(got, m, 70), a, b, Epilogue{Activation: act})
					if i := firstDifference(got, want); i >= 0 {
						t.Errorf("%d rows, activation %d: number %d is %v, want %v", m, act, i, got[i], want[i])
					}
				}
			}
		})
	}
}

// TestNotANumberPropagates holds even where the other factor is zero.
func TestNotANumberPropagates(t *testing.T) {
	for set := range everySet() {
		t.Run(set, func(t *testing.T) {
			for _, m := range []int{1, 7, 150} {
				const k, n = 40, 37
				a, b := Matrix(make([]float32, m*k), m, k), Matrix(make([]float32, k*n), k, n)
				b.Data[3*n+5] = float32(math.NaN())
				b.Data[4*n+6] = float32(math.Inf(1))
				c := Matrix(make([]float32, m*n), m, n)
				var g Gemm
				g.Multiply(c, a, b, Epilogue{Activation: ThenReLU})
				for i, v := range c.Data {
					if nan := i%n == 5 || i%n == 6; nan != (v != v) {
						t.Fatalf("%d rows: C[%d, %d] = %v", m, i/n, i%n, v)
					}
				}
			}
		})
	}
}

func FuzzMultiply(f *testing.F) {
	f.Add(uint8(3), uint16(4), uint8(5), uint8(0), uint64(1))
	f.Add(uint8(200), uint16(300), uint8(17), uint8(3), uint64(2))
	f.Fuzz(func(t *testing.T, m uint8, k uint16, n, kind uint8, seed uint64) {
		s := shape{m: int(m) + 1, k: int(k%600) + 1, n: int(n) + 1, kind: int(kind)}
		a, b, c, e := s.operands(rand.New(rand.NewPCG(seed, 0)))
		e.Activation = 0
		want := make([]float32, s.m*s.n)
		for i := range s.m {
			for j := range s.n {
				switch {
				case e.Accumulate:
					want[i*s.n+j] = c.Data[i*c.RowStride+j]
				case e.Bias != nil:
					want[i*s.n+j] = e.Bias[j]
				}
			}
		}
		x, y := make([]float32, s.m*s.k), make([]float32, s.k*s.n)
		transpose(Matrix(x, s.m, s.k), a)
		transpose(Matrix(y, s.k, s.n), b)
		gonum.Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, s.m, s.n, s.k, 1, x, s.k, y, s.n, 1, want, s.n)
		for _, set := range supported() {
			got := c
			got.Data = slices.Clone(c.Data)
			before := active
			active = set
			g := Gemm{Threads: 1 + int(seed%3)}
			g.Multiply(got, a, b, e)
			active = before
			// Both sums are off by at most (k+1)·2⁻²⁴ of their terms' magnitudes, which
			// are at most 1/4 each (Higham, Accuracy and Stability, §3.1).
			tolerance := float64(s.k+4) * float64(s.k+4) / 4 * 0x1p-23
			for i := range s.m {
				for j := range s.n {
					v, w := got.Data[i*c.RowStride+j], want[i*s.n+j]
					if math.Abs(float64(v)-float64(w)) > tolerance {
						t.Fatalf("%v, %+v: C[%d, %d] = %v, want %v", set, s, i, j, v, w)
					}
				}
			}
		}
	})
}

func TestSharedProductsAllocateNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, s := range []shape{{m: 300, k: 300, n: 300}, {m: 2000, k: 784, n: 10}, {m: 1, k: 2048, n: 2048}} {
		t.Run(fmt.Sprintf("%d×%d×%d", s.m, s.k, s.n), func(t *testing.T) {
			a, b := operand(r, s.m, s.k, false), operand(r, s.k, s.n, false)
			c := Matrix(make([]float32, s.m*s.n), s.m, s.n)
			g := Gemm{Threads: 2}
			g.Multiply(c, a, b, Epilogue{})
			// A goroutine that starts may need a new descriptor now and then.
			if got := testing.AllocsPerRun(50, func() { g.Multiply(c, a, b, Epilogue{}) }); got > 0.5 {
				t.Errorf("Multiply allocates %v times, want 0", got)
			}
		})
	}
}
