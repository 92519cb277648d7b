package wire_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

// A batch writes what a frame of the same rows writes, whatever the rows are and
// however many were dropped.
func TestExampleBatchWritesAsFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schemas(t)
		b := wire.NewExampleBatch(s)
		for range rapid.IntRange(1, 3).Draw(t, "fillings") {
			want := frames(t, s, true)
			for i := range want.Len() {
				if err := b.Append(want.Row(i)); err != nil {
					t.Fatal(err)
				}
			}
			if b.Len() != want.Len() {
				t.Fatalf("Len() = %d, want %d", b.Len(), want.Len())
			}
			dropped := rapid.IntRange(0, want.Len()-1).Draw(t, "dropped")
			b.Drop(dropped)
			lo := rapid.IntRange(0, b.Len()-1).Draw(t, "lo")
			got, as := &nats.Msg{}, &nats.Msg{}
			if err := errors.Join(b.Encode(got, lo, b.Len()), wire.EncodeExamples(as, want, dropped+lo, want.Len())); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Data, as.Data) || !reflect.DeepEqual(got.Header, as.Header) {
				t.Fatalf("batch = %v %q, frame = %v %q", got.Header, got.Data, as.Header, as.Data)
			}
			b.Drop(b.Len())
		}
	})
}

// What a frame refuses a batch refuses alike, and is as it was.
func TestExampleBatchRefuses(t *testing.T) {
	number := func(x float64) feature.Value { return feature.Value{Kind: feature.KindNumber, Num: x} }
	good := feature.Row{Values: []feature.Value{number(1), number(2), number(3), number(4)}, Label: number(5)}
	for name, bad := range map[string]feature.Row{
		"width":     {Values: good.Values[:3], Label: good.Label},
		"NaN":       {Values: []feature.Value{number(1), number(2), number(3), number(math.NaN())}, Label: good.Label},
		"text":      {Values: []feature.Value{number(1), {Kind: feature.KindText, Text: "x"}, number(3), number(4)}, Label: good.Label},
		"no label":  {Values: good.Values},
		"empty":     {Values: good.Values, Label: feature.Value{Kind: feature.KindText}},
		"fraction":  {Values: good.Values, Label: number(0.5)},
		"weight":    {Values: good.Values, Label: good.Label, Weight: -1},
		"not UTF-8": {Values: good.Values, Label: feature.Value{Kind: feature.KindText, Text: "\xff"}},
	} {
		for _, weight := range []float64{1, 2} { // with 2, rows are in a frame
			b, f := wire.NewExampleBatch(irisSchema()), feature.NewFrame(irisSchema(), true)
			first := good
			first.Weight = weight
			if err := errors.Join(b.Append(first), f.Append(first)); err != nil {
				t.Fatal(err)
			}
			got, want := b.Append(bad), f.Append(bad)
			if got == nil || want == nil || got.Error() != want.Error() || !errors.Is(got, feature.ErrInvalid) || b.Len() != 1 {
				t.Errorf("%s: error = %v with %d rows, want %v with 1", name, got, b.Len(), want)
			}
			msg, as := &nats.Msg{}, &nats.Msg{}
			if err := errors.Join(b.Encode(msg, 0, 1), wire.EncodeExamples(as, f, 0, 1)); err != nil || !bytes.Equal(msg.Data, as.Data) {
				t.Errorf("%s: %v: message = %q, want %q", name, err, msg.Data, as.Data)
			}
		}
	}
}
