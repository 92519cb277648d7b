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

	// Labels that wait to be joined, of all models: more are refused.
	labelBytes = 64 << 20
)

// labelStreams are those for labels that come late: what was captured, each message
// for as long as the model's spec says, and labels that wait to be joined with it.
// common is what all streams have in common.
func labelStreams(subjects wire.Subjects, common jetstream.StreamConfig) []jetstream.StreamConfig {
	capture, label := common, common

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
	label.Duplicates = 2 * time.Minute

	return []jetstream.StreamConfig{capture, label}
}
