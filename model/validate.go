package model

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// reservedName is what the control service is called in discovery, as a model is
// by its name.
const reservedName = "modelbus"

// ValidName reports whether name is a model name: [A-Za-z0-9_-]{1,64}.
func ValidName(name string) bool {
	return len(name) >= 1 && len(name) <= 64 && strings.IndexFunc(name, notInName) < 0
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// Validate checks s as a whole, as ParseSpec does.
func (s *Spec) Validate() error {
	if f := firstFault(s.faults()); f != nil {
		return f.specError()
	}
	return nil
}

// A fault is a setting that is wrong in itself or contradicts another.
type fault struct {
	path []string // keys and list indices from the top
	msg  string
}

func faultf(path, format string, args ...any) *fault {
	return &fault{path: strings.Split(path, "."), msg: fmt.Sprintf(format, args...)}
}

func firstFault(faults []*fault) *fault {
	for _, f := range faults {
		if f != nil {
			return f
		}
	}
	return nil
}

// specError returns f without a place in a text.
func (f *fault) specError() *SpecError {
	return &SpecError{Msg: strings.Join(f.path, ".") + ": " + f.msg}
}

// locate gives f its place in the document: the value that its path leads to,
// or the deepest that exists.
func (f *fault) locate(root *node) *SpecError {
	n := root
	for _, step := range f.path {
		next := n.get(step)
		if i, err := strconv.Atoi(step); err == nil && i < len(n.list) {
			next = n.list[i]
		}
		if next == nil {
			break
		}
		n = next
	}
	return n.errorf("%s", f.msg)
}

func (s *Spec) faults() []*fault {
	faults := append([]*fault{s.nameFault()}, s.schemaFaults()...)
	faults = append(faults, s.numberFaults()...)
	faults = append(faults, s.trainingFaults()...)
	faults = append(faults, s.monitorFaults()...)
	faults = append(faults, s.retrainFaults()...)
	return append(faults, s.classWeightFault(), s.networkFault())
}

func (s *Spec) nameFault() *fault {
	switch i := strings.IndexFunc(s.Name, notInName); {
	case s.Name == reservedName:
		return faultf("name", "the name %q is reserved: it is that of the service which creates and trains models; choose another", s.Name)
	case ValidName(s.Name):
		return nil
	case s.Name == "":
		return faultf("name", "a model needs a name of 1 to 64 letters, digits, _ or -")
	case len(s.Name) > 64 && i < 0:
		return faultf("name", "the name %q has %d characters, at most 64 are allowed", shorten(s.Name), len(s.Name))
	case strings.Contains(s.Name, "."):
		return faultf("name", "the name %q contains a dot, which separates the parts of a NATS subject: "+
			"use letters, digits, _ or - (1 to 64)", shorten(s.Name))
	default:
		return faultf("name", "the name %q contains %q: use letters, digits, _ or - (1 to 64)", shorten(s.Name), s.Name[i:i+1])
	}
}

// schemaFaults says what package feature finds wrong, with its place.
func (s *Spec) schemaFaults() []*fault {
	err := s.Schema.Validate()
	if err == nil {
		return nil
	}
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	faults := make([]*fault, 0, len(errs))
	for _, err := range errs {
		f := faultf("features", "%v", err)
		if at, ok := errors.AsType[*feature.FieldError](err); ok {
			// A path such as features[2].scale.
			path := strings.NewReplacer("[", ".", "]", "").Replace(at.Path)
			f = faultf(path, "%s", at.Msg)
		}
		faults = append(faults, f)
	}
	return faults
}

func (s *Spec) trainingFaults() []*fault {
	t := &s.Training
	var faults []*fault
	if t.HoldoutBy != "" && t.HoldoutBy != "hash" && t.HoldoutBy != "newest" {
		faults = append(faults, faultf("training.holdout_by", "%s", unknownWord("holdout_by", t.HoldoutBy, []string{"hash", "newest"})))
	}
	if known := metricNames(s.classification()); t.Metric != "" && !slices.Contains(known, t.Metric) {
		faults = append(faults, faultf("training.metric", "%s for a label of type %s", unknownWord("metric", t.Metric, known), s.Schema.Label.Type))
	}
	if t.ReduceOnPlateau != nil && s.Optimizer != nil && hasSchedule(s.Optimizer) {
		faults = append(faults, faultf("training.reduce_lr_on_plateau",
			"reduce_lr_on_plateau contradicts the learning-rate schedule of the optimizer: use one of them"))
	}
	return faults
}

func hasSchedule(o nn.Optimizer) bool {
	switch o.Config().Args["learning_rate"].(type) {
	case nil, float64, float32, int, int64:
		return false
	}
	return true
}

// classification reports whether the label is a class.
func (s *Spec) classification() bool { return s.Schema.Label.Type != feature.Number }

// metricNames returns the scores of a label by which models are compared.
func metricNames(classification bool) []string {
	if classification {
		return []string{"accuracy", "log_loss", "f1_macro", "roc_auc"}
	}
	return []string{"mse", "mae", "rmse", "r2"}
}

// monitorFaults checks the names of monitored values: "loss", and with a
// validation split "val_loss" and the metrics.
func (s *Spec) monitorFaults() []*fault {
	t := &s.Training
	var faults []*fault
	if e := t.EarlyStopping; e != nil && e.Monitor != "" {
		faults = append(faults, s.monitorFault("training.early_stopping.monitor", e.Monitor))
	}
	if r := t.ReduceOnPlateau; r != nil && r.Monitor != "" {
		faults = append(faults, s.monitorFault("training.reduce_lr_on_plateau.monitor", r.Monitor))
	}
	if len(t.Target) > 1 {
		faults = append(faults, faultf("training.target", "target is one monitored value, got %d", len(t.Target)))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Target)) {
		faults = append(faults, s.monitorFault("training.target."+name, name))
		if v := t.Target[name]; math.IsNaN(v) || math.IsInf(v, 0) {
			faults = append(faults, faultf("training.target."+name, "the target of %s must be a finite number, got %g", name, v))
		}
	}
	return faults
}

