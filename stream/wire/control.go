package wire

import (
	"encoding/json"
	"time"

	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
)

// The verbs of control requests: <prefix>.control.<verb>[.<model>].
const (
	VerbCreate   = "create"   // CreateRequest → ModelInfo
	VerbUpdate   = "update"   // CreateRequest → ModelInfo
	VerbDelete   = "delete"   // DeleteRequest → empty object
	VerbList     = "list"     // empty → ListReply
	VerbShow     = "show"     // ShowRequest → ModelInfo
	VerbTrain    = "train"    // TrainRequest → TrainReply, at once; progress comes as events
	VerbCancel   = "cancel"   // empty → empty object: ends the model's training
	VerbPause    = "pause"    // empty → ModelInfo: the model is not trained by itself any more
	VerbResume   = "resume"   // empty → ModelInfo
	VerbPromote  = "promote"  // PromoteRequest → registry.Move
	VerbRollback = "rollback" // RollbackRequest → registry.Move
	VerbUnalias  = "unalias"  // RollbackRequest → empty object: removes an alias
)

// CreateRequest carries a spec as its author wrote it (YAML or JSON).
type CreateRequest struct {
	Spec string `json:"spec"`
	Who  string `json:"who,omitempty"`

	// Revision guards an update: the revision that was read; 0 takes any.
	Revision uint64 `json:"revision,omitempty"`
}

// DeleteRequest removes a model and, unless KeepExamples, its training examples and
// dead letters.
// With a Version only that is removed, which no alias may name.
type DeleteRequest struct {
	Version      uint64 `json:"version,omitempty"`
	Who          string `json:"who,omitempty"`
	Why          string `json:"why,omitempty"`
	KeepExamples bool   `json:"keep_examples,omitempty"`
}

// ShowRequest asks for a model, if History with the kept moves of its aliases, of removed
// ones too: the last 64 of each and the newest 1,000 of all.
type ShowRequest struct {
	History bool `json:"history,omitempty"`
}

// ModelInfo is all that is known of a model.
type ModelInfo struct {
	Model    registry.Model           `json:"model"`
	Revision uint64                   `json:"revision"`
	Versions []registry.Version       `json:"versions"`
	Aliases  map[string]registry.Move `json:"aliases"`
	History  []registry.Move          `json:"history,omitempty"`
	Examples uint64                   `json:"examples"` // messages kept in the training stream
	Training *TrainReply              `json:"training,omitempty"`
	Live     *Live                    `json:"live,omitempty"` // not in a list
}

// ListReply lists models by name.
type ListReply struct {
	Models []ModelInfo `json:"models"`
}

// TrainRequest asks for a training now.
type TrainRequest struct {
	Who string `json:"who,omitempty"`
	Why string `json:"why,omitempty"`

	Warm bool    `json:"warm,omitempty"` // see model.Training.Warm
	Seed *uint64 `json:"seed,omitempty"` // instead of the spec's

	// NoPromote registers the version and leaves the champion alone.
	NoPromote bool `json:"no_promote,omitempty"`
}

// TrainReply tells which training was started, or is under way.
type TrainReply struct {
	ID    string `json:"id"`    // the id of its "training" events
	State string `json:"state"` // "started" or "running"
}

// PromoteRequest moves an alias ([registry.Champion] if empty).
type PromoteRequest struct {
	Alias   string `json:"alias,omitempty"`
	Version uint64 `json:"version"`
	Who     string `json:"who,omitempty"`
	Why     string `json:"why,omitempty"`

	// Share and By are the [registry.Split] of the alias [registry.Canary], and no
	// other. What is not given stays as it is; an empty By is none.
	Share *float64 `json:"share,omitempty"`
	By    *string  `json:"by,omitempty"`
}

// RollbackRequest names an alias ([registry.Champion] if empty).
type RollbackRequest struct {
	Alias string `json:"alias,omitempty"`
	Who   string `json:"who,omitempty"`
	Why   string `json:"why,omitempty"`
}

// Training is the data of a "training" event: published plainly, not kept.
type Training struct {
	ID     string             `json:"id"`
	State  string             `json:"state"` // "waiting" (for other models' trainings), "reading", "epoch", "evaluating", "storing", "done"
	Epoch  int                `json:"epoch,omitempty"`
	Epochs int                `json:"epochs,omitempty"`
	Rows   int                `json:"rows,omitempty"`
	Reject int                `json:"rejected,omitempty"`
	Bytes  int64              `json:"bytes,omitempty"`  // of the artifact that is being stored
	Scores map[string]float64 `json:"scores,omitempty"` // loss, val_loss, …
}

// Tried says up to where a training read the examples that led to no version, and would
// not if it read the same again.
type Tried struct {
	LastSeq       uint64    `json:"last_seq"`
	LastTime      time.Time `json:"last_time,omitzero"` // when that message was stored
	StreamCreated time.Time `json:"stream_created"`
	ModelCreated  time.Time `json:"model_created"`
}

// Verdict is the data of a "promoted", "rejected" or "unchanged" event that a training
// led to, and of "failed" with Error set.
type Verdict struct {
	ID         string             `json:"id"` // the training's
	Version    uint64             `json:"version,omitempty"`
	Champion   uint64             `json:"champion,omitempty"` // compared with; 0 if it was the first
	Metric     string             `json:"metric,omitempty"`
	Challenger map[string]float64 `json:"challenger_scores,omitempty"`
	Before     map[string]float64 `json:"champion_scores,omitempty"`
	Promoted   bool               `json:"promoted"`
	Why        string             `json:"why,omitempty"`
	Unchanged  bool               `json:"unchanged,omitempty"` // it gave the artifact of Version, which was the newest
	Tried      *Tried             `json:"tried,omitempty"`     // of a training by itself without a version
	Gate       *gate.Verdict      `json:"gate,omitempty"`      // its outcome is "no_gate" if the spec has none
	Error      *Error             `json:"error,omitempty"`
	Data       json.RawMessage    `json:"data,omitempty"`
}
