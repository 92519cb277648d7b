package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/gate"
)

// Retrain says when a model is trained by itself, on what, and which versions may be
// served. A training is due when Every or Cron says so, and there are examples since the
// newest version; with neither a model of mode window is trained on request alone.
type Retrain struct {
	// Mode is [ModeWindow], the default: fit to a window of the examples, or
	// [ModeOnline]: predict each example as it comes, then learn it.
	Mode string `json:"mode,omitempty"`

	// Every is how many examples must have come since the newest version, or how much
	// time must have passed. Online it says when a version is cut: see [Retrain.When].
	Every Amount `json:"every,omitzero"`

	// Cron is a time in the five fields of crontab(5), in UTC, or @daily and the like. As
	// with Every, if nothing new had come then, the next example makes it due.
	Cron string `json:"cron,omitempty"`

	// On names what else makes a training due, or a version be cut.
	On Triggers `json:"on,omitzero"`

	// Detector watches the errors of the served version on labelled examples: default
	// ADWIN with a delta of 0.01 that looks for a rise alone.
	Detector Detector `json:"detector,omitzero"`

	// MinGap is the least time between two trainings: default none.
	MinGap Duration `json:"min_gap,omitzero"`

	// Window is the newest examples, or those of so much time, that a training sees,
	// held-out ones included: default all. It holds for trainings on request too.
	Window Amount `json:"window,omitzero"`

	// Warm starts from the champion, as Training.Warm does.
	Warm bool `json:"warm,omitempty"`

	// Batch is how many examples are learned in one step online: default 1.
	Batch int `json:"batch,omitempty"`

	// Replay has examples learned again, against forgetting: online nil means the
	// defaults of [Replay], of mode window that there is none.
	Replay *Replay `json:"replay,omitempty"`

	// Fading is the weight of the newest example in the running mean and variance online, in
	// [0, 1): 0.001 remembers about the last thousand, all of them alike before there are as
	// many. Default 0: all examples count alike for ever.
	Fading float64 `json:"fading,omitempty"`

	// Keep is how many of the newest versions that no alias names are kept when there is
	// another one, besides those that are being scored: default 0, all. Artifacts of
	// the others go within two hours.
	Keep int `json:"keep,omitempty"`

	// Gate says which challengers may be served, of trainings on request too: by
	// their scores on the held-out rows, or on the labelled examples to come. Without it
	// Training.Metric decides on the held-out rows, and online every version is served.
	Gate *gate.Config `json:"gate,omitempty"`

	// Watch is for how many labelled examples after a promotion the version before it
	// is scored beside the new one, and takes its place again if it proves better:
	// default 0, not at all.
	Watch int `json:"watch,omitempty"`
}

// The modes of a [Retrain].
const (
	ModeWindow = "window"
	ModeOnline = "online"
)

// Online reports whether the model learns from each example as it comes.
func (r *Retrain) Online() bool { return r != nil && r.Mode == ModeOnline }

// Follows reports whether examples are looked at one by one as they come: to learn
// them, or to score versions on them.
func (r *Retrain) Follows() bool {
	return r != nil && (r.Online() || r.On.Any() || r.Watch > 0 || r.Gate != nil && r.Gate.Kind == gate.Live)
}

// running returns how the transforms of an online model learn.
func (r *Retrain) running() feature.RunningOptions {
	if r == nil {
		return feature.RunningOptions{}
	}
	return feature.RunningOptions{Fading: r.Fading, Level: true}
}

// Scheduled reports whether the model is trained by itself.
func (r *Retrain) Scheduled() bool {
	return r != nil && (r.Online() || r.Every != (Amount{}) || r.Cron != "" || r.On.Any())
}

// Of an online model whose spec says neither every nor cron: what callers are served is a
// minute behind what was learned, and a day makes 1,440 versions at most.
const (
	defaultCut   = Duration(time.Minute)
	defaultFirst = 1000 // examples, for the first version not to take a minute
)

// When returns after how many examples, and after how much time, since the newest version
// a training is due, or online a version is cut; 0 is never. first says that there is none.
func (r *Retrain) When(first bool) (examples int, after Duration) {
	switch {
	case !r.Online() || r.Every != (Amount{}) || r.Cron != "":
		return r.Every.Examples, r.Every.Time
	case first:
		return defaultFirst, defaultCut
	}
	return 0, defaultCut
}

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
		return n.errorf("%s must be a duration such as 90s or 1h30m, got %s%s", what, n, inHours(n.value))
	}
	*d = Duration(t)
	return nil
}

