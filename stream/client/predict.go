package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// maxRequestRows bounds the rows of one request, so that several servers
	// share a large call and none is busy with it for long.
	maxRequestRows = 4096

	// maxAnew bounds how often a call is asked anew because its version went
	// away before all was answered.
	maxAnew = 5

	requestHead = `{"instances":[`
	requestTail = `]}`
)

// Predict asks ref ("iris", "iris@3", "iris@canary") about instances, each a
// []float64, []float32, []any in feature order or a map[string]any by feature,
// or whatever else encoding/json writes as a list or object, such as a struct. What
// does not fit one message, as a request or as an answer, is asked in several; all
// are answered by one version. A single row that does not fit is an error that
// wraps [wire.ErrTooLarge].
func (c *Client) Predict(ctx context.Context, ref string, instances ...any) (*wire.Predictions, error) {
	if len(instances) == 0 {
		return nil, fmt.Errorf("predicting %s: %w: no instances", ref, wire.ErrInvalid)
	}
	rows := make([][]byte, len(instances))
	for i, v := range instances {
		var err error
		if rows[i], err = encodeInstance(v); err != nil {
			return nil, fmt.Errorf("predicting %s: %w: instance %d: %w", ref, wire.ErrInvalid, i, err)
		}
	}
	return c.predict(ctx, ref, rows)
}

func encodeInstance(v any) ([]byte, error) {
	switch v := v.(type) {
	case []float64:
		return encodeFloats(v, 64)
	case []float32:
		return encodeFloats(v, 32)
	}
	return json.Marshal(v)
}

func encodeFloats[T float32 | float64](values []T, bits int) ([]byte, error) {
	b := make([]byte, 0, 2+8*len(values))
	b = append(b, '[')
	for i, v := range values {
		f := float64(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("value %d: want a finite number, got %v", i, f)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, f, 'g', -1, bits)
	}
	return append(b, ']'), nil
}

// PredictFrame asks ref about all rows of f, like [Client.Predict].
func (c *Client) PredictFrame(ctx context.Context, ref string, f *feature.Frame) (*wire.Predictions, error) {
	if f.Len() == 0 {
		return nil, fmt.Errorf("predicting %s: %w: no rows", ref, wire.ErrInvalid)
	}
	rows := make([][]byte, f.Len())
	for i := range rows {
		body, err := wire.EncodeInstances(f, i, i+1)
		if err != nil {
			return nil, fmt.Errorf("predicting %s: %w", ref, err)
		}
		rows[i] = bytes.TrimSuffix(bytes.TrimPrefix(body, []byte(requestHead)), []byte(requestTail))
	}
	return c.predict(ctx, ref, rows)
}

// predict asks ref about rows, each in JSON.
func (c *Client) predict(ctx context.Context, ref string, rows [][]byte) (*wire.Predictions, error) {
	r, err := registry.ParseRef(ref)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.bound(ctx)
	defer cancel()
	answered := 0
	for range maxAnew {
		call := prediction{client: c, ref: r, limit: maxRequestRows, answered: answered}
		p, err := call.all(ctx, rows)
		answered = call.answered
		if !errors.Is(err, errGone) {
			return p, err
		}
	}
	return nil, fmt.Errorf("predicting %s: %w: its version changed, and the one before was gone, during each of %d attempts",
		ref, wire.ErrConflict, maxAnew)
}

// target is what of a ref stands in the subject.
func target(r registry.Ref) string {
	switch {
	case r.Version != 0:
		return strconv.FormatUint(r.Version, 10)
	case r.Alias == registry.Champion:
		return ""
	}
	return r.Alias
}

// errGone says that the version which answered the first part of a call is gone.
var errGone = errors.New("the version is gone")

// A prediction is one call, made of one request or several. All are answered by
// the version that answered the first: when another one answers, what is left is
// asked of that version by its number.
type prediction struct {
	client *Client
	ref    registry.Ref
	pinned bool // ref is the number of the version that answered first
	limit  int  // rows of a request

	answered int // requests, also those whose answers are not used
}

