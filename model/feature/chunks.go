package feature

// chunkBytes bounds the memory a column takes ahead of its rows.
const chunkBytes = 256 << 10

// chunks holds rows of width elements in pieces that never move once full, so
// that growing copies no more than one piece. Pieces hold 1<<shift rows; the
// first starts small and doubles up to that.
type chunks[T any] struct {
	parts [][]T
	width int
	shift uint8
}

func newChunks[T any](width, elemBytes int) chunks[T] {
	c := chunks[T]{width: width}
	for (2<<c.shift)*width*elemBytes <= chunkBytes {
		c.shift++
	}
	return c
}

// row returns the memory of row i, which must have been grown.
func (c *chunks[T]) row(i int) []T {
	at := (i & (1<<c.shift - 1)) * c.width
	return c.parts[i>>c.shift][at : at+c.width]
}

// at returns row i, which must have been grown, where a row is one element.
func (c *chunks[T]) at(i int) T { return c.parts[i>>c.shift][i&(1<<c.shift-1)] }

// put stores x as row i, at most one row beyond those grown before, where a row
// is one element.
func (c *chunks[T]) put(i int, x T) {
	at := i & (1<<c.shift - 1)
	if part := i >> c.shift; part < len(c.parts) {
		if p := c.parts[part]; at < len(p) {
			p[at] = x
			return
		}
	}
	c.grow(i)[0] = x
}

// piece returns the memory of row i and of those after it in the same part, at
// most n rows.
func (c *chunks[T]) piece(i, n int) []T {
	at := i & (1<<c.shift - 1)
	n = min(n, 1<<c.shift-at)
	return c.parts[i>>c.shift][at*c.width : (at+n)*c.width]
}

// grow returns the memory of row i, at most one row beyond those grown before.
func (c *chunks[T]) grow(i int) []T {
	full := c.width << c.shift
	part := i >> c.shift
	if part == len(c.parts) {
		size := full
		if part == 0 {
			size = min(full, max(1, 16/c.width)*c.width)
		}
		c.parts = append(c.parts, make([]T, size))
	}
	at := (i & (1<<c.shift - 1)) * c.width
	if at+c.width > len(c.parts[part]) {
		larger := make([]T, min(full, 2*len(c.parts[part])))
		copy(larger, c.parts[part])
		c.parts[part] = larger
	}
	return c.parts[part][at : at+c.width]
}
