package kernel

const (
	rowCols = 4096 // numbers of a few rows that are computed at once: they stay in the L1 cache

	packRows    = 64  // rows of C from which it pays to pack B
	fewRows     = 4   // rows up to which it does not, even if B is far
	spreadDepth = 384 // rows of B that are multiplied at once if it is not packed: they share cache sets

	farSize = 1 << 20 // numbers from which on B is far

	copyStride  = 768 // numbers between rows of A from which on its blocks are copied
	turnDepth   = 16  // columns of a transposed A from which on they are turned
	turnCols    = 128 // columns of C from which on it pays to turn
	copyCols    = 256 // columns of C from which on it pays to copy
	copyPadding = 16  // numbers between rows of a copied block of A

	chunkWork = 1 << 19 // multiplications that are worth handing over
	shares    = 8       // chunks for each goroutine: one that loses its processor keeps the others waiting for less
	chunkRows = 12      // rows of a chunk, at least
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

	rowParts, colParts int // chunks of C
	workers            int // goroutines with scratch memory of their own
}

// width returns the columns of a panel.
func (p *product) width() int {
	if p.tiles == nil {
		return portableCols
	}
	return p.tiles.nr
}

// paysToPack reports whether packing B costs less than it saves.
func (p *product) paysToPack() bool {
	switch {
	case p.b.ColStride != 1 && p.b.Cols > 1:
		return true
	case p.tiles == nil || p.c.Cols <= p.tiles.nr:
		return false
	default:
		rows := p.c.Rows / p.rowParts
		return rows >= packRows || rows > fewRows && p.far()
	}
}

// paysToCopy reports the same of blocks of A. Rows far apart are in as many pages,
// and may fall into the same few cache sets; of a transposed A the rows of a tile are a
// small part of each line.
func (p *product) paysToCopy() bool {
	if p.tiles == nil || p.c.Rows/p.rowParts <= p.tiles.mr {
		return false
	}
	cols := p.c.Cols / p.colParts
	if p.a.ColStride == 1 {
		return cols >= copyCols && p.a.Cols > 0 && p.a.RowStride > copyStride
	}
	return cols >= turnCols && p.a.RowStride == 1 && p.a.Cols >= turnDepth
}

// far reports whether B is not in a cache near the processor, and a panel of it in as
// many pages as it has rows.
func (p *product) far() bool { return p.b.Rows*p.b.Cols > farSize }

// streams reports whether it pays to read B once, in order.
func (p *product) streams() bool {
	if p.b.ColStride != 1 || p.a.Cols == 0 {
		return false
	}
	return p.panels == nil && (p.c.Rows == 1 || p.c.Rows <= fewRows && p.far())
}

// divide chooses into how many chunks p is divided: C by columns, between panels, as
// rows would have B packed by every part of them; by rows too if there are few panels. No
// sum is divided.
func (p *product) divide(threads int) {
	p.rowParts, p.colParts = 1, 1
	if threads < 2 {
		return
	}
	most := min(p.c.Rows*p.c.Cols*max(p.a.Cols, 1)/chunkWork, shares*threads)
	if most < 2 {
		return
	}
	panels := p.columnPanels()
	each := (panels + most - 1) / most
	p.colParts = (panels + each - 1) / each
	p.rowParts = max(1, min(most/p.colParts, p.c.Rows/chunkRows))
}

// columnPanels returns how many panels B has.
func (p *product) columnPanels() int { return (p.c.Cols + p.width() - 1) / p.width() }

// packedSize returns the numbers that a goroutine needs to pack blocks of B.
func (p *product) packedSize() int {
	depth, cols := p.b.Rows, (p.columnPanels()+p.colParts-1)/p.colParts*p.width()
	if p.tiles != nil {
		depth, cols = min(depth, p.tiles.depth), min(cols, p.tiles.blockCols())
	}
	return depth * cols
}

