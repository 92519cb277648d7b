package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// printLive prints how a model does on labelled examples as they come.
func (a *app) printLive(l *wire.Live) {
	a.printLiveScores(l)
	t := a.newTable("")
	row := func(key, value string) { t.AppendRow([]any{key, value}) }
	if l.Last.Seq > 0 {
		line := fmt.Sprintf("message %d", l.Last.Seq)
		if !l.Last.Time.IsZero() { // else it is where the scores begin
			line += ", " + stamp(l.Last.Time)
		}
		row("Last looked at", line)
	}
	if d := l.Trial; d != nil {
		row("Trial", fmt.Sprintf("version %d beside version %d, %s examples left\n%s",
			d.Version, d.Against, humanize.Comma(d.Left), comparisonLine(&d.Comparison, "challenger", "champion")))
	}
	if d := l.Watch; d != nil {
		row("Watch", fmt.Sprintf("version %d, which may go back to version %d, %s examples left\n%s",
			d.Version, d.Against, humanize.Comma(d.Left), comparisonLine(&d.Comparison, "before", "champion")))
	}
	if l.Drift != nil {
		row("Last drift", scoreDriftLine(l.Drift))
	}
	if l.Trigger != nil {
		row("Last trigger", stamp(l.Trigger.Time)+", "+l.Trigger.Why)
	}
	if line := nextLine(l.Next); line != "" {
		row("Next trigger", line)
	}
	t.Render()
}

// printLiveScores prints the scores of versions beside those of guesses.
func (a *app) printLiveScores(l *wire.Live) {
	if len(l.Scores) == 0 {
		return
	}
	t := a.newTable("Live, on labelled examples before they were learned", "", "Examples", l.Metric, "last 1,000 or so", "other scores")
	for _, s := range l.Scores {
		t.AppendRow([]any{
			predictorOf(l, s.Version), humanize.Comma(s.Examples), scoreOf(s.Values, l.Metric), scoreOf(s.Recent, l.Metric),
			scoreLine(without(s.Values, l.Metric)),
		})
	}
	recent := l.Recent
	if recent == nil {
		recent = &wire.LiveRecent{}
	}
	guess := func(name string, all, late *float64) {
		if all != nil {
			t.AppendRow([]any{name, humanize.Comma(l.Examples), optional(all), optional(late), ""})
		}
	}
	if len(l.Scores) > 1 {
		guess("what was served", l.Value, recent.Value)
	}
	guess("guess: majority", l.Majority, recent.Majority)
	guess("guess: mean", l.Mean, recent.Mean)
	guess("guess: no change", l.NoChange, recent.NoChange)
	t.Render()
}

// predictorOf names whose score it is.
func predictorOf(l *wire.Live, version uint64) string {
	name := "version " + strconv.FormatUint(version, 10)
	switch {
	case version == 0:
		return "the learner (predicts, then learns)"
	case version == l.Champion:
		return name + " (" + registry.Champion + ")"
	case l.Trial != nil && version == l.Trial.Version:
		return name + " (on trial)"
	}
	return name
}

func scoreOf(scores map[string]float64, name string) string {
	x, ok := scores[name]
	if !ok {
		return "–"
	}
	return number(x)
}

func without(scores map[string]float64, name string) map[string]float64 {
	rest := make(map[string]float64, len(scores))
	for k, v := range scores {
		if k != name {
			rest[k] = v
		}
	}
	return rest
}

func optional(x *float64) string {
	if x == nil {
		return "–"
	}
	return number(*x)
}

func nextLine(n *wire.LiveNext) string {
	if n == nil {
		return ""
	}
	var parts []string
	if n.Examples > 0 {
		parts = append(parts, "in "+humanize.Comma(int64(n.Examples))+" examples")
	}
	if n.Time != nil {
		parts = append(parts, "at "+stamp(*n.Time))
	}
	return strings.Join(parts, ", or ")
}

// comparisonLine says what is known of two versions, with the intervals of both.
func comparisonLine(c *gate.Comparison, challenger, champion string) string {
	side := func(name string, s gate.Side) string {
		return fmt.Sprintf("%s %.4f [%.4f, %.4f]", name, s.Mean, s.Interval.Lower, s.Interval.Upper)
	}
	return fmt.Sprintf("%s, %s after %s examples, %s", side(challenger, c.Challenger), side(champion, c.Champion),
		humanize.Comma(c.Examples), c.Outcome)
}

// scoreDriftLine says how the errors of a version changed.
func scoreDriftLine(d *wire.ScoreDrift) string {
	line := fmt.Sprintf("%s %.4g → %.4g in the last %s examples of version %d, noticed at message %d by %s",
		d.Measure(), d.Before, d.After, humanize.Comma(d.Rows), d.Version, d.Seq, d.Detector)
	if d.SinceSeq > 0 {
		line += fmt.Sprintf(", since message %d", d.SinceSeq)
	}
	return line
}
