package kernel

import (
	"syscall"
	"unsafe"
)

const hugePage = 2 << 20 // bytes; on architectures where it is less, several pages

// preferHuge asks the kernel for huge pages under v, which has not been written yet:
// memory far away is read faster through them. What is not a whole page stays as it is. It
// reports whether the system takes the advice.
func preferHuge(v []float32) bool {
	if 4*len(v) < 2*hugePage {
		return false
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v))
	skip := -uintptr(unsafe.Pointer(&v[0])) % hugePage
	size := (uintptr(len(bytes)) - skip) / hugePage * hugePage
	return syscall.Madvise(bytes[skip:skip+size], syscall.MADV_HUGEPAGE) == nil
}
