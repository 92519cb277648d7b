package learn_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// shortly is a wait for what was captured that a test can see the end of.
const shortly = 300 * time.Millisecond

// capturing is what a spec says to keep predictions.
const capturing = "capture: 1h\n"

// capture stores an answered request of n rows, as a server does.
func (d *deployment) capture(t *testing.T, id string, n int) {
	t.Helper()
	spec, err := model.ParseSpec([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	f := feature.NewFrame(&spec.Schema, false)
	c := &wire.Capture{Model: "iris", Version: 3, Time: time.Now(), Classes: []string{"left", "right"}}
	for i := range n {
		row := feature.Row{Values: []feature.Value{{Kind: feature.KindNumber, Num: float64(i)}, {Kind: feature.KindNumber, Num: 0.5}}}
		if err := f.Append(row); err != nil {
			t.Fatal(err)
		}
		c.Predictions = append(c.Predictions, wire.Outcome{Class: true, Label: "left", Score: 0.75})
	}
	msg := nats.NewMsg("modelbus.capture.iris." + id)
	if err := wire.EncodeCapture(msg, c, f); err != nil {
		t.Fatal(err)
	}
	if _, err := d.js.PublishMsg(t.Context(), msg, jetstream.WithExpectLastSequencePerSubject(0), jetstream.WithMsgTTL(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// label publishes a label as the stock command line does, and waits for the answer.
func (d *deployment) label(t *testing.T, body string) {
	t.Helper()
	m, err := d.nc.Request("modelbus.label.iris", []byte(body), patience)
	if err != nil || !strings.Contains(string(m.Data), `"seq"`) {
		t.Fatalf("the answer to label %s is %v, %v, want an acknowledgement", body, m, err)
	}
}

// labels waits until so many labels are dealt with by all trainers and returns the counts.
func labels(t *testing.T, want uint64, trainers ...*learn.Trainer) learn.Labels {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		var sum learn.Labels
		var done uint64
		for _, tr := range trainers {
			e := tr.Endpoints("iris")[0]
			l, ok := e.Data.(learn.Labels)
			if !ok {
				t.Fatalf("the endpoint's data is %T", e.Data)
			}
			done += e.Requests
			sum.Joined += l.Joined
			sum.Early += l.Early
			sum.Repeated += l.Repeated
			sum.Conflicting += l.Conflicting
			sum.Unknown += l.Unknown
			sum.Invalid += l.Invalid
		}
		if done >= want {
			return sum
		}
		if time.Now().After(end) {
			t.Fatalf("%d labels are dealt with, want %d: %+v", done, want, sum)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// later returns counts without how many labels waited: that depends on when they were
// looked at first.
func later(l learn.Labels) learn.Labels {
	l.Early = 0
	return l
}

// examples returns the training messages of iris.
func (d *deployment) examples(t *testing.T) []*jetstream.RawStreamMsg {
	t.Helper()
	s, err := d.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []*jetstream.RawStreamMsg
	for seq := uint64(1); seq <= info.State.LastSeq; seq++ {
		msg, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, msg)
	}
	return all
}

func TestLabelBecomesExample(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+capturing)
	d.capture(t, "a", 1)
	d.label(t, `{"id": "a", "label": "right"}`)
	if got, want := labels(t, 1, d.trainer), (learn.Labels{Joined: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	all := d.examples(t)
	if len(all) != 1 || string(all[0].Data) != `{"features":{"x":0,"y":0.5},"label":"right"}` {
		t.Fatalf("examples %v", all)
	}
	for key, want := range map[string]string{
		"Modelbus-Id": "a", "Modelbus-Version": "3", "Modelbus-Prediction": "left", "Modelbus-Score": "0.75", "Modelbus-Row": "",
	} {
		if got := all[0].Header.Get(key); got != want {
			t.Errorf("header %s = %q, want %q", key, got, want)
		}
	}
	s, err := d.js.Stream(t.Context(), "MODELBUS_JOIN")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.GetLastMsgForSubject(t.Context(), "modelbus.join.iris.a")
	if err != nil || !strings.Contains(string(kept.Data), `"labels":{"0":{"label":"right","joined":true}}`) || kept.Header.Get("Nats-TTL") != "1h0m0s" {
		t.Errorf("the labels are %s, %v, %v", kept.Data, kept.Header, err)
	}
}

func TestLabelsOfRows(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{LabelWait: shortly})
	d.create(t, spec+capturing)
	d.capture(t, "a", 4)
	d.label(t, `{"id": "a", "row": 2, "label": "right"}`)
	labels(t, 1, d.trainer)
	d.label(t, `{"id": "a", "labels": ["left", null, "right", 1.5]}`) // one is known, one wrong, one is still open
	got := labels(t, 2, d.trainer)
	if want := (learn.Labels{Joined: 2, Invalid: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	var bodies []string
	for _, m := range d.examples(t) {
		bodies = append(bodies, m.Header.Get("Modelbus-Row")+string(m.Data))
	}
	want := `[2{"features":{"x":2,"y":0.5},"label":"right"} 0{"features":{"x":0,"y":0.5},"label":"left"}]`
	if fmt.Sprint(bodies) != want {
		t.Errorf("examples %s, want %s", bodies, want)
	}
	if dead := d.dead(t); len(dead) != 1 || !strings.Contains(dead[0].Header.Get("Modelbus-Reason"), "id a, row 3: ") {
		t.Errorf("dead %v", dead)
	}
}

func TestLabelsThatAreWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body, reason string
		want               learn.Labels
	}{
		{"unknown id", `{"id": "b", "label": "left"}`, "no prediction of this id was captured", learn.Labels{Unknown: 1}},
		{"not JSON", `left`, "", learn.Labels{Invalid: 1}},
		{"no id", `{"label": "left"}`, `"id"`, learn.Labels{Invalid: 1}},
		{"no label", `{"id": "a"}`, `"label"`, learn.Labels{Invalid: 1}},
		{"no possible id", `{"id": "a.b", "label": "left"}`, "1 to 128", learn.Labels{Invalid: 1}},
		{"unknown key", `{"id": "a", "lable": "left"}`, "lable", learn.Labels{Invalid: 1}},
		{"wrong type", `{"id": "a", "label": [1]}`, "label", learn.Labels{Invalid: 1}},
		{"empty label", `{"id": "a", "label": ""}`, "it is empty", learn.Labels{Invalid: 1}},
		{"empty label of a row", `{"id": "a", "labels": [""]}`, "it is empty", learn.Labels{Invalid: 1}},
		{"wrong class", `{"id": "a", "label": "up"}`, `unknown class "up": the classes are "left", "right"`, learn.Labels{Invalid: 1}},
		{"misspelt class", `{"id": "a", "label": "rihgt"}`, `unknown class "rihgt", did you mean "right"?`, learn.Labels{Invalid: 1}},
		{"no such row", `{"id": "a", "row": 1, "label": "left"}`, "row 1 of a request of 1", learn.Labels{Invalid: 1}},
		{"too many", `{"id": "a", "labels": ["left", "left"]}`, "2 labels", learn.Labels{Invalid: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, learn.Options{LabelWait: shortly})
			d.create(t, change(t, spec+capturing, "type: category}", "type: category, classes: [left, right]}"))
			d.capture(t, "a", 1)
			d.label(t, tt.body)
			if got := later(labels(t, 1, d.trainer)); got != tt.want {
				t.Errorf("counts %+v, want %+v", got, tt.want)
			}
			dead := d.dead(t)
			if len(dead) != 1 || string(dead[0].Data) != tt.body || !strings.Contains(dead[0].Header.Get("Modelbus-Reason"), tt.reason) ||
				dead[0].Header.Get("Modelbus-Subject") != "modelbus.label.iris" {
				t.Errorf("dead %v, want the label with a reason that has %q", dead, tt.reason)
			}
			if all := d.examples(t); len(all) > 0 {
				t.Errorf("examples %v, want none", all)
			}
		})
	}
}

// Where the spec lists no classes, a late label is one of those that the version knew.
func TestLabelOfForeignClass(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{LabelWait: shortly})
	d.create(t, spec+capturing)
	d.capture(t, "a", 2)
	d.label(t, `{"id": "a", "labels": ["letf", "right"]}`)
	if got, want := labels(t, 1, d.trainer), (learn.Labels{Joined: 1, Invalid: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	const reason = `unknown class "letf", did you mean "left"? The classes are "left", "right"; ` +
		"a new class comes with an example that is pushed, or with classes in the spec"
	dead := d.dead(t)
	if len(dead) != 1 {
		t.Fatalf("%d dead messages, want 1", len(dead))
	}
	if !strings.Contains(dead[0].Header.Get("Modelbus-Reason"), reason) {
		t.Errorf("dead with the reason %q, want one that has %q", dead[0].Header.Get("Modelbus-Reason"), reason)
	}
	if all := d.examples(t); len(all) != 1 || !strings.Contains(string(all[0].Data), `"right"`) {
		t.Errorf("examples %v, want that of the other row", all)
	}
}

// early publishes a label and waits until it waits for a prediction.
func (d *deployment) early(t *testing.T) {
	t.Helper()
	d.label(t, `{"id": "a", "label": "right"}`)
	for labels(t, 0, d.trainer).Early == 0 {
		<-time.After(5 * time.Millisecond)
	}
}

func TestLabelComesFirst(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+capturing)
	d.early(t)
	d.capture(t, "a", 1)
	if got, want := labels(t, 1, d.trainer), (learn.Labels{Joined: 1, Early: 1}); got != want || len(d.examples(t)) != 1 {
		t.Errorf("counts %+v, %d examples, want %+v and 1", got, len(d.examples(t)), want)
	}
}

func TestLabelComesTwice(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+capturing)
	d.capture(t, "a", 1)
	for _, label := range []string{`"right"`, `"right"`, `"righ\u0074"`, `"left"`} {
		before := labels(t, 0, d.trainer)
		d.label(t, `{"id": "a", "label": `+label+`}`)
		labels(t, 1+before.Joined+before.Repeated+before.Conflicting, d.trainer)
	}
	if got, want := labels(t, 4, d.trainer), (learn.Labels{Joined: 1, Repeated: 2, Conflicting: 1}); got != want || len(d.examples(t)) != 1 {
		t.Errorf("counts %+v, %d examples, want %+v and 1", got, len(d.examples(t)), want)
	}
	if dead := d.dead(t); len(dead) != 1 || !strings.Contains(dead[0].Header.Get("Modelbus-Reason"), `its label is "right" already, this one is "left"`) {
		t.Errorf("dead %v", dead)
	}
}

// TestClaimIsCompleted finds claims that a trainer left when it died, before it published
// the example or after, much later than messages are deduplicated.
func TestClaimIsCompleted(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+capturing)
	first := d.publish(t, "iris", `{"features": [1, 2], "label": "left"}`)
	for _, id := range []string{"before", "after", "anew"} {
		d.capture(t, id, 1)
		s, err := d.js.Stream(t.Context(), "MODELBUS_CAPTURE")
		if err != nil {
			t.Fatal(err)
		}
		kept, err := s.GetLastMsgForSubject(t.Context(), "modelbus.capture.iris."+id)
		if err != nil {
			t.Fatal(err)
		}
		var c wire.Capture
		decode(t, kept.Data, &c)
		after := first
		if id == "anew" { // the stream was longer then
			after += 1000
		}
		claim := wire.Join{Time: c.Time, Labels: map[int]*wire.Truth{0: {Label: json.RawMessage(`"right"`), After: after}}}
		body, err := json.Marshal(claim)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.js.Publish(t.Context(), "modelbus.join.iris."+id, body); err != nil {
			t.Fatal(err)
		}
		if id != "before" { // as it looks when the stream has forgotten the message's id
			msg := nats.NewMsg("modelbus.train.iris")
			msg.Header.Set("Modelbus-Id", id)
			msg.Data = c.Example(0, claim.Labels[0].Label)
			// The id of a message that is not deduplicated is still in its header.
			msg.Header.Set("Nats-Msg-Id", fmt.Sprintf("label-iris-%s-0-%d", id, c.Time.UnixNano()))
			if _, err := d.js.PublishMsg(t.Context(), msg); err != nil {
				t.Fatal(err)
			}
			forget(t, d)
		}
		d.label(t, `{"id": "`+id+`", "label": "right"}`)
	}
	labels(t, 3, d.trainer)
	count := map[string]int{}
	for _, m := range d.examples(t) {
		count[m.Header.Get("Modelbus-Id")]++
	}
	if count["before"] != 1 || count["after"] != 1 || count["anew"] != 1 {
		t.Errorf("examples by id %v, want one each", count)
	}
}

// forget has the training stream forget the ids of its messages.
func forget(t *testing.T, d *deployment) {
	t.Helper()
	s, err := d.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.Duplicates = 100 * time.Millisecond
	if _, err := d.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	newest := nats.NewMsg("modelbus.train.nobody")
	newest.Header.Set(jetstream.MsgIDHeader, rand.Text())
	for n, end := 0, time.Now().Add(patience); time.Now().Before(end); n++ {
		ack, err := d.js.PublishMsg(t.Context(), newest)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && !ack.Duplicate {
			return
		}
		<-tick.C
	}
	t.Fatal("the stream still knows its messages")
}

// TestLabelsAreJoinedOnceWhateverEnds has trainers come and go while labels arrive, each
// twice: every one becomes one example.
func TestLabelsAreJoinedOnceWhateverEnds(t *testing.T) {
	t.Parallel()
	const n = 150
	d := deploy(t, learn.Options{})
	d.create(t, spec+capturing)
	for i := range n {
		d.capture(t, fmt.Sprint("id-", i), 1)
	}
	_, stop := join(t, d, learn.Options{})
	for i := range 2 * n {
		d.label(t, fmt.Sprintf(`{"id": "id-%d", "label": "right"}`, i%n))
		if i%20 == 19 {
			stop()
			_, stop = join(t, d, learn.Options{})
		}
	}
	s, err := d.js.Stream(t.Context(), "MODELBUS_LABEL")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * patience); ; {
		info, err := s.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.State.Msgs == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d labels are left", info.State.Msgs)
		}
		<-time.After(20 * time.Millisecond)
	}
	count := map[string]int{}
	for _, m := range d.examples(t) {
		count[m.Header.Get("Modelbus-Id")]++
	}
	if len(count) != n {
		t.Errorf("examples of %d ids, want %d", len(count), n)
	}
	for id, c := range count {
		if c != 1 {
			t.Errorf("%d examples of %s, want 1", c, id)
		}
	}
	if dead := d.dead(t); len(dead) > 0 {
		t.Errorf("dead %v", dead)
	}
}
