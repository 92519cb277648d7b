package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Variable is the environment variable that chooses the instruction set, one of
// [Available]. Empty or unset means the first of them.
const Variable = "MODELBUS_KERNEL"

// An isa is an instruction set that the loops of this package are written for.
type isa uint8

const (
	portable isa = iota // Go, for every architecture
	avx2                // with FMA
	avx512              // F, VL, BW and DQ
)

// String returns the name that [Variable] takes.
func (s isa) String() string {
	switch s {
	case avx512:
		return "avx512"
	case avx2:
		return "avx2"
	default:
		return "go"
	}
}

// active is what every function of this package runs on; it never changes.
//
//nolint:gochecknoglobals // read once, before main
var active = choose(os.Getenv(Variable))

// choose returns the instruction set of that name, the best if there is none.
func choose(name string) isa {
	sets := supported()
	i := slices.IndexFunc(sets, func(s isa) bool { return s.String() == name })
	return sets[max(i, 0)]
}

// Active returns the name of the instruction set in use. It decides, with the
// architecture, the last bits of products.
func Active() string { return active.String() }

// Available returns the names of the instruction sets that this machine has,
// the best first; "go" is always among them.
func Available() []string {
	sets := supported()
	names := make([]string, len(sets))
	for i, s := range sets {
		names[i] = s.String()
	}
	return names
}

// Check returns an error if [Variable] names what is not [Available].
func Check() error {
	name := os.Getenv(Variable)
	if name == "" || slices.Contains(Available(), name) {
		return nil
	}
	return fmt.Errorf("%s=%q: this machine has %s", Variable, name, strings.Join(Available(), ", "))
}
