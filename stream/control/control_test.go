package control_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestModelsComeAndGo(t *testing.T) {
	t.Parallel()
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
	d.examples(t, "iris", 20)
	d.train(t, "iris")
	var info wire.ModelInfo
	d.must(t, "show.iris", `{"history": true}`, &info)
	if len(info.Versions) != 2 || info.Examples != 40 || len(info.History) == 0 || info.Training != nil {
		t.Errorf("show answered %+v, want 2 versions, 40 examples and moves", info)
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

// TestDeleteForgetsWhatWasCaptured whether examples are kept or not, and of that model alone.
func TestDeleteForgetsWhatWasCaptured(t *testing.T) {
	t.Parallel()
	d := deploy(t, false)
	d.must(t, "create", creation(t, spec), nil)
	for _, subject := range []string{"capture.iris.a", "capture.iris.b", "join.iris.a", "label.iris", "capture.other.a", "join.other.a", "label.other"} {
		if _, err := d.js.Publish(t.Context(), "modelbus."+subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	d.must(t, "delete.iris", `{"keep_examples": true}`, nil)
	for _, name := range []string{"MODELBUS_CAPTURE", "MODELBUS_JOIN", "MODELBUS_LABEL"} {
		s, err := d.js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.CachedInfo().State.Msgs; got != 1 {
			t.Errorf("%d messages are left in %s, want the one of another model", got, name)
		}
	}
}

func TestDeleteKeepsExamples(t *testing.T) {
	t.Parallel()
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

// A name that no model ever had keeps what was sent to it: examples that wait for
// their model, and dead letters.
func TestDeleteOfNothing(t *testing.T) {
	t.Parallel()
	d := deploy(t, false)
	d.examples(t, "soon", 5)
	if _, err := d.js.Publish(t.Context(), "modelbus.dead.soon", []byte("a request")); err != nil {
		t.Fatal(err)
	}
	err := d.ask(t, "delete.soon", "", nil)
	if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != "not_found" {
		t.Errorf("delete of a model that never was: %v, want not_found", err)
	}
	for name, want := range map[string]uint64{"MODELBUS_TRAIN": 5, "MODELBUS_DEAD": 1} {
		s, err := d.js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.CachedInfo().State.Msgs; got != want {
			t.Errorf("%s has %d messages, want the %d from before", name, got, want)
		}
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
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
	d.must(t, "promote.iris", `{"version": 1, "alias": "canary", "share": 0.1, "by": "Tenant"}`, &move)
	if want := (registry.Split{Share: 0.1, By: "Tenant"}); move.Split != want || move.To != 1 || move.Number != 2 {
		t.Errorf("promote answered %+v, want canary with %+v", move, want)
	}
	for _, tt := range []struct {
		body string
		want registry.Split
	}{
		{`{"version": 1, "alias": "canary", "share": 0.5}`, registry.Split{Share: 0.5, By: "Tenant"}},
		{`{"version": 1, "alias": "canary", "by": "Region"}`, registry.Split{Share: 0.5, By: "Region"}},
		{`{"version": 1, "alias": "canary", "by": ""}`, registry.Split{Share: 0.5}},
		{`{"version": 1, "alias": "canary", "by": "Region"}`, registry.Split{Share: 0.5, By: "Region"}},
		{`{"version": 2, "alias": "canary"}`, registry.Split{Share: 0.5, By: "Region"}},
		{`{"version": 1, "alias": "canary", "share": 0}`, registry.Split{}},
	} {
		var move registry.Move
		if d.must(t, "promote.iris", tt.body, &move); move.Split != tt.want {
			t.Errorf("promote %s answered %+v, want canary with %+v", tt.body, move, tt.want)
		}
	}
	for _, body := range []string{
		`{"version": 1, "alias": "trial", "share": 0.1}`, `{"version": 1, "share": 0.1}`,
		`{"version": 1, "alias": "canary", "share": 2}`, `{"version": 1, "alias": "canary", "by": "Tenant"}`, // of no share
	} {
		if err := d.ask(t, "promote.iris", body, nil); !errors.Is(err, wire.ErrInvalid) {
			t.Errorf("promote %s: %v, want it refused", body, err)
		}
	}
	d.must(t, "unalias.iris", `{"alias": "canary"}`, nil)
	var info wire.ModelInfo
	d.must(t, "show.iris", "{}", &info)
	if _, ok := info.Aliases["canary"]; ok || info.Aliases[registry.Champion].To != 2 {
		t.Errorf("aliases %+v, want the champion at 2 alone", info.Aliases)
	}
}

func TestTrainings(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
		{name: "a typo in the spec", subject: "create", body: creation(t, strings.Replace(spec, "training:", "train:", 1)), code: "invalid", says: []string{"train\"", "line 9"}},
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
	t.Parallel()
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
	t.Parallel()
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

// A burst is answered in full: by the workers, or at once with 429, or with 504 if that
// takes so long.
func TestEveryRequestIsAnswered(t *testing.T) {
	t.Parallel()
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
	if counts[""] == 0 || counts["429"] == 0 || counts[""]+counts["429"]+counts["504"] != n {
		t.Errorf("answers by error code: %v, want successes and 429, and 504 at most", counts)
	}
}

// What was received before the end is answered.
func TestDrain(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	d := deploy(t, false)
	d.must(t, "create", creation(t, spec), nil)
	if err := d.ask(t, "show.none", "", nil); err == nil {
		t.Error("show.none was answered")
	}
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
		wire.VerbTrain, wire.VerbCancel, wire.VerbPause, wire.VerbResume, wire.VerbPromote, wire.VerbRollback, wire.VerbUnalias,
	} {
		if !slices.Contains(names, verb) {
			t.Errorf("endpoints %q, want %s among them", names, verb)
		}
	}
}