// inHours says how a number of days is written, empty if value is none.
func inHours(value any) string {
	text, _ := value.(string) //nolint:errcheck // empty if it is none
	digits, ok := strings.CutSuffix(text, "d")
	days, err := strconv.ParseUint(digits, 10, 16)
	if !ok || err != nil || days == 0 {
		return ""
	}
	return fmt.Sprintf("; %d days are %dh", days, 24*days)
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
	return n.errorf("%s must be a number of examples such as 5000, or a duration such as 1h%s, got %s%s", what, also, n, inHours(n.value))
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
	if r.Mode != "" && r.Mode != ModeWindow && r.Mode != ModeOnline {
		faults = append(faults, faultf("retrain.mode", "%s", unknownWord("mode", r.Mode, []string{ModeWindow, ModeOnline})))
	}
	if !r.Scheduled() && r.Window == (Amount{}) && r.Gate == nil && r.Watch == 0 && r.Keep == 0 {
		faults = append(faults, faultf("retrain", "retrain needs to know when: set every, such as 5000 (examples) or 1h, cron, or on"))
	}
	if r.Cron != "" {
		if _, err := parseCron(r.Cron); err != nil {
			faults = append(faults, faultf("retrain.cron", `cron must be the five fields of crontab, such as "0 3 * * *", or @daily, got %q: %v`,
				shorten(r.Cron), err))
		}
	}
	faults = append(faults, r.modeFaults()...)
	faults = append(faults, r.rangeFaults()...)
	faults = append(faults, s.replayFaults()...)
	faults = append(faults, s.scoreFaults()...)
	return append(faults, s.gateFaults()...)
}

// modeFaults names the keys that the other mode alone knows.
func (r *Retrain) modeFaults() []*fault {
	var faults []*fault
	wrong := func(key, mode string) {
		faults = append(faults, faultf("retrain."+key, "%s is for mode %s alone", key, mode))
	}
	if !r.Online() {
		if r.Batch != 0 {
			wrong("batch", ModeOnline)
		}
		if r.Fading != 0 {
			wrong("fading", ModeOnline)
		}
		return faults
	}
	if r.Window != (Amount{}) {
		wrong("window", ModeWindow)
	}
	if r.Warm {
		faults = append(faults, faultf("retrain.warm", "warm is for mode window alone: online, a version always goes on from the one before"))
	}
	if r.Gate != nil && r.Gate.Kind != gate.Live {
		faults = append(faults, faultf("retrain.gate.kind", "online the gate must be of kind stream: no rows are held out, each is learned"))
	}
	return faults
}

func (r *Retrain) rangeFaults() []*fault {
	var faults []*fault
	check := func(key string, value, most int) {
		if value < 0 || value > most {
			faults = append(faults, faultf("retrain."+key, "%s must be a whole number from 0 to %d, got %d", key, most, value))
		}
	}
	check("batch", r.Batch, maxOnlineBatch)
	check("watch", r.Watch, wholeMax)
	check("keep", r.Keep, wholeMax)
	if !(r.Fading >= 0 && r.Fading < 1) {
		faults = append(faults, faultf("retrain.fading", "fading must be 0 or more and less than 1, got %g", r.Fading))
	}
	return faults
}

// scoreFaults names the scores that a model of the label does not have.
func (s *Spec) scoreFaults() []*fault {
	var faults []*fault
	for _, name := range slices.Sorted(maps.Keys(s.Retrain.On.ScoreBelow)) {
		value, form := s.Retrain.On.ScoreBelow[name], "0 or more"
		if name == "accuracy" {
			form = "from 0 to 1"
		}
		if !(value >= 0 && value <= math.MaxFloat64) || name == "accuracy" && value > 1 { // else it would always be worse
			faults = append(faults, faultf("retrain.on", "score_below.%s must be %s, got %v", name, form, value))
		}
		if known := liveScores(&s.Schema.Label); !slices.Contains(known, name) {
			faults = append(faults, faultf("retrain.on", "%s", unknownWord("score", name, known)))
		}
	}
	return faults
}

// liveScores returns the scores that are kept of labelled examples as they come.
func liveScores(l *feature.Label) []string {
	if l.Type == feature.Number {
		return []string{"mse", "mae", "rmse"}
	}
	return []string{"accuracy", "log_loss"}
}

// gateFaults says what package gate finds wrong, with its place.
func (s *Spec) gateFaults() []*fault {
	g := s.Retrain.Gate
	if g == nil {
		return nil
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
