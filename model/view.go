package model

import (
	"encoding/binary"
	"unsafe"
)

// float32View returns the little-endian numbers of b where they lie, which must
// not be written. ok is false if they cannot be used there: b does not begin at a
// multiple of 4, or this machine has another byte order.
func float32View(b []byte) (v []float32, ok bool) {
	if len(b) == 0 {
		return []float32{}, true
	}
	first := unsafe.Pointer(unsafe.SliceData(b))
	if !littleEndian() || len(b)%4 != 0 || uintptr(first)%unsafe.Alignof(float32(0)) != 0 {
		return nil, false
	}
	n := len(b) / 4
	return unsafe.Slice((*float32)(first), n)[:n:n], true
}

// byteView returns the little-endian bytes of v where they lie, which must not be
// written. ok is false on a machine of another byte order.
func byteView[T float32 | float64](v []T) (b []byte, ok bool) {
	if len(v) == 0 {
		return []byte{}, true
	}
	if !littleEndian() {
		return nil, false
	}
	n := len(v) * int(unsafe.Sizeof(v[0]))
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), n)[:n:n], true
}

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }
