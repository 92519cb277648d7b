package kernel

// A block is some rows of B: element (k, j) of panel q is data[q*next + k*row + j].
type block struct {
	k, depth  int
	lo        int // its first column
	data      []float32
	row, next int
	flags     int
	start     bool // sums start from the bias
	last      bool // there are no rows after it
	far       int  // panels without gaps that are not in a cache near the processor
}

// block returns the rows of B from k on, packed if need be.
func (p *product) block(k, depth, lo, hi int) block {
	nr := p.tiles.nr
	b := block{k: k, depth: min(depth, p.a.Cols-k), lo: lo, last: k+depth >= p.a.Cols}
	switch {
	case p.panels != nil:
		b.data, b.row, b.next = p.panels[lo*p.b.Rows+k*nr:], nr, p.b.Rows*nr
		if p.far() {
			b.far = (hi - lo + nr - 1) / nr
		}
	case p.pack:
		p.tiles.pack(p.packed, p.b.part(k, b.depth, lo, hi-lo))
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
	if p.epilogue.Activation == ThenReLU && b.last {
		b.flags |= rectify
	}
	return b
}

// factors returns a block of A, copied to rows next to each other that do not share cache
// sets if need be.
func (p *product) factors(i, rows, k, depth int) View {
	a := p.a.part(i, min(rows, p.a.Rows-i), k, depth)
	if !p.copy {
		return a
	}
	to := View{Data: p.copied, Rows: a.Rows, Cols: depth, RowStride: depth + copyPadding, ColStride: 1}
	if a.ColStride != 1 {
		transpose(to, a)
		return to
	}
	for row := range a.Rows {
		copy(to.Data[row*to.RowStride:][:depth], a.Data[row*a.RowStride:])
	}
	return to
}

// panel computes a block of rows of C from i on, by cols columns from j on, in tiles that
// differ by one row at most.
func (p *product) panel(i, j, cols int, a View, b *block) {
	parts := (a.Rows + p.tiles.mr - 1) / p.tiles.mr
	rows, larger := a.Rows/parts, a.Rows%parts
	s := strip{i: i, j: j, cols: cols, ahead: b.ahead((j-b.lo)/p.tiles.nr, parts)}
	p.strip(&s, rows+1, larger, a, b)
	p.strip(&s, rows, parts-larger, a, b)
}

// A strip is a panel in the course of being computed: done tiles and rows.
type strip struct {
	i, j, cols  int
	tiles, done int
	ahead       ahead
}

// strip computes that count of tiles of some rows.
func (p *product) strip(s *strip, rows, count int, a View, b *block) {
	if count == 0 {
		return
	}
	var left, right, start *float32
	if b.depth > 0 {
		left, right = &a.Data[s.done*a.RowStride], &b.data[(s.j-b.lo)/p.tiles.nr*b.next]
	}
	if b.start {
		start = &p.epilogue.Bias[s.j]
	}
	p.tiles.of(rows, s.cols)(count, b.depth, left, 4*a.RowStride, 4*a.ColStride, right, 4*b.row,
		&p.c.Data[(s.i+s.done)*p.c.RowStride+s.j], 4*p.c.RowStride, s.cols, start, b.flags,
		s.ahead.of(s.tiles), s.ahead.apart, s.ahead.step)
	s.tiles += count
	s.done += rows * count
}

// streams is in how many places tiles ask for memory at once. It answers faster than
// in one.
const streams = 4

// ahead is what the tiles of a panel ask for on the way.
type ahead struct {
	data        []float32
	apart, step int // in bytes, for a tile; no step: nothing
	part        int // numbers from where a tile begins to where the next does
}

// ahead returns what the parts of panel q ask for: their share of the next panels, one in
// each place, and for those from the last on of the first in the next rows.
func (b *block) ahead(q, parts int) ahead {
	next := (q/streams + 1) * streams
	switch {
	case next < b.far:
		next *= b.next
	case b.far > 0 && !b.last && len(b.data) >= 2*b.depth*b.row: // the last rows may be far fewer, with no panel after them
		next = b.depth * b.row
	default:
		return ahead{}
	}
	rows := b.depth / streams // that the panel asks for in each place
	return ahead{
		data:  b.data[next+q%streams*rows*b.row:],
		apart: 4 * b.next,
		step:  4 * b.row / parts,
		part:  rows * b.row / parts,
	}
}

// of returns where a part begins to ask, nil if it does not.
func (a *ahead) of(part int) *float32 {
	if a.step == 0 {
		return nil
	}
	return &a.data[part*a.part]
}
