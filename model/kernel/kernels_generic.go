//go:build !amd64

package kernel

// tiles returns the micro-kernels of s, nil if it has none.
func (s isa) tiles() *tiles { return nil }

// loops returns the element-wise loops of s, nil if it has none.
func (s isa) loops() *loops { return nil }
