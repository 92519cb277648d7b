package wire_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/stream/wire"
)

func TestSubjects(t *testing.T) {
	var s wire.Subjects
	lab := wire.Subjects{Prefix: "lab-2"}
	tests := []struct{ got, want string }{
		{s.Predict("iris", ""), "modelbus.predict.iris"},
		{s.Predict("iris", "3"), "modelbus.predict.iris.3"},
		{s.Train("iris"), "modelbus.train.iris"},
		{s.Result("iris"), "modelbus.result.iris"},
		{s.Dead("iris"), "modelbus.dead.iris"},
		{s.Event("iris", "version", "4"), "modelbus.event.iris.version.4"},
		{s.Control("list", ""), "modelbus.control.list"},
		{s.Control("show", "iris"), "modelbus.control.show.iris"},
		{s.Stream("train"), "MODELBUS_TRAIN"},
		{lab.Train("iris"), "lab-2.train.iris"},
		{lab.Stream("DEAD"), "LAB-2_DEAD"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestSubjectsCheck(t *testing.T) {
	for _, prefix := range []string{"", "modelbus", "a_B-9"} {
		if err := (wire.Subjects{Prefix: prefix}).Check(); err != nil {
			t.Errorf("Check(%q) = %v", prefix, err)
		}
	}
	for _, prefix := range []string{"a.b", "a b", ">", "*", "é", "$SYS"} {
		if err := (wire.Subjects{Prefix: prefix}).Check(); !errors.Is(err, wire.ErrInvalid) {
			t.Errorf("Check(%q) = %v, want ErrInvalid", prefix, err)
		}
	}
}

func TestParsePredict(t *testing.T) {
	tests := []struct {
		subject, model, target string
		ok                     bool
	}{
		{"modelbus.predict.iris", "iris", "", true},
		{"modelbus.predict.iris.3", "iris", "3", true},
		{"modelbus.predict.iris.canary", "iris", "canary", true},
		{"modelbus.predict.iris.3.4", "", "", false},
		{"modelbus.predict.iris.", "", "", false},
		{"modelbus.predict.", "", "", false},
		{"modelbus.predict", "", "", false},
		{"modelbus.train.iris", "", "", false},
		{"other.predict.iris", "", "", false},
		{"modelbusx.predict.iris", "", "", false},
		{"modelbus.predict.ir is", "", "", false},
		{"modelbus.predict.i!", "", "", false},
	}
	for _, tt := range tests {
		model, target, ok := wire.Subjects{}.ParsePredict(tt.subject)
		if model != tt.model || target != tt.target || ok != tt.ok {
			t.Errorf("ParsePredict(%q) = %q, %q, %v, want %q, %q, %v", tt.subject, model, target, ok, tt.model, tt.target, tt.ok)
		}
	}
}

func FuzzParsePredict(f *testing.F) {
	f.Add("modelbus.predict.iris.3")
	f.Add("modelbus.predict..")
	f.Fuzz(func(t *testing.T, subject string) {
		var s wire.Subjects
		if model, target, ok := s.ParsePredict(subject); ok && s.Predict(model, target) != subject {
			t.Errorf("ParsePredict(%q) = %q, %q, which make %q", subject, model, target, s.Predict(model, target))
		}
	})
}

func TestDeadline(t *testing.T) {
	want := time.Date(2026, 11, 24, 6, 30, 0, 123456789, time.UTC)
	h := nats.Header{}
	wire.SetDeadline(h, want)
	if got, err := wire.Deadline(h); err != nil || !got.Equal(want) {
		t.Errorf("Deadline = %v, %v, want %v", got, err, want)
	}
	h.Set(wire.HeaderDeadline, "1795501800123")
	if got, err := wire.Deadline(h); err != nil || got.UnixMilli() != 1795501800123 {
		t.Errorf("Deadline in milliseconds = %v, %v", got, err)
	}
	if got, err := wire.Deadline(nil); err != nil || !got.IsZero() {
		t.Errorf("Deadline of no header = %v, %v, want the zero time", got, err)
	}
	h.Set(wire.HeaderDeadline, "tomorrow")
	if _, err := wire.Deadline(h); !errors.Is(err, wire.ErrInvalid) {
		t.Errorf("Deadline of a bad header = %v, want ErrInvalid", err)
	}
}
