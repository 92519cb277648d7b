package kernel

// A tile computes up to mr × cols elements of C, where cols is at most the width it
// is made for, and goes on below until it has done that count: chains of fused multiply-adds over k, from C, from start or from
// zero. Strides are in bytes. On the way it asks for memory that is needed later, unless
// step is 0: with every fourth of k for a row of B in each of four places, the first of which
// is ahead and the others apart from each other; then they go on by step.
type tile func(count, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc, cols int, start *float32, flags int,
	ahead *float32, apart, step int)

// An axpy adds the products of its count of numbers of x, csa bytes apart, with as
// many rows of B to the n numbers of y.
type axpy func(n int, x *float32, csa int, b *float32, rsb int, y, start *float32, flags int)

// A row computes one row of C by the columns of panels of B, as many as streams and next
// bytes apart, as a tile does.
type row func(k int, a *float32, csa int, b *float32, next int, c, start *float32, flags int)

// The bits of a tile's flags.
const (
	accumulate = 1 << iota // start from C
	rectify                // end with max(x, 0)
)

// tiles are the micro-kernels of an instruction set, by the rows of the tile less
// one.
type tiles struct {
	mr, nr, lanes int
	depth         int         // rows of B that are multiplied at once: a few panels of them stay in the L2 cache
	rows          int         // rows of A for each of them, more if they are short: with depth a part of the L2 cache
	full          [12]tile    // nr columns
	masked        [3][12]tile // by the vectors that the columns take, less one
	axpy1, axpy8  axpy
	row           row

	pack4, pack1 packer
	packTail     [3]packer // by the vectors that the columns take, less one

	large *tiles // for large products, if others are better for them
}

// A packer copies k rows of b to panels next bytes apart, the last one of cols
// columns.
type packer func(k int, b *float32, rsb int, dst *float32, next, cols int)

// of returns the tile for that many rows and columns.
func (t *tiles) of(rows, cols int) tile {
	if cols == t.nr {
		return t.full[rows-1]
	}
	return t.masked[t.vectors(cols)-1][rows-1]
}

// vectors returns how many vectors cols columns take.
func (t *tiles) vectors(cols int) int { return (cols + t.lanes - 1) / t.lanes }

// largeSize is the rows of A and B, and the columns of B, from which a product is large.
const largeSize = 1536

// forSize returns the tiles for a product of that size.
func (t *tiles) forSize(m, k, n int) *tiles {
	if t != nil && t.large != nil && min(m, k, n) >= largeSize {
		return t.large
	}
	return t
}

// blockRows returns how many rows of A are multiplied by each panel of a depth: whole tiles
// of as many numbers as there are in a block of the full depth.
func (t *tiles) blockRows(depth int) int { return t.copySize() / (depth + copyPadding) / t.mr * t.mr }

// copySize returns the numbers that a copied block of A takes.
func (t *tiles) copySize() int { return t.rows * (t.depth + copyPadding) }

// blockCols returns how many columns of B are packed at once: whole panels that, of
// depth rows, are a part of the L2 or L3 cache.
func (t *tiles) blockCols() int { return 512 / t.nr * t.nr }
