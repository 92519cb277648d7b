package learn

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// What is captured, of all models: the oldest goes first. The server keeps
	// an index of all ids in memory, about 150 bytes each.
	captureBytes    = 1 << 30
	captureMessages = 1_000_000

	// Which of it has labels. An older message than what is captured is not needed.
	joinBytes = 256 << 20

	// Labels that wait to be joined, of all models, and of one: more are refused.
	labelBytes    = 32 << 20
	labelMessages = 131072
)

// labelStreams are those for labels that come late: what was captured, each message
// for as long as the model's spec says, labels that wait to be joined with it, and which
// of it was joined. That is apart from what was captured, as it must outlive a crash.
// common is what all streams have in common.
func labelStreams(subjects wire.Subjects, common jetstream.StreamConfig) []jetstream.StreamConfig {
	capture, label, join := common, common, common

	capture.Name = subjects.Stream("CAPTURE")
	capture.Description = "answered requests, kept for labels that come late"
	capture.Subjects = []string{subjects.Capture("*", "*")}
	capture.MaxMsgsPerSubject = 1
	capture.MaxBytes = captureBytes
	capture.MaxMsgs = captureMessages
	capture.AllowMsgTTL = true
	capture.Compression = jetstream.NoCompression
	if capture.Replicas == 1 {
		// What a crash takes was captured a moment before: its label is of an
		// unknown id. To sync each request to disk would cost far more.
		capture.PersistMode = jetstream.AsyncPersistMode
	}

	label.Name = subjects.Stream("LABEL")
	label.Description = "labels that wait to be joined with what was captured"
	label.Subjects = []string{subjects.Label("*")}
	label.Retention = jetstream.WorkQueuePolicy
	label.Discard = jetstream.DiscardNew
	label.MaxBytes = labelBytes
	label.MaxMsgsPerSubject = labelMessages
	label.DiscardNewPerSubject = true
	label.Duplicates = 2 * time.Minute

	join.Name = subjects.Stream("JOIN")
	join.Description = "which of what was captured has labels"
	join.Subjects = []string{subjects.Join("*", "*")}
	join.MaxMsgsPerSubject = 1
	join.Discard = jetstream.DiscardNew // who finds it full makes room: see joiner
	join.MaxBytes = joinBytes
	join.MaxMsgs = captureMessages
	join.AllowMsgTTL = true

	return []jetstream.StreamConfig{label, capture, join}
}
