package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// unsealed stands in a file for its checksum while that is computed.
const unsealed = "0000000000000000000000000000000000000000000000000000000000000000"

// seal puts its checksum into a file that has [unsealed] in the place of it.
func seal(file []byte) error {
	at, err := findChecksum(file, unsealed)
	if err != nil {
		return err
	}
	copy(file[at:], checksum(file, at))
	return nil
}

// verify returns an error if said, the checksum in the metadata of the file, is
// not the file's. The file's header has been read without errors.
func verify(file []byte, said string) error {
	if len(said) != len(unsealed) || strings.Trim(said, "0123456789abcdef") != "" {
		return fmt.Errorf("metadata %q must be %d lower-case hexadecimal digits, got %q", keyChecksum, len(unsealed), shorten(said))
	}
	at, err := findChecksum(file, said)
	if err != nil {
		return err
	}
	if got := checksum(file, at); got != said {
		return fmt.Errorf("the file is damaged: its SHA-256 is %s, the header says %s", got, said)
	}
	return nil
}

// findChecksum returns where in the file the checksum value begins. Nothing else
// in a header looks like it, since quotes are escaped within strings.
func findChecksum(file []byte, value string) (int, error) {
	header := file[8 : 8+binary.LittleEndian.Uint64(file)]
	key := `"` + keyChecksum + `":"`
	text := []byte(key + value + `"`)
	if n := bytes.Count(header, text); n != 1 {
		return 0, fmt.Errorf("the header must have %s once, without blanks and escapes, got it %d times", text, n)
	}
	return 8 + bytes.Index(header, text) + len(key), nil
}

// checksum returns the SHA-256 of the file with [unsealed] at byte at, in lower
// case.
func checksum(file []byte, at int) string {
	h := sha256.New()
	h.Write(file[:at])
	h.Write([]byte(unsealed))
	h.Write(file[at+len(unsealed):])
	return hex.EncodeToString(h.Sum(nil))
}
