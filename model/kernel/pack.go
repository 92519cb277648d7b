package kernel

// panelSize returns the numbers that k rows of n columns take in panels of nr.
func panelSize(k, n, nr int) int { return k * ((n + nr - 1) / nr * nr) }

// pack writes v to dst as panels of nr columns, each of all rows in order; the
// columns that the last one lacks are left as they are.
func (t *tiles) pack(dst []float32, v View) {
	if v.Rows == 0 {
		return
	}
	size := v.Rows * t.nr
	if v.ColStride != 1 && v.Cols > 1 {
		for j := 0; j < v.Cols; j += t.nr {
			cols := min(t.nr, v.Cols-j)
			transpose(View{Data: dst[j*v.Rows:], Rows: v.Rows, Cols: cols, RowStride: t.nr, ColStride: 1}, v.part(0, v.Rows, j, cols))
		}
		return
	}
	for j := 0; j < v.Cols; {
		cols := v.Cols - j
		n, fn := cols, t.packNarrow
		switch {
		case cols >= 4*t.nr:
			n, fn = 4*t.nr, t.pack4
		case cols >= t.nr:
			n, fn = t.nr, t.pack1
		case cols > t.half:
			fn = t.packMasked
		}
		fn(v.Rows, &v.Data[j], 4*v.RowStride, &dst[j*v.Rows], 4*size, n)
		j += n
	}
}

// transpose copies v, of any layout, to c, which is row-major.
func transpose(c, v View) {
	const tile = 64 // rows that stay in the L1 cache
	t := active.tiles()
	for i0 := 0; i0 < v.Rows; i0 += tile {
		rows := min(i0+tile, v.Rows)
		j := 0
		if whole := (rows - i0) / 8; t != nil && v.RowStride == 1 && whole > 0 {
			for ; j+8 <= v.Cols; j += 8 {
				t.turn(whole, &v.Data[i0+j*v.ColStride], 4*v.ColStride, &c.Data[i0*c.RowStride+j], 4*c.RowStride)
				copyPart(c, v, i0+8*whole, rows, j, j+8)
			}
		}
		copyPart(c, v, i0, rows, j, v.Cols)
	}
}

// copyPart copies rows [i, end) and columns [j0, j1) of v to c.
func copyPart(c, v View, i, end, j0, j1 int) {
	for ; i < end; i++ {
		row, src := c.Data[i*c.RowStride:], v.Data[i*v.RowStride:]
		for j := j0; j < j1; j++ {
			row[j] = src[j*v.ColStride]
		}
	}
}

// Weights are the right operand of many products, laid out for them once. They do
// not change and may be used by several goroutines at once.
type Weights struct {
	view   View
	panels []float32 // nil: used where they are
}

// PackWeights returns b, of any strides, laid out for the products of this machine.
// It refers to b's memory, which must not change as long as it is used.
func PackWeights(b View) *Weights {
	b.check("B")
	w := &Weights{view: b}
	t := active.tiles()
	if t == nil {
		return w // used where they are
	}
	w.panels = make([]float32, panelSize(b.Rows, b.Cols, t.nr))
	t.pack(w.panels, b)
	return w
}
