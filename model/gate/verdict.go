package gate

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/modelbus/modelbus/model/metric"
)

// The outcomes of a [Verdict].
const (
	Promote = "promote" // the challenger may be served
	Reject  = "reject"  // it may not
	Wait    = "wait"    // a stream gate has not seen enough yet
	NoGate  = "no_gate" // nothing is configured: nothing was decided
)

// A Result is what a model scored on some rows, by the names of package metric.
// A score that is not defined is absent.
type Result struct {
	Rows   int                `json:"rows"`
	Values map[string]float64 `json:"values"`
}

// A Scorecard is what a model scored on all rows, and in each group of them by
// the names of a [Slicer].
type Scorecard struct {
	Result

	Slices map[string]Result `json:"slices,omitempty"`
}

// listedChecks is how many checks that passed a reason tells of.
const listedChecks = 4

// A Verdict is what a gate says, and why.
type Verdict struct {
	Outcome string   `json:"outcome"`
	Reason  string   `json:"reason"`           // in words, of what decided
	Checks  []Check  `json:"checks,omitempty"` // all that was looked at, failures first
	Skipped []string `json:"skipped,omitempty"`

	Comparison *Comparison `json:"comparison,omitempty"` // of a stream gate
}

// A Check is one threshold and how the challenger stands to it.
type Check struct {
	Metric     string   `json:"metric"`
	Slice      string   `json:"slice,omitempty"`      // a group of rows, empty for all
	Challenger *float64 `json:"challenger,omitempty"` // nil if it is not defined
	Champion   *float64 `json:"champion,omitempty"`   // of a change threshold
	Limit      float64  `json:"limit"`
	Passed     bool     `json:"passed"`
	Reason     string   `json:"reason"`
}

// Judge decides on a challenger by its scores and those of the champion, nil if
// there is none: then change thresholds do not apply, value thresholds do. Both
// must be of the same rows.
func (c *Config) Judge(challenger Scorecard, champion *Scorecard) Verdict {
	if c.Kind != Live && len(c.Thresholds) == 0 && len(c.Change) == 0 {
		return Verdict{Outcome: NoGate, Reason: "no thresholds are configured: the gate decided nothing (set gate.thresholds or gate.change)"}
	}
	v := Verdict{Outcome: Promote}
	if least := cmp.Or(c.MinExamples, 1); c.Kind != Live && challenger.Rows < least {
		return Verdict{Outcome: Reject, Reason: fmt.Sprintf("%d held-out rows are too few to judge by, at least %d are due", challenger.Rows, least)}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Thresholds)) {
		v.Checks = append(v.Checks, value(name, challenger.Result, c.Thresholds[name]))
	}
	if champion != nil {
		v.Checks = append(v.Checks, c.changes("", challenger.Result, champion.Result)...)
		for _, slice := range slices.Sorted(maps.Keys(challenger.Slices)) {
			a, b := challenger.Slices[slice], champion.Slices[slice]
			if a.Rows < cmp.Or(c.MinSlice, defaultMinSlice) || b.Rows < cmp.Or(c.MinSlice, defaultMinSlice) {
				v.Skipped = append(v.Skipped, fmt.Sprintf("%s has %d rows", slice, a.Rows))
				continue
			}
			v.Checks = append(v.Checks, c.changes(slice, a, b)...)
		}
	}
	v.conclude(champion != nil)
	return v
}

// JudgeStream is [Config.Judge] for a stream gate: the challenger must also have
// been proved better. Scores are those of the examples that were compared.
func (c *Config) JudgeStream(proof Comparison, challenger Scorecard, champion *Scorecard) Verdict {
	v := c.Judge(challenger, champion)
	v.Comparison = &proof
	switch {
	case proof.Outcome == Worse:
		v.Outcome, v.Reason = Reject, proof.Reason
	case proof.Outcome != Better:
		v.Outcome, v.Reason = Wait, proof.Reason
	case v.Outcome == Promote:
		v.Reason = proof.Reason
	}
	return v
}

