//go:build amd64

package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// at returns the n numbers that are bytes after p.
func at(p *float32, bytes, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(p), bytes)), n)
}

// emulate returns tiles of t's measures, written in Go.
func emulate(t *tiles) *tiles {
	e := &tiles{mr: t.mr, nr: t.nr, lanes: t.lanes, depth: t.depth, rows: t.rows, axpy1: emulateAxpy(1), axpy8: emulateAxpy(8), row: emulateRow(t.nr)}
	for i := range t.mr {
		e.full[i] = emulateTile(i+1, t.nr, t.nr)
		for v := range t.nr / t.lanes {
			e.masked[v][i] = emulateTile(i+1, v*t.lanes+1, (v+1)*t.lanes)
		}
	}
	e.pack4, e.pack1 = emulatePack(t.nr, 4*t.nr, 4*t.nr), emulatePack(t.nr, t.nr, t.nr)
	for v := range t.nr / t.lanes {
		e.packTail[v] = emulatePack(t.nr, v*t.lanes+1, (v+1)*t.lanes)
	}
	return e
}

func between(n, least, most int) {
	if n < least || n > most {
		panic(fmt.Sprintf("%d columns for %d to %d", n, least, most))
	}
}

func emulateTile(rows, least, most int) tile {
	return func(count, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc, cols int, start *float32, flags int, _ *float32, _, _ int) {
		between(cols, least, most)
		for i := range rows * count {
			y := at(c, i*rsc, cols)
			switch {
			case flags&accumulate != 0:
			case start != nil:
				copy(y, at(start, 0, cols))
			default:
				clear(y)
			}
			for l := range k {
				addProducts(y, at(b, l*rsb, cols), at(a, i*rsa+l*csa, 1)[0])
			}
			for j, v := range y {
				if flags&rectify != 0 && v < 0 {
					y[j] = 0
				}
			}
		}
	}
}

// addProducts is not for the race detector, like chain.
//
//go:norace
func addProducts(y, x []float32, f float32) {
	for j, v := range x {
		y[j] = fma(f, v, y[j])
	}
}

func emulateAxpy(rows int) axpy {
	return func(n int, x *float32, csa int, b *float32, rsb int, y, start *float32, flags int) {
		emulateTile(1, n, n)(1, rows, x, 0, csa, b, rsb, y, 0, n, start, flags, nil, 0, 0)
	}
}

func emulateRow(nr int) row {
	return func(k int, a *float32, csa int, b *float32, next int, c, start *float32, flags int) {
		for panel := range streams {
			to, from := 4*panel*nr, start
			if start != nil {
				from = &at(start, to, nr)[0]
			}
			emulateTile(1, nr, nr)(1, k, a, 0, csa, &at(b, panel*next, k*nr)[0], 4*nr, &at(c, to, nr)[0], 0, nr, from, flags, nil, 0, 0)
		}
	}
}

func emulatePack(nr, least, most int) packer {
	return func(k int, b *float32, rsb int, dst *float32, next, cols int) {
		between(cols, least, most)
		for l := range k {
			row := at(b, l*rsb, cols)
			for j := 0; j < cols; j += nr {
				n := min(nr, cols-j)
				copy(at(dst, j/nr*next+4*l*nr, n), row[j:][:n])
			}
		}
	}
}

// TestEveryGeometryIsTheChain runs products with the measures of every instruction set,
// whether this machine has it or not, with micro-kernels in Go. With the race detector
// pointers are checked too.
func TestEveryGeometryIsTheChain(t *testing.T) {
	before, kernels := active, tilesAVX2
	active = avx2
	defer func() { active, tilesAVX2 = before, kernels }()
	for _, measures := range []*tiles{&kernels, &tilesAVX512, &largeAVX512} {
		t.Run(fmt.Sprintf("%d×%d", measures.mr, measures.nr), func(t *testing.T) {
			tilesAVX2 = *emulate(measures)
			for i, s := range []shape{
				{m: 5, k: 7, n: 9},
				{m: 31, k: 40, n: 70},
				{m: 70, k: 20, n: 300},
				{m: fewRows + 1, k: 530, n: 2000},
				{m: 2, k: 530, n: 2000},
				{m: 1, k: 19, n: 5000},
				{m: 20, k: 1100, n: 150},
				{m: 200, k: 60, n: 150},
				{m: 40, k: 0, n: 60},
			} {
				for kind := range 6 {
					if s.m*s.k*s.n > 1<<20 && kind != 2 {
						continue // it takes long
					}
					s.kind = kind
					if s.k == 0 {
						s.kind = 0
					}
					a, b, c, e := s.operands(rand.New(rand.NewPCG(uint64(i), uint64(kind))))
					want, packed := c, c
					want.Data, packed.Data = slices.Clone(c.Data), slices.Clone(c.Data)
					chain(want, a, b, e)
					g := Gemm{Threads: 1 + kind%3}
					g.Multiply(c, a, b, e)
					if i := firstDifference(c.Data, want.Data); i >= 0 {
						t.Fatalf("%+v: number %d of C is %v, want %v", s, i, c.Data[i], want.Data[i])
					}
					g.MultiplyPacked(packed, a, PackWeights(b), e)
					if i := firstDifference(packed.Data, want.Data); i >= 0 {
						t.Fatalf("%+v, packed: number %d of C is %v, want %v", s, i, packed.Data[i], want.Data[i])
					}
				}
			}
		})
	}
}
