package kernel

// panelSize returns the numbers that k rows of n columns take in panels of nr.
func panelSize(k, n, nr int) int { return k * ((n + nr - 1) / nr * nr) }

// packPanels writes v to dst as panels of nr columns, each of all rows in order;
// the columns that the last one lacks are zero.
func packPanels(dst []float32, v View, nr int) {
	for j := 0; j < v.Cols; j += nr {
		cols := min(nr, v.Cols-j)
		panel := dst[j*v.Rows:][:v.Rows*nr]
		if v.ColStride == 1 || cols == 1 {
			for k := range v.Rows {
				row := panel[k*nr:][:nr]
				clear(row[copy(row, v.Data[k*v.RowStride+j*v.ColStride:][:cols]):])
			}
			continue
		}
		for k := range v.Rows {
			row, src := panel[k*nr:][:nr], v.Data[k*v.RowStride+j*v.ColStride:]
			for i := range cols {
				row[i] = src[i*v.ColStride]
			}
			clear(row[cols:])
		}
	}
}

// transpose copies v, of any layout, to c, which is row-major.
func transpose(c, v View) {
	const tile = 32 // rows and columns that stay in the L1 cache
	for i0 := 0; i0 < v.Rows; i0 += tile {
		rows := min(i0+tile, v.Rows)
		for j0 := 0; j0 < v.Cols; j0 += tile {
			cols := min(j0+tile, v.Cols)
			for i := i0; i < rows; i++ {
				row, src := c.Data[i*c.RowStride:], v.Data[i*v.RowStride:]
				for j := j0; j < cols; j++ {
					row[j] = src[j*v.ColStride]
				}
			}
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
	packPanels(w.panels, b, t.nr)
	return w
}
