package feature

import "math"

// vectorPieceBytes bounds, as chunkBytes does, the memory that a column of vectors
// takes ahead of its rows, when they are stored as bytes.
const vectorPieceBytes = 128 << 10

// vectors holds rows of float32 vectors, in pieces like [chunks]. A piece stores
// bytes as long as all it holds are whole numbers from 0 to 255, which images
// and counts are: a quarter of the memory, and nothing is lost.
type vectors struct {
	pieces []vectorPiece
	width  int
	shift  uint8
}

// A vectorPiece has one of its two stores.
type vectorPiece struct {
	bytes  []uint8
	floats []float32
}

// A vector is one row, in the store it is in: the other is nil.
type vector struct {
	bytes  []uint8
	floats []float32
}

func newVectors(width int) vectors {
	v := vectors{width: width}
	for (2<<v.shift)*width <= vectorPieceBytes {
		v.shift++
	}
	return v
}

// row returns row i, which must have been set.
func (v *vectors) row(i int) vector {
	p := &v.pieces[i>>v.shift]
	at := (i & (1<<v.shift - 1)) * v.width
	if p.floats != nil {
		return vector{floats: p.floats[at : at+v.width]}
	}
	return vector{bytes: p.bytes[at : at+v.width]}
}

// set stores x as row i, at most one beyond those set before.
func (v *vectors) set(i int, x []float32) {
	p, at := v.grow(i)
	if p.floats == nil {
		if toBytes(p.bytes[at:at+v.width], x) {
			return
		}
		p.widen()
	}
	copy(p.floats[at:at+v.width], x)
}

// setMissing stores a vector that begins with NaN as row i.
func (v *vectors) setMissing(i int) {
	p, at := v.grow(i)
	if p.floats == nil {
		p.widen()
	}
	row := p.floats[at : at+v.width]
	clear(row)
	row[0] = float32(math.NaN())
}

// grow makes room for row i and returns its piece and its place there.
func (v *vectors) grow(i int) (p *vectorPiece, at int) {
	full := v.width << v.shift
	part := i >> v.shift
	if part == len(v.pieces) {
		v.pieces = append(v.pieces, v.piece(full))
	}
	p = &v.pieces[part]
	at = (i & (1<<v.shift - 1)) * v.width
	if p.floats != nil {
		p.floats = enlarge(p.floats, at+v.width, full)
	} else {
		p.bytes = enlarge(p.bytes, at+v.width, full)
	}
	return p, at
}

// piece returns a new piece: the first is small, and the others begin with the
// store that the one before ended with.
func (v *vectors) piece(full int) vectorPiece {
	n := len(v.pieces)
	switch {
	case n == 0:
		return vectorPiece{bytes: make([]uint8, min(full, max(1, 16/v.width)*v.width))}
	case v.pieces[n-1].floats != nil:
		return vectorPiece{floats: make([]float32, full)}
	}
	return vectorPiece{bytes: make([]uint8, full)}
}

// enlarge returns s with need elements at least: doubled, up to full.
func enlarge[T any](s []T, need, full int) []T {
	if need <= len(s) {
		return s
	}
	larger := make([]T, min(full, 2*len(s)))
	copy(larger, s)
	return larger
}

// widen turns the bytes into floats.
func (p *vectorPiece) widen() {
	p.floats = make([]float32, len(p.bytes))
	for j, b := range p.bytes {
		p.floats[j] = float32(b)
	}
	p.bytes = nil
}

// toBytes writes x to dst and reports whether it holds all of x.
func toBytes(dst []uint8, x []float32) bool {
	dst = dst[:len(x)]
	for j, v := range x {
		b := uint8(int32(v))
		if math.Float32bits(float32(b)) != math.Float32bits(v) { // which tells 0 from −0
			return false
		}
		dst[j] = b
	}
	return true
}

func (x vector) missing() bool { return x.floats != nil && !finite32(x.floats[0]) }

func (x vector) at(j int) float32 {
	if x.floats != nil {
		return x.floats[j]
	}
	return float32(x.bytes[j])
}

// copyTo writes x to dst.
func (x vector) copyTo(dst []float32) {
	copy(dst, x.floats)
	for j, b := range x.bytes {
		dst[j] = float32(b)
	}
}

// widenTo writes x to dst.
func (x vector) widenTo(dst []float64) {
	for j, v := range x.floats {
		dst[j] = float64(v)
	}
	for j, b := range x.bytes {
		dst[j] = float64(b)
	}
}

// slice returns x as floats, its own memory if it has them.
func (x vector) slice() []float32 {
	if x.floats != nil {
		return x.floats
	}
	out := make([]float32, len(x.bytes))
	x.copyTo(out)
	return out
}
