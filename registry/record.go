package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// A Model is a model's record.
type Model struct {
	Name    string          `json:"name"`
	Spec    json.RawMessage `json:"spec"`             // canonical JSON
	Source  string          `json:"source,omitempty"` // the spec as its author wrote it
	Created time.Time       `json:"created"`
	Updated time.Time       `json:"updated"`
	Paused  bool            `json:"paused,omitempty"` // it is not trained by itself

	// Earlier is the last version number that an earlier model of the name was given:
	// versions up to it are not of this model.
	Earlier uint64 `json:"earlier_versions,omitempty"`

	Revision uint64 `json:"-"` // for compare-and-set
}

// A Version is an immutable record of one trained artifact.
type Version struct {
	Model   string    `json:"model"`
	Number  uint64    `json:"version"`
	Digest  string    `json:"digest"` // SHA-256 of the artifact, lower-case hex
	Size    int64     `json:"size"`   // bytes
	Created time.Time `json:"created"`
	Lineage Lineage   `json:"lineage"`

	// ModelCreated is when the model was created that the version is of: not that of a later
	// one of the same name. Zero of a version that was published by name alone.
	ModelCreated time.Time `json:"model_created,omitzero"`

	Metrics map[string]float64 `json:"metrics,omitempty"` // on the held-out rows
}

// Lineage is what a version was made from.
type Lineage struct {
	Parent   uint64 `json:"parent,omitempty"` // version training started from, or that it was compared with
	Warm     bool   `json:"warm,omitempty"`   // training started from Parent's weights
	Online   bool   `json:"online,omitempty"` // a state of a model that learns from each example: it follows the online version Parent, or goes on from another one
	Stream   string `json:"stream,omitempty"`
	FirstSeq uint64 `json:"first_seq,omitempty"`
	LastSeq  uint64 `json:"last_seq,omitempty"`   // the examples are those of the model in [FirstSeq, LastSeq]
	Change   uint64 `json:"change_seq,omitempty"` // the window begins there, no earlier, as the errors changed from there on; online what came since was learned again

	// When the message LastSeq was stored, and when Stream was created. They tell whether
	// LastSeq is a place in the stream as it is: it may have been made anew, or have lost
	// its end in a crash of the machine and have grown again. Zero in older records.
	LastTime      time.Time `json:"last_time,omitzero"`
	StreamCreated time.Time `json:"stream_created,omitzero"`

	Examples   int     `json:"examples,omitempty"` // rows used, held-out ones included
	Held       int     `json:"held_out,omitempty"`
	Rejected   int     `json:"rejected,omitempty"`    // rows that went to the dead subject
	DataDigest string  `json:"data_digest,omitempty"` // SHA-256 over the payloads in order
	SpecDigest string  `json:"spec_digest,omitempty"`
	Seed       uint64  `json:"seed"`
	Software   string  `json:"software,omitempty"` // modelbus version and kernel
	Epochs     int     `json:"epochs,omitempty"`   // that were run, without Parent's: fewer than the spec's if it stopped early
	Seconds    float64 `json:"seconds,omitempty"`  // of fitting
	Trigger    string  `json:"trigger,omitempty"`  // why it was trained, if nobody asked
	Training   string  `json:"training,omitempty"` // its id
	Imported   string  `json:"imported,omitempty"` // where an imported artifact came from

	Replay *Replayed `json:"replay,omitempty"` // nil: none were
}

// Replayed are examples that a version was trained on besides those of its [Lineage]: older
// ones, drawn from the seed, or online the newest of those since a change, learned again.
type Replayed struct {
	FirstSeq   uint64 `json:"first_seq"`
	LastSeq    uint64 `json:"last_seq"` // they are of the model's in [FirstSeq, LastSeq]
	Examples   int    `json:"examples"`
	DataDigest string `json:"data_digest"` // SHA-256 over place and payload of each that was drawn, in order; online over all payloads
}

// A Move is a change of an alias.
type Move struct {
	Split // of the alias [Canary]

	Model    string    `json:"model"`
	Alias    string    `json:"alias"`
	From     uint64    `json:"from"` // 0 if the alias is new
	To       uint64    `json:"to"`   // 0 if the alias was removed
	Who      string    `json:"who,omitempty"`
	Why      string    `json:"why,omitempty"`
	When     time.Time `json:"when"`
	Number   uint64    `json:"number"`             // 1, 2, 3 … of this alias; never used twice
	Rollback bool      `json:"rollback,omitempty"` // by [Registry.Rollback]
}

// A Removal is the data of an event of [KindDeleted].
type Removal struct {
	Model   string    `json:"model"`
	Version uint64    `json:"version,omitempty"` // 0 if the whole model was removed
	Who     string    `json:"who,omitempty"`
	Why     string    `json:"why,omitempty"`
	When    time.Time `json:"when"`
}

// An Event is an announcement.
type Event struct {
	Model string          `json:"model"`
	Kind  string          `json:"kind"` // "created", "version", "promoted", "rejected", "failed", "deleted", "training", …
	ID    string          `json:"id"`
	Time  time.Time       `json:"time"`
	Data  json.RawMessage `json:"data,omitempty"` // a Version, a Move, or what the kind says
}

// encode returns v as JSON without the escapes for HTML, so that a spec keeps
// the bytes its digest was taken of.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("%w: encoding a %T: %w", ErrInvalid, v, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode reads the record of a key. What somebody else put there by hand is an
// error that names the key.
func decode[T any](key string, data []byte) (T, error) {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("reading %s: %w: %w", key, ErrCorrupt, err)
	}
	return v, nil
}
