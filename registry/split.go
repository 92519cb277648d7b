package registry

import (
	"context"
	"fmt"
	"math"
)

// A Split says which predictions without a version the canary answers: a share of
// them, by a hash of what tells callers apart ([Split.Takes]), so that a caller
// stays with one version.
type Split struct {
	// Share of the callers that the canary answers, from 0 (none: it is only asked by
	// its name) to 1 (all).
	Share float64 `json:"share,omitempty"`

	// By is the request header that tells callers apart, as it travels. If it is empty, or
	// a request has no such header, that is Modelbus-Id.
	By string `json:"by,omitempty"`
}

const maxHeaderName = 64

// Check returns an error that wraps [ErrInvalid] if s is not a split.
func (s Split) Check() error {
	switch {
	case !(s.Share >= 0 && s.Share <= 1):
		return fmt.Errorf("%w: share %v: want a number from 0 to 1", ErrInvalid, s.Share)
	case s.By != "" && (len(s.By) > maxHeaderName || !isToken(s.By)):
		return fmt.Errorf("%w: header %q: want a header's name, 1 to %d of A-Z, a-z, 0-9, _ and -", ErrInvalid, s.By, maxHeaderName)
	case s.By != "" && s.Share == 0:
		return fmt.Errorf("%w: header %q without a share: nobody is told apart by it", ErrInvalid, s.By)
	}
	return nil
}

// Takes reports whether the canary of a model answers the caller that key tells
// apart. Every server decides alike, whoever takes what share takes it with every
// larger one, too, and models decide on their own: it is so if the first 53 bits of
// a hash, as a binary fraction, are below the share. The hash is the 64-bit FNV-1a of
// the model's name, a byte 0 and the key, mixed by the finalizer of MurmurHash3, as the
// first bits of FNV hardly depend on the last byte.
func (s Split) Takes(model, key string) bool {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(model) {
		h = (h ^ uint64(model[i])) * prime
	}
	h *= prime // a byte 0
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * prime
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return math.Ldexp(float64(h>>11), -53) < s.Share
}

// SplitCanary moves the alias [Canary] to a version, or leaves it there, gives it a
// share of the predictions and announces "promoted". It changes nothing if all that is so.
// No other alias has a share; [Registry.Promote] and [Registry.Rollback] keep it,
// and the alias takes it along when it is removed.
func (r *Registry) SplitCanary(ctx context.Context, model string, version uint64, split Split, who, why string) (Move, error) {
	return r.ResplitCanary(ctx, model, version, Resplit{Share: &split.Share, By: &split.By}, who, why)
}

// A Resplit changes parts of a [Split]; what is nil stays. No share has no By.
type Resplit struct {
	Share *float64
	By    *string
}

// of returns what s becomes.
func (c Resplit) of(s Split) (Split, error) {
	if c.Share != nil {
		s.Share = *c.Share
	}
	if c.By != nil {
		s.By = *c.By
	} else if s.Share == 0 {
		s.By = ""
	}
	return s, s.Check()
}

// ResplitCanary is [Registry.SplitCanary] with a change of the split that there is.
func (r *Registry) ResplitCanary(ctx context.Context, model string, version uint64, c Resplit, who, why string) (Move, error) {
	if err := CheckModel(model); err != nil {
		return Move{}, err
	}
	return r.promote(ctx, Move{Model: model, Alias: Canary, To: version, Who: who, Why: why}, c)
}
