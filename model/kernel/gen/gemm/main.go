// Command gemm writes the micro-kernels of the matrix product: gemm_amd64.s and its
// stubs.
//
// A micro-kernel computes a tile of C, rows × columns, as chains of fused
// multiply-adds over k: accumulators start from C, from a vector or from zero, and
// stay in registers until the end. A is read by broadcasts through two strides, so
// that neither it nor its transpose needs packing. The columns past the end of C
// are masked: nothing outside the operands is read or written.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

// The places of the bits of a micro-kernel's flags.
const (
	accumulate = iota // start from C, else from the vector, or zero if it is nil
	rectify           // end with max(x, 0)
)

const signature = "func(count, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, cols int, start *float32, flags int, ahead *float32, apart, step int)"

func main() {
	narrow := machine.NewAVX2()
	wide := &machine.AVX512{}
	for _, vectors := range []int{1, 2} {
		for rows := 1; rows <= 12; rows++ {
			tile(wide, rows, vectors, true)
		}
	}
	for rows := 1; rows <= 8; rows++ {
		tile(wide, rows, 3, true)
	}
	for rows := 1; rows <= 6; rows++ {
		tile(narrow, rows, 1, true)
		tile(narrow, rows, 2, true)
		tile(narrow, rows, 2, false)
	}
	row4(wide, 2)
	row4(narrow, 2)
	axpys(wide)
	axpys(narrow)
	packs(wide, 2)
	packs(wide, 3)
	packs(narrow, 2)
	Generate()
}

// tile writes a micro-kernel of rows × vectors; the last vector is masked, or full. It does
// as many tiles as it is told, one under the other.
func tile(m machine.Machine, rows, vectors int, masked bool) {
	name := fmt.Sprintf("tile%dx%d%s", rows, vectors*m.Lanes(), m.Name())
	if masked {
		name += "Masked"
	}
	TEXT(name, NOSPLIT, signature)
	Doc(fmt.Sprintf("%s is a tile of %d × %d.", name, rows, vectors*m.Lanes()))
	if masked {
		cols := Load(Param("cols"), GP64()).(reg.GPVirtual)
		if vectors > 1 {
			SUBQ(Imm(uint64((vectors-1)*m.Lanes())), cols)
		}
		m.Tail(cols)
	}
	t := &tileWriter{Machine: m, name: name, rows: rows, vectors: vectors, masked: masked}
	t.prefetch(0)
	Label(t.label("tile"))
	t.prefetch(rows)
	t.begin()
	t.loop()
	t.end()
	t.next()
	VZEROUPPER()
	RET()
}

type tileWriter struct {
	machine.Machine

	name          string
	rows, vectors int
	masked        bool
	acc           [][]reg.VecVirtual
}

func (t *tileWriter) label(s string) string { return t.name + "_" + s }

// last reports whether vector v of a row needs the mask.
func (t *tileWriter) last(v int) bool { return t.masked && v == t.vectors-1 }

func (t *tileWriter) at(base reg.Register, v int) Mem {
	return Mem{Base: base, Disp: 4 * t.Lanes() * v}
}

// eachRow runs fn with a register that walks the rows of C from row first on.
func (t *tileWriter) eachRow(first int, fn func(row int, c reg.Register)) {
	c, stride := Load(Param("c"), GP64()), Load(Param("rsc"), GP64())
	if first > 0 {
		ADDQ(t.times(first, stride), c)
	}
	for i := range t.rows {
		fn(i, c)
		if i < t.rows-1 {
			ADDQ(stride, c)
		}
	}
}

// times returns n times v.
func (t *tileWriter) times(n int, v reg.Register) reg.Register {
	p := GP64()
	IMUL3Q(Imm(uint64(n)), v, p)
	return p
}

// prefetch asks for the tile of C from row first on, which is not read or written before
// the end of a tile.
func (t *tileWriter) prefetch(first int) {
	t.eachRow(first, func(_ int, c reg.Register) {
		for v := 0; v < t.vectors*t.Lanes(); v += 16 {
			PREFETCHT0(Mem{Base: c, Disp: 4 * v})
		}
	})
}

// begin sets the accumulators.
func (t *tileWriter) begin() {
	for range t.rows {
		row := make([]reg.VecVirtual, t.vectors)
		for v := range row {
			row[v] = t.Vector()
		}
		t.acc = append(t.acc, row)
	}
	flags, start := Load(Param("flags"), GP64()), Load(Param("start"), GP64())
	BTQ(Imm(accumulate), flags)
	JCS(LabelRef(t.label("accumulate")))
	TESTQ(start, start)
	JNZ(LabelRef(t.label("start")))
	t.each(func(i, v int) { t.Zero(t.acc[i][v]) })
	JMP(LabelRef(t.label("products")))
	Label(t.label("start"))
	t.each(func(i, v int) {
		if i == 0 {
			t.Load(t.at(start, v), t.acc[0][v], t.last(v))
		}
	})
	t.each(func(i, v int) {
		if i > 0 {
			VMOVAPS(t.acc[0][v], t.acc[i][v])
		}
	})
	JMP(LabelRef(t.label("products")))
	Label(t.label("accumulate"))
	t.eachRow(0, func(i int, c reg.Register) {
		for v := range t.vectors {
			t.Load(t.at(c, v), t.acc[i][v], t.last(v))
		}
	})
	Label(t.label("products"))
}

func (t *tileWriter) each(fn func(i, v int)) {
	for i := range t.rows {
		for v := range t.vectors {
			fn(i, v)
		}
	}
}

// loop adds the products. Rows of A are addressed in threes from one register.
func (t *tileWriter) loop() {
	k, a := Load(Param("k"), GP64()), Load(Param("a"), GP64())
	rsa, csa := Load(Param("rsa"), GP64()), Load(Param("csa"), GP64())
	b, rsb := Load(Param("b"), GP64()), Load(Param("rsb"), GP64())
	bases := threes(a, rsa, t.rows)
	factors := make([]reg.VecVirtual, t.vectors)
	for v := range factors {
		factors[v] = t.Vector()
	}
	factor := t.Vector()
	step := func() {
		for v, f := range factors {
			t.Load(t.at(b, v), f, t.last(v))
		}
		for i := range t.rows {
			VBROADCASTSS(row(bases, rsa, i), factor)
			for v, f := range factors {
				VFMADD231PS(factor, f, t.acc[i][v])
			}
		}
		ADDQ(rsb, b)
		for _, base := range bases {
			ADDQ(csa, base)
		}
	}
	ask, leave := t.ahead()
	const unroll = streams
	SUBQ(Imm(unroll), k)
	JLT(LabelRef(t.label("rest")))
	Label(t.label("loop"))
	ask()
	for range unroll {
		step()
	}
	SUBQ(Imm(unroll), k)
	JGE(LabelRef(t.label("loop")))
	Label(t.label("rest"))
	leave()
	ADDQ(Imm(unroll), k)
	JZ(LabelRef(t.label("done")))
	Label(t.label("single"))
	step()
	DECQ(k)
	JNZ(LabelRef(t.label("single")))
	Label(t.label("done"))
}

// streams is in how many places a tile asks for rows of B that come later, one row of
// a panel in each. Memory answers faster than in one.
const streams = 4

// ahead returns what asks for the next rows, and what leaves the rest to the tile below.
func (t *tileWriter) ahead() (ask, leave func()) {
	p, apart, step := Load(Param("ahead"), GP64()), Load(Param("apart"), GP64()), Load(Param("step"), GP64())
	places := threes(p, apart, streams)
	return func() {
		TESTQ(step, step)
		JZ(LabelRef(t.label("here")))
		for i := range streams {
			for line := 0; line < t.vectors*t.Lanes(); line += 16 {
				PREFETCHT0(row(places, apart, i).Offset(4 * line))
			}
		}
		for _, p := range places {
			ADDQ(step, p)
		}
		Label(t.label("here"))
	}, func() { MOVQ(places[0], address("ahead")) }
}

// address returns where a parameter is.
func address(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// threes returns registers that row addresses rows from.
func threes(first, stride reg.Register, rows int) []reg.Register {
	bases := []reg.Register{first}
	if rows > 3 {
		three := GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, three)
		for len(bases)*3 < rows {
			next := GP64()
			MOVQ(bases[len(bases)-1], next)
			ADDQ(three, next)
			bases = append(bases, next)
		}
	}
	return bases
}

// row addresses row i, the third or fewer from one of bases.
func row(bases []reg.Register, stride reg.Register, i int) Mem {
	m := Mem{Base: bases[i/3]}
	if i%3 > 0 {
		m.Index, m.Scale = stride, uint8(i%3)
	}
	return m
}

// end stores the tile.
func (t *tileWriter) end() {
	flags := Load(Param("flags"), GP64())
	BTQ(Imm(rectify), flags)
	JCC(LabelRef(t.label("store")))
	zero := t.Vector()
	t.Zero(zero)
	// The second source wins if one is NaN: NaN stays NaN.
	t.each(func(i, v int) { VMAXPS(t.acc[i][v], zero, t.acc[i][v]) })
	Label(t.label("store"))
	t.store()
}

// next goes on to the tile below, if there is one to do.
func (t *tileWriter) next() {
	for _, operand := range []string{"a", "c"} {
		ADDQ(t.times(t.rows, Load(Param("rs"+operand), GP64())), address(operand))
	}
	DECQ(address("count"))
	JNZ(LabelRef(t.label("tile")))
}

func (t *tileWriter) store() {
	c, stride := Load(Param("c"), GP64()), Load(Param("rsc"), GP64())
	bases := threes(c, stride, t.rows)
	var tails []reg.VecVirtual
	var places []Mem
	for i, vectors := range t.acc {
		for v, acc := range vectors {
			m := row(bases, stride, i).Offset(4 * t.Lanes() * v)
			if t.last(v) {
				tails, places = append(tails, acc), append(places, m)
				continue
			}
			t.Store(acc, m, false)
		}
	}
	if t.masked {
		t.StoreTails(tails, places)
	}
}
