// Package kernel holds the float32 matrix and vector loops under package nn.
//
// # Order of sums
//
// Every element of a product is summed over the inner dimension in ascending
// order, each term rounded after its multiplication and again after its
// addition. The order depends on nothing else: not on the number of rows, not
// on [Gemm.Threads], not on where a slice begins in memory. So a row's product
// is the same alone and in a batch, to the bit. (gonum's Sgemm splits its blocks
// by the matrix size, and its Sdot by the alignment of its operands, so of
// gonum's BLAS only axpy, which works on each element alone, is used.)
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
