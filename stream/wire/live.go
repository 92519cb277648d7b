package wire

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
)

// Live is how a model does on labelled examples as they come: the part for readers of
// its record in the bucket <PREFIX>_LIVE. Numbers are absent where nothing was scored.
type Live struct {
	// Value is the score of what was served: of the predictions of whatever version was
	// the champion, on examples that it was not trained on. Learner is that of the
	// learner of an online model, which predicts each example before it learns it,
	// and whose predictions no caller gets. The others are what guesses reached on the
	// examples of Value, before there is one on those of Learner: the majority class or
	// the mean up to then, and the last label.
	Metric   string   `json:"metric"`
	Value    *float64 `json:"value,omitempty"`
	Learner  *float64 `json:"learner,omitempty"`
	Majority *float64 `json:"majority,omitempty"`
	Mean     *float64 `json:"mean,omitempty"`
	NoChange *float64 `json:"no_change,omitempty"`
	Examples int64    `json:"examples"` // of Value, before there is one of Learner

	Recent *LiveRecent `json:"recent,omitempty"`

	Since    *LivePlace  `json:"since,omitempty"` // the message with the first example that was scored
	Last     LivePlace   `json:"last"`            // the last message that was looked at
	Champion uint64      `json:"champion,omitempty"`
	Scores   []LiveScore `json:"scores"` // the learner's first, then those of versions, newest first

	Trial   *LiveDuel    `json:"trial,omitempty"` // of a challenger beside the champion
	Watch   *LiveDuel    `json:"watch,omitempty"` // of the version before beside the champion
	Drift   *ScoreDrift  `json:"drift,omitempty"` // the last change of the champion's errors
	Cut     *LivePlace   `json:"cut,omitempty"`   // where a window begins at the earliest: there the errors changed
	Trigger *LiveTrigger `json:"trigger,omitempty"`
	Next    *LiveNext    `json:"next,omitempty"`
}

// DecodeLive reads a live record: when the model it is of was created, which tells it from
// an earlier one of the name, and the part for readers.
func DecodeLive(record []byte) (created time.Time, live *Live, err error) {
	var r struct {
		Created time.Time `json:"model_created"`
		Live    *Live     `json:"live"`
	}
	if err := json.Unmarshal(record, &r); err != nil {
		return time.Time{}, nil, fmt.Errorf("reading a live record: %w: %w", registry.ErrCorrupt, err)
	}
	return r.Created, r.Live, nil
}

// LiveRecent is Live of about the last 1,000 examples: what is one example older counts
// 0.1 % less.
type LiveRecent struct {
	Value    *float64 `json:"value,omitempty"`
	Learner  *float64 `json:"learner,omitempty"`
	Majority *float64 `json:"majority,omitempty"`
	Mean     *float64 `json:"mean,omitempty"`
	NoChange *float64 `json:"no_change,omitempty"`
}

// LivePlace is a message of examples in the training stream.
type LivePlace struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"` // when it was stored
}

// LiveScore is how one version did on the examples that came after those it was trained
// on.
type LiveScore struct {
	Version  uint64             `json:"version,omitempty"` // 0: the learner of an online model
	Examples int64              `json:"examples"`
	Values   map[string]float64 `json:"values"` // of all of them
	Recent   map[string]float64 `json:"recent"` // of about the last 1,000
}

// LiveDuel is a comparison of two versions on the same examples. In a trial the
// challenger of the comparison is the version on trial; in a watch it is the version
// before, which takes its place again if it is proved better.
type LiveDuel struct {
	Version    uint64          `json:"version"`
	Against    uint64          `json:"against"` // in a trial the champion; in a watch the version before
	Since      LivePlace       `json:"since"`
	Left       int64           `json:"left"` // examples after which it ends undecided
	Comparison gate.Comparison `json:"comparison"`
}

// LiveTrigger is why a training was begun, or a version cut.
type LiveTrigger struct {
	Kind string    `json:"kind"` // "drift", "score_below" or "schedule"
	Why  string    `json:"why"`
	Seq  uint64    `json:"seq"` // it is answered by a version that saw this message
	Time time.Time `json:"time"`
}

// LiveNext is when a training is due by itself.
type LiveNext struct {
	Examples int        `json:"examples,omitempty"` // so many to go
	Time     *time.Time `json:"time,omitempty"`     // then, if examples come
}

// SourceScore is the source of a [ScoreDrift] of a model's errors.
const SourceScore = "score"

// The errors that a [ScoreDrift] is about.
const (
	ErrorWrong    = "wrong"
	ErrorAbsolute = "absolute"
)

// A ScoreDrift is the data of a "drift" event about the errors of a version. An event of
// another source has other fields.
type ScoreDrift struct {
	Source   string `json:"source"`   // [SourceScore]
	Detector string `json:"detector"` // such as ADWIN
	Version  uint64 `json:"version"`  // the champion
	Seq      uint64 `json:"seq"`      // the message at whose examples it was noticed

	// Error says what is watched: [ErrorWrong], 1 for a wrong class and 0 for a right
	// one, or [ErrorAbsolute], the absolute error e as e/(e+m), where m is its mean
	// since the version is the champion.
	Error  string  `json:"error"`
	Before float64 `json:"before"` // mean error
	After  float64 `json:"after"`
	Rows   int64   `json:"rows"` // how many of the newest examples are after the change

	// SinceSeq is the message where that is supposed to have begun, or one a little
	// earlier, and Since when it was stored; absent if it is not known.
	SinceSeq uint64    `json:"since_seq,omitempty"`
	Since    time.Time `json:"since,omitzero"`
}

// Measure says what Before and After are.
func (d *ScoreDrift) Measure() string {
	switch d.Error {
	case ErrorWrong:
		return "share of wrong answers"
	case ErrorAbsolute:
		return "relative absolute error (e/(e+mean))"
	}
	return "mean error"
}
