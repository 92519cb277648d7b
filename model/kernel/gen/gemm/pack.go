package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

// packs writes the copies of rows of B to panels of some vectors: to several panels at
// once, so that a row is read in longer parts, to one, and to a last one with fewer
// columns, by the vectors that they take.
func packs(m machine.Machine, width int) {
	name := func(prefix string) string { return fmt.Sprintf("%sx%d%s", prefix, width*m.Lanes(), m.Name()) }
	pack(m, name("pack4"), 4, width, width, false)
	pack(m, name("pack1"), 1, width, width, false)
	for vectors := 1; vectors <= width; vectors++ {
		pack(m, name(fmt.Sprintf("packTail%d", vectors*m.Lanes())), 1, vectors, width, true)
	}
}

func pack(m machine.Machine, name string, panels, vectors, width int, masked bool) {
	TEXT(name, NOSPLIT, "func(k int, b *float32, rsb int, dst *float32, next int, cols int)")
	Doc(fmt.Sprintf("%s copies k rows of B to %d panels of %d that are next bytes apart.", name, panels, width*m.Lanes()))
	if masked {
		cols := Load(Param("cols"), GP64()).(reg.GPVirtual)
		if vectors > 1 {
			SUBQ(Imm(uint64((vectors-1)*m.Lanes())), cols)
		}
		m.Tail(cols)
	}
	k, b, rsb := Load(Param("k"), GP64()), Load(Param("b"), GP64()), Load(Param("rsb"), GP64())
	to, next := []reg.Register{Load(Param("dst"), GP64())}, Load(Param("next"), GP64())
	for len(to) < panels {
		p := GP64()
		LEAQ(Mem{Base: to[len(to)-1], Index: next, Scale: 1}, p)
		to = append(to, p)
	}
	ahead := GP64()
	LEAQ(Mem{Base: b, Index: rsb, Scale: 8}, ahead)
	row := 4 * vectors * m.Lanes()
	Label(name + "_loop")
	for line := 0; line < panels*row; line += 64 {
		PREFETCHT0(Mem{Base: ahead, Disp: line})
	}
	for i, p := range to {
		for v := range vectors {
			last, at := masked && v == vectors-1, 4*v*m.Lanes()
			t := m.Vector()
			m.Load(Mem{Base: b, Disp: i*row + at}, t, last)
			m.Store(t, Mem{Base: p, Disp: at}, false)
		}
	}
	for _, p := range []reg.Register{b, ahead} {
		ADDQ(rsb, p)
	}
	for _, p := range to {
		ADDQ(Imm(uint64(4*width*m.Lanes())), p)
	}
	DECQ(k)
	JNZ(LabelRef(name + "_loop"))
	VZEROUPPER()
	RET()
}
