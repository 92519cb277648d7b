package wire_test

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

// requestFrame returns two rows of a schema without missing values.
func requestFrame(t *testing.T, s *feature.Schema) *feature.Frame {
	t.Helper()
	f := feature.NewFrame(s, false)
	for i := range 2 {
		var r feature.Row
		for k := range s.Features {
			x := float64(i) + float64(k)/4 // exact in FP32
			switch ft := &s.Features[k]; ft.Type {
			case feature.Number:
				r.Values = append(r.Values, feature.Value{Kind: feature.KindNumber, Num: x})
			case feature.Boolean:
				r.Values = append(r.Values, feature.Value{Kind: feature.KindBool, Num: float64(i)})
			case feature.Category:
				r.Values = append(r.Values, feature.Value{Kind: feature.KindText, Text: "a \"é\""})
			case feature.Vector:
				v := make([]float32, ft.Size)
				for j := range v {
					v[j] = float32(x) + float32(j)/8
				}
				r.Values = append(r.Values, feature.Value{Kind: feature.KindVector, Vector: v})
			}
		}
		add(t, f, r)
	}
	return f
}

// A request of any form reads back as the rows it was made of.
func TestEncodeRequest(t *testing.T) {
	taken := &feature.Schema{
		Features: []feature.Feature{{Name: "input", Type: feature.Number}, {Name: "other", Type: feature.Number}},
		Label:    feature.Label{Name: "y", Type: feature.Number},
	}
	schemas := map[string]*feature.Schema{
		"numbers": irisSchema(), "one number": oneNumber(), "image": imageSchema(), "mixed": mixedSchema(), "named as the input": taken,
	}
	for name, s := range schemas {
		for _, form := range []wire.Form{wire.FormRows, wire.FormOIP, wire.FormBinary} {
			want := requestFrame(t, s)
			msg := &nats.Msg{Header: nats.Header{wire.HeaderContentLength: {"7"}}}
			if err := wire.EncodeRequest(msg, form, want, 0, want.Len()); err != nil {
				t.Fatalf("%s, form %d: %v", name, form, err)
			}
			got := feature.NewFrame(s, false)
			var req wire.Request
			if err := wire.DecodeRequest(got, &req, msg.Header, msg.Data, 0); err != nil {
				t.Fatalf("%s, form %d: %v in %q", name, form, err, msg.Data)
			}
			if req.Form != form || req.BinaryOutput != (form == wire.FormBinary) {
				t.Errorf("%s: form = %d, binary output %v, want form %d", name, req.Form, req.BinaryOutput, form)
			}
			if !reflect.DeepEqual(values(got), values(want)) {
				t.Errorf("%s, form %d: rows = %v, want %v", name, form, values(got), values(want))
			}
		}
	}
}

func TestEncodeRequestRefuses(t *testing.T) {
	s := mixedSchema()
	missing := feature.NewFrame(s, false)
	r := requestFrame(t, s).Row(0)
	r.Values[1] = feature.Value{}
	add(t, missing, r)

	large := feature.NewFrame(oneNumber(), false)
	add(t, large, feature.Row{Values: []feature.Value{{Kind: feature.KindNumber, Num: math.MaxFloat64}}})

	for name, f := range map[string]*feature.Frame{"missing value": missing, "beyond FP32": large} {
		for _, form := range []wire.Form{wire.FormOIP, wire.FormBinary} {
			if err := wire.EncodeRequest(&nats.Msg{}, form, f, 0, 1); !errors.Is(err, wire.ErrInvalid) {
				t.Errorf("%s, form %d: error = %v, want %v", name, form, err, wire.ErrInvalid)
			}
		}
		if err := wire.EncodeRequest(&nats.Msg{}, wire.FormRows, f, 0, 1); err != nil {
			t.Errorf("%s, rows: error = %v, want none", name, err)
		}
	}
}
