package learn

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A spot is where a row is in the training stream.
type spot struct {
	seq uint64
	row int // of the message
}

func (a spot) compare(b spot) int {
	return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.row, b.row))
}

// A sample draws rows from those it is shown, each with the same chance and none twice: it
// keeps those whose hashes are the smallest (bottom-k sampling; Cohen and Kaplan, "Summarizing
// data using bottom-k sketches", PODC 2007). Who else is shown the same rows, in any order,
// draws the same ones. It holds at most twice as many as it draws.
type sample struct {
	size  int // rows to draw
	key   uint64
	rows  *feature.Frame
	drawn []draw // of rows, in order
	limit uint64 // a larger hash is not among the smallest any more
}

// A draw is a row that may be drawn.
type draw struct {
	spot

	hash uint64
	body [sha256.Size]byte // digest of the message's payload
}

// newSample returns a sample of a training that ends with the message last: another training
// draws others.
func newSample(schema *feature.Schema, size int, seed, last uint64) *sample {
	return &sample{
		size: size, key: mix64(placeHash(last, 0) ^ mix64(seed)), limit: 1<<64 - 1,
		rows: feature.NewFrame(schema, true),
	}
}

// hash returns a number that a row is drawn by. Like placeHash it never changes.
func (s *sample) hash(at spot) uint64 { return mix64(placeHash(at.seq, at.row) + s.key) }

// wants reports whether the row may be drawn.
func (s *sample) wants(at spot) bool { return s.hash(at) <= s.limit }

// add takes a row that is wanted.
func (s *sample) add(at spot, row feature.Row, body [sha256.Size]byte) error {
	if err := s.rows.Append(row); err != nil {
		return err
	}
	s.drawn = append(s.drawn, draw{spot: at, hash: s.hash(at), body: body})
	if len(s.drawn) < 2*s.size {
		return nil
	}
	return s.thin()
}

// thin drops rows that are not drawn, and puts the others in the order of the stream.
func (s *sample) thin() error {
	order := make([]int, len(s.drawn))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(s.drawn[a].hash, s.drawn[b].hash), s.drawn[a].compare(s.drawn[b].spot))
	})
	if len(order) >= s.size {
		order = order[:s.size]
		s.limit = s.drawn[order[s.size-1]].hash
	}
	slices.SortFunc(order, func(a, b int) int { return s.drawn[a].compare(s.drawn[b].spot) })
	rows, drawn := feature.NewFrame(s.rows.Schema(), true), make([]draw, 0, len(order))
	for _, i := range order {
		if err := rows.AppendFrom(s.rows, i); err != nil {
			return err
		}
		drawn = append(drawn, s.drawn[i])
	}
	s.rows, s.drawn = rows, drawn
	return nil
}

// digest tells the drawn rows, with the messages that they came with, from any others.
func (s *sample) digest() string {
	sum := sha256.New()
	for i := range s.drawn {
		d := &s.drawn[i]
		var at [16]byte
		binary.BigEndian.PutUint64(at[:8], d.seq)
		binary.BigEndian.PutUint64(at[8:], uint64(d.row)) //nolint:gosec // not negative
		sum.Write(at[:])
		sum.Write(d.body[:])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// replay draws older examples, as many as the spec has for those of data, from message from
// on, and puts them before the others. Bad ones are left alone: they were dealt with when they
// were new.
func (r *reader) replay(ctx context.Context, spec *model.Spec, data *reading, from uint64) error {
	size := spec.Retrain.Older(data.train.Len())
	if size == 0 || data.begin.seq < from {
		return nil
	}
	s := newSample(r.schema, size, spec.Training.Seed, data.last)
	keep := holdoutOf(spec)
	old := &registry.Replayed{}
	f := follower{js: r.js, stream: r.stream, subject: r.subject}
	err := f.messages(ctx, from, data.begin.seq, func(seq uint64, msg jetstream.Msg) error {
		if old.FirstSeq == 0 {
			old.FirstSeq = seq
		}
		old.LastSeq = seq
		return r.draw(s, &keep, data.begin, seq, msg)
	})
	if err == nil {
		err = s.thin()
	}
	if err != nil {
		return fmt.Errorf("drawing older examples from stream %s: %w", r.stream, err)
	}
	if old.Examples = s.rows.Len(); old.Examples == 0 {
		return nil
	}
	old.DataDigest = s.digest()
	for i := range data.train.Len() {
		if err := s.rows.AppendFrom(data.train, i); err != nil {
			return err
		}
	}
	data.train, data.replayed = s.rows, old
	return nil
}

// draw shows s the rows of a message that are from before the window and not held out.
func (r *reader) draw(s *sample, keep *holdout, before spot, seq uint64, msg jetstream.Msg) error {
	var body [sha256.Size]byte
	summed := false
	var failed error
	_, _, err := wire.DecodeExamples(r.schema, msg.Headers(), msg.Data(), func(row int, v feature.Row) error {
		at := spot{seq, row}
		if at.compare(before) >= 0 || keep.holds(at) || !s.wants(at) {
			return nil
		}
		if !summed {
			body, summed = sha256.Sum256(msg.Data()), true
		}
		failed = errors.Join(failed, s.add(at, v, body))
		return nil
	})
	_ = err // of a message that cannot be read to its end, as of bad rows, what can be counts
	return failed
}
