package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDiskFails has a file refuse what is written to it, half-way and at the end,
// and wants the artifact in memory.
func TestDiskFails(t *testing.T) {
	content := bytes.Repeat([]byte("modelbus"), MinFile/4)
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	tests := []struct {
		name  string
		after int // bytes that go well
		fail  func(w *Writer) error
	}{
		{"half-way", MinFile, func(w *Writer) error { return reopen(w, os.O_RDONLY) }},
		{"at the end", len(content), func(w *Writer) error { // its name is taken away
			return os.Remove(w.file.Name())
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var warned []string
			c := New(Options{Dir: t.TempDir(), Size: 1 << 30, Warn: func(err error) { warned = append(warned, err.Error()) }})
			a, err := c.Open(t.Context(), digest, int64(len(content)), func(w *Writer) error {
				if err := w.Start(t.Context(), int64(len(content))); err != nil {
					return err
				}
				if _, err := w.Write(content[:tt.after]); err != nil {
					return err
				}
				if err := tt.fail(w); err != nil {
					return err
				}
				_, err := w.Write(content[tt.after:])
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if a.Mapped() || !bytes.Equal(a.Bytes(), content) {
				t.Error("the artifact is not in memory as it was written")
			}
			if len(warned) != 1 || !strings.Contains(warned[0], "stays in memory") {
				t.Errorf("warnings = %q, want one", warned)
			}
			if _, err := os.Stat(c.folder.path(digest + partSuffix)); err == nil {
				t.Error("the file is left over")
			}
		})
	}
}

func reopen(w *Writer, flag int) error {
	f, err := os.OpenFile(w.file.Name(), flag, 0)
	if err != nil {
		return err
	}
	old := w.file
	w.file = f
	return old.Close()
}

func TestSumsRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, block - 1, block, block + 1, 3*block + 7} {
		b := bytes.Repeat([]byte{7, 1, 5}, size/3+1)[:size]
		var whole, pieces summer
		whole.write(b)
		for piece := range slices.Chunk(b, 1000) {
			pieces.write(piece)
		}
		if !slices.Equal(whole.sums, pieces.sums) {
			t.Errorf("%d bytes in pieces have other sums", size)
		}
		for i, sum := range whole.sums {
			if want := crc(b[i*block : min((i+1)*block, size)]); sum != want {
				t.Errorf("%d bytes: sum %d = %x, want %x", size, i, sum, want)
			}
		}
		s := &sums{size: int64(size), time: time.Now().UnixNano(), blocks: whole.sums}
		got, err := decodeSums(s.encode())
		if err != nil || got.size != s.size || got.time != s.time || !slices.Equal(got.blocks, s.blocks) {
			t.Errorf("decodeSums = %v, %v, want %v", got, err, s)
		}
	}
}

// FuzzDecodeSums wants all that is accepted to be what encode writes, also behind
// the sum of the file, which hides the rest.
func FuzzDecodeSums(f *testing.F) {
	for _, s := range []*sums{
		{}, {size: 1, time: -5, blocks: []uint32{1}}, {size: 2*block + 1, time: 1 << 60, blocks: []uint32{1, 2, 3}},
	} {
		f.Add(s.encode())
	}
	f.Add([]byte(sumsMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		sealed := append([]byte{}, b...)
		if n := len(sealed) - 4; n >= 0 {
			sum := crc(sealed[:n])
			sealed = append(sealed[:n], byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
		}
		for _, b := range [][]byte{b, sealed} {
			s, err := decodeSums(b)
			if err == nil && !bytes.Equal(s.encode(), b) {
				t.Errorf("%x is read as %v, which is written %x", b, s, s.encode())
			}
		}
	})
}
