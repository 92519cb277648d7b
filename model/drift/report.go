package drift

import (
	"cmp"
	"math"
	"slices"

	"github.com/modelbus/modelbus/model/feature"
)

// The statistics that a [ColumnReport] can name.
const (
	StatisticPSI     = "psi"     // how differently the values are distributed
	StatisticMissing = "missing" // the share of missing values
	StatisticUnknown = "unknown" // the share of categories that the model does not know
)

// OtherCategories stands for those that a reference does not count one by one.
const OtherCategories = "(other)"

// Thresholds say when a column has drifted: a difference must be both certain,
// by its adjusted p-value, and large. Zero fields mean the default.
type Thresholds struct {
	FDR     float64 // the false discovery rate over all tests of a report, in (0, 1); default 0.01
	PSI     float64 // of the values, above 0; default 0.1
	Share   float64 // by which the share of missing or unknown values differs, in (0, 1]; default 0.02
	MinRows int64   // below which nothing has drifted; default 100
}

// A Report compares the rows of a window with the reference.
type Report struct {
	Rows    int64          `json:"rows"`
	Enough  bool           `json:"enough"` // whether there were rows enough to tell
	Drifted bool           `json:"drifted"`
	Columns []ColumnReport `json:"columns"` // those that drifted first, each kind by severity
}

// A ColumnReport compares one column. Every number in it is finite.
type ColumnReport struct {
	Column

	Drifted bool `json:"drifted"`

	// Statistic is the one that is farthest beyond its threshold, Value what it
	// is, and P its adjusted p-value.
	Statistic string  `json:"statistic"`
	Value     float64 `json:"value"`
	Threshold float64 `json:"threshold"`
	P         float64 `json:"p"`

	Rows  int64   `json:"rows"` // with a value, in the window
	PSI   float64 `json:"psi"`
	JS    float64 `json:"js"`                   // the Jensen-Shannon distance
	KS    float64 `json:"ks,omitempty"`         // of numbers: the Kolmogorov-Smirnov distance of samples
	Chi   float64 `json:"chi_square,omitempty"` // of categories
	TestP float64 `json:"test_p"`               // of KS or Chi, adjusted

	// Before and Now are the means of numbers. Of categories they are the shares of
	// Category, that which has moved most; it is [OtherCategories] for all that are not
	// counted one by one.
	Before   float64 `json:"before"`
	Now      float64 `json:"now"`
	Category string  `json:"category,omitempty"`

	Missing Share `json:"missing"`
	Unknown Share `json:"unknown,omitzero"`
}

// A Share is a part of the rows.
type Share struct {
	Before float64 `json:"before"` // in the reference
	Live   float64 `json:"live"`
	P      float64 `json:"p"` // that it is the same, adjusted; 1 if there is nothing to test
}

func (t Thresholds) complete() Thresholds {
	return Thresholds{
		FDR: cmp.Or(t.FDR, 0.01), PSI: cmp.Or(t.PSI, 0.1), Share: cmp.Or(t.Share, 0.02), MinRows: cmp.Or(t.MinRows, 100),
	}
}