// value checks a value threshold.
func value(name string, r Result, limit float64) Check {
	k := Check{Metric: name, Limit: limit}
	x, ok := r.score(name)
	if !ok {
		k.Reason = fmt.Sprintf("%s is not defined on the %d rows, %s is due", name, r.Rows, bound(name, limit))
		return k
	}
	worse, _ := metric.Better(name, limit, x)
	k.Challenger, k.Passed = &x, !worse
	if k.Passed {
		k.Reason = fmt.Sprintf("%s %.6g is %s", name, x, bound(name, limit))
	} else {
		k.Reason = fmt.Sprintf("%s is %.6g, %s is due", name, x, bound(name, limit))
	}
	return k
}

func bound(name string, limit float64) string {
	if higher(name) {
		return fmt.Sprintf("at least %.6g", limit)
	}
	return fmt.Sprintf("at most %.6g", limit)
}

func higher(name string) bool {
	up, _ := metric.Better(name, 1, 0)
	return up
}

func (r *Result) score(name string) (float64, bool) {
	x, ok := r.Values[name]
	return x, ok && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// changes checks the change thresholds on one group of rows.
func (c *Config) changes(slice string, challenger, champion Result) []Check {
	checks := make([]Check, 0, len(c.Change))
	for _, name := range slices.Sorted(maps.Keys(c.Change)) {
		k := Check{Metric: name, Slice: slice, Limit: c.Change[name]}
		title := name
		if slice != "" {
			title += " where " + slice
		}
		a, known := challenger.score(name)
		b, had := champion.score(name)
		if known {
			k.Challenger = &a
		}
		if had {
			k.Champion = &b
		}
		loss := b - a
		if !higher(name) {
			loss = a - b
		}
		switch {
		case !had:
			k.Passed, k.Reason = true, title+" of the champion is not defined: there is nothing to be worse than"
		case !known:
			k.Reason = fmt.Sprintf("%s is not defined, the champion's is %.6g", title, b)
		case loss <= k.Limit && k.Limit < 0:
			k.Passed, k.Reason = true, fmt.Sprintf("%s went from %.6g to %.6g, better by %.6g at least", title, b, a, -k.Limit)
		case loss <= k.Limit:
			k.Passed, k.Reason = true, fmt.Sprintf("%s went from %.6g to %.6g, worse by %.6g at most", title, b, a, k.Limit)
		case k.Limit < 0:
			k.Reason = fmt.Sprintf("%s went from %.6g to %.6g, it must get better by %.6g", title, b, a, -k.Limit)
		default:
			k.Reason = fmt.Sprintf("%s went from %.6g to %.6g, it may get worse by at most %.6g", title, b, a, k.Limit)
		}
		checks = append(checks, k)
	}
	return checks
}

// conclude puts failures first and says what decided.
func (v *Verdict) conclude(compared bool) {
	slices.SortStableFunc(v.Checks, func(a, b Check) int {
		switch {
		case a.Passed == b.Passed:
			return 0
		case b.Passed:
			return -1
		}
		return 1
	})
	failed := 0
	for _, k := range v.Checks {
		if !k.Passed {
			failed++
		}
	}
	switch passed := v.passed(); {
	case failed == 1:
		v.Outcome, v.Reason = Reject, v.Checks[0].Reason
	case failed > 1:
		v.Outcome, v.Reason = Reject, fmt.Sprintf("%s, and %d more of %d checks failed", v.Checks[0].Reason, failed-1, len(v.Checks))
	case passed == "":
		v.Reason = "nothing was to be checked"
		if !compared {
			v.Reason = "there is no champion to compare with"
		}
	case !compared:
		v.Reason = passed + "; there is no champion to compare with"
	default:
		v.Reason = passed
	}
}

// passed lists the checks, all of which passed; empty if there are none.
func (v *Verdict) passed() string {
	var reasons []string
	for i, k := range v.Checks {
		if i == listedChecks {
			reasons = append(reasons, fmt.Sprintf("and %d more checks passed", len(v.Checks)-i))
			break
		}
		reasons = append(reasons, k.Reason)
	}
	return strings.Join(reasons, "; ")
}
