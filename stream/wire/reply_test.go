package wire_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

func classes() *model.Output {
	return &model.Output{
		Rows: 3, Classes: []string{"setosa", `a "b"`},
		Probs: []float32{0.5, 0.5, 0.25, 0.75, 1, 1e-9},
	}
}

func numbers(v ...float32) *model.Output { return &model.Output{Rows: len(v), Values: v} }

// decoded returns a request as DecodeRequest leaves it.
func decoded(t *testing.T, s *feature.Schema, h nats.Header, body string) *wire.Request {
	t.Helper()
	var req wire.Request
	if err := wire.DecodeRequest(feature.NewFrame(s, false), &req, h, []byte(body), 0); err != nil {
		t.Fatal(err)
	}
	return &req
}

func TestEncodeReply(t *testing.T) {
	oip := func(extra string) string {
		return `{"id":"7","inputs":[{"name":"x","shape":[2,1],"datatype":"FP32","data":[1,2]}]` + extra + `}`
	}
	category := oneNumber()
	category.Label = feature.Label{Name: "species", Type: feature.Category}
	tests := []struct {
		name   string
		schema *feature.Schema
		body   string
		out    *model.Output
		lo     int
		want   string
	}{
		{
			"rows of numbers", oneNumber(), `{"instances":[[1],[2],[3]]}`, numbers(9, 0.1, -1e-7, 3e38), 1,
			`{"predictions":[0.1,-1e-07,3e+38],"model_name":"iris","model_version":"3"}`,
		},
		{
			"rows of classes", category, `{"instances":[[1],[2]]}`, classes(), 0,
			`{"predictions":[{"label":"setosa","score":0.5,"scores":{"setosa":0.5,"a \"b\"":0.5}},` +
				`{"label":"a \"b\"","score":0.75,"scores":{"setosa":0.25,"a \"b\"":0.75}}],"model_name":"iris","model_version":"3"}`,
		},
		{
			"a regression by OIP", oneNumber(), oip(""), numbers(1.5, -2), 0,
			`{"model_name":"iris","model_version":"3","id":"7","outputs":[{"name":"y","shape":[2,1],"datatype":"FP32","data":[1.5,-2]}]}`,
		},
		{
			"all outputs", category, oip(""), classes(), 1,
			`{"model_name":"iris","model_version":"3","id":"7","outputs":[` +
				`{"name":"label","shape":[2,1],"datatype":"BYTES","data":["a \"b\"","setosa"]},` +
				`{"name":"score","shape":[2,1],"datatype":"FP32","data":[0.75,1]},` +
				`{"name":"probabilities","shape":[2,2],"datatype":"FP32","data":[0.25,0.75,1,1e-09]}]}`,
		},
		{
			"outputs asked for", category, oip(`,"outputs":[{"name":"score"},{"name":"label"}]`), classes(), 0,
			`{"model_name":"iris","model_version":"3","id":"7","outputs":[` +
				`{"name":"score","shape":[2,1],"datatype":"FP32","data":[0.5,0.75]},` +
				`{"name":"label","shape":[2,1],"datatype":"BYTES","data":["setosa","a \"b\""]}]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := &nats.Msg{Data: []byte("what was there before")}
			req := decoded(t, tt.schema, nats.Header{wire.HeaderID: {"h"}}, tt.body)
			if err := wire.EncodeReply(msg, req, wire.Answer{Model: "iris", Version: 3}, tt.out, tt.lo); err != nil {
				t.Fatal(err)
			}
			if string(msg.Data) != tt.want {
				t.Errorf("got  %s\nwant %s", msg.Data, tt.want)
			}
			if !json.Valid(msg.Data) {
				t.Error("the answer is not JSON")
			}
			h := msg.Header
			if h.Get(wire.HeaderModel) != "iris" || h.Get(wire.HeaderVersion) != "3" || h.Get(wire.HeaderContentLength) != "" {
				t.Errorf("header = %v", h)
			}
		})
	}
}

func TestEncodeReplyBinary(t *testing.T) {
	category := oneNumber()
	category.Label = feature.Label{Name: "species", Type: feature.Category}
	doc := `{"inputs":[{"name":"x","shape":[2,1],"datatype":"FP32","data":[1,2]}],"outputs":[{"name":"label"},{"name":"score","parameters":{"binary_data":false}},{"name":"probabilities"}],"parameters":{"binary_data_output":true}}`
	msg := &nats.Msg{}
	if err := wire.EncodeReply(msg, decoded(t, category, nil, doc), wire.Answer{Model: "iris", Version: 3}, classes(), 0); err != nil {
		t.Fatal(err)
	}
	want := `{"model_name":"iris","model_version":"3","outputs":[` +
		`{"name":"label","shape":[2,1],"datatype":"BYTES","parameters":{"binary_data_size":19}},` +
		`{"name":"score","shape":[2,1],"datatype":"FP32","data":[0.5,0.75]},` +
		`{"name":"probabilities","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}}]}`
	n, err := strconv.Atoi(msg.Header.Get(wire.HeaderContentLength))
	if err != nil || n != len(want) || string(msg.Data[:n]) != want {
		t.Fatalf("got %q, header %v, want %s", msg.Data, msg.Header, want)
	}
	tail := "\x06\x00\x00\x00setosa\x05\x00\x00\x00a \"b\"" + string(fp32(0.5, 0.5, 0.25, 0.75))
	if got := string(msg.Data[n:]); got != tail {
		t.Errorf("tail = %q, want %q", got, tail)
	}
}

func TestEncodeReplyRaw(t *testing.T) {
	f := feature.NewFrame(oneNumber(), false)
	var req wire.Request
	if err := wire.DecodeRequest(f, &req, nats.Header{wire.HeaderContentLength: {"0"}}, fp32(1), 0); err != nil {
		t.Fatal(err)
	}
	msg := &nats.Msg{}
	if err := wire.EncodeReply(msg, &req, wire.Answer{Model: "m", Version: 1}, numbers(1.5), 0); err != nil {
		t.Fatal(err)
	}
	want := `{"model_name":"m","model_version":"1","outputs":[{"name":"y","shape":[1,1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}`
	if got := string(msg.Data); got != want+string(fp32(1.5)) {
		t.Errorf("got %q, want %q and 4 bytes", got, want)
	}
}

func TestEncodeReplyRefusesNonFinite(t *testing.T) {
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		for _, body := range []string{
			`{"instances":[[1]]}`,
			`{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}`,
			`{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"parameters":{"binary_data_output":true}}`,
		} {
			err := wire.EncodeReply(&nats.Msg{}, decoded(t, oneNumber(), nil, body), wire.Answer{Model: "m", Version: 1}, numbers(v), 0)
			if !errors.Is(err, wire.ErrInternal) {
				t.Errorf("EncodeReply of %v for %s = %v, want ErrInternal", v, body, err)
			}
		}
	}
}

func TestDecodeReply(t *testing.T) {
	msg := &nats.Msg{}
	req := decoded(t, oneNumber(), nats.Header{wire.HeaderID: {"h"}}, `{"instances":[[1],[2]]}`)
	ans := wire.Answer{Model: "iris", Version: 3}
	if err := wire.EncodeReply(msg, req, ans, classes(), 1); err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeReply(msg)
	want := &wire.Predictions{
		Model: "iris", Version: 3, ID: "h",
		Labels: []wire.Classification{
			{Label: `a "b"`, Score: 0.75, Scores: map[string]float64{"setosa": 0.25, `a "b"`: 0.75}},
			{Label: "setosa", Score: 1, Scores: map[string]float64{"setosa": 1, `a "b"`: 1e-9}},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, body := range []string{``, `{}`, `[]`, `{"predictions":[1,{}]}`, `{"predictions":["x"]}`, `{"predictions":[1],"model_version":"x"}`, `{"predictions":[1]} 2`} {
		if p, err := wire.DecodeReply(&nats.Msg{Data: []byte(body)}); !errors.Is(err, wire.ErrInternal) {
			t.Errorf("DecodeReply(%q) = %v, %v, want ErrInternal", body, p, err)
		}
	}
	failed := &nats.Msg{}
	wire.ErrorOf(wire.ErrOverloaded).Reply(failed)
	if _, err := wire.DecodeReply(failed); !errors.Is(err, wire.ErrOverloaded) {
		t.Errorf("DecodeReply of an error = %v, want ErrOverloaded", err)
	}
}

// Every finite output is read back to the bit.
func TestReplyKeepsEveryFloat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Float32(), 1, 20).Draw(t, "values")
		msg := &nats.Msg{}
		if err := wire.EncodeReply(msg, &wire.Request{Rows: len(want)}, wire.Answer{Model: "m", Version: 1}, numbers(want...), 0); err != nil {
			t.Fatal(err)
		}
		got, err := wire.DecodeReply(msg)
		if err != nil || len(got.Values) != len(want) {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
		for i, v := range got.Values {
			if float32(v) != want[i] {
				t.Errorf("value %d = %v, want %v", i, v, want[i])
			}
		}
	})
}

func FuzzDecodeReply(f *testing.F) {
	f.Add([]byte(`{"predictions":[1,2.5],"model_name":"m","model_version":"3"}`))
	f.Add([]byte(`{"predictions":[{"label":"a","score":1,"scores":{"a":1}}],"x":[{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := wire.DecodeReply(&nats.Msg{Data: body})
		if (p == nil) == (err == nil) {
			t.Errorf("DecodeReply = %v, %v", p, err)
		}
	})
}

// TestEncodeReplyKeepsNames answers as a server does: with its own header values
// and a buffer that is used again.
func TestEncodeReplyKeepsNames(t *testing.T) {
	names := nats.Header{wire.HeaderModel: {"iris"}, wire.HeaderVersion: {"123456"}}
	msg := &nats.Msg{Header: maps.Clone(names)}
	req, out := &wire.Request{Rows: 2}, numbers(1.5, 2.5)
	allocated := testing.AllocsPerRun(100, func() {
		if err := wire.EncodeReply(msg, req, wire.Answer{Model: "iris", Version: 7}, out, 0); err != nil {
			t.Fatal(err)
		}
	})
	if allocated != 0 {
		t.Errorf("%v allocations, want none", allocated)
	}
	if !maps.EqualFunc(msg.Header, names, slices.Equal) {
		t.Errorf("header = %v, want %v as it was", msg.Header, names)
	}
}
