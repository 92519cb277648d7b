package learn

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A stub is a message of a stream.
type stub struct {
	jetstream.Msg

	body string
}

func (s stub) Data() []byte         { return []byte(s.body) }
func (s stub) Headers() nats.Header { return nil }

var errFull = errors.New("the disk is full")

func openSpec(t *testing.T) *model.Spec {
	t.Helper()
	spec, err := model.ParseSpec([]byte("name: iris\nfeatures: [{name: x, type: number}]\n" +
		"label: {name: side, type: category}\nretrain: {mode: online, every: 1h}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// pupilOf returns a pupil that waits for rows to show the classes, with 20 of them.
func pupilOf(t *testing.T, spec *model.Spec) *pupil {
	t.Helper()
	p, err := newPupil(spec, nil, &registry.Lineage{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		d := &delivery{seq: uint64(i + 1), msg: stub{body: fmt.Sprint(i)}, rows: feature.NewFrame(&spec.Schema, true), places: []int{0}}
		row := feature.Row{
			Values: []feature.Value{{Kind: feature.KindNumber, Num: float64(i)}},
			Label:  feature.Value{Kind: feature.KindText, Text: [...]string{"left", "right"}[i%2]},
		}
		if err := d.rows.Append(row); err != nil {
			t.Fatal(err)
		}
		if kept, err := p.take(d); !kept || err != nil {
			t.Fatalf("take() = %v, %v, want it to wait", kept, err)
		}
	}
	return p
}

// sessionOf returns a session that has taken all that the pupil has.
func sessionOf(tr *Trainer, spec *model.Spec, p *pupil) *session {
	o := newOnline(&retrainer{Trainer: tr, name: "iris", spec: spec}, nil)
	return &session{online: o, pupil: p, at: 20, due: &due{}, dead: &deadLetters{}, stored: make(chan stored, 1), intake: newIntake()}
}

// Rows that waited for the learner to start and could not be counted are not passed over: the
// session ends, and whoever goes on learns all of them.
func TestStartThatFailsEndsTheSession(t *testing.T) {
	t.Parallel()
	spec := openSpec(t)
	for _, tt := range []struct {
		name    string
		prepare func(s *session)
	}{
		{"by the clock", func(s *session) { s.due = &due{time: time.Now().Add(-time.Hour), reason: "1h0m0s have passed"} }},
		{"on request", func(s *session) {
			s.ask(&wish{id: "a", known: true, end: 20, reply: func(v *wire.Verdict, err error) { t.Errorf("it is answered: %+v, %v", v, err) }})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := pupilOf(t, spec)
			learned := 0
			p.done = func(*delivery, *model.Lesson) error {
				if learned++; learned == 5 {
					return errFull
				}
				return nil
			}
			s := sessionOf(nil, spec, p)
			tt.prepare(s)
			if _, err := s.consider(t.Context(), time.Now()); !errors.Is(err, errFull) {
				t.Errorf("consider() = %v, want %v: only %d rows were learned", err, errFull, learned)
			}
		})
	}
}

// A change that was noticed at an example which is learned again has a version cut there, not before.
func TestTriggerAheadOfTheLearner(t *testing.T) {
	t.Parallel()
	spec := openSpec(t)
	s := sessionOf(nil, spec, nil)
	s.monitor = &monitor{spec: spec}
	for _, tt := range []struct {
		name string
		last wire.LiveTrigger
		want string
	}{
		{"at what was learned", wire.LiveTrigger{Kind: triggerDrift, Seq: 20}, "drift"},
		{"ahead", wire.LiveTrigger{Kind: triggerDrift, Seq: 21}, ""},
		{"a score ahead", wire.LiveTrigger{Kind: triggerScore, Seq: 21}, ""},
	} {
		s.online.cut("drift")
		s.monitor.state.Trigger = &tt.last
		if got := s.signal(); got != tt.want {
			t.Errorf("%s: signal() = %q, want %q", tt.name, got, tt.want)
		}
	}
	s.at = 21
	if got := s.signal(); got != "drift" {
		t.Errorf("when the example is learned, signal() = %q, want what was noticed there", got)
	}
}

// Messages without a usable row do not pile up before the learner starts.
func TestUnusableMessagesDoNotWait(t *testing.T) {
	t.Parallel()
	spec := openSpec(t)
	p := pupilOf(t, spec)
	buried := 0
	p.refused = func(*delivery) error {
		buried++
		return nil
	}
	for i := range 100 {
		d := &delivery{seq: uint64(21 + i), msg: stub{body: "{"}, rows: feature.NewFrame(&spec.Schema, true), err: wire.ErrInvalid}
		if kept, err := p.take(d); kept || err != nil {
			t.Fatalf("take() = %v, %v, want it not kept", kept, err)
		}
	}
	if len(p.waiting) != 20 || buried != 100 || p.stretch.rejected != 100 || p.stretch.last != 120 {
		t.Errorf("%d messages wait, %d are buried, %d rejected up to message %d, want 20, 100, 100, 120",
			len(p.waiting), buried, p.stretch.rejected, p.stretch.last)
	}
}

// A request whose version could not be begun is taken again when it is made again.
func TestRequestOutlivesAFailedCut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	late, other := b.open(t), b.open(t)
	late.dirty, other.dirty = true, true
	if err := other.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	spec := openSpec(t)
	s := sessionOf(b.trainer, spec, pupilOf(t, spec))
	s.monitor = late
	ask := func() *wish {
		return &wish{id: "a", known: true, end: 20, reply: func(v *wire.Verdict, err error) { t.Errorf("it is answered: %+v, %v", v, err) }}
	}
	s.ask(ask())
	if _, err := s.consider(t.Context(), time.Now()); !errors.Is(err, registry.ErrConflict) {
		t.Fatalf("consider() = %v, want %v, as another one saved", err, registry.ErrConflict)
	}
	s.ask(ask())
	if !s.waited() {
		t.Error("the request that was made again is not carried out")
	}
}

// A request that waits for examples which are purged then ends where the rest does.
func TestRequestOutlivesAPurge(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	publish := func() {
		for range 5 {
			if _, err := b.trainer.js.Publish(t.Context(), "modelbus.train.iris", []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish()
	spec := openSpec(t)
	s := sessionOf(b.trainer, spec, pupilOf(t, spec))
	s.at = 2
	s.ask(&wish{id: "a"})
	if err := s.look(t.Context()); err != nil || s.wanted(false, 4) != nil || s.wanted(false, 5) == nil {
		t.Fatalf("look() = %v, want the request to wait for message 5", err)
	}
	stream, err := b.trainer.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	publish() // later ones are not waited for
	if err := s.look(t.Context()); err != nil || s.wanted(false, 2) == nil {
		t.Errorf("look() = %v, want the request to end at message 2", err)
	}
}

// A lease that was taken, but for the answer that was lost, is taken on.
func TestLeaseIsTakenAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	l, err := b.trainer.acquire(t.Context(), "iris")
	if err != nil || l == nil {
		t.Fatalf("acquire() = %v, %v, want a lease", l, err)
	}
	again := *l
	again.revision = 0
	if err := again.take(t.Context()); err != nil || again.revision != l.revision {
		t.Errorf("take() again = %v at revision %d, want that of %d", err, again.revision, l.revision)
	}
	if other, err := b.trainer.acquire(t.Context(), "iris"); other != nil || err != nil {
		t.Errorf("acquire() of another = %v, %v, want none", other, err)
	}
}

// Of two in one process only one has a lease, also if the server forgot that the first one had it.
func TestLeaseOfOneProcessIsHeldOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, err := b.trainer.acquire(t.Context(), "iris")
	if err != nil || first == nil {
		t.Fatalf("acquire() = %v, %v, want a lease", first, err)
	}
	if err := b.trainer.js.DeleteKeyValue(t.Context(), "MODELBUS_LEASE"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.trainer.acquire(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	second, err := b.trainer.acquire(t.Context(), "iris")
	if err != nil || second == nil {
		t.Fatalf("acquire() after it was forgotten = %v, %v, want a lease", second, err)
	}
	if err := first.renew(t.Context()); !errors.Is(err, errLeaseLost) {
		t.Errorf("renew() of the first = %v, want %v", err, errLeaseLost)
	}
	if err := second.renew(t.Context()); err != nil {
		t.Errorf("renew() of the second = %v", err)
	}
}
