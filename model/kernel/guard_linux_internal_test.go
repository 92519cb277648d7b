package kernel

import (
	"math/rand/v2"
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"
)

// A guard is memory between two pages that cannot be touched.
type guard struct{ data []float32 }

func newGuard(t *testing.T) *guard {
	t.Helper()
	const pages = 64
	page := syscall.Getpagesize()
	m, err := syscall.Mmap(-1, 0, (pages+2)*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	for _, edge := range [][]byte{m[:page], m[(pages+1)*page:]} {
		if err := syscall.Mprotect(edge, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	inner := m[page : (pages+1)*page]
	return &guard{unsafe.Slice((*float32)(unsafe.Pointer(&inner[0])), len(inner)/4)}
}

// place copies v to the end of the guarded memory, or its beginning.
func (g *guard) place(v []float32, end bool) []float32 {
	to := g.data[:len(v):len(v)]
	if end {
		to = g.data[len(g.data)-len(v):]
	}
	copy(to, v)
	return to
}

// TestProductsStayInside fails with a fault if anything outside the operands is read
// or written.
func TestProductsStayInside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	ga, gb, gc, gd := newGuard(t), newGuard(t), newGuard(t), newGuard(t)
	for set := range everySet() {
		t.Run(set, func(*testing.T) {
			r := rand.New(rand.NewPCG(9, 9))
			for kind := range 400 {
				s := shape{m: 1 + r.IntN(40), k: 1 + r.IntN(60), n: 1 + r.IntN(150), kind: kind}
				if kind%4 == 0 {
					s.m = 1
				}
				a, b, c, e := s.operands(r)
				end := kind%2 == 0
				a.Data, b.Data, c.Data = ga.place(a.Data, end), gb.place(b.Data, end), gc.place(c.Data, end)
				if e.Bias != nil {
					e.Bias = gd.place(e.Bias, end)
				}
				var g Gemm
				g.Multiply(c, a, b, e)
				g.MultiplyPacked(c, a, PackWeights(b), e)
			}
		})
	}
}

// TestLoopsStayInside does the same for the element-wise functions.
func TestLoopsStayInside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var guards [5]*guard
	for i := range guards {
		guards[i] = newGuard(t)
	}
	r := rand.New(rand.NewPCG(9, 9))
	for range everySet() {
		for n := range 70 {
			for _, end := range []bool{true, false} {
				v := vectors(r, n)
				for i := range v {
					v[i] = guards[i].place(v[i], end)
				}
				for _, fn := range elementwise() {
					fn(v)
				}
				Finite(v[0])
				rows := max(n/9, 1)
				turn(v[0], rows, v[1], n/rows, rows, n/rows)
			}
		}
	}
}
