// Command vector writes the element-wise loops: vector_amd64.s and its stubs.
//
// A loop does whole vectors, then the rest under a mask with the same instructions, so
// that an element's result depends neither on its place nor on the length.
package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

func main() {
	table := constants{}
	for _, m := range []machine.Machine{machine.NewAVX2(), &machine.AVX512{}} {
		arithmetic(m, table)
		steps(m, table)
		functions(m, table)
		slopes(m, table)
		finite(m)
		reductions(m, table)
	}
	transpose()
	Generate()
}

// constants are vectors of equal numbers in memory.
type constants map[uint32]Mem

// bits returns a vector of lanes with these bits.
func (c constants) bits(v uint32) Mem {
	if m, ok := c[v]; ok {
		return m
	}
	m := GLOBL(fmt.Sprintf("c%08x", v), attr.RODATA|attr.NOPTR)
	for i := range 16 {
		DATA(4*i, U32(v))
	}
	c[v] = m
	return m
}

func (c constants) float(v float64) Mem { return c.bits(math.Float32bits(float32(v))) }

// A loop is an element-wise function in the course of being written.
type loop struct {
	machine.Machine
	constants

	pointers []reg.Register
	scalars  []reg.VecVirtual
	masked   bool
}

func (l *loop) load(i int) reg.VecVirtual {
	v := l.Vector()
	l.Load(Mem{Base: l.pointers[i]}, v, l.masked)
	return v
}

func (l *loop) store(v reg.VecVirtual, i int) { l.Store(v, Mem{Base: l.pointers[i]}, l.masked) }

// each writes a function of n, pointers and scalars.
func each(m machine.Machine, c constants, name string, pointers, scalars int, body func(*loop)) {
	name += m.Name()
	signature := "func(n int"
	for i := range pointers {
		signature += fmt.Sprintf(", p%d *float32", i)
	}
	for i := range scalars {
		signature += fmt.Sprintf(", s%d float32", i)
	}
	TEXT(name, NOSPLIT, signature+")")
	l := &loop{Machine: m, constants: c}
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	for i := range pointers {
		l.pointers = append(l.pointers, Load(Param(fmt.Sprintf("p%d", i)), GP64()))
	}
	for i := range scalars {
		v := m.Vector()
		VBROADCASTSS(address(fmt.Sprintf("s%d", i)), v) // not Load: no SSE instructions among those of AVX
		l.scalars = append(l.scalars, v)
	}
	l.over(name, n, func() { body(l) })
	VZEROUPPER()
	RET()
}

// over runs body on vectors of the n numbers from the pointers on, moves the pointers,
// and destroys n.
func (l *loop) over(label string, n reg.GPVirtual, body func()) {
	lanes := uint64(l.Lanes())
	SUBQ(Imm(lanes), n)
	JLT(LabelRef(label + "_rest"))
	Label(label + "_loop")
	l.masked = false
	body()
	for _, p := range l.pointers {
		ADDQ(Imm(4*lanes), p)
	}
	SUBQ(Imm(lanes), n)
	JGE(LabelRef(label + "_loop"))
	Label(label + "_rest")
	ADDQ(Imm(lanes), n)
	JZ(LabelRef(label + "_done"))
	l.Tail(n)
	l.masked = true
	body()
	Label(label + "_done")
}

// address returns where a parameter is.
func address(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// arithmetic writes the loops of a few operations.
func arithmetic(m machine.Machine, c constants) {
	each(m, c, "add", 2, 0, func(l *loop) {
		y, x := l.load(0), l.load(1)
		VADDPS(x, y, y)
		l.store(y, 0)
	})
	each(m, c, "multiply", 2, 0, func(l *loop) {
		y, x := l.load(0), l.load(1)
		VMULPS(x, y, y)
		l.store(y, 0)
	})
	each(m, c, "scale", 2, 1, func(l *loop) {
		x := l.load(1)
		VMULPS(l.scalars[0], x, x)
		l.store(x, 0)
	})
	each(m, c, "clamp", 1, 1, func(l *loop) {
		x, least := l.load(0), l.negative(l.scalars[0])
		VMINPS(x, l.scalars[0], x)
		VMAXPS(x, least, x)
		l.store(x, 0)
	})
	each(m, c, "relu", 2, 0, func(l *loop) {
		x, zero := l.load(1), l.Vector()
		l.Zero(zero)
		VMAXPS(x, zero, x) // of a NaN and a number it gives the second source, x
		l.store(x, 0)
	})
}

// finite writes a loop that returns 0 if all numbers are finite: of the others,
// 0·x is NaN.
func finite(m machine.Machine) {
	const unroll = 4
	name := "finite" + m.Name()
	TEXT(name, NOSPLIT, "func(n int, x *float32) int")
	n, x := Load(Param("n"), GP64()).(reg.GPVirtual), Load(Param("x"), GP64())
	zero, v := m.Vector(), m.Vector()
	m.Zero(zero)
	var sums [unroll]reg.VecVirtual
	for i := range sums {
		sums[i] = m.Vector()
		m.Zero(sums[i])
	}
	lanes := m.Lanes()
	SUBQ(U32(unroll*lanes), n)
	JLT(LabelRef(name + "_vectors"))
	Label(name + "_loop")
	for i, sum := range sums {
		VFMADD231PS(Mem{Base: x, Disp: 4 * lanes * i}, zero, sum)
	}
	ADDQ(U32(4*unroll*lanes), x)
	SUBQ(U32(unroll*lanes), n)
	JGE(LabelRef(name + "_loop"))
	Label(name + "_vectors")
	ADDQ(U32((unroll-1)*lanes), n)
	JLT(LabelRef(name + "_rest"))
	Label(name + "_single")
	VFMADD231PS(Mem{Base: x}, zero, sums[0])
	ADDQ(Imm(uint64(4*lanes)), x)
	SUBQ(Imm(uint64(lanes)), n)
	JGE(LabelRef(name + "_single"))
	Label(name + "_rest")
	ADDQ(Imm(uint64(lanes)), n)
	JZ(LabelRef(name + "_done"))
	m.Tail(n)
	m.Load(Mem{Base: x}, v, true)
	VFMADD231PS(v, zero, sums[0])
	Label(name + "_done")
	for _, sum := range sums[1:] {
		VADDPS(sum, sums[0], sums[0])
	}
	found := GP64()
	m.NaNs(sums[0], found)
	Store(found, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
