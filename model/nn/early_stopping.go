package nn

import (
	"fmt"
	"slices"
)

// EarlyStopping stops when a monitored value has not improved for Patience
// epochs (Keras's EarlyStopping).
type EarlyStopping struct {
	Monitor  string  // default "val_loss", without validation "loss"
	MinDelta float64 // smallest change that counts
	Patience int     // epochs without improvement; 0 stops at the first, as 1 does

	// RestoreBest ends with the best epoch's weights, also when the training
	// ran to its end. The optimizer's state stays that of the last epoch.
	RestoreBest bool
}

// stopping is an [EarlyStopping] at work.
type stopping struct {
	EarlyStopping

	monitor *monitor
	params  []*Param
	best    float64
	epochs  int // seen
	epoch   int // number of the best
	wait    int
	weights [][]float32 // of the best epoch
}

func newStopping(n *Network, o EarlyStopping, validated bool) (*stopping, error) {
	if o.Patience < 0 {
		return nil, &ConfigError{Name: "early_stopping", Key: "patience", Msg: fmt.Sprintf("must not be negative, got %d", o.Patience)}
	}
	if !nonNegative().contains(o.MinDelta) {
		return nil, &ConfigError{Name: "early_stopping", Key: "min_delta", Msg: fmt.Sprintf("must not be negative, got %v", o.MinDelta)}
	}
	m, err := newMonitor("early_stopping", o.Monitor, validated)
	if err != nil {
		return nil, err
	}
	return &stopping{EarlyStopping: o, monitor: m, params: n.Params(), best: m.worst()}, nil
}

// stop looks at an epoch and reports whether it should be the last.
func (s *stopping) stop(e *Epoch) bool {
	s.epochs++
	s.wait++
	current := s.monitor.value(e)
	if s.monitor.improved(current, s.best, s.MinDelta) || s.epochs == 1 {
		if current == current { // not NaN
			s.best = current
		}
		s.epoch, s.wait = e.Number, 0
		s.keep()
		return false
	}
	return s.wait >= s.Patience
}

// keep copies the weights of the best epoch.
func (s *stopping) keep() {
	if !s.RestoreBest {
		return
	}
	if s.weights == nil {
		s.weights = make([][]float32, len(s.params))
	}
	for i, p := range s.params {
		s.weights[i] = append(s.weights[i][:0], p.Value...)
	}
}

// restore sets the weights of the best epoch and returns its number, 0 if that
// is not asked for.
func (s *stopping) restore() int {
	if !s.RestoreBest {
		return 0
	}
	for i, p := range s.params {
		copy(p.Value, s.weights[i])
	}
	s.weights = slices.Delete(s.weights, 0, len(s.weights))
	return s.epoch
}
