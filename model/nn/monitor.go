package nn

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Target is a value at which training may stop: at the first epoch in which
// Monitor is at least as good. The weights of that epoch are kept, whatever
// early stopping would restore.
type Target struct {
	Monitor string // default "val_loss", without validation "loss"
	Value   float64
}

func newTarget(t Target, validated bool) (*monitor, error) {
	if math.IsNaN(t.Value) || math.IsInf(t.Value, 0) {
		return nil, &ConfigError{Name: "target", Key: t.Monitor, Msg: fmt.Sprintf("must be a number, got %v", t.Value)}
	}
	return newMonitor("target", t.Monitor, validated)
}

// A monitor follows one value from epoch to epoch: "loss", "val_loss", or
// "val_" and the name of a metric. Greater is better for a name that contains
// accuracy, auc, f1, r2, precision or recall, else smaller.
type monitor struct {
	owner   string // the option it belongs to
	name    string
	greater bool
}

func newMonitor(owner, name string, validated bool) (*monitor, error) {
	standard := "loss"
	if validated {
		standard = "val_loss"
	}
	m := &monitor{owner: owner, name: cmp.Or(name, standard)}
	if !validated && m.name != "loss" {
		return nil, &ConfigError{
			Name: owner, Key: "monitor",
			Msg: fmt.Sprintf("must be \"loss\" without validation rows, got %q; set a validation split", name),
		}
	}
	for _, part := range []string{"accuracy", "auc", "f1", "r2", "precision", "recall"} {
		m.greater = m.greater || strings.Contains(m.name, part)
	}
	return m, nil
}

// value returns the monitored value of e, NaN if there is none.
func (m *monitor) value(e *Epoch) float64 {
	switch {
	case m.name == "loss":
		return e.Loss
	case m.name == "val_loss" && e.ValLoss != nil:
		return *e.ValLoss
	}
	if name, ok := strings.CutPrefix(m.name, "val_"); ok {
		if v, ok := e.Metrics[name]; ok {
			return v
		}
	}
	return math.NaN()
}

// check returns a [*ConfigError] if e has no such value.
func (m *monitor) check(e *Epoch) error {
	names := []string{"loss"}
	if e.ValLoss != nil {
		names = append(names, "val_loss")
	}
	for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
		names = append(names, "val_"+name)
	}
	if slices.Contains(names, m.name) {
		return nil
	}
	return &ConfigError{Name: m.owner, Key: "monitor", Msg: unknownWord("value", m.name, names)}
}

// improved reports whether a is better than b by more than delta. NaN never is.
func (m *monitor) improved(a, b, delta float64) bool {
	if m.greater {
		return a-delta > b
	}
	return a+delta < b
}

// worst returns what every value improves on.
func (m *monitor) worst() float64 {
	if m.greater {
		return math.Inf(-1)
	}
	return math.Inf(1)
}

// reached reports whether e is at least as good as target.
func (m *monitor) reached(e *Epoch, target float64) bool {
	if m.greater {
		return m.value(e) >= target
	}
	return m.value(e) <= target
}
