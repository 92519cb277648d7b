package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func (a *app) showCommand() *cobra.Command {
	var spec bool
	cmd := &cobra.Command{
		Use:   "show MODEL[@REF]",
		Short: "Show a model, or one version of it: metrics, lineage, aliases, size",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := registry.ParseRef(args[0])
			if err != nil {
				return err
			}
			return a.withClient(func(c *client.Client, _ *bus) error {
				info, err := c.Model(cmd.Context(), ref.Model, true)
				if err != nil {
					return err
				}
				switch {
				case spec && a.json:
					return a.printJSON(info.Model.Spec)
				case spec:
					return a.printf("%s", cmp.Or(info.Model.Source, string(info.Model.Spec)+"\n"))
				case strings.Contains(args[0], "@"):
					return a.printVersion(info, ref)
				default:
					answers, err := c.Statistics(cmd.Context(), ref.Model)
					if err != nil {
						a.notef("what the servers count is not known: %v", err)
					}
					return a.printModel(info, a.traffic(info, answers), c.DriftIn(ref.Model, answers))
				}
			})
		},
	}
	cmd.Flags().BoolVar(&spec, "spec", false, "print the spec as its author wrote it")
	return cmd
}

func (a *app) printModel(info *wire.ModelInfo, now *traffic, drifts []client.ServerDrift) error {
	if a.json {
		return a.printJSON(struct {
			*wire.ModelInfo

			Traffic *traffic             `json:"traffic,omitempty"`
			Drift   []client.ServerDrift `json:"drift,omitempty"`
		}{info, now, drifts})
	}
	t := a.newTable(info.Model.Name)
	t.AppendRow([]any{"Created", stamp(info.Model.Created)})
	t.AppendRow([]any{"Updated", stamp(info.Model.Updated)})
	t.AppendRow([]any{"Example messages kept", info.Examples})
	if line := retrainLine(info); line != "" {
		t.AppendRow([]any{"Trains by itself", line})
	}
	if info.Training != nil {
		t.AppendRow([]any{"Training", info.Training.ID})
	}
	for _, line := range now.lines() {
		t.AppendRow([]any{line[0], line[1]})
	}
	t.Render()
	if len(info.Versions) == 0 {
		a.notef("no version yet: push examples with `modelbus push %[1]s FILE`, then `modelbus train %[1]s`", info.Model.Name)
		return nil
	}
	v := a.newTable("Versions", "Version", "Aliases", scoresTitle(info.Versions), "Rows", "Size", "Created")
	for _, r := range info.Versions {
		v.AppendRow([]any{
			r.Number, aliasLine(info, r.Number), scoreLine(r.Metrics),
			r.Lineage.Examples, humanize.IBytes(uint64(max(r.Size, 0))), stamp(r.Created),
		})
	}
	v.Render()
	a.noteUnpromoted(info)
	if info.Live != nil {
		a.printLive(info.Live)
	}
	a.printDrift(info.Model.Name, drifts)
	a.printMoves(info.History)
	return nil
}

// scoresTitle says on what the scores of versions are.
func scoresTitle(versions []registry.Version) string {
	online := 0
	for i := range versions {
		if versions[i].Lineage.Online {
			online++
		}
	}
	switch online {
	case 0:
		return "Scores on held-out rows"
	case len(versions):
		return "Scores before learning"
	}
	return "Scores on held-out rows, online before learning"
}

// shownMoves is how many moves of aliases are printed.
const shownMoves = 20

// printMoves prints the newest moves of aliases.
func (a *app) printMoves(moves []registry.Move) {
	if len(moves) > 0 {
		title := "Alias moves"
		if more := len(moves) - shownMoves; more > 0 {
			title = fmt.Sprintf("Alias moves: the newest %d of %s", shownMoves, humanize.Comma(int64(len(moves))))
			moves = moves[more:]
		}
		h := a.newTable(title, "When", "Alias", "From", "To", "Who", "Why")
		for _, m := range moves {
			h.AppendRow([]any{stamp(m.When), m.Alias, versionOrNone(m.From), versionOrNone(m.To), m.Who, m.Why})
		}
		h.Render()
	}
}

