package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

// reductions writes what makes one number of many.
func reductions(m machine.Machine, c constants) {
	sum(m, c, "sum", false)
	sum(m, c, "squares", true)
	maximum(m, c)
	sumColumns(m, c)
	softmax(m, c)
}

func function(m machine.Machine, c constants, name, signature string) (*loop, string) {
	name += m.Name()
	TEXT(name, NOSPLIT, signature)
	return &loop{Machine: m, constants: c}, name
}

func parameter(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

func sum(m machine.Machine, c constants, name string, square bool) {
	l, name := function(m, c, name, "func(n int, x *float32) float64")
	n, x := parameter("n"), parameter("x")
	s := l.sumOf(name, n, x, square)
	Store(s, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// sumOf returns the sum of the n numbers, or their squares, from x on as 16 float64 sums
// of every 16th number, of which then those of the second half are added to those of the
// first, and so on. It destroys n and x.
func (l *loop) sumOf(label string, n, x reg.GPVirtual, square bool) reg.Register {
	const sums = 16
	vectors, half := sums/l.Lanes(), l.Lanes()/2
	acc := make([]reg.VecVirtual, 2*vectors)
	for i := range acc {
		acc[i] = l.Vector()
		l.Zero(acc[i])
	}
	add := func(i int, from Op) {
		d := l.Vector()
		VCVTPS2PD(from, d)
		if square {
			VFMADD231PD(d, d, acc[i])
		} else {
			VADDPD(d, acc[i], acc[i])
		}
	}
	whole := func(v int, p Mem) {
		add(2*v, p)
		add(2*v+1, p.Offset(4*half))
	}
	SUBQ(Imm(sums), n)
	JLT(LabelRef(label + "_rest"))
	Label(label + "_loop")
	for v := range vectors {
		whole(v, Mem{Base: x, Disp: 4 * l.Lanes() * v})
	}
	ADDQ(Imm(4*sums), x)
	SUBQ(Imm(sums), n)
	JGE(LabelRef(label + "_loop"))
	Label(label + "_rest")
	ADDQ(Imm(sums), n)
	JZ(LabelRef(label + "_fold"))
	part := func(v int) {
		l.Tail(n)
		t := l.Vector()
		l.Load(Mem{Base: x}, t, true)
		low, high := halves(t)
		add(2*v, low)
		add(2*v+1, high)
	}
	if vectors == 2 {
		CMPQ(n, Imm(uint64(l.Lanes())))
		JLE(LabelRef(label + "_short"))
		whole(0, Mem{Base: x})
		ADDQ(U32(4*l.Lanes()), x)
		SUBQ(U32(l.Lanes()), n)
		part(1)
		JMP(LabelRef(label + "_fold"))
		Label(label + "_short")
	}
	part(0)
	Label(label + "_fold")
	for len(acc) > 1 {
		low, high := acc[:len(acc)/2], acc[len(acc)/2:]
		for i := range low {
			VADDPD(high[i], low[i], low[i])
		}
		acc = low
	}
	s := fold(acc[0], func(high, low reg.Register) { VADDPD(high, low, low) })
	high := XMM()
	VPERMILPD(Imm(1), s, high)
	VADDSD(high, s, s)
	return s
}

// halves returns the lower half of v, which is v by another name, and a copy of the upper.
func halves(v reg.VecVirtual) (low, high reg.Register) {
	if v.Size() == 64 {
		h := YMM()
		VEXTRACTF64X4(Imm(1), v, h)
		return v.AsY(), h
	}
	h := XMM()
	VEXTRACTF128(Imm(1), v, h)
	return v.AsX(), h
}

// fold applies op to the halves of v until 16 bytes are left.
func fold(v reg.VecVirtual, op func(high, low reg.Register)) reg.Register {
	for {
		low, high := halves(v)
		op(high, low)
		if low.Size() == 16 {
			return low
		}
		v = low.(reg.VecVirtual)
	}
}

// greatest returns the greatest lane of v in every lane of four. A NaN may be lost.
func greatest(v reg.VecVirtual) reg.Register {
	s, t := fold(v, func(high, low reg.Register) { VMAXPS(high, low, low) }), XMM()
	for _, order := range []uint64{0x4e, 0xb1} { // the other pair, the other of the pair
		VPERMILPS(Imm(order), s, t)
		VMAXPS(t, s, s)
	}
	return s
}

// maximum writes a loop that returns the greatest number, NaN if there is one.
func maximum(m machine.Machine, c constants) {
	l, name := function(m, c, "max", "func(n int, x *float32) float32")
	n := parameter("n")
	l.pointers = []reg.Register{parameter("x")}
	least, acc := l.set(l.bits(0xff800000)), l.Vector()
	VMOVAPS(least, acc)
	l.over(name, n, func() {
		v := l.load(0)
		if l.masked {
			l.Keep(v, least)
		}
		VMAXPS(v, acc, v) // NaN if v is
		l.Select(machine.Unordered, acc, acc, acc, v, acc)
	})
	found, nans := GP64(), l.Vector()
	VMOVAPS(acc, nans)
	l.NaNs(nans, found)
	top, zero := greatest(acc), XMM()
	VXORPS(zero, zero, zero)
	VADDSS(zero, top, top) // -0 becomes 0
	TESTQ(found, found)
	JZ(LabelRef(name + "_number"))
	VMOVSS(l.bits(0x7fc00000), top)
	Label(name + "_number")
	Store(top, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// sumColumns writes a loop that sums the columns of x in ascending order of its rows.
func sumColumns(m machine.Machine, c constants) {
	const unroll = 4
	l, name := function(m, c, "sumColumns", "func(cols, rows int, y, x *float32)")
	cols, rows, y, x := parameter("cols"), parameter("rows"), parameter("y"), parameter("x")
	stride, p, r := GP64(), GP64(), GP64()
	MOVQ(cols, stride)
	SHLQ(Imm(2), stride)
	sums := func(label string, vectors int, masked bool) {
		acc := make([]reg.VecVirtual, vectors)
		for i := range acc {
			acc[i] = l.Vector()
			l.Zero(acc[i])
		}
		MOVQ(x, p)
		MOVQ(rows, r)
		Label(label + "_rows")
		for i, a := range acc {
			at := Mem{Base: p, Disp: 4 * l.Lanes() * i}
			if masked {
				v := l.Vector()
				l.Load(at, v, true)
				VADDPS(v, a, a)
			} else {
				VADDPS(at, a, a)
			}
		}
		ADDQ(stride, p)
		DECQ(r)
		JNZ(LabelRef(label + "_rows"))
		for i, a := range acc {
			l.Store(a, Mem{Base: y, Disp: 4 * l.Lanes() * i}, masked)
		}
	}
	for _, vectors := range []int{unroll, 1} {
		label := name + "_wide"
		if vectors == 1 {
			label = name + "_narrow"
		}
		width := vectors * l.Lanes()
		SUBQ(U32(width), cols)
		JLT(LabelRef(label + "_rest"))
		Label(label)
		sums(label, vectors, false)
		ADDQ(U32(4*width), x)
		ADDQ(U32(4*width), y)
		SUBQ(U32(width), cols)
		JGE(LabelRef(label))
		Label(label + "_rest")
		ADDQ(U32(width), cols)
	}
	JZ(LabelRef(name + "_done"))
	l.Tail(cols)
	sums(name+"_tail", 1, true)
	Label(name + "_done")
	VZEROUPPER()
	RET()
}

// softmax writes a loop over rows: their greatest number, the exponentials of the
// differences to it and their sum, the quotients. Sums are stored if there is a place.
func softmax(m machine.Machine, c constants) {
	l, name := function(m, c, "softmax", "func(rows, cols int, y, x *float32, sums *float64)")
	rows, cols, y, x := parameter("rows"), parameter("cols"), parameter("y"), parameter("x")
	sums := parameter("sums")
	n, from, to := GP64(), GP64(), GP64()
	Label(name + "_row")
	MOVQ(cols, n)
	MOVQ(x, from)
	l.pointers = []reg.Register{from}
	least, acc := l.set(l.bits(0xff800000)), l.Vector()
	VMOVAPS(least, acc)
	l.over(name+"_max", n, func() {
		v := l.load(0)
		if l.masked {
			l.Keep(v, least)
		}
		VMAXPS(v, acc, acc)
	})
	shift := l.Vector()
	VBROADCASTSS(greatest(acc), shift)
	MOVQ(cols, n)
	MOVQ(x, from)
	MOVQ(y, to)
	l.pointers = []reg.Register{to, from}
	l.over(name+"_exp", n, func() { l.store(l.difference(l.load(1), shift), 0) })

	MOVQ(cols, n)
	MOVQ(y, from)
	sum := l.sumOf(name+"_sum", n, from, false)
	TESTQ(sums, sums)
	JZ(LabelRef(name + "_scale"))
	VMOVSD(sum, Mem{Base: sums})
	ADDQ(Imm(8), sums)
	Label(name + "_scale")
	factor := l.Vector()
	one := XMM()
	VMOVSS(l.float(1), one)
	VCVTSS2SD(one, one, one)
	VDIVSD(sum, one, sum)
	VCVTSD2SS(sum, sum, sum)
	VBROADCASTSS(sum, factor)
	MOVQ(cols, n)
	MOVQ(y, to)
	l.pointers = []reg.Register{to}
	l.over(name+"_quotient", n, func() {
		v := l.load(0)
		VMULPS(factor, v, v)
		l.store(v, 0)
	})
	LEAQ(Mem{Base: x, Index: cols, Scale: 4}, x)
	LEAQ(Mem{Base: y, Index: cols, Scale: 4}, y)
	DECQ(rows)
	JNZ(LabelRef(name + "_row"))
	VZEROUPPER()
	RET()
}
