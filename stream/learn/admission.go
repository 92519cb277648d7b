package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// An admission is how a new version begins where no held-out rows decide.
type admission struct {
	verdict wire.Verdict
	promote *registry.Promotion // nil: it is registered, no more
}

// standing says how the next version of a model begins. Without a gate, or without a
// champion, it is served at once. With a stream gate it becomes the challenger, whose trial
// on the examples to come decides, unless another one is on trial, which has min_examples
// to prove itself: until then a newer one is registered and never served by itself.
//
// The promotion holds if the aliases are still the same when it is made; else
// [registry.Registry.Publish] returns [registry.ErrConflict], and the version is to be
// admitted again.
func (t *Trainer) standing(ctx context.Context, name string, cfg *gate.Config) (*admission, error) {
	aliases, err := t.reg.Aliases(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("looking for the champion of %s: %w", name, err)
	}
	champion, challenger := aliases[registry.Champion].To, aliases[registry.Challenger].To
	a := &admission{verdict: wire.Verdict{Champion: champion}}
	stale := ""
	if challenger > champion {
		if stale, err = t.undecided(ctx, name, challenger, cfg); err != nil {
			return nil, err
		}
	}
	live := cfg != nil && cfg.Kind == gate.Live
	switch v := &a.verdict; {
	case champion == 0:
		v.Promoted, v.Why = true, "it is the first version"
		v.Gate = &gate.Verdict{Outcome: gate.NoGate, Reason: v.Why}
	case !live:
		v.Promoted, v.Why = true, "there is no gate: the newest version is served"
		v.Gate = &gate.Verdict{Outcome: gate.NoGate, Reason: "the spec has no gate"}
	case challenger > champion && stale == "":
		v.Why = fmt.Sprintf("version %d is on trial beside version %d, and one is at a time: the new one is registered, no more", challenger, champion)
		v.Gate = &gate.Verdict{Outcome: gate.Reject, Reason: v.Why}
	default:
		v.Why = fmt.Sprintf("it is on trial beside version %d%s", champion, stale)
		v.Gate = &gate.Verdict{Outcome: gate.Wait, Reason: v.Why}
		a.promote = &registry.Promotion{Alias: registry.Challenger, If: challenger, Why: v.Why}
	}
	if a.verdict.Promoted {
		a.promote = &registry.Promotion{Alias: registry.Champion, If: champion, Why: a.verdict.Why}
	}
	return a, nil
}

// undecided says that the trial of a challenger had its time and proved nothing, empty if
// it goes on.
func (t *Trainer) undecided(ctx context.Context, name string, challenger uint64, cfg *gate.Config) (string, error) {
	m, err := t.reg.Model(ctx, name)
	if err != nil {
		return "", err
	}
	live, err := ReadLive(ctx, t.reg, m)
	if errors.Is(err, registry.ErrCorrupt) {
		return "", nil // what somebody put there says nothing
	}
	if err != nil || live == nil || live.Trial == nil || live.Trial.Version != challenger || cfg == nil {
		return "", err
	}
	c := &live.Trial.Comparison
	if c.Outcome != gate.Undecided || c.Examples < int64(cmp.Or(cfg.MinExamples, defaultMinExamples)) {
		return "", nil
	}
	return fmt.Sprintf(", in place of version %d, of which %d examples proved nothing", challenger, c.Examples), nil
}