// chunk computes chunk i with the scratch memory of a worker.
func (p *product) chunk(i, worker int) {
	part := *p
	part.packed = share(p.packed, worker, p.workers)
	part.copied = share(p.copied, worker, p.workers)
	row, col := i/p.colParts, i%p.colParts
	lo, hi := p.c.Rows*row/p.rowParts, p.c.Rows*(row+1)/p.rowParts
	part.c.Data, part.c.Rows = p.c.Data[lo*p.c.RowStride:], hi-lo
	if p.a.Cols > 0 {
		part.a.Data = p.a.Data[lo*p.a.RowStride:]
	}
	part.a.Rows = hi - lo
	panels := p.columnPanels()
	part.columns(panels*col/p.colParts*p.width(), min(panels*(col+1)/p.colParts*p.width(), p.c.Cols))
}

// share returns part i of n of b.
func share(b []float32, i, n int) []float32 {
	size := len(b) / n
	return b[i*size:][:size]
}

// columns computes columns [lo, hi) of C.
func (p *product) columns(lo, hi int) {
	switch {
	case p.tiles == nil:
		p.portable(lo, hi)
	case hi-lo > p.tiles.nr && p.streams():
		p.stream(lo, hi)
	default:
		j, cols := lo, hi-lo
		if p.panels != nil && p.c.Rows == 1 && p.a.Cols > 0 {
			j = p.row(lo, hi)
		}
		if p.pack {
			cols = p.tiles.blockCols()
		}
		for ; j < hi; j += cols {
			p.blocks(j, min(j+cols, hi))
		}
	}
	if a := p.epilogue.Activation; a > ThenReLU || a == ThenReLU && p.tiles == nil {
		for i := range p.c.Rows {
			activate(a, p.c.Data[i*p.c.RowStride:][lo:hi])
		}
	}
}

// blocks computes columns by tiles, block after block of B's rows.
func (p *product) blocks(lo, hi int) {
	most := p.tiles.depth
	if p.panels == nil && !p.pack {
		most = min(most, spreadDepth)
	}
	count := max((p.a.Cols+most-1)/most, 1)
	depth := (p.a.Cols + count - 1) / count
	rows := p.tiles.blockRows(depth)
	for k := 0; ; k += depth {
		b := p.block(k, depth, lo, hi)
		for i := 0; i < p.c.Rows; i += rows {
			a := p.factors(i, rows, k, b.depth)
			for j := lo; j < hi; j += p.tiles.nr {
				p.panel(i, j, min(p.tiles.nr, hi-j), a, &b)
			}
		}
		if b.last {
			return
		}
	}
}

// row computes columns of a single row and returns the first that is left: they are
// fewer than those of the panels that are read at once.
func (p *product) row(lo, hi int) int {
	flags, depth, nr := 0, p.b.Rows, p.tiles.nr
	if p.epilogue.Accumulate {
		flags = accumulate
	}
	if p.epilogue.Activation == ThenReLU {
		flags |= rectify
	}
	for ; lo+streams*nr <= hi; lo += streams * nr {
		var start *float32
		if p.epilogue.Bias != nil {
			start = &p.epilogue.Bias[lo]
		}
		p.tiles.row(depth, &p.a.Data[0], 4*p.a.ColStride, &p.panels[lo*depth], 4*depth*nr, &p.c.Data[lo], start, flags)
	}
	return lo
}

// stream computes columns of a few rows, reading B once.
func (p *product) stream(lo, hi int) {
	step := rowCols / p.c.Rows
	for j := lo; j < hi; j += step {
		p.streamPart(j, min(step, hi-j))
	}
}

func (p *product) streamPart(j, cols int) {
	const step = 8
	flags, depth := 0, p.a.Cols
	if p.epilogue.Accumulate {
		flags = accumulate
	}
	var start *float32
	if p.epilogue.Bias != nil {
		start = &p.epilogue.Bias[j]
	}
	for k := 0; k < depth; {
		add, n := p.tiles.axpy8, step
		if depth-k < step {
			add, n = p.tiles.axpy1, 1
		}
		if k+n == depth && p.epilogue.Activation == ThenReLU {
			flags |= rectify
		}
		for i := range p.c.Rows {
			add(cols, &p.a.Data[i*p.a.RowStride+k*p.a.ColStride], 4*p.a.ColStride, &p.b.Data[k*p.b.RowStride+j], 4*p.b.RowStride,
				&p.c.Data[i*p.c.RowStride+j], start, flags)
		}
		k += n
		flags, start = flags|accumulate, nil
	}
}
