package learn

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const monitored = `
name: iris
features: [{name: x, type: number}]
label: {name: side, type: category}
retrain: {on: [drift], watch: 100, gate: {kind: stream}}
`

// A bench is a registry with a model of two versions, of which the first is the champion.
type bench struct {
	trainer *Trainer
	record  registry.Model
	spec    *model.Spec
}

func newBench(t *testing.T) *bench {
	t.Helper()
	nc := embeddedtest.Join(t, embeddedtest.Start(t))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := Setup(t.Context(), js, wire.Subjects{}, 0); err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Create(t.Context(), js, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := New(nc, reg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{trainer: trainer}
	if b.spec, err = model.ParseSpec([]byte(monitored)); err != nil {
		t.Fatal(err)
	}
	text, err := b.spec.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if b.record, err = reg.CreateModel(t.Context(), registry.Model{Name: "iris", Spec: text}); err != nil {
		t.Fatal(err)
	}
	digest, err := reg.PutArtifact(t.Context(), []byte("an artifact"))
	if err != nil {
		t.Fatal(err)
	}
	for _, alias := range []string{registry.Champion, registry.Challenger} {
		v := registry.Version{Model: "iris", Digest: digest}
		if _, err := reg.Publish(t.Context(), v, &registry.Promotion{Alias: alias}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// open opens a monitor, as whoever gets the lease does.
func (b *bench) open(t *testing.T) *monitor {
	t.Helper()
	m := &monitor{Trainer: b.trainer, name: "iris", created: b.record.Created, spec: b.spec}
	if err := m.open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.sub.Unsubscribe(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// events returns how many there are of each kind.
func (b *bench) events(t *testing.T) map[string]int {
	t.Helper()
	s, err := b.trainer.js.Stream(t.Context(), "KV_MODELBUS")
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter("$KV.MODELBUS.event.iris.>"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for subject := range info.State.Subjects {
		kind, _, _ := strings.Cut(strings.TrimPrefix(subject, "$KV.MODELBUS.event.iris."), ".")
		kinds[kind]++
	}
	return kinds
}

// What was decided is done by whoever finds it, once, wherever the one before died.
func TestDecisionsAreDoneOnce(t *testing.T) {
	t.Parallel()
	verdict := func(version uint64, promoted bool) *wire.Verdict {
		return &wire.Verdict{Version: version, Champion: 1, Promoted: promoted, Why: "so it was decided", Gate: &gate.Verdict{}}
	}
	tests := []struct {
		name   string
		decide func(m *monitor)
		kind   string // of the event that comes of it
		after  func(aliases map[string]registry.Move) bool
	}{
		{
			name: "promoted", decide: func(m *monitor) { m.state.Trial.Verdict = verdict(2, true) }, kind: "promoted",
			after: func(a map[string]registry.Move) bool { return a["champion"].To == 2 && a["challenger"].To == 0 },
		},
		{
			name: "rejected", decide: func(m *monitor) { m.state.Trial.Verdict = verdict(2, false) }, kind: "rejected",
			after: func(a map[string]registry.Move) bool { return a["champion"].To == 1 && a["challenger"].To == 0 },
		},
		{
			name: "rolled back", kind: "promoted",
			decide: func(m *monitor) {
				m.state.Trial = nil
				m.state.Watch = &watch{Version: 1, Before: 2, Verdict: verdict(2, true)}
				if err := m.nextRound(m.state.Watch); err != nil {
					panic(err)
				}
			},
			after: func(a map[string]registry.Move) bool { return a["champion"].To == 2 && a["champion"].Rollback },
		},
		{
			name: "drift", kind: "drift",
			decide: func(m *monitor) {
				m.state.Drift = &wire.ScoreDrift{Source: wire.SourceScore, Version: 1, Seq: 7}
				m.state.Announced = false
			},
			after: func(a map[string]registry.Move) bool { return a["champion"].To == 1 },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			first := b.open(t)
			if first.state.Trial == nil {
				t.Fatal("no trial has begun")
			}
			tt.decide(first)
			first.dirty = true
			if err := first.save(t.Context()); err != nil { // and it dies
				t.Fatal(err)
			}
			decided, revision, err := b.trainer.reg.Live(t.Context(), "iris")
			if err != nil {
				t.Fatal(err)
			}
			before := b.events(t)[tt.kind]
			check := func(when string) {
				t.Helper()
				m := b.open(t)
				if err := m.tick(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := b.events(t)[tt.kind] - before; got != 1 {
					t.Errorf("%s: %d events %s, want 1", when, got, tt.kind)
				}
				aliases, err := b.trainer.reg.Aliases(t.Context(), "iris")
				if err != nil || !tt.after(aliases) {
					t.Errorf("%s: the aliases are %+v, %v", when, aliases, err)
				}
				if tr := m.state.Trial; tr != nil && tr.Verdict != nil || m.state.Watch != nil && m.state.Watch.Verdict != nil {
					t.Errorf("%s: it is still to be done", when)
				}
				m.dirty = true
				if err := m.save(t.Context()); err != nil {
					t.Fatal(err)
				}
				revision = m.revision
			}
			check("after a death before it was done")
			if _, err := b.trainer.reg.PutLive(t.Context(), "iris", decided, revision); err != nil {
				t.Fatal(err)
			}
			check("after a death before it was noted as done")
			if tt.kind == "drift" && b.open(t).pending(6) == "" {
				t.Error("no training is due")
			}
		})
	}
}

// A champion that somebody made the champion again is not rolled back for what was decided before.
func TestRollbackLeavesAChoiceByHandAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open(t)
	m.state.Trial = nil
	m.state.Watch = &watch{Version: 1, Before: 2, Verdict: &wire.Verdict{Version: 2, Champion: 1, Promoted: true}}
	if err := m.nextRound(m.state.Watch); err != nil {
		t.Fatal(err)
	}
	if err := m.save(t.Context()); err != nil { // and it dies
		t.Fatal(err)
	}
	for _, version := range []uint64{2, 1} {
		if _, err := b.trainer.reg.Promote(t.Context(), "iris", registry.Champion, version, "ann", "I know"); err != nil {
			t.Fatal(err)
		}
	}
	if m = b.open(t); m.state.Watch != nil && m.state.Watch.Verdict != nil {
		t.Error("the rollback is still to be done")
	}
	if aliases, err := b.trainer.reg.Aliases(t.Context(), "iris"); err != nil || aliases[registry.Champion].To != 1 {
		t.Errorf("the aliases are %+v, %v, want version 1 the champion", aliases, err)
	}
}

// A message that is counted by half is not saved: whoever goes on counts all of it.
func TestHalfAMessageIsNotSaved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := &monitor{Trainer: b.trainer, name: "iris", created: b.record.Created, spec: b.spec}
	err := m.open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.state.Trial.Groups, err = newSlicing(&feature.Schema{Features: []feature.Feature{{Name: "gone"}}}, nil); err != nil {
		t.Fatal(err)
	}
	rows := feature.NewFrame(&b.spec.Schema, true)
	err = rows.Append(feature.Row{Values: []feature.Value{{Kind: feature.KindNumber, Num: 1}}, Label: feature.Value{Kind: feature.KindText, Text: "left"}})
	if err != nil {
		t.Fatal(err)
	}
	m.dirty = true
	before := m.revision
	if err := m.observe(t.Context(), arrival{seq: 1, rows: rows}); err == nil {
		t.Fatal("observe() = nil, want an error")
	}
	m.close(t.Context())
	if _, after, err := b.trainer.reg.Live(t.Context(), "iris"); err != nil || after != before {
		t.Errorf("the live record is at revision %d, %v, want %d", after, err, before)
	}
}

// A trigger of a stream that is gone is not due for as long as the new one has fewer messages.
func TestTriggerOfAnEarlierStream(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open(t)
	m.trigger(triggerDrift, "drift", 1000)
	m.state.Seq = 1000
	if err := m.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.trainer.js.DeleteStream(t.Context(), "MODELBUS_TRAIN"); err != nil {
		t.Fatal(err)
	}
	if err := Setup(t.Context(), b.trainer.js, wire.Subjects{}, 0); err != nil {
		t.Fatal(err)
	}
	m.wake()
	if err := m.tick(t.Context()); !errors.Is(err, errAnew) {
		t.Errorf("tick() = %v, want %v", err, errAnew)
	}
	if why := b.open(t).pending(50); why != "" {
		t.Errorf("a training is due because %q, want none", why)
	}
}

// What came while a training was under way counts for the next one.
func TestExamplesDuringATrainingCount(t *testing.T) {
	t.Parallel()
	r := &retrainer{spec: &model.Spec{Retrain: &model.Retrain{}}}
	j := &job{done: make(chan struct{}), unchanged: true, read: position{seq: 5}}
	close(j.done)
	f := &following{retrainer: r, job: j, began: position{seq: 5}, at: position{seq: 9}}
	f.settle(t.Context())
	if r.counted.seq != 5 {
		t.Errorf("counted from message %d, want 5, the last one that was trained on", r.counted.seq)
	}
}

// A panic in learning or following is an error.
func TestPanicInFollowing(t *testing.T) {
	t.Parallel()
	r := &retrainer{log: zerolog.Nop()}
	if err := r.safely(func() error { panic("no") }); !errors.Is(err, ErrPanic) {
		t.Errorf("safely() = %v, want %v", err, ErrPanic)
	}
}

// Two that take each other for dead do not both count.
func TestMonitorsDoNotOverwriteEachOther(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second := b.open(t), b.open(t)
	first.dirty, second.dirty = true, true
	if err := second.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.save(t.Context()); err == nil {
		t.Error("the first one has saved after the second")
	}
}

// A version is not scored on what it was trained on, also if that came after the monitor
// began.
func TestTrainedToTheEndOfTheStream(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open(t)
	for range 5 {
		if _, err := b.trainer.js.Publish(t.Context(), "modelbus.train.iris", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ last, want uint64 }{{3, 3}, {5, 5}, {9, 0}} { // the last of a stream that is gone
		got, err := m.trainedTo(t.Context(), &registry.Version{Created: time.Now(), Lineage: registry.Lineage{LastSeq: tt.last}})
		if err != nil || got != tt.want {
			t.Errorf("trained to %d: %d, %v, want %d", tt.last, got, err, tt.want)
		}
	}
}

// A cutter that remembers.
type cuts []string

func (c *cuts) cut(why string) { *c = append(*c, why) }

func TestOnlineVersionsAreCutOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open(t)
	var got cuts
	m.cutter = &got
	data := json.RawMessage(`{"source":"features"}`)
	if err := b.trainer.reg.Announce(t.Context(), registry.Event{Model: "iris", Kind: "drift", ID: "features-1", Data: data}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		m.wake()
		if err := m.tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 1 || got[0] != "drift of its features" {
		t.Errorf("cut for %q, want once for drift", got)
	}
}

// A trial that ends because another version takes its place, or by hand, has an event of its own, once.
func TestTrialThatEndsUndecided(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(b *bench, v registry.Version) error
		next uint64 // on trial after it, and the challenger
	}{
		{"another challenger", func(b *bench, v registry.Version) error {
			_, err := b.trainer.reg.Publish(t.Context(), v, &registry.Promotion{Alias: registry.Challenger, If: 2}, nil)
			return err
		}, 3},
		{"the alias was removed", func(b *bench, _ registry.Version) error {
			return b.trainer.reg.RemoveAlias(t.Context(), "iris", registry.Challenger, "ann", "no")
		}, 0},
		{"no gate any more", func(b *bench, _ registry.Version) error {
			spec := *b.spec
			retrain := *spec.Retrain
			retrain.Gate = nil
			spec.Retrain, b.spec = &retrain, &spec
			return nil
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			m := b.open(t)
			if m.state.Trial == nil || m.state.Trial.Version != 2 {
				t.Fatalf("on trial is %+v, want version 2", m.state.Trial)
			}
			id := m.state.Trial.event()
			if err := m.save(t.Context()); err != nil { // and it dies
				t.Fatal(err)
			}
			v, err := b.trainer.reg.Resolve(t.Context(), registry.Ref{Model: "iris", Version: 2})
			if err == nil {
				err = tt.end(b, v)
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // who goes on dies, too, before it has saved that
				m = b.open(t)
			}
			e, ok, err := b.trainer.reg.LastEvent(t.Context(), "iris", kindRejected)
			if err != nil || !ok || e.ID != id || !strings.Contains(string(e.Data), `"version":2`) {
				t.Errorf("the event is %+v, %v, want that version 2 is rejected", e, err)
			}
			if got := b.events(t)[kindRejected]; got != 1 {
				t.Errorf("%d events, want 1", got)
			}
			if next := m.state.Trial; next == nil && tt.next != 0 || next != nil && next.Version != tt.next {
				t.Errorf("on trial is %+v, want version %d", next, tt.next)
			}
			aliases, err := b.trainer.reg.Aliases(t.Context(), "iris")
			if got := aliases[registry.Challenger].To; err != nil || got != tt.next {
				t.Errorf("the challenger is version %d, %v, want %d", got, err, tt.next)
			}
		})
	}
}

// A version that the champion was rolled back from is not promoted again by a training that nobody
// asked for, also if that gives its artifact once more.
func TestRolledBackVersionThatComesAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, reg := t.Context(), b.trainer.reg
	if _, err := reg.Promote(ctx, "iris", registry.Champion, 2, "ann", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Rollback(ctx, "iris", registry.Champion, "ann", "it is worse"); err != nil {
		t.Fatal(err)
	}
	for trigger, want := range map[string]bool{"": true, "100 new examples": false} {
		tr := &training{Trainer: b.trainer, job: &job{model: "iris", trigger: trigger}}
		out := outcome{Verdict: wire.Verdict{Champion: 1, Promoted: true, Why: "it is better"}}
		if err := tr.repeats(ctx, &out, 2); err != nil || out.Promoted != want || !out.Unchanged {
			t.Errorf("trained because %q: %+v, %v, want promoted %v", trigger, out.Verdict, err, want)
		}
	}
}
