package cache_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/modelbus/modelbus/registry/cache"
)

// TestDamage changes what is on disk in every way that a fault may, and wants
// the right bytes all the same.
func TestDamage(t *testing.T) {
	b := newBlob(1, 3*mib+5)
	flip := func(at int) func([]byte) []byte {
		return func(f []byte) []byte {
			f[at] ^= 4
			return f
		}
	}
	cut := func(n int) func([]byte) []byte { return func(f []byte) []byte { return f[:n] } }
	same := func(f []byte) []byte { return f }
	tests := []struct {
		name      string
		file      string
		silent    bool // the file's time stays
		change    func([]byte) []byte
		downloads int
		lazy      bool // found by Verify
	}{
		{"first byte, time as it was", "", true, flip(0), 1, true},
		{"last byte, time as it was", "", true, flip(len(b.bytes) - 1), 1, true},
		{"a block of zeros, time as it was", "", true, func(f []byte) []byte { clear(f[mib : 2*mib]); return f }, 1, true},
		{"a byte", "", false, flip(mib), 1, false},
		{"cut off", "", true, cut(2 * mib), 1, false},
		{"cut off below the least size", "", true, cut(5), 1, false},
		{"empty", "", true, cut(0), 1, false},
		{"longer", "", true, func(f []byte) []byte { return append(f, 0) }, 1, false},
		{"touched", "", false, same, 0, false},
		{"sums damaged", ".sum", true, flip(30), 0, false},
		{"sums cut off", ".sum", true, cut(10), 0, false},
		{"sums empty", ".sum", true, cut(0), 0, false},
		{"sums of another layout", ".sum", true, flip(6), 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			newHouse(t, dir, 10*mib).check(b, true)
			h := newHouse(t, dir, 10*mib)
			h.change(b.digest+tt.file, tt.silent, tt.change)
			if tt.lazy {
				a := h.open(b)
				if err := a.Verify(0, len(b.bytes)); !errors.Is(err, cache.ErrDamaged) {
					t.Fatalf("Verify = %v, want ErrDamaged", err)
				}
				if err := a.Verify(2*mib, 2*mib+1); !errors.Is(err, cache.ErrDamaged) {
					t.Errorf("Verify of another part afterwards = %v, want ErrDamaged for good", err)
				}
			}
			h.check(b, true)
			h.downloads(tt.downloads)
			h.has(b)
			if tt.downloads > 0 && !tt.lazy {
				h.warned("is loaded again")
			} else {
				h.warned()
			}
			next := newHouse(t, dir, 10*mib)
			next.check(b, true)
			next.downloads(0)
		})
	}
}

// TestVerifiesWhatIsAsked wants damage elsewhere left alone: what is not used is
// not read.
func TestVerifiesWhatIsAsked(t *testing.T) {
	dir, b := t.TempDir(), newBlob(1, 3*mib)
	newHouse(t, dir, 10*mib).check(b, true)
	h := newHouse(t, dir, 10*mib)
	h.change(b.digest, true, func(f []byte) []byte { f[2*mib] ^= 1; return f })
	a := h.open(b)
	if err := a.Verify(0, 2*mib); err != nil {
		t.Errorf("Verify of the blocks before = %v", err)
	}
	if err := a.Verify(5, 5); err != nil {
		t.Errorf("Verify of nothing = %v", err)
	}
	for _, r := range [][2]int{{-1, 5}, {5, 4}, {0, 3*mib + 1}} {
		if err := a.Verify(r[0], r[1]); err == nil || errors.Is(err, cache.ErrDamaged) {
			t.Errorf("Verify(%d, %d) = %v, want an error that is no damage", r[0], r[1], err)
		}
	}
	if err := a.Verify(2*mib-1, 2*mib+1); !errors.Is(err, cache.ErrDamaged) {
		t.Errorf("Verify across the damage = %v, want ErrDamaged", err)
	}
	runtime.KeepAlive(a)
}
