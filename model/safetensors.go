package model

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// The dtypes of an artifact's tensors, as safetensors names them.
const (
	dtypeF32 = "F32"
	dtypeF64 = "F64"
)

// maxHeader bounds the JSON header of a file. The stock reader allows 100 MB; a
// model's header is as long as its spec and vocabularies.
const maxHeader = 16 << 20

// A tensor is one named array of a safetensors file.
type tensor struct {
	name  string
	dtype string
	shape []int
	data  []byte // little-endian, row-major; to be read alone
	from  int    // where data begin in the file that was read
}

func dtypeSize(dtype string) int {
	switch dtype {
	case dtypeF32:
		return 4
	case dtypeF64:
		return 8
	}
	return 0
}

func tensorF32(name string, shape []int, values []float32) tensor {
	data, ok := byteView(values)
	if !ok {
		for _, v := range values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
	}
	return tensor{name: name, dtype: dtypeF32, shape: shape, data: data}
}

func tensorF64(name string, values []float64) tensor {
	data, ok := byteView(values)
	if !ok {
		for _, v := range values {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
	}
	return tensor{name: name, dtype: dtypeF64, shape: []int{len(values)}, data: data}
}

// check verifies the tensor in the file it is from, and that its numbers are
// finite.
func (t *tensor) check(f File) error {
	if err := f.Verify(t.from, t.from+len(t.data)); err != nil {
		return fmt.Errorf("tensor %q: %w", shorten(t.name), err)
	}
	if i := t.notFinite(); i >= 0 {
		return fmt.Errorf("tensor %q is not finite at index %d", shorten(t.name), i)
	}
	return nil
}

// float32s returns the numbers of an F32 tensor: in place, to be read alone, or
// copied where that cannot be.
func (t *tensor) float32s() (values []float32, inPlace bool) {
	if view, ok := float32View(t.data); ok {
		return view, true
	}
	out := make([]float32, len(t.data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.data[4*i:]))
	}
	return out, false
}

// float64s returns the numbers of an F64 tensor.
func (t *tensor) float64s() []float64 {
	out := make([]float64, len(t.data)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(t.data[8*i:]))
	}
	return out
}

// notFinite returns the index of the first number that is NaN or infinite, -1
// if there is none.
func (t *tensor) notFinite() int {
	if t.dtype == dtypeF32 && finite32(t.data) {
		return -1
	}
	size := dtypeSize(t.dtype)
	for i := 0; i < len(t.data); i += size {
		var finite bool
		if size == 4 {
			finite = finite32(t.data[i : i+4])
		} else {
			const exponent = 0x7ff << 52
			finite = binary.LittleEndian.Uint64(t.data[i:])&exponent != exponent
		}
		if !finite {
			return i / size
		}
	}
	return -1
}

// finite32 reports whether no number of F32 data is NaN or infinite, two at a time:
// adding one to an exponent of all ones carries into the sign.
func finite32(data []byte) bool {
	const exponents, ones, signs = 0x7f800000_7f800000, 0x00800000_00800000, 0x80000000_80000000
	var carry uint64
	for ; len(data) >= 8; data = data[8:] {
		carry |= binary.LittleEndian.Uint64(data)&exponents + ones
	}
	if len(data) == 4 {
		carry |= uint64(binary.LittleEndian.Uint32(data))&exponents + ones
	}
	return carry&signs == 0
}

// writeSafetensors returns the file of metadata and tensors. The bytes depend
// on nothing but them: keys are sorted, F64 tensors come before F32 ones so
// that every tensor is aligned, and each kind is sorted by name.
func writeSafetensors(metadata map[string]string, tensors []tensor) ([]byte, error) {
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b tensor) int {
		return cmp.Or(cmp.Compare(dtypeSize(b.dtype), dtypeSize(a.dtype)), cmp.Compare(a.name, b.name))
	})
	var header bytes.Buffer
	header.WriteString(`{"__metadata__":`)
	text, err := json.Marshal(metadata) // sorts the keys
	if err != nil {
		return nil, fmt.Errorf("encoding the metadata: %w", err)
	}
	header.Write(text)
	offset := 0
	for _, t := range tensors {
		name, err := json.Marshal(t.name)
		if err != nil {
			return nil, fmt.Errorf("encoding the name of tensor %q: %w", t.name, err)
		}
		shape, err := json.Marshal(t.shape)
		if err != nil {
			return nil, fmt.Errorf("encoding the shape of tensor %q: %w", t.name, err)
		}
		end := offset + len(t.data)
		fmt.Fprintf(&header, `,%s:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, t.dtype, shape, offset, end)
		offset = end
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 {
		header.WriteByte(' ')
	}
	if header.Len() > maxHeader {
		return nil, fmt.Errorf("the header of spec and vocabularies has %d bytes, at most %d are allowed", header.Len(), maxHeader)
	}
	file := make([]byte, 8, 8+header.Len()+offset)
	binary.LittleEndian.PutUint64(file, uint64(header.Len()))
	file = append(file, header.Bytes()...)
	for _, t := range tensors {
		file = append(file, t.data...)
	}
	return file, nil
}
