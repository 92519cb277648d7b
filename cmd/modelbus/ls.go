package main

import (
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func (a *app) lsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List models with their versions, aliases and scores",
		Long: "List models with their versions, aliases and scores. Messages counts the training messages that are\n" +
			"kept, of which each may hold many examples; `modelbus show` says how many examples a version was trained on.",
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(func(c *client.Client, _ *bus) error {
				models, err := c.Models(cmd.Context())
				if err != nil {
					return err
				}
				return a.printModels(models)
			})
		},
	}
}

func (a *app) printModels(models []wire.ModelInfo) error {
	if a.json {
		if models == nil {
			models = []wire.ModelInfo{}
		}
		return a.printJSON(models)
	}
	if len(models) == 0 {
		a.notef("no models: make one with `modelbus init FILE --label COLUMN > spec.yaml` and `modelbus create spec.yaml`")
		return nil
	}
	t := a.newTable("", "Model", "Champion", "Versions", "Score", "Size", "Messages", "Trained")
	for _, m := range models {
		v := champion(m)
		if v == nil {
			t.AppendRow([]any{m.Model.Name, "–", len(m.Versions), "–", "–", m.Examples, "–"})
			continue
		}
		t.AppendRow([]any{
			m.Model.Name, v.Number, len(m.Versions), scoreLine(v.Metrics),
			humanize.IBytes(uint64(max(v.Size, 0))), m.Examples, humanize.Time(v.Created),
		})
	}
	t.Render()
	for i := range models {
		a.noteUnpromoted(&models[i])
	}
	return nil
}

// noteUnpromoted says what to do about a model that has versions and no champion.
func (a *app) noteUnpromoted(m *wire.ModelInfo) {
	if len(m.Versions) == 0 || m.Aliases[registry.Champion].To != 0 {
		return
	}
	newest := m.Versions[len(m.Versions)-1].Number
	a.notef("%[1]s has no champion; it has version %[2]d: `modelbus promote %[1]s@%[2]d` has that one answer", m.Model.Name, newest)
}

// champion returns the champion's record, nil if there is none.
func champion(m wire.ModelInfo) *registry.Version {
	i := slices.IndexFunc(m.Versions, func(v registry.Version) bool { return v.Number == m.Aliases[registry.Champion].To })
	if i < 0 {
		return nil
	}
	return &m.Versions[i]
}

// scoreLine prints the scores people look at first.
func scoreLine(metrics map[string]float64) string {
	var parts []string
	for _, name := range []string{"accuracy", "roc_auc", "log_loss", "mse", "mae", "r2"} {
		if v, ok := metrics[name]; ok {
			parts = append(parts, name+" "+number(v))
		}
	}
	if len(parts) == 0 {
		return "–"
	}
	return strings.Join(parts[:min(len(parts), 3)], ", ")
}
