// Package machine writes the same loop for several instruction sets.
package machine

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A Machine is an instruction set with its vectors.
type Machine interface {
	Name() string
	Lanes() int
	Vector() reg.VecVirtual
	Zero(v reg.VecVirtual)
	// Tail prepares the mask of a last vector of n (1 to lanes) numbers.
	Tail(n reg.GPVirtual)
	// Load reads a vector, its lanes past the tail as zeros if masked.
	Load(m Mem, v reg.VecVirtual, masked bool)
	Store(v reg.VecVirtual, m Mem, masked bool)

	// Select sets each lane of v to yes where x compares to y, else to no.
	Select(how Comparison, x, y Op, yes, no, v reg.VecVirtual)

	// NaNs sets a bit of r for each lane of v that is NaN.
	NaNs(v reg.VecVirtual, r reg.GPVirtual)
}

// A Comparison is a predicate of VCMPPS. All but NotEqual are false for NaN.
type Comparison uint64

const unordered = 3

// The comparisons.
const (
	Less     Comparison = 17
	NotEqual Comparison = 4 // true for NaN
	Greater  Comparison = 30
)

// AVX2 has vectors of 8 and masks of their shape.
type AVX2 struct {
	mask  reg.VecVirtual
	table Mem // eight lanes that are set, then eight that are not
}

func NewAVX2() *AVX2 {
	m := &AVX2{table: GLOBL("tail", attr.RODATA|attr.NOPTR)}
	for i := range 16 {
		lane := U32(0)
		if i < 8 {
			lane = 1<<32 - 1
		}
		DATA(4*i, lane)
	}
	return m
}

func (*AVX2) Name() string           { return "AVX2" }
func (*AVX2) Lanes() int             { return 8 }
func (*AVX2) Vector() reg.VecVirtual { return YMM() }
func (*AVX2) Zero(v reg.VecVirtual)  { VXORPS(v, v, v) }

func (m *AVX2) Tail(cols reg.GPVirtual) {
	p, n := GP64(), GP64()
	LEAQ(m.table, p)
	MOVQ(cols, n)
	NEGQ(n)
	m.mask = YMM()
	VMOVUPS(Mem{Base: p, Index: n, Scale: 4, Disp: 32}, m.mask)
}

func (m *AVX2) Load(p Mem, v reg.VecVirtual, masked bool) {
	if masked {
		VMASKMOVPS(p, m.mask, v)
		return
	}
	VMOVUPS(p, v)
}

func (m *AVX2) Store(v reg.VecVirtual, p Mem, masked bool) {
	if masked {
		VMASKMOVPS(v, m.mask, p)
		return
	}
	VMOVUPS(v, p)
}

// Select implements Machine.
func (m *AVX2) Select(how Comparison, x, y Op, yes, no, v reg.VecVirtual) {
	mask := YMM()
	VCMPPS(Imm(uint64(how)), y, x, mask)
	VBLENDVPS(mask, yes, no, v)
}

// NaNs implements Machine.
func (m *AVX2) NaNs(v reg.VecVirtual, r reg.GPVirtual) {
	VCMPPS(Imm(unordered), v, v, v)
	VMOVMSKPS(v, r.As32())
}

// AVX512 has vectors of 16 and mask registers.
type AVX512 struct{ mask reg.OpmaskVirtual }

func (*AVX512) Name() string           { return "AVX512" }
func (*AVX512) Lanes() int             { return 16 }
func (*AVX512) Vector() reg.VecVirtual { return ZMM() }
func (*AVX512) Zero(v reg.VecVirtual)  { VPXORD(v, v, v) }

func (m *AVX512) Tail(cols reg.GPVirtual) {
	bits := GP64()
	MOVQ(I32(-1), bits)
	BZHIQ(cols, bits, bits)
	m.mask = K()
	KMOVW(bits.As32(), m.mask)
}

func (m *AVX512) Load(p Mem, v reg.VecVirtual, masked bool) {
	if masked {
		VMOVUPS_Z(p, m.mask, v)
		return
	}
	VMOVUPS(p, v)
}

func (m *AVX512) Store(v reg.VecVirtual, p Mem, masked bool) {
	if masked {
		VMOVUPS(v, m.mask, p)
		return
	}
	VMOVUPS(v, p)
}

// Select implements Machine.
func (m *AVX512) Select(how Comparison, x, y Op, yes, no, v reg.VecVirtual) {
	mask := K()
	VCMPPS(Imm(uint64(how)), y, x, mask)
	VBLENDMPS(yes, no, mask, v)
}

// NaNs implements Machine.
func (m *AVX512) NaNs(v reg.VecVirtual, r reg.GPVirtual) {
	mask := K()
	VCMPPS(Imm(unordered), v, v, mask)
	KMOVW(mask, r.As32())
}
