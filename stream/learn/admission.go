package learn

import (
	"context"
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
// on the examples to come decides, unless another one is on trial: then it is
// registered and never served by itself.
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
	live := cfg != nil && cfg.Kind == gate.Live
	switch v := &a.verdict; {
	case champion == 0:
		v.Promoted, v.Why = true, "it is the first version"
		v.Gate = &gate.Verdict{Outcome: gate.NoGate, Reason: v.Why}
	case !live:
		v.Promoted, v.Why = true, "there is no gate: the newer version saw more"
		v.Gate = &gate.Verdict{Outcome: gate.NoGate, Reason: "the spec has no gate"}
	case challenger > champion:
		v.Why = fmt.Sprintf("version %d is on trial", challenger)
		v.Gate = &gate.Verdict{Outcome: gate.Reject, Reason: v.Why}
	default:
		v.Why = fmt.Sprintf("it is on trial beside version %d", champion)
		v.Gate = &gate.Verdict{Outcome: gate.Wait, Reason: v.Why}
		a.promote = &registry.Promotion{Alias: registry.Challenger, If: challenger, Why: v.Why}
	}
	if a.verdict.Promoted {
		a.promote = &registry.Promotion{Alias: registry.Champion, If: champion, Why: a.verdict.Why}
	}
	return a, nil
}
