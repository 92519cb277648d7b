package model

import (
	"math"
	"strings"
)

// A limit is the range of a number; zero means unset.
type limit struct {
	path     string
	value    float64
	min, max float64
	whole    bool
	zero     bool // zero may be written
}

// wholeMax is the largest whole number where a spec sets no smaller one: an int of 32 bits holds it.
const wholeMax = math.MaxInt32

func (s *Spec) limits() []limit {
	t := &s.Training
	limits := []limit{
		{path: "training.epochs", value: float64(t.Epochs), min: 1, max: 1e6, whole: true},
		{path: "training.batch_size", value: float64(t.BatchSize), min: 1, max: 1 << 20, whole: true},
		{path: "training.validation_split", value: t.ValidationSplit, min: 0, max: 0.9, zero: true},
		{path: "training.global_clipnorm", value: t.GlobalClipNorm, min: math.SmallestNonzeroFloat64, max: math.MaxFloat64},
		{path: "training.min_delta", value: t.MinDelta, min: 0, max: math.MaxFloat64, zero: true},
		{path: "serving.batch_limit", value: float64(s.Serving.BatchLimit), min: 1, max: 1 << 20, whole: true},
		{path: "serving.queue", value: float64(s.Serving.Queue), min: 1, max: 1 << 20, whole: true},
		{path: "serving.workers", value: float64(s.Serving.Workers), min: 1, max: 1024, whole: true},
		{path: "serving.drift.window", value: float64(s.Serving.Drift.Window), min: 100, max: 1e6, whole: true},
		{path: "serving.drift.psi", value: s.Serving.Drift.PSI, min: 0.001, max: 10},
		{path: "serving.drift.share", value: s.Serving.Drift.Share, min: 0.0001, max: 1},
		{path: "serving.drift.fdr", value: s.Serving.Drift.FDR, min: 1e-9, max: 0.5},
	}
	if t.Holdout != nil {
		limits = append(limits, limit{path: "training.holdout", value: *t.Holdout, max: 0.9, zero: true})
	}
	if e := t.EarlyStopping; e != nil {
		limits = append(limits,
			limit{path: "training.early_stopping.min_delta", value: e.MinDelta, max: math.MaxFloat64, zero: true},
			limit{path: "training.early_stopping.patience", value: float64(e.Patience), max: wholeMax, whole: true, zero: true})
	}
	if r := t.ReduceOnPlateau; r != nil {
		limits = append(limits,
			limit{path: "training.reduce_lr_on_plateau.factor", value: r.Factor, min: 1e-12, max: 0.999999},
			limit{path: "training.reduce_lr_on_plateau.patience", value: float64(r.Patience), min: 1, max: wholeMax, whole: true},
			limit{path: "training.reduce_lr_on_plateau.min_delta", value: r.MinDelta, max: math.MaxFloat64, zero: true},
			limit{path: "training.reduce_lr_on_plateau.cooldown", value: float64(r.Cooldown), max: wholeMax, whole: true, zero: true},
			limit{path: "training.reduce_lr_on_plateau.min_lr", value: r.MinRate, max: math.MaxFloat64, zero: true})
	}
	return limits
}

func (l limit) fault() *fault {
	if l.value >= l.min && l.value <= l.max { // false for NaN
		return nil
	}
	key := l.path[strings.LastIndex(l.path, ".")+1:]
	switch {
	case l.max == math.MaxFloat64 && l.min > 0:
		return faultf(l.path, "%s must be more than 0, got %g", key, l.value)
	case l.max == math.MaxFloat64 || l.max == wholeMax && l.value < l.min:
		return faultf(l.path, "%s must be at least %g, got %g", key, l.min, l.value)
	case l.whole:
		return faultf(l.path, "%s must be a whole number from %d to %d, got %g", key, int(l.min), int(l.max), l.value)
	}
	return faultf(l.path, "%s must be from %g to %g, got %g", key, l.min, l.max, l.value)
}

func (s *Spec) numberFaults() []*fault {
	var faults []*fault
	for _, l := range s.limits() {
		if l.value != 0 {
			faults = append(faults, l.fault())
		}
	}
	return faults
}

// checkExplicitZeros refuses a zero that is written where zero is no value:
// "epochs: 0" does not mean the default.
func checkExplicitZeros(root *node) *SpecError {
	s := Spec{Training: Training{ReduceOnPlateau: &ReduceOnPlateau{}}}
	for _, l := range s.limits() {
		section, key, _ := strings.Cut(l.path, ".")
		n := root.get(section)
		for n != nil && strings.Contains(key, ".") {
			section, key, _ = strings.Cut(key, ".")
			n = n.get(section)
		}
		if n == nil || l.zero {
			continue
		}
		if v := n.get(key); v != nil && (v.value == int64(0) || v.value == 0.0) {
			return l.fault().locate(root)
		}
	}
	return nil
}
