package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

// rowAhead is how many bytes before it needs them a row kernel asks for rows of a panel.
const rowAhead = 512

// row4 writes the kernel of one row of C by the columns of several panels at once, each
// of width vectors, which are next bytes apart: one chain for each column over all of k.
func row4(m machine.Machine, width int) {
	name := fmt.Sprintf("row%dx%d%s", streams, width*m.Lanes(), m.Name())
	TEXT(name, NOSPLIT, "func(k int, a *float32, csa int, b *float32, next int, c *float32, start *float32, flags int)")
	Doc(fmt.Sprintf("%s is a row by %d panels of %d.", name, streams, width*m.Lanes()))
	vectors := streams * width
	acc := make([]reg.VecVirtual, vectors)
	for i := range acc {
		acc[i] = m.Vector()
	}
	at := func(p reg.Register, i int) Mem { return Mem{Base: p, Disp: 4 * m.Lanes() * i} }
	c, start, flags := Load(Param("c"), GP64()), Load(Param("start"), GP64()), Load(Param("flags"), GP64())
	begin := func(from reg.Register) {
		for i, v := range acc {
			m.Load(at(from, i), v, false)
		}
		JMP(LabelRef(name + "_products"))
	}
	BTQ(Imm(accumulate), flags)
	JCS(LabelRef(name + "_accumulate"))
	TESTQ(start, start)
	JNZ(LabelRef(name + "_start"))
	for _, v := range acc {
		m.Zero(v)
	}
	JMP(LabelRef(name + "_products"))
	Label(name + "_start")
	begin(start)
	Label(name + "_accumulate")
	begin(c)
	Label(name + "_products")

	k, a, csa := Load(Param("k"), GP64()), Load(Param("a"), GP64()), Load(Param("csa"), GP64())
	next := Load(Param("next"), GP64())
	panels := threes(Load(Param("b"), GP64()), next, streams)
	bytes := 4 * width * m.Lanes()
	factor := m.Vector()
	step := func(i int) {
		VBROADCASTSS(Mem{Base: a}, factor)
		ADDQ(csa, a)
		for panel := range streams {
			p := row(panels, next, panel).Offset(i * bytes)
			for line := 0; line < bytes; line += 64 {
				PREFETCHT0(p.Offset(rowAhead + line))
			}
			for v := range width {
				VFMADD231PS(p.Offset(4*m.Lanes()*v), factor, acc[panel*width+v])
			}
		}
	}
	onwards := func(rows int) {
		for _, p := range panels {
			ADDQ(U32(rows*bytes), p)
		}
	}
	const unroll = 4
	SUBQ(Imm(unroll), k)
	JLT(LabelRef(name + "_rest"))
	Label(name + "_loop")
	for i := range unroll {
		step(i)
	}
	onwards(unroll)
	SUBQ(Imm(unroll), k)
	JGE(LabelRef(name + "_loop"))
	Label(name + "_rest")
	ADDQ(Imm(unroll), k)
	JZ(LabelRef(name + "_done"))
	Label(name + "_single")
	step(0)
	onwards(1)
	DECQ(k)
	JNZ(LabelRef(name + "_single"))
	Label(name + "_done")
	BTQ(Imm(rectify), flags)
	JCC(LabelRef(name + "_store"))
	m.Zero(factor)
	for _, v := range acc {
		VMAXPS(v, factor, v) // NaN stays
	}
	Label(name + "_store")
	for i, v := range acc {
		m.Store(v, at(c, i), false)
	}
	VZEROUPPER()
	RET()
}
