package kernel

const (
	smallWork  = 1 << 15 // multiplications of a product up to which choosing a way to it takes longer than it saves
	smallDepth = 128     // rows of B up to which the sums of a tile need not be shared
)

// small reports whether a product is computed as it is, tile by tile: nothing would be
// packed, copied or divided, or it would not pay.
func small(c, a, b View) bool {
	return c.Rows < packRows && a.Cols <= smallDepth && c.Cols < copyCols && c.Rows*c.Cols*a.Cols <= smallWork &&
		(b.ColStride == 1 || b.Cols == 1) && a.Cols > 0
}

// small computes C = A·B. The sums are those of any other way.
func (t *tiles) small(c, a, b View, e Epilogue) {
	flags := 0
	if e.Accumulate {
		flags = accumulate
	}
	if e.Activation == ThenReLU {
		flags |= rectify
	}
	parts := (c.Rows + t.mr - 1) / t.mr // that differ by one row at most
	rows, larger := c.Rows/parts, c.Rows%parts
	for j := 0; j < c.Cols; j += t.nr {
		cols := min(t.nr, c.Cols-j)
		var start *float32
		if e.Bias != nil {
			start = &e.Bias[j]
		}
		if larger > 0 {
			t.of(rows+1, cols)(larger, a.Cols, &a.Data[0], 4*a.RowStride, 4*a.ColStride, &b.Data[j], 4*b.RowStride,
				&c.Data[j], 4*c.RowStride, cols, start, flags, nil, 0, 0)
		}
		from := larger * (rows + 1)
		t.of(rows, cols)(parts-larger, a.Cols, &a.Data[from*a.RowStride], 4*a.RowStride, 4*a.ColStride, &b.Data[j], 4*b.RowStride,
			&c.Data[from*c.RowStride+j], 4*c.RowStride, cols, start, flags, nil, 0, 0)
	}
	if e.Activation > ThenReLU {
		for i := range c.Rows {
			activate(e.Activation, c.Data[i*c.RowStride:][:c.Cols])
		}
	}
}
