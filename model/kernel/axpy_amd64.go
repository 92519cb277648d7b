package kernel

import "gonum.org/v1/gonum/blas/blas32"

// axpy is gonum's, which is written with vector instructions on this
// architecture and rounds like addScaled.
func axpy(y []float32, alpha float32, x []float32) {
	blas32.Axpy(alpha, blas32.Vector{N: len(x), Inc: 1, Data: x}, blas32.Vector{N: len(x), Inc: 1, Data: y})
}
