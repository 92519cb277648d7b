package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
)

// block is how many bytes one sum is of.
const block = 1 << 20

// sumsMagic begins a file of sums. The digit is the version of its layout.
const sumsMagic = "mbsums1\n"

// sums are what tells whether a file is as it was when it had the right digest.
//
// Their file is, little-endian: the magic, size and time as 64 bits each, the sum
// of every block as 32 bits, and the sum of all these bytes.
type sums struct {
	size   int64
	time   int64 // of the file's last modification, Unix nanoseconds
	blocks []uint32
}

func crc(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// blocksOf returns how many blocks that many bytes are.
func blocksOf(size int64) int64 { return size/block + min(size%block, 1) }

// of reports whether a file is the one that s is of, by what the system knows of it.
func (s *sums) of(info fs.FileInfo) bool {
	return info.Size() == s.size && info.ModTime().UnixNano() == s.time
}

func (s *sums) encode() []byte {
	b := []byte(sumsMagic)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.size)) //nolint:gosec // never negative
	b = binary.LittleEndian.AppendUint64(b, uint64(s.time)) //nolint:gosec // read back the same way
	for _, sum := range s.blocks {
		b = binary.LittleEndian.AppendUint32(b, sum)
	}
	return binary.LittleEndian.AppendUint32(b, crc(b))
}

// decodeSums reads what encode made, and nothing else.
func decodeSums(b []byte) (*sums, error) {
	const head = len(sumsMagic) + 16
	if len(b) < head+4 || string(b[:len(sumsMagic)]) != sumsMagic {
		return nil, errors.New("this is no file of sums")
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc(body) != sum {
		return nil, errors.New("the file of sums is damaged")
	}
	s := &sums{
		size: int64(binary.LittleEndian.Uint64(body[len(sumsMagic):])),   //nolint:gosec // checked below
		time: int64(binary.LittleEndian.Uint64(body[len(sumsMagic)+8:])), //nolint:gosec // written the same way
	}
	rest := body[head:]
	if s.size < 0 || int64(len(rest)) != 4*blocksOf(s.size) {
		return nil, fmt.Errorf("%d bytes of sums do not fit a file of %d bytes", len(rest), s.size)
	}
	for ; len(rest) > 0; rest = rest[4:] {
		s.blocks = append(s.blocks, binary.LittleEndian.Uint32(rest))
	}
	return s, nil
}

// A summer computes the sums of what is written to it.
type summer struct {
	sums   []uint32
	filled int // bytes of the last block so far, 0 if it is full
	table  *crc32.Table
}

func (s *summer) write(b []byte) {
	if s.table == nil {
		s.table = crc32.MakeTable(crc32.Castagnoli)
	}
	for len(b) > 0 {
		if s.filled == 0 {
			s.sums = append(s.sums, 0)
		}
		n := min(len(b), block-s.filled)
		last := len(s.sums) - 1
		s.sums[last] = crc32.Update(s.sums[last], s.table, b[:n])
		s.filled = (s.filled + n) % block
		b = b[n:]
	}
}
