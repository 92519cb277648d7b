package serve

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

// plausible returns a row that most models of the schema accept.
func plausible(s *feature.Schema) feature.Row {
	row := feature.Row{Values: make([]feature.Value, len(s.Features))}
	for i := range s.Features {
		f := &s.Features[i]
		switch f.Type {
		case feature.Number:
			row.Values[i] = feature.Value{Kind: feature.KindNumber, Num: 1}
		case feature.Boolean:
			row.Values[i] = feature.Value{Kind: feature.KindBool}
		case feature.Vector:
			row.Values[i] = feature.Value{Kind: feature.KindVector, Vector: make([]float32, f.Size)}
		case feature.Category:
			row.Values[i] = feature.Value{Kind: feature.KindText, Text: "unknown"}
			if len(f.Vocabulary) > 0 {
				row.Values[i].Text = f.Vocabulary[0]
			}
		}
	}
	return row
}

// keepRows is how many times the batch limit a frame may have held to be kept.
const keepRows = 8

// modelBatch is a frame of requests and the predictor that computes it.
type modelBatch struct {
	answer    wire.Answer
	limits    limits
	frame     *feature.Frame
	predictor *model.Predictor
	requests  []wire.Request // [0, n) are of this batch; the rest is kept for its memory
	n         int
	out       *model.Output     // of the last run
	said      drift.Predictions // scratch
}

func newModelBatch(m *model.Model, ans wire.Answer, lim limits) *modelBatch {
	return &modelBatch{
		answer: ans, limits: lim,
		frame:     feature.NewFrame(m.Schema(), false),
		predictor: m.NewPredictor(),
	}
}

// warm predicts one made-up row. A schema that takes none (a category without a
// fixed vocabulary and without a policy for the unknown) is not warmed.
func (b *modelBatch) warm() error {
	defer b.reset()
	err := b.frame.Append(plausible(b.frame.Schema()))
	if err == nil {
		err = b.run(0, b.frame.Len(), nil)
	}
	if err != nil && !errors.Is(err, feature.ErrInvalid) {
		return fmt.Errorf("warming up: %w", err)
	}
	return nil
}

func (b *modelBatch) add(m *nats.Msg) (int, error) {
	if b.n == len(b.requests) {
		b.requests = append(b.requests, wire.Request{})
	}
	req := &b.requests[b.n]
	if err := wire.DecodeRequest(b.frame, req, m.Header, m.Data, b.limits.request); err != nil {
		return 0, err
	}
	b.n++
	return req.Rows, nil
}

func (b *modelBatch) run(lo, hi int, pause func()) error {
	f := b.frame
	if lo > 0 || hi < f.Len() {
		f = f.Range(lo, hi)
	}
	out, err := b.predictor.PredictInPieces(f, b.limits.batch, pause)
	b.out = out
	return err
}

func (b *modelBatch) encode(msg *nats.Msg, i, row int) error {
	return wire.EncodeReply(msg, &b.requests[i], b.answer, b.out, row)
}

func (b *modelBatch) sample(w *drift.Window, rows []int, base int) error {
	b.said = drift.Predictions{Numbers: b.said.Numbers[:0], Classes: b.said.Classes[:0], Scores: b.said.Scores[:0]}
	for _, r := range rows {
		b.out.AppendPrediction(&b.said, r-base)
	}
	if err := w.Add(b.frame, rows); err != nil {
		return err
	}
	return w.AddPredictions(b.said)
}

func (b *modelBatch) tell(dst []wire.Outcome, row, n int) []wire.Outcome {
	return wire.Outcomes(dst, b.out, row, n)
}

func (b *modelBatch) reset() bool {
	keep := b.frame.Len() <= keepRows*b.limits.batch
	b.frame.Reset()
	b.n = 0
	b.out = nil
	return keep
}