// Report compares what w has counted with the reference. A column that was empty
// on one side has no distribution to compare, but its missing values are. A
// constant that stays is no drift, one that changes is.
func (w *Window) Report(t Thresholds) Report {
	t = t.complete()
	r := Report{Columns: make([]ColumnReport, 0, len(w.columns))}
	var p []*float64
	for i := range w.columns {
		ref, live := &w.reference.state.Columns[i], &w.columns[i]
		r.Rows = max(r.Rows, live.Rows)
		if ref.Rows == 0 || live.Rows == 0 {
			continue // not given, such as the predictions
		}
		r.Columns = append(r.Columns, compare(ref, live, w.words[i].before))
	}
	for i := range r.Columns {
		c := &r.Columns[i]
		for _, v := range []*float64{&c.TestP, &c.Missing.P, &c.Unknown.P} {
			if *v >= 0 {
				p = append(p, v)
			}
		}
	}
	FalseDiscovery(p)
	r.Enough = r.Rows >= t.MinRows
	for i := range r.Columns {
		r.Columns[i].conclude(t, r.Enough)
		r.Drifted = r.Drifted || r.Columns[i].Drifted
	}
	slices.SortStableFunc(r.Columns, func(a, b ColumnReport) int {
		if a.Drifted != b.Drifted {
			if a.Drifted {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Value/b.Threshold, a.Value/a.Threshold)
	})
	return r
}

// untested marks the p-value of a test that has nothing to compare.
const untested = -1

func compare(ref *ColumnReference, live *columnWindow, unknown int64) ColumnReport {
	had, has := ref.Rows-ref.Missing, live.Rows-live.Missing
	c := ColumnReport{
		Column: ref.Column, Rows: has, TestP: untested,
		Missing: share(ref.Missing, ref.Rows, live.Missing, live.Rows),
		Unknown: share(unknown, had, live.Unknown, has),
	}
	if had == 0 || has == 0 {
		return c
	}
	c.PSI, c.JS = PSI(ref.Counts, live.Counts), JensenShannon(ref.Counts, live.Counts)
	if ref.Type != feature.Number {
		c.Chi, c.TestP = ChiSquare(ref.Counts, live.Counts)
		c.findMoved(ref, live)
		return c
	}
	c.KS, c.TestP = KolmogorovSmirnov(widen(ref.Sample), widen(live.Sample))
	c.Before, c.Now = ref.Mean, live.Sum/float64(has)
	return c
}

// findMoved finds the category whose share has changed most.
func (c *ColumnReport) findMoved(ref *ColumnReference, live *columnWindow) {
	n, m := total(ref.Counts), total(live.Counts)
	most := -1.0
	for i := range ref.Counts {
		before, now := float64(ref.Counts[i])/max(n, 1), float64(live.Counts[i])/max(m, 1)
		if off := math.Abs(now - before); off > most {
			most, c.Before, c.Now, c.Category = off, before, now, OtherCategories
			if i < len(ref.Words) {
				c.Category = ref.Words[i]
			}
		}
	}
}

// Change returns what was in the reference and is in the window: the shares of missing
// values or of unknown categories if Statistic is about these, else Before and Now.
func (c *ColumnReport) Change() (before, now float64) {
	switch c.Statistic {
	case StatisticMissing:
		return c.Missing.Before, c.Missing.Live
	case StatisticUnknown:
		return c.Unknown.Before, c.Unknown.Live
	}
	return c.Before, c.Now
}

// widen returns a sorted copy.
func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	slices.Sort(out)
	return out
}

func share(before, n, live, m int64) Share {
	s := Share{P: untested}
	if n > 0 {
		s.Before = float64(before) / float64(n)
	}
	if m > 0 {
		s.Live = float64(live) / float64(m)
	}
	if before+live > 0 {
		s.P = Fisher(live, m, before, n)
	}
	return s
}

// conclude finds the statistic that tells most.
func (c *ColumnReport) conclude(t Thresholds, enough bool) {
	first := true
	for _, s := range []struct {
		name                string
		value, threshold, p float64
		difference          float64
	}{
		{StatisticPSI, c.PSI, t.PSI, c.TestP, c.PSI},
		{StatisticMissing, c.Missing.Live, t.Share, c.Missing.P, math.Abs(c.Missing.Live - c.Missing.Before)},
		{StatisticUnknown, c.Unknown.Live, t.Share, c.Unknown.P, math.Abs(c.Unknown.Live - c.Unknown.Before)},
	} {
		drifted := enough && s.p >= 0 && s.p < t.FDR && s.difference >= s.threshold
		louder := s.difference/s.threshold > c.Value/cmp.Or(c.Threshold, 1)
		if first || drifted && !c.Drifted || drifted == c.Drifted && louder {
			c.Drifted, c.Statistic, c.Value, c.Threshold, c.P = drifted, s.name, s.difference, s.threshold, s.p
		}
		first = false
	}
	for _, p := range []*float64{&c.P, &c.TestP, &c.Missing.P, &c.Unknown.P} {
		if *p == untested {
			*p = 1
		}
	}
}
