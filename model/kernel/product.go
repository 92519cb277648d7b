package kernel

const (
	blockDepth = 256  // rows of B that are packed and multiplied at once: a panel of them stays in the L1 cache
	blockRows  = 192  // rows of A for each of them: with blockDepth a part of the L2 cache
	packRows   = 128  // rows of C from which it pays to pack B,
	pagedRows  = 32   // and if the rows of B are a multiple of a page apart
	rowCols    = 4096 // columns of a single row that are computed at once: they stay in the L1 cache

	copyStride = blockDepth + 16 // of a copied block of A
	copySize   = blockRows * copyStride

	chunkWork  = 1 << 19 // multiplications that are worth handing over
	mostChunks = 16
)

// A product is C = A·B with its epilogue, in the course of being computed.
type product struct {
	tiles    *tiles // nil: in Go
	c, a, b  View
	epilogue Epilogue

	panels []float32 // B packed before, nil if it is not
	pack   bool      // pack blocks of B into packed
	copy   bool      // copy blocks of A into copied
	packed []float32
	copied []float32

	byRows bool // chunks are rows of C, else columns
}

// width returns the columns of a panel.
func (p *product) width() int {
	if p.tiles == nil {
		return portableCols
	}
	return p.tiles.nr
}

// mustPack reports whether blocks of B are packed before they are used: always if
// its rows are not contiguous, for many rows of C, and for fewer if the rows of B
// are a multiple of a page apart, which leaves them a small part of the caches.
func (p *product) mustPack() bool {
	switch {
	case p.b.ColStride != 1 && p.b.Cols > 1:
		return true
	case p.tiles == nil:
		return false
	case p.b.RowStride%1024 == 0:
		return p.c.Rows >= pagedRows
	default:
		return p.c.Rows >= packRows
	}
}

// divide chooses into how many chunks p is divided, and how. No sum is divided,
// and columns only between panels.
func (p *product) divide() int {
	work := p.c.Rows * p.c.Cols * max(p.a.Cols, 1)
	chunks := min(work/chunkWork, mostChunks)
	panels := (p.c.Cols + p.width() - 1) / p.width()
	if panels >= chunks {
		return chunks
	}
	const fewest = 12 // rows of a chunk
	if rows := p.c.Rows / fewest; rows > panels {
		p.byRows = true
		return min(chunks, rows)
	}
	return panels
}

// packedSize returns the numbers that chunks need to pack blocks of B.
func (p *product) packedSize(chunks int) int {
	n := p.b.Rows
	if p.tiles != nil {
		n = min(n, blockDepth)
	}
	n *= (p.c.Cols + p.width() - 1) / p.width() * p.width()
	if p.byRows {
		n *= chunks
	}
	return n
}

// chunk computes number i of n parts.
func (p *product) chunk(i, n int) {
	part := *p
	if p.copy {
		part.copied = p.copied[i*copySize:][:copySize]
	}
	if p.byRows {
		lo, hi := p.c.Rows*i/n, p.c.Rows*(i+1)/n
		part.c.Data, part.c.Rows = p.c.Data[lo*p.c.RowStride:], hi-lo
		part.a.Data, part.a.Rows = p.a.Data[lo*p.a.RowStride:], hi-lo
		size := len(p.packed) / n
		part.packed = p.packed[i*size:][:size]
		part.columns(0, p.c.Cols)
		return
	}
	w := p.width()
	panels := (p.c.Cols + w - 1) / w
	lo, hi := panels*i/n*w, min(panels*(i+1)/n*w, p.c.Cols)
	if p.pack {
		part.packed = p.packed[len(p.packed)/(panels*w)*lo:]
	}
	part.columns(lo, hi)
}

// columns computes columns [lo, hi) of C.
func (p *product) columns(lo, hi int) {
	switch {
	case p.tiles == nil:
		p.portable(lo, hi)
	case p.c.Rows == 1 && p.a.Cols > 0 && p.b.ColStride == 1 && hi-lo > p.tiles.nr:
		p.row(lo, hi)
	default:
		p.blocks(lo, hi)
	}
	if a := p.epilogue.Activation; a > ThenReLU || a == ThenReLU && p.tiles == nil {
		for i := range p.c.Rows {
			activate(a, p.c.Data[i*p.c.RowStride:][lo:hi])
		}
	}
}

