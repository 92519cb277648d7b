// Package kernel holds the float32 matrix and vector loops under package nn.
//
// # Sums
//
// Every element of a product is one chain of float32 fused multiply-adds over the
// inner dimension in ascending order, which starts from zero, from the bias or
// from what C held. Nothing else decides its bits: not the number of rows, nor how the
// matrices are laid out, packed or divided between goroutines. So a row's product is the
// same alone and in a batch, and AVX2 and AVX-512 agree. The portable loops, on
// processors without them, leave it to the compiler whether a multiplication is
// rounded before its addition; their last bits may differ from one architecture to
// another.
//
// A NaN or infinity in either operand reaches every sum it is a term of, even when
// the other factor is zero.
//
// # Elements
//
// An element of a vector function's result depends on its own operands alone: not on
// its place, the length or the alignment. The functions state how far they are off in
// ulp, units in the last place, results below 2⁻¹²⁶ included. Their operations are the same
// in every loop, so that all instruction sets and architectures give the same bits, the
// portable loops too; only which NaN it is may differ.
//
// Sums over elements run in a fixed order that their functions state, the same on all
// instruction sets.
//
// # Instruction sets
//
// On amd64 the loops are written for AVX2 with FMA and for AVX-512, by the generator
// in gen (Goto and van de Geijn, Anatomy of High-Performance Matrix
// Multiplication, 2008; Van Zee and van de Geijn, BLIS, 2015). The best that the
// processor has is chosen at start, or the one that the environment variable
// MODELBUS_KERNEL names: avx512, avx2 or go. Elsewhere, arm64 included, they are Go.
//
// # Aliasing
//
// A vector function's destination may be its source, but must not overlap it
// otherwise. The destination of a product must not overlap its operands.
//
// # Errors
//
// Slices that are too short for the shapes given are errors of the calling code
// and panic.
package kernel
