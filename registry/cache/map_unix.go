//go:build unix

package cache

import (
	"os"

	"golang.org/x/sys/unix"
)

// canMap tells whether files are mapped here, not read.
const canMap = true

// mapFile maps the first size bytes of f to memory that can only be read.
func mapFile(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
}

func unmap(b []byte) {
	_ = unix.Munmap(b) //nolint:errcheck // of memory that was mapped, it cannot fail
}
