package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/learn"
)

// errDiffers ends `rebuild` when training again gave other weights.
var errDiffers = errors.New("the rebuilt version differs")

func (a *app) rebuildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild MODEL[@REF]",
		Short: "Train a version again from its lineage and compare the digests",
		Long: "Read the examples that a version was trained on, train again with the same spec and seed, here and now,\n" +
			"and compare the SHA-256 of the two artifacts. Nothing is stored. Exit code 7 if they differ: trained by\n" +
			"another kernel or release, last bits may (`modelbus version` names yours, `modelbus show` the version's).",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := registry.ParseRef(args[0])
			if err != nil {
				return err
			}
			return a.withClient(func(_ *client.Client, b *bus) error {
				reg, err := registry.Open(cmd.Context(), b.js, a.registryOptions(0))
				if err != nil {
					return err
				}
				follow := &follower{app: a}
				r := learn.Rebuilder{
					JetStream: b.js, Registry: reg, Subjects: a.subjects(),
					Software: software(), Progress: follow.event,
				}
				rebuilt, err := r.Rebuild(cmd.Context(), ref)
				follow.finish()
				if err != nil {
					return err
				}
				return a.printRebuilt(rebuilt)
			})
		},
	}
}

func (a *app) printRebuilt(r *learn.Rebuilt) error {
	from := fmt.Sprintf("%d examples", r.Examples)
	if r.Replayed > 0 {
		from += fmt.Sprintf(" and %d replayed", r.Replayed)
	}
	var err error
	switch {
	case a.json:
		err = a.printJSON(r)
	case r.Same:
		err = a.printf("%s version %d rebuilt from %s: the same artifact, sha256 %s\n", r.Model, r.Version, from, r.Digest)
	default:
		err = a.printf("%s version %d rebuilt from %s: another artifact, sha256 %s, not %s\n",
			r.Model, r.Version, from, r.Rebuilt, r.Digest)
	}
	if err != nil || r.Same {
		return err
	}
	if r.Software != r.Here {
		return fmt.Errorf("%w: it was trained by %s, here is %s", errDiffers, r.Software, r.Here)
	}
	return errDiffers
}