func (a *app) printVersion(info *wire.ModelInfo, ref registry.Ref) error {
	number := ref.Version
	if number == 0 {
		move, ok := info.Aliases[ref.Alias]
		if !ok {
			err := fmt.Errorf("%w: model %s has no alias %s", wire.ErrNotFound, ref.Model, ref.Alias)
			return registry.InsteadOf(ref, info.Versions, info.Aliases, err)
		}
		number = move.To
	}
	i := slices.IndexFunc(info.Versions, func(v registry.Version) bool { return v.Number == number })
	if i < 0 {
		err := fmt.Errorf("%w: model %s has no version %d", wire.ErrNotFound, ref.Model, number)
		return registry.InsteadOf(ref, info.Versions, info.Aliases, err)
	}
	v := info.Versions[i]
	if a.json {
		return a.printJSON(struct {
			registry.Version

			Aliases []string `json:"aliases"`
		}{v, aliasesOf(info, number)})
	}
	t := a.newTable(fmt.Sprintf("%s version %d", v.Model, v.Number))
	row := func(key string, value any) { t.AppendRow([]any{key, value}) }
	row("Aliases", aliasLine(info, number))
	row("Created", stamp(v.Created))
	row("Digest", v.Digest)
	row("Size", humanize.IBytes(uint64(max(v.Size, 0))))
	l := v.Lineage
	scored := "Held-out "
	if l.Online {
		scored = "Before learning, "
	}
	for _, name := range slices.Sorted(maps.Keys(v.Metrics)) {
		row(scored+name, number64(v.Metrics[name]))
	}
	if l.Imported != "" {
		row("Imported", l.Imported)
	} else {
		lineageRows(&l, row)
	}
	row("Spec digest", l.SpecDigest)
	row("Software", l.Software)
	t.Render()
	return nil
}

// lineageRows tells what a version was trained on, and why.
func lineageRows(l *registry.Lineage, row func(key string, value any)) {
	row("Examples", examplesOf(l))
	row("Stream", fmt.Sprintf("%s %d–%d", l.Stream, l.FirstSeq, l.LastSeq))
	if l.Change > 0 {
		row("Errors changed at", fmt.Sprintf("message %d", l.Change))
	}
	if o := l.Replay; o != nil {
		what := "older examples"
		if l.Online {
			what = "examples again"
		}
		row("Replayed", fmt.Sprintf("%d %s, of messages %d–%d", o.Examples, what, o.FirstSeq, o.LastSeq))
	}
	row("Data digest", l.DataDigest)
	row("Seed", l.Seed)
	row("Parent", versionOrNone(l.Parent))
	row("Warm start", l.Warm)
	if l.Trigger != "" {
		row("Trained because", l.Trigger)
	}
	if l.Epochs > 0 {
		row("Epochs", l.Epochs)
	}
	if l.Seconds > 0 {
		row("Fitted in", time.Duration(l.Seconds*float64(time.Second)).Round(time.Millisecond))
	}
}

// examplesOf says how many examples a version was trained on, and what became of others.
func examplesOf(l *registry.Lineage) string {
	var parts []string
	if l.Held > 0 {
		parts = append(parts, fmt.Sprintf("%d held out", l.Held))
	}
	if l.Rejected > 0 || !l.Online {
		parts = append(parts, fmt.Sprintf("%d rejected", l.Rejected))
	}
	if len(parts) == 0 {
		return strconv.Itoa(l.Examples)
	}
	return fmt.Sprintf("%d (%s)", l.Examples, strings.Join(parts, ", "))
}

func aliasesOf(info *wire.ModelInfo, version uint64) []string {
	names := []string{}
	for _, alias := range slices.Sorted(maps.Keys(info.Aliases)) {
		if info.Aliases[alias].To == version {
			names = append(names, alias)
		}
	}
	return names
}

// aliasLine lists the aliases of a version, with their share of the predictions.
func aliasLine(info *wire.ModelInfo, version uint64) string {
	names := aliasesOf(info, version)
	for i, alias := range names {
		if m := info.Aliases[alias]; m.Share > 0 {
			names[i] = alias + " (" + shareOf(m) + ")"
		}
	}
	return strings.Join(names, ", ")
}

func versionOrNone(n uint64) string {
	if n == 0 {
		return "–"
	}
	return strconv.FormatUint(n, 10)
}

func stamp(t time.Time) string { return t.Local().Format(time.DateTime) }

// number prints a score with as many digits as people read.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func number64(v float64) string { return strconv.FormatFloat(v, 'g', 8, 64) }
