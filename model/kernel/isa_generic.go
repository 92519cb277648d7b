//go:build !amd64

package kernel

// supported returns the instruction sets of this machine, the best first.
func supported() []isa { return []isa{portable} }