func (s *Spec) monitorFault(path, name string) *fault {
	known := []string{"loss", "val_loss"}
	for _, m := range metricNames(s.classification()) {
		known = append(known, "val_"+m)
	}
	if !slices.Contains(known, name) {
		msg := unknownWord("monitored value", name, known)
		if near := nn.Nearest("val_"+name, known); near != "" && nn.Nearest(name, known) == "" {
			msg += ", did you mean " + near + "?"
		}
		return faultf(path, "%s", msg)
	}
	if strings.HasPrefix(name, "val_") && s.Training.ValidationSplit == 0 {
		return faultf(path, "%s needs validation rows: set validation_split, such as 0.1", name)
	}
	return nil
}

func (s *Spec) classWeightFault() *fault {
	w := s.Training.ClassWeight
	if len(w) == 0 {
		return nil
	}
	if !s.classification() {
		return faultf("training.class_weight", "class_weight needs a label of classes, got a label of type %s", s.Schema.Label.Type)
	}
	if isBalanced(w) {
		return nil
	}
	classes := s.fixedClasses()
	for _, name := range slices.Sorted(maps.Keys(w)) {
		if classes != nil && !slices.Contains(classes, name) {
			return faultf("training.class_weight."+name, "%s", unknownWord("class", name, classes))
		}
		if v := w[name]; !(v >= 0) || v > math.MaxFloat32 { // NaN too
			return faultf("training.class_weight."+name, "the weight of class %q must be 0 or more, got %g", shorten(name), v)
		}
	}
	return nil
}

// fixedClasses returns the classes that the spec itself lays down, nil if they
// follow from the data.
func (s *Spec) fixedClasses() []string {
	if s.Schema.Label.Type == feature.Boolean {
		return []string{"false", "true"}
	}
	return s.Schema.Label.Classes
}

// networkFault checks what can be checked of the network before the data is known.
func (s *Spec) networkFault() *fault {
	for i, l := range s.Network {
		if l == nil {
			return faultf(fmt.Sprintf("network.%d", i), "the layer is nil")
		}
	}
	classes := 0
	if s.classification() {
		if classes = len(s.fixedClasses()); classes == 0 {
			classes = classesUnknown
		}
	}
	if _, err := completeNetwork(s, classes); err != nil {
		return err
	}
	return nil
}
