package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/modelbus/modelbus/model/gate"
)

// Retrain says when a model is trained by itself, on what, and which versions may be
// served. A training is due when Every or Cron says so, and there are examples since the
// newest version; with neither it is trained on request alone.
type Retrain struct {
	Mode string `json:"mode,omitempty"` // "window", the default: fit to a window of the examples

	// Every is how many examples must have come since the newest version, or how much
	// time must have passed.
	Every Amount `json:"every,omitzero"`

	// Cron is a time in the five fields of crontab(5), in UTC, or @daily and the like. As
	// with Every, if nothing new had come then, the next example makes it due.
	Cron string `json:"cron,omitempty"`

	// MinGap is the least time between two trainings: default none.
	MinGap Duration `json:"min_gap,omitzero"`

	// Window is the newest examples, or those of so much time, that a training sees,
	// held-out ones included: default all. It holds for trainings on request too.
	Window Amount `json:"window,omitzero"`

	// Warm starts from the champion, as Training.Warm does.
	Warm bool `json:"warm,omitempty"`

	// Gate says which challengers may be served, by their scores on the held-out
	// rows, of trainings on request too. Without thresholds Training.Metric decides.
	Gate *gate.Config `json:"gate,omitempty"`
}

// Scheduled reports whether the model is trained by itself.
func (r *Retrain) Scheduled() bool { return r != nil && (r.Every != (Amount{}) || r.Cron != "") }

// An Amount is a number of examples or a time; the zero value is neither, which a
// spec may write as "all".
type Amount struct {
	Examples int
	Time     Duration
}

// A Duration is a time as Go writes it: 90s, 1h30m.
type Duration time.Duration

// String returns the amount as a spec writes it.
func (a Amount) String() string {
	switch {
	case a.Examples > 0:
		return fmt.Sprintf("%d examples", a.Examples)
	case a.Time > 0:
		return a.Time.String()
	}
	return "all"
}

// String returns the duration as a spec writes it.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalJSON implements json.Marshaler.
func (a Amount) MarshalJSON() ([]byte, error) {
	if a.Examples > 0 {
		return json.Marshal(a.Examples)
	}
	return json.Marshal(a.String())
}

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

func decodeDuration(n *node, d *Duration, what string) *SpecError {
	text, ok := n.value.(string)
	t, err := time.ParseDuration(text)
	if !ok || err != nil || t <= 0 {
		return n.errorf("%s must be a duration such as 90s or 1h30m, got %s", what, n)
	}
	*d = Duration(t)
	return nil
}

func decodeAmount(n *node, a *Amount, what string) *SpecError {
	if n.value == "all" && what == "window" {
		*a = Amount{}
		return nil
	}
	switch v := n.value.(type) {
	case int64:
		if v >= 1 && v <= wholeMax {
			a.Examples = int(v)
			return nil
		}
	case string:
		if t, err := time.ParseDuration(v); err == nil && t > 0 {
			a.Time = Duration(t)
			return nil
		}
	}
	also := ""
	if what == "window" {
		also = ", or all"
	}
	return n.errorf("%s must be a number of examples such as 5000, or a duration such as 1h%s, got %s", what, also, n)
}

// Next returns the first time after t that Cron names, the zero time if there is none.
func (r *Retrain) Next(t time.Time) time.Time {
	if r.Cron == "" {
		return time.Time{}
	}
	schedule, err := parseCron(r.Cron)
	if err != nil {
		return time.Time{} // the spec was checked
	}
	return schedule.Next(t.UTC())
}

// parseCron reads five fields or a word such as @daily, and nothing else that the
// library knows: a time zone, or an interval.
func parseCron(text string) (*cron.SpecSchedule, error) {
	if strings.Contains(text, "=") {
		return nil, errors.New("time zones are not supported, it is UTC")
	}
	if strings.HasPrefix(strings.TrimSpace(text), "@every") {
		return nil, errors.New("write every instead of @every")
	}
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		return nil, err
	}
	schedule, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("it is no time of day")
	}
	if schedule.Next(time.Unix(0, 0).UTC()).IsZero() {
		return nil, errors.New("there is no such day")
	}
	return schedule, nil
}

func (s *Spec) retrainFaults() []*fault {
	r := s.Retrain
	if r == nil {
		return nil
	}
	var faults []*fault
	if r.Mode != "" && r.Mode != "window" {
		faults = append(faults, faultf("retrain.mode", "%s", unknownWord("mode", r.Mode, []string{"window"})))
	}
	if !r.Scheduled() && r.Window == (Amount{}) && r.Gate == nil {
		faults = append(faults, faultf("retrain", "retrain needs to know when: set every, such as 5000 (examples) or 1h, or cron"))
	}
	if r.Cron != "" {
		if _, err := parseCron(r.Cron); err != nil {
			faults = append(faults, faultf("retrain.cron", `cron must be the five fields of crontab, such as "0 3 * * *", or @daily, got %q: %v`,
				shorten(r.Cron), err))
		}
	}
	return append(faults, s.gateFaults()...)
}

// gateFaults says what package gate finds wrong, with its place.
func (s *Spec) gateFaults() []*fault {
	g := s.Retrain.Gate
	if g == nil {
		return nil
	}
	if g.Kind != "" && g.Kind != gate.Holdout {
		return []*fault{faultf("retrain.gate.kind", "%s", unknownWord("kind", g.Kind, []string{gate.Holdout}))}
	}
	err := g.Check(&s.Schema)
	if err == nil {
		return nil
	}
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	faults := make([]*fault, 0, len(errs))
	for _, err := range errs {
		f := faultf("retrain.gate", "%v", err)
		if at, ok := errors.AsType[*gate.FieldError](err); ok {
			f = faultf("retrain.gate."+at.Path, "%s", at.Msg)
		}
		faults = append(faults, f)
	}
	return faults
}
