//go:build !amd64

package kernel

// axpy is addScaled: gonum's loop lets the compiler fuse operations, and then
// results would depend on how a vector is divided.
func axpy(y []float32, alpha float32, x []float32) { addScaled(y, alpha, x) }
