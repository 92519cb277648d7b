package cache

import "errors"

var (
	// ErrDamaged is returned by [Artifact.Verify] for bytes that are not those
	// stored. The file is out of the cache then: opened again, it is downloaded.
	ErrDamaged = errors.New("the cached file is damaged")

	// ErrDigest is returned by [Writer.Verify] for bytes that are not those of the
	// digest.
	ErrDigest = errors.New("wrong digest")
)
