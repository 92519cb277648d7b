// Package machine writes the same loop for several instruction sets.
package machine

import (
	"fmt"
	"slices"

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
	// StoreTails stores masked vectors, which it overwrites, each at its place.
	StoreTails(vs []reg.VecVirtual, places []Mem)

	// Select sets each lane of v to yes where x compares to y, else to no.
	Select(how Comparison, x, y Op, yes, no, v reg.VecVirtual)

	// Keep sets the lanes of v past the tail to those of w.
	Keep(v, w reg.VecVirtual)

	// NaNs sets a bit of r for each lane of v that is NaN.
	NaNs(v reg.VecVirtual, r reg.GPVirtual)
}

// A Comparison is a predicate of VCMPPS, false for NaN if nothing else is said.
type Comparison uint64

// The comparisons. Unordered is true for NaN.
const (
	Unordered Comparison = 3
	Less      Comparison = 17
	NotEqual  Comparison = 4 // true for NaN
	Greater   Comparison = 30
)

// AVX2 has vectors of 8 and masks of their shape.
type AVX2 struct {
	mask   reg.VecVirtual
	lanes  reg.GPVirtual // that the mask sets
	table  Mem           // eight lanes that are set, then eight that are not
	labels int
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
	m.lanes = cols
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

// StoreTails implements Machine by stores of 4, 2 and 1 lanes: masked stores are
// slow on AMD's processors up to Zen 4. It moves the bases of places.
func (m *AVX2) StoreTails(vs []reg.VecVirtual, places []Mem) {
	m.labels++
	label := func(lanes int) string { return fmt.Sprintf("tails%d_%d", m.labels, lanes) }
	CMPQ(m.lanes, Imm(8))
	JNE(LabelRef(label(8)))
	for i, v := range vs {
		VMOVUPS(v, places[i])
	}
	JMP(LabelRef(label(1)))
	Label(label(8))
	for _, part := range []struct {
		lanes int
		store func(v reg.VecVirtual, at Mem) // and moves the rest down
	}{
		{4, func(v reg.VecVirtual, at Mem) { VMOVUPS(v.AsX(), at); VEXTRACTF128(Imm(1), v, v.AsX()) }},
		{2, func(v reg.VecVirtual, at Mem) { VMOVLPS(v.AsX(), at); VMOVHLPS(v.AsX(), v.AsX(), v.AsX()) }},
		{1, func(v reg.VecVirtual, at Mem) { VMOVSS(v.AsX(), at) }},
	} {
		TESTQ(U32(part.lanes), m.lanes)
		JZ(LabelRef(label(part.lanes)))
		var moved []reg.Register
		for i, v := range vs {
			part.store(v, places[i])
			if !slices.Contains(moved, places[i].Base) {
				moved = append(moved, places[i].Base)
			}
		}
		for _, base := range moved {
			ADDQ(Imm(uint64(4*part.lanes)), base)
		}
		Label(label(part.lanes))
	}
}

// Select implements Machine.
func (m *AVX2) Select(how Comparison, x, y Op, yes, no, v reg.VecVirtual) {
	mask := YMM()
	VCMPPS(Imm(uint64(how)), y, x, mask)
	VBLENDVPS(mask, yes, no, v)
}

// Keep implements Machine.
func (m *AVX2) Keep(v, w reg.VecVirtual) { VBLENDVPS(m.mask, v, w, v) }

// NaNs implements Machine.
func (m *AVX2) NaNs(v reg.VecVirtual, r reg.GPVirtual) {
	VCMPPS(Imm(uint64(Unordered)), v, v, v)
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

// StoreTails implements Machine.
func (m *AVX512) StoreTails(vs []reg.VecVirtual, places []Mem) {
	for i, v := range vs {
		m.Store(v, places[i], true)
	}
}

// Select implements Machine.
func (m *AVX512) Select(how Comparison, x, y Op, yes, no, v reg.VecVirtual) {
	mask := K()
	VCMPPS(Imm(uint64(how)), y, x, mask)
	VBLENDMPS(yes, no, mask, v)
}

// Keep implements Machine.
func (m *AVX512) Keep(v, w reg.VecVirtual) { VBLENDMPS(v, w, m.mask, v) }

// NaNs implements Machine.
func (m *AVX512) NaNs(v reg.VecVirtual, r reg.GPVirtual) {
	mask := K()
	VCMPPS(Imm(uint64(Unordered)), v, v, mask)
	KMOVW(mask, r.As32())
}
