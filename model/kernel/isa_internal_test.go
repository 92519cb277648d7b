package kernel

import "testing"

// everySet runs a test on every instruction set of this machine, one after the
// other.
func everySet(t *testing.T, test func(*testing.T)) {
	t.Helper()
	before := active
	defer func() { active = before }()
	for _, s := range supported() {
		active = s
		t.Run(s.String(), test)
	}
}
