package wire

import (
	"time"

	"github.com/modelbus/modelbus/model/drift"
)

// The kind of an event about drift, and what it can be about.
const (
	KindDrift      = "drift"
	SourceFeatures = "features"
)

// A DriftColumn tells how a column of the live rows compares with the rows that the
// model was trained on. Columns are features, the mean and norm of vectors, and the
// predictions: ".prediction" and, of a classification, ".score".
type DriftColumn struct {
	Feature   string  `json:"feature"`
	Drifted   bool    `json:"drifted"`
	Statistic string  `json:"statistic"` // psi, missing or unknown: the one that says most
	Value     float64 `json:"value"`
	Threshold float64 `json:"threshold"` // of Value
	P         float64 `json:"p"`         // that nothing has changed, adjusted for all tests of the window

	// Before and Now are the means of numbers; of categories the shares of Category,
	// which has moved most; or the shares of missing or of unknown values.
	Before   float64 `json:"before"`
	Now      float64 `json:"now"`
	Category string  `json:"category,omitempty"`
}

// NewDriftColumn sums a report up.
func NewDriftColumn(c *drift.ColumnReport) DriftColumn {
	out := DriftColumn{
		Feature: c.Column.String(), Drifted: c.Drifted,
		Statistic: c.Statistic, Value: c.Value, Threshold: c.Threshold, P: c.P,
	}
	out.Before, out.Now = c.Change()
	if c.Statistic == drift.StatisticPSI {
		out.Category = c.Category
	}
	return out
}

// A DriftEvent is the data of an event that says that columns have drifted, or no more
// do. Each server tells of the rows that it has seen, and again when it was restarted.
type DriftEvent struct {
	Source    string        `json:"source"` // SourceFeatures
	Version   uint64        `json:"version"`
	Drifted   bool          `json:"drifted"`             // whether any has
	Rows      int64         `json:"rows"`                // of the window that tells it
	Since     time.Time     `json:"since"`               // the beginning of the first window that differed
	Count     int           `json:"count"`               // columns that have drifted
	Columns   []DriftColumn `json:"columns"`             // those, the worst first; at most 64
	Recovered []string      `json:"recovered,omitempty"` // at most 64
}

// A FeatureDrift is what a server knows of the drift of a model, in its statistics.
type FeatureDrift struct {
	Version uint64        `json:"version"`           // the champion, whose rows are compared
	Window  int           `json:"window"`            // rows that are compared at once
	Seen    uint64        `json:"seen"`              // rows that were answered
	Counted uint64        `json:"counted"`           // those of them, drawn at random, that were counted
	Windows uint64        `json:"windows"`           // that were compared
	Rows    int64         `json:"rows"`              // of the last one; 0: none was full yet
	At      time.Time     `json:"at,omitzero"`       // when that was compared
	Count   int           `json:"count"`             // columns that have drifted, by two windows in a row
	Drifted []string      `json:"drifted"`           // these, at most 64
	Columns []DriftColumn `json:"columns"`           // of the last window, the worst first; at most 64
	Problem string        `json:"problem,omitempty"` // why nothing is compared
}
