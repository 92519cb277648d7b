package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.pausing("pause MODEL", "Stop training a model by itself; on request it still trains", wire.VerbPause, "paused")
}

func (a *app) resumeCommand() *cobra.Command {
	return a.pausing("resume MODEL", "Train a model by itself again, as its spec's retrain section says", wire.VerbResume, "resumed")
}

func (a *app) pausing(use, short, verb, done string) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := registry.CheckModel(args[0]); err != nil {
				return err
			}
			return a.withClient(func(c *client.Client, _ *bus) error {
				var info wire.ModelInfo
				if err := c.Control(cmd.Context(), verb, args[0], struct{}{}, &info); err != nil {
					return err
				}
				if a.json {
					return a.printJSON(info)
				}
				return a.printf("%s %s\n", args[0], done)
			})
		},
	}
}

// retrainLine says when a model is trained by itself, empty if it is not.
func retrainLine(info *wire.ModelInfo) string {
	spec, err := model.ParseSpec(info.Model.Spec)
	if err != nil || spec.Retrain == nil {
		return ""
	}
	r := spec.Retrain
	var when []string
	if !r.Scheduled() {
		when = append(when, "on request")
	}
	switch _, after := r.When(false); {
	case r.Every != (model.Amount{}):
		when = append(when, "every "+r.Every.String())
	case after > 0:
		when = append(when, "every "+after.String())
	}
	if r.Cron != "" {
		when = append(when, "cron "+r.Cron+" (next "+stamp(r.Next(time.Now()))+")")
	}
	if r.On.Drift {
		when = append(when, "on drift")
	}
	for _, name := range slices.Sorted(maps.Keys(r.On.ScoreBelow)) {
		when = append(when, fmt.Sprintf("on %s worse than %v", name, r.On.ScoreBelow[name]))
	}
	line := strings.Join(when, ", ")
	line += ", on " + r.Window.String()
	if info.Model.Paused {
		line += "; paused"
	}
	return line
}
