package kernel

import (
	"fmt"
	"sync"
)

const (
	blockCols  = 512     // columns of a block of B: with blockDepth rows it fills half of a 64 KiB L1 cache
	blockDepth = 16      // rows of a block of B
	threadWork = 1 << 19 // multiplications that are worth a goroutine
	threadRows = 16      // rows that are worth a goroutine: B is read once for each share
)

// An Epilogue is what a product does with each element of C besides the sum.
// The zero value overwrites C with the product.
type Epilogue struct {
	// Accumulate starts the sums from what C holds, else they start from Bias.
	Accumulate bool

	// Bias, if not nil, is added to every row; it has as many elements as C has
	// columns. It must be nil if Accumulate is set.
	Bias []float32

	// ReLU replaces negative results by zero.
	ReLU bool
}

// A Gemm multiplies matrices. It owns scratch memory that grows as needed, so it
// is not safe for concurrent use. The zero value is ready and works on the
// calling goroutine.
type Gemm struct {
	// Threads is the most goroutines that share a product; below 2 it is the
	// calling one. It does not change any result.
	Threads int

	packed []float32
}

// Multiply computes C = A·B with the epilogue e. A is (M, K) and B is (K, N), of
// any strides; C is (M, N) with a column stride of 1. A term whose factor of A is
// zero is left out, as in the reference BLAS: an infinity or NaN in B that only
// meets zeros does not reach C.
func (g *Gemm) Multiply(c, a, b View, e Epilogue) {
	checkProduct(c, a, b, e)
	if c.Rows == 0 || c.Cols == 0 {
		return
	}
	b = g.pack(b)
	parts := min(g.Threads, c.Rows*c.Cols*max(a.Cols, 1)/threadWork)
	if parts < 2 {
		multiply(c, a, b, e)
		return
	}
	var wg sync.WaitGroup
	for part := range parts - 1 {
		pc, pa, pb, pe := share(c, a, b, e, part, parts)
		wg.Go(func() { multiply(pc, pa, pb, pe) })
	}
	multiply(share(c, a, b, e, parts-1, parts))
	wg.Wait()
}

func checkProduct(c, a, b View, e Epilogue) {
	a.check("A")
	b.check("B")
	c.check("C")
	if a.Cols != b.Rows || c.Rows != a.Rows || c.Cols != b.Cols {
		panic(fmt.Sprintf("kernel: product of %d×%d and %d×%d into %d×%d", a.Rows, a.Cols, b.Rows, b.Cols, c.Rows, c.Cols))
	}
	if c.ColStride != 1 && c.Cols > 1 || c.RowStride < c.Cols && c.Rows > 1 {
		panic(fmt.Sprintf("kernel: C must be row-major, has strides %d and %d", c.RowStride, c.ColStride))
	}
	if e.Bias != nil && (e.Accumulate || len(e.Bias) < c.Cols) {
		panic(fmt.Sprintf("kernel: bias of %d numbers for %d columns, accumulate %t", len(e.Bias), c.Cols, e.Accumulate))
	}
}

// pack returns b with a column stride of 1, copying it if need be.
func (g *Gemm) pack(b View) View {
	if b.ColStride == 1 || b.Cols == 1 && b.RowStride == 1 {
		return b
	}
	n := b.Rows * b.Cols
	if cap(g.packed) < n {
		g.packed = make([]float32, n)
	}
	p := Matrix(g.packed[:n], b.Rows, b.Cols)
	Pack(p.Data, b)
	return p
}

// share returns part of parts of a product: some rows of C if there are many,
// which leaves the vectors long, else some of its columns. No sum is divided.
func share(c, a, b View, e Epilogue, part, parts int) (pc, pa, pb View, pe Epilogue) {
	if c.Rows >= threadRows*parts || c.Cols < c.Rows {
		lo, hi := c.Rows*part/parts, c.Rows*(part+1)/parts
		c.Data, c.Rows = c.Data[lo*c.RowStride:], hi-lo
		a.Data, a.Rows = a.Data[lo*a.RowStride:], hi-lo
		return c, a, b, e
	}
	lo, hi := c.Cols*part/parts, c.Cols*(part+1)/parts
	if lo == hi {
		return View{}, View{}, b, e
	}
	c.Data, c.Cols = c.Data[lo:], hi-lo
	b.Data, b.Cols = b.Data[lo:], hi-lo
	if e.Bias != nil {
		e.Bias = e.Bias[lo:hi]
	}
	return c, a, b, e
}

// multiply is Multiply on one goroutine, for b with a column stride of 1.
func multiply(c, a, b View, e Epilogue) {
	for i := range c.Rows {
		row := c.Data[i*c.RowStride:][:c.Cols]
		switch {
		case e.Bias != nil:
			copy(row, e.Bias)
		case !e.Accumulate:
			clear(row)
		}
	}
	for j := 0; j < c.Cols; j += blockCols {
		cols := min(blockCols, c.Cols-j)
		for k := 0; k < a.Cols; k += blockDepth {
			addBlock(c, a, b, j, cols, k)
		}
	}
	if e.ReLU {
		for i := range c.Rows {
			row := c.Data[i*c.RowStride:][:c.Cols]
			ReLU(row, row)
		}
	}
}

// addBlock adds the terms from k of cols columns from j to all rows of C.
func addBlock(c, a, b View, j, cols, k int) {
	depth := min(blockDepth, a.Cols-k)
	add := addScaled
	if cols >= shortVector {
		add = axpy
	}
	for i := range c.Rows {
		row := c.Data[i*c.RowStride+j:][:cols]
		factor, term := i*a.RowStride+k*a.ColStride, k*b.RowStride+j
		for range depth {
			if f := a.Data[factor]; f != 0 {
				add(row, f, b.Data[term:][:cols])
			}
			factor += a.ColStride
			term += b.RowStride
		}
	}
}
