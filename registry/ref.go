package registry

// Champion is the alias that predictions without a version answer with.
const Champion = "champion"

// A Ref names a version of a model: "iris" (its champion), "iris@3",
// "iris@canary". A model name is [A-Za-z0-9_-]{1,64}, an alias
// [a-z][a-z0-9_-]{0,31} and not "latest", a version 1 … 2^53.
type Ref struct {
	Model   string
	Version uint64 // 0 if an alias is named
	Alias   string // [Champion] if neither is given
}

// ParseRef parses a ref. Errors wrap [ErrInvalid] and say what was received.
func ParseRef(s string) (Ref, error) { panic("unbuilt") }

// String returns the shortest form that parses to r.
func (r Ref) String() string { panic("unbuilt") }

// CheckModel returns an error that wraps [ErrInvalid] if name is not a model name.
func CheckModel(name string) error { panic("unbuilt") }

// CheckAlias returns an error that wraps [ErrInvalid] if alias is not an alias.
func CheckAlias(alias string) error { panic("unbuilt") }
