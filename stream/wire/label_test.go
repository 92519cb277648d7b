package wire_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestDecodeLabel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, want, wrong string }{
		{body: `{"id": "a-1", "label": "x"}`, want: `{"id":"a-1","label":"x"}`},
		{body: ` {"label": {"a":1}, "row": 3, "id": "a"} `, want: `{"id":"a","row":3,"label":{"a":1}}`},
		{body: `{"id": "a", "labels": [1, null, "x", true]}`, want: `{"id":"a","labels":[1,null,"x",true]}`},
		{body: ``, wrong: "JSON"},
		{body: `{"id": "a", "label": 1} x`, wrong: "JSON"},
		{body: `{"id": "a", "id": "b", "label": 1}`, wrong: "id"},
		{body: `{"id": 7, "label": 1}`, wrong: "string"},
		{body: `{"label": 1}`, wrong: `missing key "id"`},
		{body: `{"id": "", "label": 1}`, wrong: "want 1 to 128"},
		{body: `{"id": "a*", "label": 1}`, wrong: "want 1 to 128"},
		{body: `{"id": "` + strings.Repeat("a", 129) + `", "label": 1}`, wrong: "want 1 to 128"},
		{body: `{"id": "a", "label": null}`, wrong: "null"},
		{body: `{"id": "a", "label": 1, "labels": [1]}`, wrong: "one of the two"},
		{body: `{"id": "a"}`, wrong: "one of the two"},
		{body: `{"id": "a", "labels": []}`, wrong: "got none"},
		{body: `{"id": "a", "row": 0, "labels": [1]}`, wrong: "row"},
		{body: `{"id": "a", "row": -1, "label": 1}`, wrong: "row"},
		{body: `{"id": "a", "row": 0.5, "label": 1}`, wrong: "row"},
		{body: `{"id": "a", "row": 1e99, "label": 1}`, wrong: "row"},
	} {
		l, err := wire.DecodeLabel([]byte(tt.body))
		if tt.wrong != "" {
			if !errors.Is(err, wire.ErrInvalid) || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("DecodeLabel(%s) = %+v, %v, want an error with %q", tt.body, l, err, tt.wrong)
			}
			continue
		}
		if got, failed := json.Marshal(l); err != nil || failed != nil || string(got) != tt.want {
			t.Errorf("DecodeLabel(%s) = %s, %v, want %s", tt.body, got, err, tt.want)
		}
	}
}

func FuzzDecodeLabel(f *testing.F) {
	f.Add([]byte(`{"id": "a", "row": 1, "label": "x"}`))
	f.Add([]byte(`{"id": "a", "labels": [1, null, {"a": []}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := wire.DecodeLabel(body)
		if err != nil {
			if wire.ErrorOf(err).Code != "invalid" {
				t.Fatalf("%v", err)
			}
			return
		}
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatalf("%+v is not JSON: %v", l, err)
		}
		if again, err := wire.DecodeLabel(text); err != nil || again.ID != l.ID || again.Row != l.Row || len(again.Labels) != len(l.Labels) {
			t.Fatalf("%s reads as %+v, %v, want %+v", text, again, err, l)
		}
	})
}

// TestCaptureComesBack writes rows of all kinds and reads them as the examples they
// become.
func TestCaptureComesBack(t *testing.T) {
	t.Parallel()
	f := feature.NewFrame(mixedSchema(), false)
	for _, row := range []feature.Row{
		{Values: []feature.Value{
			{Kind: feature.KindText, Text: `a "b"`},
			{Kind: feature.KindNumber, Num: 0.1},
			{Kind: feature.KindVector, Vector: []float32{1, 2.5, -3}},
			{Kind: feature.KindBool, Num: 1},
		}},
		{Values: []feature.Value{
			{},
			{},
			{Kind: feature.KindVector, Vector: []float32{0, 0, 0}},
			{Kind: feature.KindBool},
		}},
	} {
		if err := f.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2026, 11, 24, 6, 30, 0, 5, time.UTC)
	want := &wire.Capture{
		Model: "m", Version: 1 << 53, Time: at,
		Predictions: []wire.Outcome{{Value: 0.1}, {Value: 2}},
		Shadow:      &wire.Shadowed{Version: 2, Predictions: []wire.Outcome{{Class: true, Label: `"x`, Score: 0.5}, {Class: true}}},
		Classes:     []string{"a", `"b"`},
	}
	msg := &nats.Msg{}
	if err := wire.EncodeCapture(msg, want, f); err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeCapture(msg.Data)
	if err != nil {
		t.Fatalf("DecodeCapture(%s) = %v", msg.Data, err)
	}
	again := feature.NewFrame(mixedSchema(), true)
	for i := range got.Instances {
		_, problems, err := wire.DecodeExamples(mixedSchema(), nil, got.Example(i, json.RawMessage(`3.5`)), func(_ int, r feature.Row) error { return again.Append(r) })
		if err != nil || len(problems) > 0 || again.Label(i).Num != 3.5 {
			t.Errorf("row %d: %v, %v", i, problems, err)
		}
	}
	if !reflect.DeepEqual(values(again), values(f)) {
		t.Errorf("rows %v, want %v", values(again), values(f))
	}
	got.Instances = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("DecodeCapture = %+v, want %+v", got, want)
	}
}

func TestDecodeCaptureRefuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, `{}x`, `{"instances": [{}], "predictions": []}`, `{"model_version": 3}`,
	} {
		if c, err := wire.DecodeCapture([]byte(body)); !errors.Is(err, wire.ErrInternal) {
			t.Errorf("DecodeCapture(%s) = %+v, %v, want an error", body, c, err)
		}
	}
	one := &wire.Capture{Instances: make([]json.RawMessage, 1)}
	for _, body := range []string{``, `{"labels": {"1": {"label": 1}}}`, `{"labels": {"0": null}}`, `{"labels": {"0": {}}}`, `{"labels": {"x": {"label": 1}}}`} {
		if j, err := wire.DecodeJoin([]byte(body), one); !errors.Is(err, wire.ErrInternal) {
			t.Errorf("DecodeJoin(%s) = %+v, %v, want an error", body, j, err)
		}
	}
}

func FuzzDecodeCapture(f *testing.F) {
	f.Add([]byte(`{"model_name":"m","model_version":"3","time":"2026-11-24T06:30:00Z","instances":[{"x":1}],"predictions":[2.5]}`))
	f.Add([]byte(`{"model_version":"3","instances":[{}],"predictions":[{"label":"a","score":1}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := wire.DecodeCapture(body)
		if err != nil {
			return
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("%+v is not JSON: %v", c, err)
		}
		if again, err := wire.DecodeCapture(text); err != nil || len(again.Instances) != len(c.Instances) {
			t.Fatalf("%s reads as %+v, %v", text, again, err)
		}
	})
}
