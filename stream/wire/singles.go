package wire

import (
	"encoding/binary"
	"math"
	"unsafe"
)

const singleSize = 4

// littleEndian reports whether the machine stores numbers as messages do.
func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// singles returns little-endian FP32 data as numbers: the data itself where it is
// aligned and the machine stores numbers so, else in the memory of scratch. raw
// must hold whole numbers, and not be changed while the result is in use.
func singles(scratch *[]float32, raw []byte) []float32 {
	n := len(raw) / singleSize
	if n == 0 {
		return nil
	}
	if !littleEndian() {
		*scratch = resize(*scratch, n)
		for i := range *scratch {
			(*scratch)[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[singleSize*i:]))
		}
		return *scratch
	}
	first := unsafe.Pointer(unsafe.SliceData(raw))
	if uintptr(first)%unsafe.Alignof(float32(0)) == 0 {
		return unsafe.Slice((*float32)(first), n)
	}
	*scratch = resize(*scratch, n)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(*scratch))), singleSize*n), raw)
	return *scratch
}

// appendDoubles appends values as little-endian FP64.
func appendDoubles(b []byte, values []float64) []byte {
	if len(values) == 0 {
		return b
	}
	if !littleEndian() {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		return b
	}
	return append(b, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 8*len(values))...)
}
