package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

// axpyRows is how many rows of B a pass over y takes at once.
const axpyRows = 8

// axpys writes the kernels of the product of one row: passes over y that add
// axpyRows rows of B, each times its number of x, or one row. B is read in as many
// sequential streams.
func axpys(m machine.Machine) {
	for _, rows := range []int{1, axpyRows} {
		axpy(m, rows)
	}
}

func axpy(m machine.Machine, rows int) {
	name := fmt.Sprintf("axpy%d%s", rows, m.Name())
	TEXT(name, NOSPLIT, "func(n int, x *float32, csa int, b *float32, rsb int, y *float32, start *float32, flags int)")
	Doc(fmt.Sprintf("%s adds the products of %d numbers of x with rows of B to the n numbers of y.", name, rows))
	w := &axpyWriter{Machine: m, name: name, rows: rows}
	w.factors()
	n, y, start := Load(Param("n"), GP64()).(reg.GPVirtual), Load(Param("y"), GP64()), Load(Param("start"), GP64())
	flags := Load(Param("flags"), GP64())
	Label(name + "_loop")
	CMPQ(n, Imm(uint64(m.Lanes())))
	JLT(LabelRef(name + "_tail"))
	w.pass(y, start, flags, false)
	for _, p := range append(w.bases, y) {
		ADDQ(Imm(uint64(4*m.Lanes())), p)
	}
	TESTQ(start, start)
	JZ(LabelRef(name + "_next"))
	ADDQ(Imm(uint64(4*m.Lanes())), start)
	Label(name + "_next")
	SUBQ(Imm(uint64(m.Lanes())), n)
	JMP(LabelRef(name + "_loop"))
	Label(name + "_tail")
	TESTQ(n, n)
	JZ(LabelRef(name + "_done"))
	m.Tail(n)
	w.pass(y, start, flags, true)
	Label(name + "_done")
	VZEROUPPER()
	RET()
}

type axpyWriter struct {
	machine.Machine

	name  string
	rows  int
	x     []reg.VecVirtual
	bases []reg.Register
	rsb   reg.Register
}

func (w *axpyWriter) factors() {
	x, csa := Load(Param("x"), GP64()), Load(Param("csa"), GP64())
	b := Load(Param("b"), GP64())
	w.rsb = Load(Param("rsb"), GP64())
	for i := range w.rows {
		v := w.Vector()
		VBROADCASTSS(Mem{Base: x}, v)
		w.x = append(w.x, v)
		if i < w.rows-1 {
			ADDQ(csa, x)
		}
	}
	w.bases = threes(b, w.rsb, w.rows)
}

// pass does one vector of y.
func (w *axpyWriter) pass(y, start, flags reg.Register, masked bool) {
	label := func(s string) string {
		if masked {
			return w.name + "_tail_" + s
		}
		return w.name + "_" + s
	}
	acc, t := w.Vector(), w.Vector()
	BTQ(Imm(accumulate), flags)
	JCS(LabelRef(label("accumulate")))
	w.Zero(acc)
	TESTQ(start, start)
	JZ(LabelRef(label("products")))
	w.Load(Mem{Base: start}, acc, masked)
	JMP(LabelRef(label("products")))
	Label(label("accumulate"))
	w.Load(Mem{Base: y}, acc, masked)
	Label(label("products"))
	for i, x := range w.x {
		m := row(w.bases, w.rsb, i)
		if masked {
			w.Load(m, t, true)
			VFMADD231PS(x, t, acc)
		} else {
			VFMADD231PS(m, x, acc)
		}
	}
	BTQ(Imm(rectify), flags)
	JCC(LabelRef(label("store")))
	w.Zero(t)
	VMAXPS(acc, t, acc)
	Label(label("store"))
	w.Store(acc, Mem{Base: y}, masked)
}
