package kernel

// A tile computes up to mr × cols elements of C, where cols is at most the width it
// is made for: chains of fused multiply-adds over k, from C, from start or from
// zero. Strides are in bytes.
type tile func(k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc, cols int, start *float32, flags int)

// An axpy adds the products of its count of numbers of x, csa bytes apart, with as
// many rows of B to the n numbers of y.
type axpy func(n int, x *float32, csa int, b *float32, rsb int, y, start *float32, flags int)

// The bits of a tile's flags.
const (
	accumulate = 1 << iota // start from C
	rectify                // end with max(x, 0)
)

// tiles are the micro-kernels of an instruction set, by the rows of the tile less
// one.
type tiles struct {
	mr, nr, half int
	depth        int      // rows of B that are multiplied at once: a panel of them stays in the L1 cache
	rows         int      // rows of A for each of them: with depth a part of the L2 cache
	full         [12]tile // nr columns
	masked       [12]tile // more than half of nr
	narrow       [12]tile // up to half
	axpy1, axpy8 axpy

	pack4, pack1, packMasked, packNarrow packer // packNarrow: up to half
}

// A packer copies k rows of b to panels next bytes apart, the last one of cols
// columns.
type packer func(k int, b *float32, rsb int, dst *float32, next, cols int)

// of returns the tile for that many rows and columns.
func (t *tiles) of(rows, cols int) tile {
	switch {
	case cols == t.nr:
		return t.full[rows-1]
	case cols > t.half:
		return t.masked[rows-1]
	default:
		return t.narrow[rows-1]
	}
}

// copySize returns the numbers that a copied block of A takes.
func (t *tiles) copySize() int { return t.rows * (t.depth + copyPadding) }
