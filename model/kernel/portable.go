package kernel

// portableCols is how many sums are in registers at once.
const portableCols = 8

// portable computes columns [lo, hi) of C in Go. Whether the compiler fuses the
// multiplications with the additions depends on the architecture, and so do the
// last bits.
func (p *product) portable(lo, hi int) {
	b := p.b.part(0, p.b.Rows, lo, hi-lo)
	if p.pack {
		b = Matrix(p.packed[:b.Rows*b.Cols], b.Rows, b.Cols)
		transpose(b, p.b.part(0, p.b.Rows, lo, hi-lo))
	}
	for i := range p.c.Rows {
		row := p.c.Data[i*p.c.RowStride:][lo:hi]
		switch {
		case p.epilogue.Bias != nil:
			copy(row, p.epilogue.Bias[lo:hi])
		case !p.epilogue.Accumulate:
			clear(row)
		}
		if p.a.Cols == 0 {
			continue
		}
		a := p.a.Data[i*p.a.RowStride:]
		j := 0
		for ; j+portableCols <= len(row); j += portableCols {
			sumColumns((*[portableCols]float32)(row[j:]), a, p.a.ColStride, b.Data[j:], b.RowStride, p.a.Cols)
		}
		for ; j < len(row); j++ {
			sum := row[j]
			for k := range p.a.Cols {
				sum += a[k*p.a.ColStride] * b.Data[k*b.RowStride+j]
			}
			row[j] = sum
		}
	}
}

// sumColumns adds the products of depth numbers of a with as many rows of b.
func sumColumns(c *[portableCols]float32, a []float32, stride int, b []float32, row, depth int) {
	c0, c1, c2, c3, c4, c5, c6, c7 := c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
	for k := range depth {
		f, v := a[k*stride], (*[portableCols]float32)(b[k*row:])
		c0 += f * v[0]
		c1 += f * v[1]
		c2 += f * v[2]
		c3 += f * v[3]
		c4 += f * v[4]
		c5 += f * v[5]
		c6 += f * v[6]
		c7 += f * v[7]
	}
	*c = [portableCols]float32{c0, c1, c2, c3, c4, c5, c6, c7}
}
