package registry

import (
	"fmt"
	"strconv"
	"strings"
)

// Champion is the alias that predictions without a version answer with.
const Champion = "champion"

// Challenger is the alias of the version that is on trial beside the champion.
const Challenger = "challenger"

// Canary is the alias of the version that answers a share of the predictions without
// a version: see [Split].
const Canary = "canary"

// Shadow is the alias of the version that gets a copy of what the champion is asked,
// and answers nobody.
const Shadow = "shadow"

// MaxVersion is the largest version number: every JSON reader holds it exactly.
const MaxVersion = 1 << 53

const (
	maxModel = 64 // bytes of a model name
	maxAlias = 32 // bytes of an alias

	latest = "latest" // an alias nobody may have: it would mean different things to different people
)

// A Ref names a version of a model: "iris" (its champion), "iris@3",
// "iris@canary". A model name is [A-Za-z0-9_-]{1,64}, an alias
// [a-z][a-z0-9_-]{0,31} and not "latest", a version 1 … 2^53.
type Ref struct {
	Model   string
	Version uint64 // 0 if an alias is named
	Alias   string // [Champion] if neither is given
}

// ParseRef parses a ref. Errors wrap [ErrInvalid] and say what was received.
func ParseRef(s string) (Ref, error) {
	model, which, given := strings.Cut(s, "@")
	if err := CheckModel(model); err != nil {
		return Ref{}, fmt.Errorf("ref %q: %w", s, err)
	}
	if !given {
		return Ref{Model: model, Alias: Champion}, nil
	}
	if which == "" {
		return Ref{}, fmt.Errorf("%w: ref %q: nothing follows the @: want a version such as %s@3 or an alias such as %s@canary",
			ErrInvalid, s, model, model)
	}
	if which[0] < '0' || which[0] > '9' {
		if err := CheckAlias(which); err != nil {
			return Ref{}, fmt.Errorf("ref %q: %w", s, err)
		}
		return Ref{Model: model, Alias: which}, nil
	}
	n, err := strconv.ParseUint(which, 10, 64)
	if err != nil || checkNumber(n) != nil || which[0] == '0' {
		return Ref{}, fmt.Errorf("%w: ref %q: version %q: want a number from 1 to 2^53 without leading zeros", ErrInvalid, s, which)
	}
	return Ref{Model: model, Version: n}, nil
}

// String returns the shortest form that parses to r.
func (r Ref) String() string {
	switch {
	case r.Version != 0:
		return r.Model + "@" + strconv.FormatUint(r.Version, 10)
	case r.Alias != "" && r.Alias != Champion:
		return r.Model + "@" + r.Alias
	default:
		return r.Model
	}
}

// CheckModel returns an error that wraps [ErrInvalid] if name is not a model name.
func CheckModel(name string) error {
	if model, version, ok := strings.Cut(name, "@"); ok && version != "" && CheckModel(model) == nil {
		return fmt.Errorf("%w: %q names a version: want the model alone, %s", ErrInvalid, name, model)
	}
	if len(name) < 1 || len(name) > maxModel || !isToken(name) {
		return fmt.Errorf("%w: model name %q: want 1 to %d of A-Z, a-z, 0-9, _ and -", ErrInvalid, name, maxModel)
	}
	return nil
}

// CheckAlias returns an error that wraps [ErrInvalid] if alias is not an alias.
func CheckAlias(alias string) error {
	if alias == latest {
		return fmt.Errorf("%w: alias %q is reserved: name a version, or an alias such as %s", ErrInvalid, alias, Champion)
	}
	if !isWord(alias) {
		return fmt.Errorf("%w: alias %q: want a-z, then up to %d of a-z, 0-9, _ and -", ErrInvalid, alias, maxAlias-1)
	}
	return nil
}

func checkNumber(n uint64) error {
	if n < 1 || n > MaxVersion {
		return fmt.Errorf("%w: version %d: want 1 to 2^53", ErrInvalid, n)
	}
	return nil
}

// isToken reports whether every byte of s may stand in a subject token, a KV
// key token and a service name.
func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// isWord reports whether s is [a-z][a-z0-9_-]{0,31}, the grammar of aliases and
// of event kinds.
func isWord(s string) bool {
	return len(s) >= 1 && len(s) <= maxAlias && 'a' <= s[0] && s[0] <= 'z' && isToken(s) && strings.ToLower(s) == s
}
