package kernel

import (
	"fmt"
	"sync"
	"sync/atomic"
)

const (
	blockCols  = 512     // columns of a block of B: with blockDepth rows it fills half of a 64 KiB L1 cache
	blockDepth = 16      // rows of a block of B
	chunkWork  = 1 << 18 // multiplications that are worth handing over: some 50 µs
	chunkRows  = 8       // fewest rows of a chunk, so that a block of B is used as often
	chunkCols  = 64      // fewest columns of a chunk
	mostChunks = 32
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
	chunks := chunksOf(c.Rows, c.Cols, a.Cols)
	if g.Threads < 2 || chunks < 2 {
		multiply(c, a, b, e)
		return
	}
	g.shared(product{c, a, b, e}, chunks)
}

// shared runs a product in chunks that the calling goroutine and others take one
// after the other: a core that is busy elsewhere only gets fewer of them.
func (g *Gemm) shared(p product, chunks int) {
	var next atomic.Int64
	work := func() {
		for {
			chunk := int(next.Add(1)) - 1
			if chunk >= chunks {
				return
			}
			part := p.chunk(chunk, chunks)
			multiply(part.c, part.a, part.b, part.e)
		}
	}
	var wg sync.WaitGroup
	for range min(g.Threads, chunks) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// A product is C = A·B with its epilogue.
type product struct {
	c, a, b View
	e       Epilogue
}

// chunksOf returns into how many chunks a product of (rows, depth) and (depth,
// cols) is divided.
func chunksOf(rows, cols, depth int) int {
	return min(rows*cols*max(depth, 1)/chunkWork, max(rows/chunkRows, cols/chunkCols), mostChunks)
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

// chunk returns number i of n parts of p: some rows of C if there are enough,
// which keeps the rows of B long, else some of its columns. No sum is divided.
func (p product) chunk(i, n int) product {
	if p.c.Rows >= chunkRows*n {
		lo, hi := p.c.Rows*i/n, p.c.Rows*(i+1)/n
		p.c.Data, p.c.Rows = p.c.Data[lo*p.c.RowStride:], hi-lo
		p.a.Data, p.a.Rows = p.a.Data[lo*p.a.RowStride:], hi-lo
		return p
	}
	lo, hi := p.c.Cols*i/n, p.c.Cols*(i+1)/n
	p.c.Data, p.c.Cols = p.c.Data[lo:], hi-lo
	p.b.Data, p.b.Cols = p.b.Data[lo:], hi-lo
	if p.e.Bias != nil {
		p.e.Bias = p.e.Bias[lo:hi]
	}
	return p
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
	for i := range c.Rows {
		row := c.Data[i*c.RowStride+j:][:cols]
		factors := a.Data[i*a.RowStride+k*a.ColStride:]
		for d := range depth {
			if f := factors[d*a.ColStride]; f != 0 {
				Axpy(row, f, b.Data[(k+d)*b.RowStride+j:][:cols])
			}
		}
	}
}
