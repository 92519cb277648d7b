package wire

import (
	"bytes"
	"slices"

	"github.com/modelbus/modelbus/model/feature"
)

// longestHead bounds the JSON that is kept to be compared with.
const longestHead = 4 << 10

// A head is the JSON that a binary request had before its tensors, and what it said beyond
// inputs and outputs, which the request still has: clients send the same again and again.
type head struct {
	text    []byte // empty: none
	schema  *feature.Schema
	outputs int
	binary  bool // BinaryOutput
}

func (h *head) forget() { h.text, h.schema = h.text[:0], nil }

// remember keeps what doc says, if all that differs from one such request to the next one
// is behind it.
func (r *Request) remember(s *feature.Schema, doc []byte) {
	elsewhere := slices.ContainsFunc(r.inputs, func(t tensor) bool { return !t.parsed.size })
	if r.bodyID || elsewhere || len(doc) > longestHead {
		return
	}
	r.last = head{text: append(r.last.text, doc...), schema: s, outputs: len(r.Outputs), binary: r.BinaryOutput}
}

// repeat reports whether doc says the same as the one before, and if so has r say it.
func (r *Request) repeat(s *feature.Schema, doc []byte) bool {
	h := &r.last
	if h.schema != s || len(doc) == 0 || !bytes.Equal(h.text, doc) {
		return false
	}
	r.Form, r.Outputs, r.BinaryOutput = FormBinary, r.Outputs[:h.outputs], h.binary
	for i := range r.inputs {
		r.inputs[i].texts = r.inputs[i].texts[:0]
	}
	return true
}
