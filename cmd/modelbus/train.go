package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func (a *app) trainCommand() *cobra.Command {
	var (
		req    wire.TrainRequest
		seed   uint64
		cancel bool
	)
	cmd := &cobra.Command{
		Use:   "train MODEL",
		Short: "Train a model now, follow it, and print the verdict",
		Long: "Train a model on the examples in the stream, follow the epochs, and print the verdict: promoted, or\n" +
			"rejected (exit code 7) with the scores of both on the same held-out rows. A training that gives the\n" +
			"artifact of the newest version again makes no new one (unchanged: exit code 0 if that one is the\n" +
			"champion). Exit code 5 if nobody trains, or the trainer ends during it. Interrupting stops following;\n" +
			"the training goes on unless --cancel is given in another call.",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := registry.CheckModel(args[0]); err != nil {
				return err
			}
			if cmd.Flags().Changed("seed") {
				req.Seed = &seed
			}
			req.Who = who()
			return a.withClient(func(c *client.Client, _ *bus) error {
				if cancel {
					return a.cancelTraining(cmd.Context(), c, args[0])
				}
				return a.train(cmd.Context(), c, args[0], req)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&req.Warm, "warm", false, "go on from the champion's weights with the examples that came after it")
	f.BoolVar(&req.NoPromote, "no-promote", false, "register the version and leave the champion alone")
	f.Uint64Var(&seed, "seed", 0, "seed instead of the spec's")
	f.StringVar(&req.Why, "why", "", "reason, kept with the promotion")
	f.BoolVar(&cancel, "cancel", false, "end the training under way")
	return cmd
}

func (a *app) cancelTraining(ctx context.Context, c *client.Client, name string) error {
	if err := c.Control(ctx, wire.VerbCancel, name, struct{}{}, nil); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]string{"canceled": name})
	}
	return a.printf("%s: training canceled\n", name)
}

func (a *app) train(ctx context.Context, c *client.Client, name string, req wire.TrainRequest) error {
	follow := &follower{app: a}
	verdict, err := c.Train(ctx, name, req, follow.event)
	follow.finish()
	if ctx.Err() != nil && follow.last != "" {
		return fmt.Errorf("the training of %s goes on without being followed; `modelbus train %s --cancel` ends it: %w", name, name, ctx.Err())
	}
	if errors.Is(err, wire.ErrUnavailable) { // by its text nobody there to ask
		return fmt.Errorf("%w: %w", errNoTrainer, err)
	}
	if err != nil {
		return err
	}
	if follow.rejected > 0 {
		dead := a.subjects().Stream("DEAD")
		a.notef("%d examples were left out: `nats stream view %s` shows them and why", follow.rejected, dead)
	}
	if a.json {
		err = a.printJSON(verdict)
	} else {
		err = a.printf("%s\n", verdictLine(name, verdict))
	}
	served := verdict.Promoted || verdict.Unchanged && verdict.Version == verdict.Champion || onTrial(verdict)
	if err == nil && !served && !req.NoPromote {
		return errRejected
	}
	return err
}

// onTrial reports whether the examples to come will decide.
func onTrial(v *wire.Verdict) bool { return v.Gate != nil && v.Gate.Outcome == gate.Wait }

// verdictLine says in one line what a training led to.
func verdictLine(name string, v *wire.Verdict) string {
	what := "rejected"
	switch {
	case v.Promoted:
		what = "promoted"
	case onTrial(v):
		what = "trained"
	case v.Unchanged:
		what = "stays"
	}
	line := fmt.Sprintf("%s version %d %s: %s", name, v.Version, what, scoreLine(v.Challenger))
	if v.Champion > 0 && len(v.Before) > 0 {
		line += fmt.Sprintf(" (version %d: %s)", v.Champion, scoreLine(v.Before))
	}
	if v.Why != "" {
		line += "; " + v.Why
	}
	return line
}
