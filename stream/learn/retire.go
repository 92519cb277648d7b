package learn

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
)

// retire deletes the versions that the spec does not keep, now that there is a new one. What
// fails is done when there is the next one.
func (t *Trainer) retire(ctx context.Context, name string, r *model.Retrain, log zerolog.Logger) {
	if r == nil || r.Keep == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), announceTimeout)
	defer cancel()
	if err := t.deleteOld(ctx, name, r.Keep); err != nil {
		log.Warn().Err(err).Msg("deleting versions that are not kept")
	}
}

// deleteOld deletes all but the newest keep versions that are not used.
func (t *Trainer) deleteOld(ctx context.Context, name string, keep int) error {
	versions, err := t.reg.Versions(ctx, name)
	if err != nil {
		return err
	}
	used, err := t.used(ctx, name)
	if err != nil {
		return err
	}
	for _, v := range slices.Backward(versions) {
		n := v.Number
		if used[n] || !trainedHere(&v) { // what was imported cannot be made again
			continue
		}
		if keep--; keep >= 0 {
			continue
		}
		err := t.reg.DeleteVersion(ctx, name, n, who, "it is not among the newest that the spec keeps")
		if errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrConflict) {
			continue // it is gone already, or an alias names it since
		}
		if err != nil {
			return fmt.Errorf("version %d of %s: %w", n, name, err)
		}
	}
	return nil
}

// used returns the versions that an alias names, or that a watch may go back to.
func (t *Trainer) used(ctx context.Context, name string) (map[uint64]bool, error) {
	m, err := t.reg.Model(ctx, name)
	if err != nil {
		return nil, err
	}
	aliases, err := t.reg.Aliases(ctx, name)
	if err != nil {
		return nil, err
	}
	used := map[uint64]bool{}
	for _, move := range aliases {
		used[move.To] = true
	}
	used[aliases[registry.Champion].From] = true // a watch may be about to begin
	live, err := ReadLive(ctx, t.reg, m)
	if errors.Is(err, registry.ErrCorrupt) {
		err = nil
	}
	if err == nil && live != nil && live.Watch != nil {
		used[live.Watch.Against] = true
	}
	return used, err
}
