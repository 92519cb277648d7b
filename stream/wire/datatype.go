package wire

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
)

// A datatype is a tensor datatype of the Open Inference Protocol.
type datatype uint8

const (
	typeBool datatype = iota
	typeUint8
	typeUint16
	typeUint32
	typeUint64
	typeInt8
	typeInt16
	typeInt32
	typeInt64
	typeFP16
	typeBF16
	typeFP32
	typeFP64
	typeBytes
	datatypeCount
)

// String returns the protocol's name.
func (d datatype) String() string {
	return [...]string{
		"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
		"FP16", "BF16", "FP32", "FP64", "BYTES",
	}[d]
}

// size returns the bytes of an element, 0 for BYTES.
func (d datatype) size() int {
	return int([...]uint8{1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 0}[d])
}

// single reports whether float32 holds every value of d.
func (d datatype) single() bool {
	return d.size() == 1 || d.size() == 2 || d == typeFP32
}

func parseDatatype(name []byte) (datatype, error) {
	for d := range datatypeCount {
		if d.String() == string(name) {
			return d, nil
		}
	}
	names := make([]string, datatypeCount)
	for d := range datatypeCount {
		names[d] = d.String()
	}
	return 0, invalidf("unknown datatype %s: want one of %s", quote(string(name)), list(names))
}

// number returns element i of little-endian data; a boolean is 0 or 1.
func (d datatype) number(raw []byte, i int) float64 {
	le := binary.LittleEndian
	raw = raw[i*d.size():]
	switch d {
	case typeBool, typeUint8:
		return float64(raw[0])
	case typeUint16:
		return float64(le.Uint16(raw))
	case typeUint32:
		return float64(le.Uint32(raw))
	case typeUint64:
		return float64(le.Uint64(raw))
	case typeInt8:
		return float64(int8(raw[0])) //nolint:gosec // two's complement
	case typeInt16:
		return float64(int16(le.Uint16(raw))) //nolint:gosec // two's complement
	case typeInt32:
		return float64(int32(le.Uint32(raw))) //nolint:gosec // two's complement
	case typeInt64:
		return float64(int64(le.Uint64(raw))) //nolint:gosec // two's complement
	case typeFP16:
		return half(le.Uint16(raw))
	case typeBF16:
		return float64(math.Float32frombits(uint32(le.Uint16(raw)) << 16))
	case typeFP32:
		return float64(math.Float32frombits(le.Uint32(raw)))
	case typeFP64:
		return math.Float64frombits(le.Uint64(raw))
	case typeBytes, datatypeCount:
	}
	return math.NaN()
}

// half returns the value of an IEEE 754 binary16.
func half(bits uint16) float64 {
	exponent := int(bits >> 10 & 0x1f)
	fraction := float64(bits & 0x3ff)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 0x1f:
		v = math.Inf(1)
		if fraction != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	if bits>>15 != 0 {
		v = -v
	}
	return v
}

// bits returns the width of an integer type and whether it is signed, 0 for others.
func (d datatype) bits() (width int, signed bool) {
	switch {
	case typeUint8 <= d && d <= typeUint64:
		return d.size() * 8, false
	case typeInt8 <= d && d <= typeInt64:
		return d.size() * 8, true
	}
	return 0, false
}

// check returns an error if the JSON number text, whose value is v, is not one of d,
// an integer type.
func (d datatype) check(text []byte, v float64) error {
	width, signed := d.bits()
	switch {
	case width == 0:
		return nil
	case v != math.Trunc(v):
		return invalidf("want an integer for %s, got %s", d, cut(string(text), 64))
	}
	low, high := 0.0, math.Ldexp(1, width)
	var err error
	if signed {
		low, high = -math.Ldexp(1, width-1), math.Ldexp(1, width-1)
		_, err = strconv.ParseInt(string(text), 10, width)
	} else {
		_, err = strconv.ParseUint(string(text), 10, width)
	}
	// Digits are judged exactly, not as v, which may be rounded; other forms,
	// such as 1e3 or -0, are v.
	if err == nil || errors.Is(err, strconv.ErrSyntax) && v >= low && v < high {
		return nil
	}
	return invalidf("%s is out of range for %s", cut(string(text), 64), d)
}
