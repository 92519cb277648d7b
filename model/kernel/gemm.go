package kernel

import "fmt"

// A Gemm multiplies matrices. It owns scratch memory that grows as needed, so it
// is not safe for concurrent use. The zero value is ready and works on the
// calling goroutine. It must not be copied after first use.
type Gemm struct {
	// Threads is the most goroutines that share a product; below 2 it is the
	// calling one. It does not change any result.
	Threads int

	packed  []float32
	copied  []float32
	swapped []float32 // C transposed
	crew    Crew
	product product
	chunk   func(i, worker int) // of product
}

// Multiply computes C = A·B with the epilogue e. A is (M, K) and B is (K, N), of
// any strides; C is (M, N) with a column stride of 1. It allocates only when the
// operands are larger than ever before.
func (g *Gemm) Multiply(c, a, b View, e Epilogue) {
	checkProduct(c, a, b.Rows, b.Cols, e)
	b.check("B")
	g.multiply(c, a, b, nil, e)
}

// MultiplyPacked is Multiply for weights that were packed before.
func (g *Gemm) MultiplyPacked(c, a View, b *Weights, e Epilogue) {
	checkProduct(c, a, b.view.Rows, b.view.Cols, e)
	g.multiply(c, a, b.view, b.panels, e)
}

func checkProduct(c, a View, rows, cols int, e Epilogue) {
	a.check("A")
	c.check("C")
	if a.Cols != rows || c.Rows != a.Rows || c.Cols != cols {
		panic(fmt.Sprintf("kernel: product of %d×%d and %d×%d into %d×%d", a.Rows, a.Cols, rows, cols, c.Rows, c.Cols))
	}
	if c.ColStride != 1 && c.Cols > 1 || c.RowStride < c.Cols && c.Rows > 1 {
		panic(fmt.Sprintf("kernel: C must be row-major, has strides %d and %d", c.RowStride, c.ColStride))
	}
	if e.Bias != nil && (e.Accumulate || len(e.Bias) < c.Cols) {
		panic(fmt.Sprintf("kernel: bias of %d numbers for %d columns, accumulate %t", len(e.Bias), c.Cols, e.Accumulate))
	}
}

// multiply chooses a way to the product and takes it. panels may be nil.
func (g *Gemm) multiply(c, a, b View, panels []float32, e Epilogue) {
	if c.Rows == 0 || c.Cols == 0 {
		return
	}
	if t := active.tiles(); t != nil && panels == nil && small(c, a, b) {
		t.small(c, a, b, e)
		return
	}
	p := &g.product
	*p = product{tiles: active.tiles(), c: c, a: a, b: b, panels: panels, epilogue: e}
	if panels == nil {
		p.tiles = p.tiles.forSize(c.Rows, a.Cols, c.Cols)
	}
	if panels == nil && b.ColStride != 1 && b.Cols > 1 {
		if e.Bias == nil && !e.Accumulate && p.tiles != nil && a.Rows*(a.Cols+b.Cols) < a.Cols*b.Cols {
			g.swap(p)
			return
		}
	}
	g.run(p)
}

// run computes p, in chunks if it is large.
func (g *Gemm) run(p *product) {
	p.divide(g.Threads)
	p.pack, p.copy = p.panels == nil && p.paysToPack(), p.paysToCopy()
	chunks := p.rowParts * p.colParts
	workers := max(min(g.Threads, chunks), 1)
	if p.pack {
		g.packed = grow(g.packed, workers*p.packedSize())
		p.packed = g.packed
	}
	if p.copy {
		g.copied = grow(g.copied, workers*p.tiles.copySize())
		p.copied = g.copied
	}
	if chunks == 1 {
		p.columns(0, p.c.Cols)
	} else {
		if g.chunk == nil {
			g.chunk = p.chunk
		}
		p.workers = workers
		g.crew.Run(workers, chunks, g.chunk)
	}
	*p = product{} // hold no operands
}

// swap computes Cᵀ = Bᵀ·Aᵀ and transposes it, for a transposed B that is large
// beside A and C: these are packed and transposed in its place. The sums are the
// same, factors changing sides.
func (g *Gemm) swap(p *product) {
	c, activation := p.c, p.epilogue.Activation
	g.swapped = grow(g.swapped, c.Rows*c.Cols)
	ct := Matrix(g.swapped, c.Cols, c.Rows)
	p.c, p.a, p.b = ct, p.b.T(), p.a.T()
	p.epilogue.Activation = 0
	g.run(p)
	transpose(c, ct.T())
	for i := range c.Rows {
		row := c.Data[i*c.RowStride:][:c.Cols]
		activate(activation, row)
	}
}

// grow returns b with length n, allocating if it is too small. The content is
// undefined.
func grow(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}
