package kernel

// transpose copies v, of any layout, to c, which is row-major.
func transpose(c, v View) {
	if v.RowStride == 1 && len(v.Data) > 0 {
		turn(c.Data, c.RowStride, v.Data, v.ColStride, v.Cols, v.Rows)
		return
	}
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

// turn sets y, rows of ystride numbers, to the transpose of x, (rows, cols) in rows of
// xstride numbers.
func turn(y []float32, ystride int, x []float32, xstride, rows, cols int) {
	const square, tile = 8, 32 // columns: lines of x are used up while they are in the L1 cache
	l := active.loops()
	for j := 0; j < cols; j += tile {
		width := min(tile, cols-j)
		squares := width / square
		for i := 0; i < rows; i += square {
			height, done := min(square, rows-i), 0
			to, from := y[j*ystride+i:], x[i*xstride+j:]
			if l != nil && height == square && squares > 0 {
				done = squares * square
				_, _ = to[(done-1)*ystride+square-1], from[(square-1)*xstride+done-1]
				l.transpose8(squares, &to[0], 4*ystride, &from[0], 4*xstride)
			}
			for c := done; c < width; c++ {
				column := to[c*ystride:][:height]
				for r := range column {
					column[r] = from[r*xstride+c]
				}
			}
		}
	}
}
