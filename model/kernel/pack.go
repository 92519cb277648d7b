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
		fn := t.pack1
		switch {
		case cols >= 4*t.nr:
			cols, fn = 4*t.nr, t.pack4
		case cols >= t.nr:
			cols = t.nr
		default:
			fn = t.packTail[t.vectors(cols)-1]
		}
		fn(v.Rows, &v.Data[j], 4*v.RowStride, &dst[j*v.Rows], 4*size, cols)
		j += cols
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
	if t == nil || b.Cols < t.nr {
		return w // used where they are
	}
	w.panels = make([]float32, panelSize(b.Rows, b.Cols, t.nr))
	preferHuge(w.panels)
	t.pack(w.panels, b)
	return w
}
