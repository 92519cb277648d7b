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
	logSumExp(m, c)
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
	n := parameter("n")
	l.pointers = []reg.Register{parameter("x")}
	s := l.sumOf(name, n, func(d, acc reg.VecVirtual) {
		if square {
			VFMADD231PD(d, d, acc)
		} else {
			VADDPD(d, acc, acc)
		}
	}, func() reg.VecVirtual { return l.load(0) })
	Store(s, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func add(d, acc reg.VecVirtual) { VADDPD(d, acc, acc) }

// sumOf adds up n numbers, which value returns vector by vector, as 16 float64 sums of
// every 16th number, of which then those of the second half are added to those of the
// first, and so on. Lanes past the tail must be 0. It moves the pointers and destroys n.
func (l *loop) sumOf(label string, n reg.GPVirtual, add func(d, acc reg.VecVirtual), value func() reg.VecVirtual) reg.Register {
	const sums = 16
	lanes, vectors := uint64(l.Lanes()), sums/l.Lanes()
	acc := make([]reg.VecVirtual, 2*vectors)
	for i := range acc {
		acc[i] = l.Vector()
		l.Zero(acc[i])
	}
	take := func(v int) {
		low, high := halves(value())
		for i, half := range []reg.Register{low, high} {
			d := l.Vector()
			VCVTPS2PD(half, d)
			add(d, acc[2*v+i])
		}
	}
	next := func(v int) {
		take(v)
		for _, p := range l.pointers {
			ADDQ(Imm(4*lanes), p)
		}
	}
	part := func(v int) {
		l.Tail(n)
		l.masked = true
		take(v)
		l.masked = false
	}
	l.masked = false
	SUBQ(Imm(sums), n)
	JLT(LabelRef(label + "_rest"))
	Label(label + "_loop")
	for v := range vectors {
		next(v)
	}
	SUBQ(Imm(sums), n)
	JGE(LabelRef(label + "_loop"))
	Label(label + "_rest")
	ADDQ(Imm(sums), n)
	JZ(LabelRef(label + "_fold"))
	if vectors == 2 {
		CMPQ(n, Imm(lanes))
		JLE(LabelRef(label + "_short"))
		next(0)
		SUBQ(Imm(lanes), n)
		part(1)
		JMP(LabelRef(label + "_fold"))
		Label(label + "_short")
	}
	part(0)
	Label(label + "_fold")
	return l.total(acc)
}

// total adds the lanes of acc.
func (l *loop) total(acc []reg.VecVirtual) reg.Register {
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

// exponentials returns the greatest of the n numbers from x on, in every lane of four, and
// the sum of the exponentials of the differences to it, which it stores from y on if y is
// not nil.
func (l *loop) exponentials(label string, count, x, y reg.GPVirtual) (largest, sum reg.Register) {
	n, from, to := GP64(), GP64(), GP64()
	MOVQ(count, n)
	MOVQ(x, from)
	l.pointers = []reg.Register{from}
	least, acc := l.set(l.bits(0xff800000)), l.Vector()
	VMOVAPS(least, acc)
	l.over(label+"_max", n, func() {
		v := l.load(0)
		if l.masked {
			l.Keep(v, least)
		}
		VMAXPS(v, acc, acc)
	})
	shift, zero := l.Vector(), l.Vector()
	top := greatest(acc)
	VBROADCASTSS(top, shift)
	l.Zero(zero)
	MOVQ(count, n)
	MOVQ(x, from)
	l.pointers = []reg.Register{from}
	if y != nil {
		MOVQ(y, to)
		l.pointers = append(l.pointers, to)
	}
	sum = l.sumOf(label+"_exp", n, add, func() reg.VecVirtual {
		e := l.difference(l.load(0), shift)
		if y != nil {
			l.store(e, 1)
		}
		if l.masked {
			l.Keep(e, zero)
		}
		return e
	})
	return top, sum
}

// logSumExp writes what the logarithm of a sum of exponentials is made of.
func logSumExp(m machine.Machine, c constants) {
	l, name := function(m, c, "logSumExp", "func(n int, x *float32) (largest float32, sum float64)")
	largest, sum := l.exponentials(name, parameter("n"), parameter("x"), nil)
	Store(largest, ReturnIndex(0))
	Store(sum, ReturnIndex(1))
	VZEROUPPER()
	RET()
}

// softmax writes a loop over rows. It returns what logSumExp does of the last one.
func softmax(m machine.Machine, c constants) {
	l, name := function(m, c, "softmax", "func(rows, cols int, y, x *float32) (largest float32, sum float64)")
	rows, cols, y, x := parameter("rows"), parameter("cols"), parameter("y"), parameter("x")
	Label(name + "_row")
	largest, sum := l.exponentials(name, cols, x, y)
	Store(largest, ReturnIndex(0))
	Store(sum, ReturnIndex(1))
	factor, one := l.Vector(), XMM()
	VMOVSS(l.float(1), one)
	VCVTSS2SD(one, one, one)
	VDIVSD(sum, one, one)
	VCVTSD2SS(one, one, one)
	VBROADCASTSS(one, factor)
	n, to := GP64(), GP64()
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