// all asks about all rows.
func (p *prediction) all(ctx context.Context, rows [][]byte) (*wire.Predictions, error) {
	var sum *wire.Predictions
	for done := 0; done < len(rows); {
		n := p.fit(rows[done:])
		part, err := p.part(ctx, rows[done:done+n])
		switch {
		case errors.Is(err, wire.ErrTooLarge) && n > 1:
			p.limit = n / 2
			continue
		case errors.Is(err, wire.ErrTooLarge):
			return nil, fmt.Errorf("row %d of %d does not fit one message alone: %w", done, len(rows), err)
		case p.pinned && errors.Is(err, wire.ErrNotFound):
			return nil, errGone
		case err != nil:
			return nil, inCall(err, done, len(rows))
		case sum == nil:
			sum = part
			sum.Requests = []wire.Asked{{ID: part.ID, Rows: part.Len()}}
		case part.Version != sum.Version && p.pinned:
			return nil, fmt.Errorf("asking version %d: %w: version %d answered", sum.Version, wire.ErrInternal, part.Version)
		case part.Version != sum.Version:
			p.ref = registry.Ref{Model: p.ref.Model, Version: sum.Version}
			p.pinned = true
			continue
		default:
			sum.Values = append(sum.Values, part.Values...)
			sum.Labels = append(sum.Labels, part.Labels...)
			sum.Requests = append(sum.Requests, wire.Asked{ID: part.ID, Rows: part.Len()})
		}
		done += n
	}
	if len(sum.Requests) == 1 {
		sum.Requests = nil
	}
	return sum, nil
}

// inCall says where in a call of several requests err happened: the server
// numbers the instances of one request.
func inCall(err error, first, rows int) error {
	if first == 0 {
		return err
	}
	return fmt.Errorf("in the request from row %d of %d on: %w", first, rows, err)
}

// fit returns how many of rows go into one message.
func (p *prediction) fit(rows [][]byte) int {
	size := len(requestHead) + len(requestTail)
	room := payloadRoom(p.client.nc.MaxPayload())
	n := 0
	for n < min(len(rows), p.limit) && (n == 0 || size+len(rows[n])+1 <= room) {
		size += len(rows[n]) + 1
		n++
	}
	return n
}

// payloadRoom returns what a message's headers leave of the maximum payload.
func payloadRoom(maxPayload int64) int {
	return int(maxPayload - min(4096, maxPayload/4))
}

func (p *prediction) part(ctx context.Context, rows [][]byte) (*wire.Predictions, error) {
	body := append([]byte(requestHead), bytes.Join(rows, []byte(","))...)
	body = append(body, requestTail...)
	if most := p.client.nc.MaxPayload(); int64(len(body)) > most {
		return nil, fmt.Errorf("%w: it makes a request of %d bytes, the NATS server takes %d", wire.ErrTooLarge, len(body), most)
	}
	subject := p.client.opts.Subjects.Predict(p.ref.Model, target(p.ref))
	msg, err := p.client.request(numbered(ctx, p.answered), subject, body)
	if err != nil {
		return nil, err
	}
	p.answered++
	out, err := wire.DecodeReply(msg)
	if err != nil {
		return nil, err
	}
	if out.Len() != len(rows) {
		return nil, fmt.Errorf("asking %s: %w: %d predictions for %d rows", subject, wire.ErrInternal, out.Len(), len(rows))
	}
	return out, nil
}

// Schema returns the features and label of a model.
func (c *Client) Schema(ctx context.Context, name string) (*feature.Schema, error) {
	info, err := c.Model(ctx, name, false)
	if err != nil {
		return nil, err
	}
	spec, err := model.ParseSpec(info.Model.Spec)
	if err != nil {
		return nil, fmt.Errorf("reading the spec of %s: %w", name, err)
	}
	return &spec.Schema, nil
}
