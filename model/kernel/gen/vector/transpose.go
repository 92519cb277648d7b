package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose writes a loop over squares of 8 × 8 side by side, which it turns in registers
// of 8 numbers; AVX-512 takes the same. Strides are in bytes.
func transpose() {
	TEXT("transpose8", NOSPLIT, "func(squares int, y *float32, ystride int, x *float32, xstride int)")
	squares, y, x := parameter("squares"), parameter("y"), parameter("x")
	toY, toX := parameter("ystride"), parameter("xstride")
	y3, x3, x4 := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: toX, Index: toX, Scale: 2}, x3)
	LEAQ(Mem{Base: toY, Index: toY, Scale: 2}, y3)
	LEAQ(Mem{Base: x, Index: toX, Scale: 4}, x4)
	row := func(base, stride, three reg.Register, i int) Mem {
		switch i {
		case 0:
			return Mem{Base: base}
		case 3:
			return Mem{Base: base, Index: three, Scale: 1}
		default:
			return Mem{Base: base, Index: stride, Scale: uint8(i)}
		}
	}
	Label("transpose8_loop")
	for half := range 2 { // four columns of x, of the rows 0 to 3 in the lower halves and 4 to 7 in the upper
		var r [4]reg.VecVirtual
		for i := range r {
			r[i] = YMM()
			VMOVUPS(row(x, toX, x3, i).Offset(16*half), r[i].AsX())
			VINSERTF128(Imm(1), row(x4, toX, x3, i).Offset(16*half), r[i], r[i])
		}
		var pairs [4]reg.VecVirtual
		for i := range pairs {
			pairs[i] = YMM()
		}
		VUNPCKLPS(r[1], r[0], pairs[0])
		VUNPCKLPS(r[3], r[2], pairs[1])
		VUNPCKHPS(r[1], r[0], pairs[2])
		VUNPCKHPS(r[3], r[2], pairs[3])
		for i := range 4 {
			low, high := pairs[i/2*2], pairs[i/2*2+1]
			column := YMM()
			VSHUFPS(Imm([]uint64{0x44, 0xee}[i%2]), high, low, column)
			VMOVUPS(column, row(y, toY, y3, i))
		}
		LEAQ(Mem{Base: y, Index: toY, Scale: 4}, y)
	}
	ADDQ(Imm(32), x)
	ADDQ(Imm(32), x4)
	DECQ(squares)
	JNZ(LabelRef("transpose8_loop"))
	VZEROUPPER()
	RET()
}
