package wire

import (
	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
)

// RowProblem is one example of a batch that cannot be used.
type RowProblem struct {
	Row int // in the message
	Err error
}

// DecodeExamples calls add for each example of a training message, in order;
// the row is valid during the call, and its values stand in the schema's order. A row whose values cannot be read, or
// that add refuses, is returned as a problem and the rest goes on; err is for a
// message that cannot be read at all. Forms: {"features": …, "label": …,
// "weight"?}; {"instances": […], "labels": […], "weights"?: […]}; OIP, JSON or
// binary, with inputs "features" and "labels" (and "weights").
func DecodeExamples(s *feature.Schema, header nats.Header, body []byte, add func(row int, r feature.Row) error) (rows int, problems []RowProblem, err error) {
	panic("unbuilt")
}

// EncodeExamples fills msg with rows [lo, hi) of a labelled frame as one batch,
// in the most compact form: OIP with binary tensors where every feature is a
// number or vector, else rows.
func EncodeExamples(msg *nats.Msg, f *feature.Frame, lo, hi int) error { panic("unbuilt") }

// ExampleRow returns example row of a training message as a message of its own,
// for the dead subject.
func ExampleRow(header nats.Header, body []byte, row int) ([]byte, error) { panic("unbuilt") }
