//go:build !linux

package kernel

// preferHuge does nothing where huge pages cannot be asked for.
func preferHuge([]float32) bool { return false }
