package model_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// reseal returns a copy of the file with its checksum made right, so that damage
// gets past it. A file without one stays as it is.
func reseal(file []byte) []byte {
	b := bytes.Clone(file)
	key := []byte(`"sha256":"`)
	at := bytes.Index(b, key) + len(key)
	if at < len(key) || at+64 > len(b) {
		return b
	}
	copy(b[at:], strings.Repeat("0", 64))
	sum := sha256.Sum256(b)
	hex.Encode(b[at:], sum[:])
	return b
}