// blocks computes columns by tiles, block after block of B's rows.
func (p *product) blocks(lo, hi int) {
	for k := 0; ; k += blockDepth {
		b := p.block(k, lo, hi)
		for i := 0; i < p.c.Rows; i += blockRows {
			a := p.factors(i, k, b.depth)
			for j := lo; j < hi; j += p.tiles.nr {
				p.panel(i, j, min(p.tiles.nr, hi-j), a, &b)
			}
		}
		if k+blockDepth >= p.a.Cols {
			return
		}
	}
}

// A block is some rows of B: element (k, j) of panel q is data[q*next + k*row + j].
type block struct {
	k, depth  int
	lo        int // its first column
	data      []float32
	row, next int
	flags     int
	start     bool // sums start from the bias
}

// block returns the rows of B from k on, packed if need be.
func (p *product) block(k, lo, hi int) block {
	nr := p.tiles.nr
	b := block{k: k, depth: min(blockDepth, p.a.Cols-k), lo: lo}
	switch {
	case p.panels != nil:
		b.data, b.row, b.next = p.panels[lo*p.b.Rows+k*nr:], nr, p.b.Rows*nr
	case p.pack:
		packPanels(p.packed, p.b.part(k, b.depth, lo, hi-lo), nr)
		b.data, b.row, b.next = p.packed, nr, b.depth*nr
	default:
		b.row, b.next = p.b.RowStride, nr
		if b.depth > 0 {
			b.data = p.b.Data[k*p.b.RowStride+lo:]
		}
	}
	if k > 0 || p.epilogue.Accumulate {
		b.flags = accumulate
	}
	b.start = k == 0 && p.epilogue.Bias != nil
	if p.epilogue.Activation == ThenReLU && k+blockDepth >= p.a.Cols {
		b.flags |= rectify
	}
	return b
}

// factors returns a block of A, copied to rows that do not share cache sets if need
// be.
func (p *product) factors(i, k, depth int) View {
	a := p.a.part(i, min(blockRows, p.a.Rows-i), k, depth)
	if !p.copy {
		return a
	}
	for row := range a.Rows {
		copy(p.copied[row*copyStride:][:depth], a.Data[row*a.RowStride:])
	}
	a.Data, a.RowStride = p.copied, copyStride
	return a
}

// panel computes a block of rows of C from i on, by cols columns from j on.
func (p *product) panel(i, j, cols int, a View, b *block) {
	parts := (a.Rows + p.tiles.mr - 1) / p.tiles.mr
	var left, right, start *float32
	if b.depth > 0 {
		right = &b.data[(j-b.lo)/p.tiles.nr*b.next]
	}
	if b.start {
		start = &p.epilogue.Bias[j]
	}
	for part, done := 0, 0; part < parts; part++ {
		end := a.Rows * (part + 1) / parts
		if b.depth > 0 {
			left = &a.Data[done*a.RowStride]
		}
		p.tiles.of(end-done, cols)(b.depth, left, 4*a.RowStride, 4*a.ColStride, right, 4*b.row,
			&p.c.Data[(i+done)*p.c.RowStride+j], 4*p.c.RowStride, cols, start, b.flags)
		done = end
	}
}

// row computes columns of a product of one row, which reads B once, in order.
func (p *product) row(lo, hi int) {
	for j := lo; j < hi; j += rowCols {
		p.rowPart(j, min(rowCols, hi-j))
	}
}

func (p *product) rowPart(j, cols int) {
	const step = 8
	flags, depth := 0, p.a.Cols
	if p.epilogue.Accumulate {
		flags = accumulate
	}
	var start *float32
	if p.epilogue.Bias != nil {
		start = &p.epilogue.Bias[j]
	}
	y := &p.c.Data[j]
	for k := 0; k < depth; {
		add, n := p.tiles.axpy8, step
		if depth-k < step {
			add, n = p.tiles.axpy1, 1
		}
		if k+n == depth && p.epilogue.Activation == ThenReLU {
			flags |= rectify
		}
		add(cols, &p.a.Data[k*p.a.ColStride], 4*p.a.ColStride, &p.b.Data[k*p.b.RowStride+j], 4*p.b.RowStride, y, start, flags)
		k += n
		flags, start = flags|accumulate, nil
	}
}
