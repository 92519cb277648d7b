package wire

import (
	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

// Form is how a request was written; its answer is written likewise.
type Form uint8

// The forms of requests.
const (
	FormRows Form = iota
	FormOIP
	FormBinary
)

// A Request is what a prediction request asks besides its rows. It can be
// reused: decoding overwrites it.
type Request struct {
	Form    Form
	ID      string // OIP "id", else the Modelbus-Id header
	Rows    int
	Outputs []OutputWanted // OIP "outputs"; none: all
}

// OutputWanted is one requested OIP output.
type OutputWanted struct {
	Name   string
	Binary bool
}

// DecodeRequest appends the instances of a request to dst, an unlabelled frame
// of the model's schema, and fills req. On an error, which wraps [ErrInvalid],
// [feature.ErrInvalid] or [ErrTooLarge], dst is as it was. maxRows bounds the rows
// of one request.
func DecodeRequest(dst *feature.Frame, req *Request, header nats.Header, body []byte, maxRows int) error {
	panic("unbuilt")
}

// Answer names who answers.
type Answer struct {
	Model   string
	Version uint64
}

// EncodeReply fills header and body of msg with rows [lo, lo+req.Rows) of out,
// in req's form. It appends to msg.Data[:0].
func EncodeReply(msg *nats.Msg, req *Request, ans Answer, out *model.Output, lo int) error {
	panic("unbuilt")
}

// Predictions is a decoded answer in rows form.
type Predictions struct {
	Model   string
	Version uint64
	ID      string
	Values  []float64        // regression
	Labels  []Classification // classification
}

// Classification is one row's answer.
type Classification struct {
	Label  string             `json:"label"`
	Score  float64            `json:"score"`
	Scores map[string]float64 `json:"scores"`
}

// DecodeReply decodes an answer in rows form, or the error it carries.
func DecodeReply(msg *nats.Msg) (*Predictions, error) { panic("unbuilt") }

// EncodeInstances returns a request in rows form for rows [lo, hi) of f.
func EncodeInstances(f *feature.Frame, lo, hi int) ([]byte, error) { panic("unbuilt") }
