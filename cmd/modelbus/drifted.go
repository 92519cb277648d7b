package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

// printDrift prints the drift of each column of a model's live rows.
func (a *app) printDrift(model string, servers []client.ServerDrift) {
	if len(servers) == 0 {
		return
	}
	columns, compared := worstOf(servers)
	if len(columns) == 0 {
		for i := range servers {
			if d := &servers[i].FeatureDrift; d.Problem != "" {
				a.notef("drift of %s version %d is not known: %s", model, d.Version, d.Problem)
				return
			}
		}
		a.notef("drift of %s is not known yet: %s of %s rows were counted", model,
			humanize.Comma(int64(servers[0].Counted)), humanize.Comma(int64(servers[0].Window))) //nolint:gosec // a count
		return
	}
	a.driftTable("Drift of live rows ("+compared+")", columns)
}

// driftTable prints columns, the worst first.
func (a *app) driftTable(title string, columns []wire.DriftColumn) {
	t := a.newTable(title, "Column", "Drifted", "Statistic", "Value", "Threshold", "p", "Trained on", "Live")
	for i := range columns {
		c := &columns[i]
		drifted := "–"
		if c.Drifted {
			drifted = "yes"
		}
		t.AppendRow([]any{
			c.Feature, drifted, c.Statistic, number(c.Value), number(c.Threshold), number(c.P),
			measureOf(c) + number(c.Before), measureOf(c) + number(c.Now),
		})
	}
	t.Render()
}

// measureOf says what before and now of a column are.
func measureOf(c *wire.DriftColumn) string {
	switch {
	case c.Statistic != drift.StatisticPSI:
		return "share "
	case c.Category != "":
		return "share of " + c.Category + " "
	}
	return "mean "
}

// worstOf returns for each column the worst that a server says of its last window of
// the newest version, where a column has drifted only if that has lasted.
func worstOf(servers []client.ServerDrift) (columns []wire.DriftColumn, compared string) {
	newest := slices.MaxFunc(servers, func(a, b client.ServerDrift) int { return cmp.Compare(a.Version, b.Version) }).Version
	at := map[string]int{}
	rows, told := int64(0), 0
	for i := range servers {
		d := &servers[i].FeatureDrift
		if d.Version != newest || d.Windows == 0 {
			continue
		}
		rows += d.Rows
		told++
		for _, c := range d.Columns {
			c.Drifted = slices.Contains(d.Drifted, c.Feature)
			if j, ok := at[c.Feature]; !ok {
				at[c.Feature] = len(columns)
				columns = append(columns, c)
			} else if severer(c, columns[j]) < 0 {
				columns[j] = c
			}
		}
	}
	slices.SortStableFunc(columns, severer)
	compared = fmt.Sprintf("version %d, last %s rows", newest, humanize.Comma(rows))
	if told > 1 {
		compared += fmt.Sprintf(" of %d servers", told)
	}
	return columns, compared
}

// severer orders columns, the worst first.
func severer(a, b wire.DriftColumn) int {
	if a.Drifted != b.Drifted {
		if a.Drifted {
			return -1
		}
		return 1
	}
	return cmp.Compare(b.Value/b.Threshold, a.Value/a.Threshold)
}

// driftLine says what a "drift" event tells of features or errors; ok is false if it is
// about something else.
func driftLine(e registry.Event) (line string, ok bool) {
	var score wire.ScoreDrift
	if e.Kind == wire.KindDrift && json.Unmarshal(e.Data, &score) == nil && score.Source == wire.SourceScore {
		return scoreDriftLine(&score), true
	}
	var d wire.DriftEvent
	if e.Kind != wire.KindDrift || json.Unmarshal(e.Data, &d) != nil || d.Source != wire.SourceFeatures {
		return "", false
	}
	var parts []string
	for i := range d.Columns {
		c := &d.Columns[i]
		parts = append(parts, fmt.Sprintf("in %s: %s %s > %s (%s%s → %s)",
			c.Feature, c.Statistic, number(c.Value), number(c.Threshold), measureOf(c), number(c.Before), number(c.Now)))
	}
	if more := d.Count - len(d.Columns); more > 0 {
		parts = append(parts, fmt.Sprintf("in %d more", more))
	}
	if len(d.Recovered) > 0 {
		parts = append(parts, "no more in "+strings.Join(d.Recovered, ", "))
	}
	return fmt.Sprintf("%s; version %d, %s rows", strings.Join(parts, "; "), d.Version, humanize.Comma(d.Rows)), true
}
