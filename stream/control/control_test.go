package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/control"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	patience = 30 * time.Second

	spec = `
name: iris
features:
  - {name: x, type: number}
  - {name: y, type: number}
label: {name: side, type: category}
network:
  - Dense: {units: 4, activation: relu}
training: {epochs: 2}
`
	slow = `
name: slow
features: [{name: x, type: number}]
label: {name: y, type: number}
training: {epochs: 1000000}
`
)

// A deployment is a server with a running controller, and a trainer unless it has none.
type deployment struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	reg  *registry.Registry
	ctl  *control.Controller
	stop func()
}

func deploy(t *testing.T, trains bool) *deployment {
	t.Helper()
	d := &deployment{nc: embeddedtest.Connect(t)}
	var err error
	if d.js, err = jetstream.New(d.nc); err != nil {
		t.Fatal(err)
	}
	if err := learn.Setup(t.Context(), d.js, wire.Subjects{}, 0); err != nil {
		t.Fatal(err)
	}
	if d.reg, err = registry.Create(t.Context(), d.js, registry.Options{}); err != nil {
		t.Fatal(err)
	}
	settle(t, d.reg)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var trainer *learn.Trainer
	if trains {
		if trainer, err = learn.New(d.nc, d.reg, learn.Options{}); err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if err := trainer.Run(ctx); err != nil {
				t.Errorf("the trainer's Run() = %v, want nil", err)
			}
		})
	}
	d.ctl = control.New(d.nc, d.reg, trainer, control.Options{})
	running.Go(func() {
		if err := d.ctl.Run(ctx); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
	d.stop = func() { cancel(); running.Wait() }
	t.Cleanup(d.stop)
	select {
	case <-d.ctl.Ready():
	case <-time.After(patience):
		t.Fatal("the controller is not ready")
	}
	return d
}

// settle waits until the registry's stream of events follows its bucket: a server
// that ends before that leaves a goroutine waiting for half a minute.
func settle(t *testing.T, reg *registry.Registry) {
	t.Helper()
	if err := reg.Announce(t.Context(), registry.Event{Model: "deployment", Kind: "started", ID: "1"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	arrived := errors.New("arrived")
	err := reg.Events(ctx, "deployment", 1, func(uint64, registry.Event) error { return arrived })
	if !errors.Is(err, arrived) {
		t.Fatalf("no event has reached the stream of events: %v", err)
	}
}

// ask sends one request; into may be nil.
func (d *deployment) ask(t *testing.T, subject, body string, into any) error {
	t.Helper()
	msg, err := d.nc.Request("modelbus.control."+subject, []byte(body), patience)
	if err != nil {
		t.Fatalf("asking %s: %v", subject, err)
	}
	if err := wire.ErrorFrom(msg); err != nil {
		return err
	}
	if into == nil {
		into = new(map[string]any)
	}
	if err := json.Unmarshal(msg.Data, into); err != nil {
		t.Fatalf("%s answered %s: %v", subject, msg.Data, err)
	}
	return nil
}

func (d *deployment) must(t *testing.T, subject, body string, into any) {
	t.Helper()
	if err := d.ask(t, subject, body, into); err != nil {
		t.Fatalf("%s %s: %v", subject, body, err)
	}
}

func creation(t *testing.T, text string) string {
	t.Helper()
	body, err := json.Marshal(wire.CreateRequest{Spec: text, Who: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func (d *deployment) examples(t *testing.T, model string, n int) {
	t.Helper()
	for i := range n {
		body := fmt.Sprintf(`{"features": [%d, 1], "label": "%c"}`, i, 'a'+i%2)
		if model == "slow" {
			body = fmt.Sprintf(`{"features": [%d], "label": %d}`, i, i)
		}
		if _, err := d.js.Publish(t.Context(), "modelbus.train."+model, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
}

// train asks for a training and waits for its version or failure.
func (d *deployment) train(t *testing.T, model string) {
	t.Helper()
	sub, err := d.nc.SubscribeSync("modelbus.event." + model + ".*.*")
	if err != nil {
		t.Fatal(err)
	}
	var reply wire.TrainReply
	d.must(t, "train."+model, "", &reply)
	if reply.State != "started" || reply.ID == "" {
		t.Fatalf("train answered %+v, want a started training", reply)
	}
	for {
		msg, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		switch kind := strings.Split(msg.Subject, ".")[3]; kind {
		case "promoted", "rejected":
			if err := sub.Unsubscribe(); err != nil {
				t.Fatal(err)
			}
			return
		case "failed":
			t.Fatalf("the training failed: %s", msg.Data)
		}
	}
}

// put registers a version of a model without training it.
func (d *deployment) put(t *testing.T, model, artifact string, champion bool) {
	t.Helper()
	digest, err := d.reg.PutArtifact(t.Context(), []byte(artifact))
	if err != nil {
		t.Fatal(err)
	}
	var promotion *registry.Promotion
	if champion {
		promotion = &registry.Promotion{Alias: registry.Champion}
		if v, err := d.reg.Resolve(t.Context(), registry.Ref{Model: model}); err == nil {
			promotion.If = v.Number
		}
	}
	if _, err := d.reg.Publish(t.Context(), registry.Version{Model: model, Digest: digest}, promotion, nil); err != nil {
		t.Fatal(err)
	}
}

func TestModelsComeAndGo(t *testing.T) {
	d := deploy(t, true)
	var made wire.ModelInfo
	d.must(t, "create", creation(t, spec), &made)
	if made.Model.Name != "iris" || made.Revision == 0 || made.Model.Source != spec || !json.Valid(made.Model.Spec) {
		t.Errorf("create answered %+v, want the model with its revision, source and spec", made)
	}
	d.examples(t, "iris", 20)
	d.examples(t, "other", 3)

	var list wire.ListReply
	d.must(t, "list", "", &list)
	if len(list.Models) != 1 || list.Models[0].Model.Name != "iris" || list.Models[0].Examples != 20 {
		t.Errorf("list answered %+v, want iris with 20 examples", list)
	}

	d.train(t, "iris")
	d.train(t, "iris")
	var info wire.ModelInfo
	d.must(t, "show.iris", `{"history": true}`, &info)
	if len(info.Versions) != 2 || info.Examples != 20 || len(info.History) == 0 || info.Training != nil {
		t.Errorf("show answered %+v, want 2 versions, 20 examples and moves", info)
	}
	if info.Aliases[registry.Champion].To == 0 {
		t.Errorf("aliases %+v, want a champion", info.Aliases)
	}

	changed := strings.Replace(spec, "epochs: 2", "epochs: 3", 1)
	var updated wire.ModelInfo
	d.must(t, "update.iris", creation(t, changed), &updated)
	if updated.Revision <= made.Revision || updated.Model.Source != changed {
		t.Errorf("update answered %+v, want a later revision than %d and the new source", updated, made.Revision)
	}

	d.must(t, "delete.iris", `{"who": "ann", "why": "test"}`, nil)
	d.must(t, "list", "", &list)
	if len(list.Models) != 0 {
		t.Errorf("after delete, list answered %+v", list)
	}
	s, err := d.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.Msgs; got != 3 {
		t.Errorf("%d training messages are left, want the 3 of another model", got)
	}
}

func TestDeleteKeepsExamples(t *testing.T) {
	d := deploy(t, false)
	d.must(t, "create", creation(t, spec), nil)
	d.examples(t, "iris", 5)
	d.must(t, "delete.iris", `{"keep_examples": true}`, nil)
	var info wire.ModelInfo
	d.must(t, "create.iris", creation(t, spec), &info)
	if info.Examples != 5 {
		t.Errorf("%d examples after delete with keep_examples, want 5", info.Examples)
	}
	// What a delete left behind goes when it is asked again.
	d.must(t, "delete.iris", `{"keep_examples": true}`, nil)
	d.must(t, "delete.iris", "", nil)
	if err := d.ask(t, "delete.iris", "", nil); err == nil {
		t.Error("delete of nothing succeeded")
	}
}

func TestAliases(t *testing.T) {
	d := deploy(t, false)
	d.must(t, "create", creation(t, spec), nil)
	d.put(t, "iris", "one", true)
	d.put(t, "iris", "two", true)

	var move registry.Move
	d.must(t, "promote.iris", `{"version": 1, "alias": "canary", "who": "ann", "why": "try"}`, &move)
	if move.Alias != "canary" || move.To != 1 || move.Who != "ann" || move.Why != "try" {
		t.Errorf("promote answered %+v, want canary at version 1 by ann", move)
	}
	d.must(t, "rollback.iris", `{"why": "worse"}`, &move)
	if move.Alias != registry.Champion || move.From != 2 || move.To != 1 {
		t.Errorf("rollback answered %+v, want the champion from 2 to 1", move)
	}
	d.must(t, "promote.iris", `{"version": 2}`, &move)
	if move.Alias != registry.Champion || move.To != 2 {
		t.Errorf("promote answered %+v, want the champion at 2", move)
	}
	d.must(t, "unalias.iris", `{"alias": "canary"}`, nil)
	var info wire.ModelInfo
	d.must(t, "show.iris", "{}", &info)
	if _, ok := info.Aliases["canary"]; ok || info.Aliases[registry.Champion].To != 2 {
		t.Errorf("aliases %+v, want the champion at 2 alone", info.Aliases)
	}
}

func TestTrainings(t *testing.T) {
	d := deploy(t, true)
	d.must(t, "create", creation(t, slow), nil)
	d.examples(t, "slow", 20)
	var first, second wire.TrainReply
	d.must(t, "train.slow", `{"who": "ann", "seed": 3}`, &first)
	d.must(t, "train.slow", "", &second)
	if second.ID != first.ID || second.State != "running" {
		t.Errorf("train again answered %+v, want %s running", second, first.ID)
	}
	var info wire.ModelInfo
	d.must(t, "show.slow", "", &info)
	if info.Training == nil || info.Training.ID != first.ID {
		t.Errorf("show answers training %+v, want %s", info.Training, first.ID)
	}
	d.must(t, "cancel.slow", "", nil)
}

func TestWrongRequests(t *testing.T) {
	d := deploy(t, true)
	d.must(t, "create", creation(t, spec), nil)
	d.put(t, "iris", "one", true)
	untrained := strings.Replace(spec, "iris", "fresh", 1)
	d.must(t, "create", creation(t, untrained), nil)
	revision, err := json.Marshal(wire.CreateRequest{Spec: spec, Revision: 1})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		subject string
		body    string
		code    string
		says    []string // all of them
	}{
		{name: "unknown verb", subject: "retrain.iris", code: "not_found", says: []string{`"retrain"`, "train", "rollback"}},
		{name: "too many tokens", subject: "show.iris.1", code: "invalid", says: []string{"iris.1"}},
		{name: "no model", subject: "show", code: "invalid", says: []string{"modelbus.control.show.<model>"}},
		{name: "a model too many", subject: "list.iris", code: "invalid", says: []string{"modelbus.control.list"}},
		{name: "unknown model", subject: "show.irs", code: "not_found", says: []string{"irs", "iris", "fresh"}},
		{name: "unknown model to train", subject: "train.irs", code: "not_found", says: []string{"iris"}},
		{name: "unknown model to cancel", subject: "cancel.irs", code: "not_found", says: []string{"iris"}},
		{name: "unknown model to update", subject: "update", body: creation(t, strings.Replace(spec, "iris", "irs", 1)), code: "not_found", says: []string{"iris"}},
		{name: "unknown model to delete", subject: "delete.irs", code: "not_found", says: []string{"iris"}},
		{name: "no training", subject: "cancel.iris", code: "not_found", says: []string{"no training of iris"}},
		{name: "malformed", subject: "show.iris", body: `{"history": tru}`, code: "invalid", says: []string{"invalid character", "history"}},
		{name: "cut off", subject: "show.iris", body: `{"history"`, code: "invalid", says: []string{"ends too early"}},
		{name: "two documents", subject: "show.iris", body: `{} {}`, code: "invalid", says: []string{"more after"}},
		{name: "not an object", subject: "show.iris", body: `[1]`, code: "invalid", says: []string{"array"}},
		{name: "unknown field", subject: "train.iris", body: `{"sed": 1}`, code: "invalid", says: []string{`"sed"`, "seed", "no_promote"}},
		{name: "unknown field of none", subject: "cancel.iris", body: `{"why": 1}`, code: "invalid", says: []string{`"why"`}},
		{name: "wrong type", subject: "promote.iris", body: `{"version": "one"}`, code: "invalid", says: []string{`"version"`, "string"}},
		{name: "negative version", subject: "promote.iris", body: `{"version": -1}`, code: "invalid", says: []string{`"version"`}},
		{name: "no version", subject: "promote.iris", body: `{}`, code: "invalid", says: []string{"no version"}},
		{name: "unknown version", subject: "promote.iris", body: `{"version": 9}`, code: "not_found", says: []string{"version 9", "version 1", "alias champion"}},
		{name: "untrained model", subject: "promote.fresh", body: `{"version": 1}`, code: "not_found", says: []string{"no version yet"}},
		{name: "reserved alias", subject: "promote.iris", body: `{"version": 1, "alias": "latest"}`, code: "invalid", says: []string{"latest"}},
		{name: "nothing before", subject: "rollback.iris", code: "invalid", says: []string{"champion"}},
		{name: "no alias", subject: "unalias.iris", code: "invalid", says: []string{"alias"}},
		{name: "the champion", subject: "unalias.iris", body: `{"alias": "champion"}`, code: "invalid", says: []string{"champion"}},
		{name: "unknown alias", subject: "unalias.iris", body: `{"alias": "canary"}`, code: "not_found", says: []string{"canary"}},
		{name: "no spec", subject: "create", code: "invalid", says: []string{`"spec"`}},
		{name: "a typo in the spec", subject: "create", body: creation(t, strings.Replace(spec, "training:", "trainig:", 1)), code: "invalid", says: []string{"trainig", "line 9"}},
		{name: "a name with a dot", subject: "create", body: creation(t, strings.Replace(spec, "iris", "a.b", 1)), code: "invalid", says: []string{"a.b"}},
		{name: "another name", subject: "create.other", body: creation(t, spec), code: "invalid", says: []string{"other", "iris"}},
		{name: "there already", subject: "create", body: creation(t, spec), code: "conflict", says: []string{"iris", "update"}},
		{name: "stale revision", subject: "update", body: string(revision), code: "conflict", says: []string{"iris"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := d.ask(t, tt.subject, tt.body, nil)
			e, ok := errors.AsType[*wire.Error](err)
			if !ok {
				t.Fatalf("answered %v, want an error", err)
			}
			if e.Code != tt.code {
				t.Errorf("code %q (%s), want %q", e.Code, e.Message, tt.code)
			}
			for _, part := range tt.says {
				if !strings.Contains(e.Message, part) {
					t.Errorf("error %q does not say %q", e.Message, part)
				}
			}
		})
	}
}

func TestServerThatDoesNotTrain(t *testing.T) {
	d := deploy(t, false)
	d.must(t, "create", creation(t, spec), nil)
	for _, verb := range []string{"train", "cancel"} {
		err := d.ask(t, verb+".iris", "", nil)
		e, ok := errors.AsType[*wire.Error](err)
		if !ok || e.Status != 503 {
			t.Errorf("%s answered %v, want a 503", verb, err)
		}
	}
}

func TestDeadlineHasPassed(t *testing.T) {
	d := deploy(t, false)
	msg := nats.NewMsg("modelbus.control.list")
	wire.SetDeadline(msg.Header, time.Now().Add(-time.Second))
	reply, err := d.nc.RequestMsg(msg, patience)
	if err != nil {
		t.Fatal(err)
	}
	if got := reply.Header.Get(wire.HeaderErrorCode); got != "504" {
		t.Errorf("a late request was answered %s, want 504", got)
	}
}

// A burst is answered in full: by the workers, or at once with 429.
func TestEveryRequestIsAnswered(t *testing.T) {
	d := deploy(t, false)
	d.must(t, "create", creation(t, spec), nil)
	const n = 2000
	inbox := d.nc.NewInbox()
	replies := make(chan *nats.Msg, n)
	if _, err := d.nc.ChanSubscribe(inbox, replies); err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := d.nc.PublishRequest("modelbus.control.show.iris", inbox, nil); err != nil {
			t.Fatal(err)
		}
	}
	counts := map[string]int{}
	for range n {
		select {
		case msg := <-replies:
			counts[msg.Header.Get(wire.HeaderErrorCode)]++
		case <-time.After(patience):
			t.Fatalf("answers so far: %v, want %d", counts, n)
		}
	}
	if counts[""] == 0 || counts[""]+counts["429"] != n {
		t.Errorf("answers by error code: %v, want successes and 429 alone", counts)
	}
}

// What was received before the end is answered.
func TestDrain(t *testing.T) {
	d := deploy(t, false)
	inbox := d.nc.NewInbox()
	sub, err := d.nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	const n = 20
	for range n {
		if err := d.nc.PublishRequest("modelbus.control.list", inbox, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	d.stop()
	for i := range n {
		if _, err := sub.NextMsg(patience); err != nil {
			t.Fatalf("%d of %d answers came: %v", i, n, err)
		}
	}
	if _, err := d.nc.Request("modelbus.control.list", nil, patience); err == nil {
		t.Error("a stopped controller answered")
	}
}

func TestServices(t *testing.T) {
	d := deploy(t, false)
	d.must(t, "create", creation(t, spec), nil)
	_ = d.ask(t, "show.none", "", nil)
	services := d.ctl.Services()
	if len(services) != 1 || services[0].Name != "modelbus" {
		t.Fatalf("services %+v, want modelbus alone", services)
	}
	var names []string
	for _, e := range services[0].Endpoints {
		names = append(names, e.Name)
		switch e.Name {
		case wire.VerbCreate:
			if e.Requests != 1 || e.Errors != 0 || e.Time <= 0 || e.Subject != "modelbus.control.create" {
				t.Errorf("endpoint %+v, want one request without error", e)
			}
		case wire.VerbShow:
			if e.Requests != 1 || e.Errors != 1 || !strings.HasPrefix(e.LastError, "404:") || e.Subject != "modelbus.control.show.*" {
				t.Errorf("endpoint %+v, want one request with a 404", e)
			}
		}
	}
	for _, verb := range []string{
		wire.VerbCreate, wire.VerbUpdate, wire.VerbDelete, wire.VerbList, wire.VerbShow,
		wire.VerbTrain, wire.VerbCancel, wire.VerbPromote, wire.VerbRollback, wire.VerbUnalias,
	} {
		if !slices.Contains(names, verb) {
			t.Errorf("endpoints %q, want %s among them", names, verb)
		}
	}
}
