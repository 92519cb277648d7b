package wire_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

// examples decodes a training message into a frame and returns what it says,
// label and weight at the end of each row.
func examples(s *feature.Schema, h nats.Header, body []byte) (got [][]any, problems []wire.RowProblem, err error) {
	f := feature.NewFrame(s, true)
	_, problems, err = wire.DecodeExamples(s, h, body, func(_ int, r feature.Row) error { return f.Append(r) })
	got = values(f)
	for i := range got {
		got[i] = append(got[i], plain(f.Row(i).Label), f.Weight(i))
	}
	return got, problems, err
}

func TestDecodeExamples(t *testing.T) {
	iris := row(5.1, 3.5, 1.4, 0.2, "setosa", 1.0)
	heavy := row(5.1, 3.5, 1.4, 0.2, "setosa", 2.5)
	binaryHeader, binaryBody := binaryMessage(`{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}},`+
		`{"name":"labels","shape":[1,1],"datatype":"BYTES","parameters":{"binary_data_size":10}}]}`,
		append(fp32(1, 2, 3, 4), "\x06\x00\x00\x00setosa"...)...)
	tests := []struct {
		name   string
		schema *feature.Schema
		header nats.Header
		body   string
		want   [][]any
	}{
		{"one", irisSchema(), nil, `{"features": [5.1,3.5,1.4,0.2], "label": "setosa"}`, [][]any{iris}},
		{"one by name", irisSchema(), nil, `{"weight": 2.5, "label": "setosa", "features": {"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}}`, [][]any{heavy}},
		{"a batch", irisSchema(), nil, `{"instances": [[5.1,3.5,1.4,0.2],[5.1,3.5,1.4,0.2]], "labels": ["setosa","setosa"], "weights": [1,2.5]}`, [][]any{iris, heavy}},
		{"a class as a number", irisSchema(), nil, `{"features": [5.1,3.5,1.4,0.2], "label": 7}`, [][]any{row(5.1, 3.5, 1.4, 0.2, "7", 1.0)}},
		{"a regression", oneNumber(), nil, `{"instances": [1,[2]], "labels": [3.5,-4]}`, [][]any{row(1.0, 3.5, 1.0), row(2.0, -4.0, 1.0)}},
		{"OIP", irisSchema(), nil, `{"id":"1","inputs":[{"name":"labels","shape":[2],"datatype":"BYTES","data":["a","b"]},{"name":"features","shape":[2,4],"datatype":"FP64","data":[[1,2,3,4],[5,6,7,8]]},{"name":"weights","shape":[2],"datatype":"FP32","data":[1,2]}]}`, [][]any{row(1.0, 2.0, 3.0, 4.0, "a", 1.0), row(5.0, 6.0, 7.0, 8.0, "b", 2.0)}},
		{"OIP, an input a feature", mixedSchema(), nil, `{"inputs":[{"name":"labels","shape":[1],"datatype":"INT32","data":[9]},{"name":"male","shape":[1],"datatype":"BOOL","data":[true]},{"name":"shape","shape":[1,3],"datatype":"FP64","data":[1,2,3]}]}`, [][]any{row(nil, nil, "[1 2 3]", true, 9.0, 1.0)}},
		{"OIP binary", irisSchema(), binaryHeader, string(binaryBody), [][]any{row(1.0, 2.0, 3.0, 4.0, "setosa", 1.0)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problems, err := examples(tt.schema, tt.header, []byte(tt.body))
			if err != nil || len(problems) > 0 {
				t.Fatal(err, problems)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// A bad example is reported and the others are used.
func TestDecodeExamplesGoesOn(t *testing.T) {
	good := `[1,2,3,4]`
	tests := []struct{ name, instance, label, weight, say string }{
		{"short", `[1,2,3]`, `"a"`, `1`, "want 4 values, got 3"},
		{"text", `[1,"x",3,4]`, `"a"`, `1`, `"sepal_width"`},
		{"unknown feature", `{"x":1}`, `"a"`, `1`, `"x"`},
		{"null", `[1,null,3,4]`, `"a"`, `1`, "missing"},
		{"no row", `7`, `"a"`, `1`, "number 7"},
		{"no label", good, `null`, `1`, `"species"`},
		{"empty label", good, `""`, `1`, `label "species": it is empty`},
		{"a list as label", good, `["a"]`, `1`, "a list"},
		{"half a class", good, `1.5`, `1`, "1.5"},
		{"no weight", good, `"a"`, `0`, "weight"},
		{"negative weight", good, `"a"`, `-1`, "weight"},
		{"weight no number", good, `"a"`, `"1"`, "weight"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := fmt.Sprintf(`{"instances":[%s,%s,%s],"labels":["a",%s,"b"],"weights":[1,%s,2]}`, good, tt.instance, good, tt.label, tt.weight)
			got, problems, err := examples(irisSchema(), nil, []byte(body))
			if err != nil || len(got) != 2 {
				t.Fatalf("got %v, %v, want two rows", got, err)
			}
			if len(problems) != 1 || problems[0].Row != 1 || !strings.Contains(problems[0].Err.Error(), tt.say) {
				t.Fatalf("problems = %v, want one about row 1 that says %q", problems, tt.say)
			}
			if e := wire.ErrorOf(problems[0].Err); e.Code != "invalid" {
				t.Errorf("code = %s, want invalid", e.Code)
			}
			one, err := wire.ExampleRow(nil, []byte(body), 1)
			if want := fmt.Sprintf(`{"features":%s,"label":%s,"weight":%s}`, tt.instance, tt.label, tt.weight); err != nil || string(one) != want {
				t.Errorf("ExampleRow = %s, %v, want %s", one, err, want)
			}
		})
	}
	t.Run("binary NaN", func(t *testing.T) {
		h, body := binaryMessage(`{"inputs":[{"name":"features","shape":[3,1],"datatype":"FP32","parameters":{"binary_data_size":12}},`+
			`{"name":"labels","shape":[3],"datatype":"FP64","data":[1,2,3]}]}`, fp32(1, float32(math.Inf(-1)), 3)...)
		got, problems, err := examples(oneNumber(), h, body)
		if err != nil || len(got) != 2 || len(problems) != 1 || problems[0].Row != 1 {
			t.Fatalf("got %v, %v, %v, want two rows and a problem", got, problems, err)
		}
		one, err := wire.ExampleRow(h, body, 1)
		if want := `{"features":["-Infinity"],"label":2}`; err != nil || string(one) != want {
			t.Errorf("ExampleRow = %s, %v, want %s", one, err, want)
		}
	})
}

// An empty class is a missing label, whatever the form and whoever takes the rows.
func TestDecodeExamplesRefusesEmptyLabel(t *testing.T) {
	binaryHeader, binaryBody := binaryMessage(`{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}},`+
		`{"name":"labels","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":4}}]}`, append(fp32(1, 2, 3, 4), 0, 0, 0, 0)...)
	for name, tt := range map[string]struct {
		header nats.Header
		body   string
	}{
		"one":        {nil, `{"features":[1,2,3,4],"label":""}`},
		"a batch":    {nil, `{"instances":[[1,2,3,4]],"labels":[""]}`},
		"OIP":        {nil, `{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]},{"name":"labels","shape":[1],"datatype":"BYTES","data":[""]}]}`},
		"OIP binary": {binaryHeader, string(binaryBody)},
	} {
		_, problems, err := wire.DecodeExamples(irisSchema(), tt.header, []byte(tt.body), func(int, feature.Row) error {
			t.Errorf("%s: the row was taken", name)
			return nil
		})
		if err != nil || len(problems) != 1 || !errors.Is(problems[0].Err, wire.ErrInvalid) || !strings.Contains(problems[0].Err.Error(), "it is empty") {
			t.Errorf("%s: %v, %v, want one problem: the label is empty", name, problems, err)
		}
	}
}

func TestDecodeExamplesRefuses(t *testing.T) {
	tests := []struct{ name, body, say string }{
		{"nothing", ``, "object"},
		{"cut off", `{"instances":[[1,2,3,4]],"labels":["a"`, "the end"},
		{"broken at the end", `{"instances":[[1,2,3,4],[1,2,3,4}],"labels":["a","b"]}`, "byte"},
		{"no label", `{"features":[1,2,3,4]}`, `"label"`},
		{"no labels", `{"instances":[[1,2,3,4]]}`, `"labels"`},
		{"no features", `{"label":"a"}`, `"features"`},
		{"an instance to predict", `{"instances":[[1,2,3,4]],"label":"a"}`, `"label"`},
		{"more labels than instances", `{"instances":[[1,2,3,4]],"labels":["a","b"]}`, "got 2"},
		{"fewer weights than instances", `{"instances":[[1,2,3,4]],"labels":["a"],"weights":[]}`, "got 0"},
		{"no instances", `{"instances":[],"labels":[]}`, "at least one"},
		{"labels no list", `{"instances":[[1,2,3,4]],"labels":"a"}`, "want a list"},
		{"OIP without labels", `{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}`, `"labels"`},
		{"OIP without features", `{"inputs":[{"name":"labels","shape":[1],"datatype":"BYTES","data":["a"]}]}`, `"features"`},
		{"OIP rows differ", `{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]},{"name":"labels","shape":[2],"datatype":"BYTES","data":["a","b"]}]}`, "2"},
		{"OIP wide labels", `{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]},{"name":"labels","shape":[1,2],"datatype":"BYTES","data":["a","b"]}]}`, "[rows, 1]"},
		{"OIP wrong width", `{"inputs":[{"name":"features","shape":[1,3],"datatype":"FP32","data":[1,2,3]},{"name":"labels","shape":[1],"datatype":"BYTES","data":["a"]}]}`, "[rows, 4]"},
		{"OIP text weights", `{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]},{"name":"labels","shape":[1],"datatype":"BYTES","data":["a"]},{"name":"weights","shape":[1],"datatype":"BYTES","data":["a"]}]}`, "numbers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problems, err := examples(irisSchema(), nil, []byte(tt.body))
			if !errors.Is(err, wire.ErrInvalid) || len(got) > 0 || len(problems) > 0 {
				t.Fatalf("got %v, %v, %v, want ErrInvalid and nothing added", got, problems, err)
			}
			if !strings.Contains(err.Error(), tt.say) {
				t.Errorf("error %q does not say %q", err, tt.say)
			}
		})
	}
	if _, err := wire.ExampleRow(nil, []byte(`{"features":[1],"label":1}`), 1); !errors.Is(err, wire.ErrInvalid) {
		t.Errorf("ExampleRow beyond the end = %v, want ErrInvalid", err)
	}
}

func TestEncodeExamplesIsNarrow(t *testing.T) {
	tests := []struct {
		name   string
		values []float32
		want   string
	}{
		{"pixels", []float32{0, 1, 128, 255}, "UINT8"},
		{"more than a byte", []float32{0, 1, 128, 256}, "FP32"},
		{"fractions", []float32{0.5, 1, 2, 3}, "FP32"},
		{"minus zero", []float32{float32(math.Copysign(0, -1)), 1, 2, 3}, "FP32"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := feature.NewFrame(imageSchema(), true)
			add(t, f, feature.Row{Values: []feature.Value{{Kind: feature.KindVector, Vector: tt.values}}, Label: feature.Value{Kind: feature.KindText, Text: "7"}})
			msg := &nats.Msg{}
			if err := wire.EncodeExamples(msg, f, 0, 1); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(msg.Data), `"datatype":"`+tt.want+`"`) {
				t.Errorf("message = %q, want features as %s", msg.Data, tt.want)
			}
		})
	}
}

func add(t *testing.T, f *feature.Frame, r feature.Row) {
	t.Helper()
	if err := f.Append(r); err != nil {
		t.Fatal(err)
	}
}

// schemas draws a schema of any types.
func schemas(t *rapid.T) *feature.Schema {
	s := &feature.Schema{Label: feature.Label{
		Name: "y", Type: rapid.SampledFrom([]feature.Type{feature.Number, feature.Category, feature.Boolean}).Draw(t, "label"),
	}}
	types := []feature.Type{feature.Number, feature.Vector}
	if rapid.Bool().Draw(t, "mixed") {
		types = append(types, feature.Category, feature.Boolean)
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "features") {
		f := feature.Feature{Name: "f" + strconv.Itoa(i), Type: rapid.SampledFrom(types).Draw(t, "type")}
		if f.Type == feature.Vector {
			f.Size = rapid.IntRange(1, 4).Draw(t, "size")
		}
		if rapid.Bool().Draw(t, "may be missing") {
			f.Missing, f.Fill = feature.MissingConstant, 1.0
		}
		s.Features = append(s.Features, f)
	}
	return s
}

func anyValue(t *rapid.T, kind feature.Type, size int) feature.Value {
	small := rapid.Bool().Draw(t, "small")
	switch kind {
	case feature.Number:
		if small {
			return feature.Value{Kind: feature.KindNumber, Num: float64(rapid.IntRange(0, 255).Draw(t, "byte"))}
		}
		return feature.Value{Kind: feature.KindNumber, Num: rapid.Float64().Draw(t, "number")}
	case feature.Category:
		return feature.Value{Kind: feature.KindText, Text: rapid.String().Draw(t, "text")}
	case feature.Boolean:
		return feature.Value{Kind: feature.KindBool, Num: float64(rapid.IntRange(0, 1).Draw(t, "boolean"))}
	case feature.Vector:
		return feature.Value{Kind: feature.KindVector, Vector: rapid.SliceOfN(rapid.Float32(), size, size).Draw(t, "vector")}
	}
	return feature.Value{}
}

func frames(t *rapid.T, s *feature.Schema, labels bool) *feature.Frame {
	f := feature.NewFrame(s, labels)
	for range rapid.IntRange(1, 6).Draw(t, "rows") {
		r := feature.Row{Weight: 1}
		for _, ft := range s.Features {
			v := anyValue(t, ft.Type, ft.Size)
			if ft.Missing != "" && rapid.Bool().Draw(t, "missing") {
				v = feature.Value{}
			}
			r.Values = append(r.Values, v)
		}
		if labels {
			if r.Label = anyValue(t, s.Label.Type, 0); r.Label.Kind == feature.KindText {
				r.Label.Text += "." // no label is empty
			}
			if rapid.Bool().Draw(t, "weighted") {
				r.Weight = rapid.Float64Range(0.1, 10).Draw(t, "weight")
			}
		}
		if err := f.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// same compares two frames row by row.
func same(t *rapid.T, got, want *feature.Frame) {
	if got.Len() != want.Len() {
		t.Fatalf("got %d rows, want %d", got.Len(), want.Len())
	}
	for i := range want.Len() {
		if g, w := got.Row(i), want.Row(i); !reflect.DeepEqual(g, w) {
			t.Fatalf("row %d = %v, want %v", i, g, w)
		}
	}
}

func TestExamplesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := frames(t, schemas(t), true)
		msg := &nats.Msg{}
		if err := wire.EncodeExamples(msg, want, 0, want.Len()); err != nil {
			t.Fatal(err)
		}
		decode := func(f *feature.Frame, h nats.Header, body []byte) {
			_, problems, err := wire.DecodeExamples(f.Schema(), h, body, func(_ int, r feature.Row) error { return f.Append(r) })
			if err != nil || len(problems) > 0 {
				t.Fatalf("%v, %v in %q", err, problems, body)
			}
		}
		got := feature.NewFrame(want.Schema(), true)
		decode(got, msg.Header, msg.Data)
		same(t, got, want)

		singly := feature.NewFrame(want.Schema(), true)
		for i := range want.Len() {
			one, err := wire.ExampleRow(msg.Header, msg.Data, i)
			if err != nil {
				t.Fatal(err)
			}
			decode(singly, nil, one)
		}
		same(t, singly, want)
	})
}

func TestInstancesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := frames(t, schemas(t), false)
		lo := rapid.IntRange(0, want.Len()-1).Draw(t, "lo")
		body, err := wire.EncodeInstances(want, lo, want.Len())
		if err != nil {
			t.Fatal(err)
		}
		got := feature.NewFrame(want.Schema(), false)
		if err := wire.DecodeRequest(got, &wire.Request{}, nil, body, 0); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		same(t, got, want.Range(lo, want.Len()))
	})
}

func fuzzSchema(kind uint8) *feature.Schema {
	return []*feature.Schema{irisSchema(), mixedSchema(), imageSchema(), oneNumber()}[kind%4]
}

// Whatever arrives, the decoder answers with rows or an invalid, and what it
// took can be written and read again.
func FuzzDecodeRequest(f *testing.F) {
	f.Add(uint8(0), "", []byte(`{"instances":[[5.1,3.5,1.4,0.2]]}`))
	f.Add(uint8(1), "", []byte(`{"instances":[{"island":"a","shape":[1,2,3],"male":true}]}`))
	f.Add(uint8(3), "", []byte(`{"id":"1","inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":[1]}],"outputs":[{"name":"y"}]}`))
	f.Add(uint8(2), "92", []byte(`{"inputs":[{"name":"x","shape":[1,4],"datatype":"UINT8","parameters":{"binary_data_size":4}}]}abcd`))
	f.Add(uint8(0), "0", fp32(1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, kind uint8, length string, body []byte) {
		s := fuzzSchema(kind)
		frame := feature.NewFrame(s, false)
		var h nats.Header
		if length != "" {
			h = nats.Header{wire.HeaderContentLength: {length}}
		}
		var req wire.Request
		err := wire.DecodeRequest(frame, &req, h, body, 100)
		if err != nil {
			if e := wire.ErrorOf(err); e.Code != "invalid" && e.Code != "too_large" || frame.Len() != 0 {
				t.Fatalf("%v with %d rows", err, frame.Len())
			}
			return
		}
		if req.Rows != frame.Len() || req.Rows == 0 {
			t.Fatalf("%d rows in the request, %d in the frame", req.Rows, frame.Len())
		}
		again, err := wire.EncodeInstances(frame, 0, frame.Len())
		if err != nil {
			t.Fatal(err)
		}
		second := feature.NewFrame(s, false)
		if err := wire.DecodeRequest(second, &req, nil, again, 100); err != nil {
			t.Fatalf("%v in %s", err, again)
		}
		if !reflect.DeepEqual(values(second), values(frame)) {
			t.Fatalf("got %v, want %v", values(second), values(frame))
		}
	})
}

func FuzzDecodeExamples(f *testing.F) {
	f.Add(uint8(0), "", []byte(`{"features":[5.1,3.5,1.4,0.2],"label":"a","weight":2}`))
	f.Add(uint8(3), "", []byte(`{"instances":[1,"x"],"labels":[3,4]}`))
	f.Add(uint8(3), "", []byte(`{"inputs":[{"name":"features","shape":[2],"datatype":"INT8","data":[1,2]},{"name":"labels","shape":[2],"datatype":"FP64","data":[1,2]}]}`))
	f.Fuzz(func(t *testing.T, kind uint8, length string, body []byte) {
		s := fuzzSchema(kind)
		var h nats.Header
		if length != "" {
			h = nats.Header{wire.HeaderContentLength: {length}}
		}
		frame := feature.NewFrame(s, true)
		rows, problems, err := wire.DecodeExamples(s, h, body, func(_ int, r feature.Row) error { return frame.Append(r) })
		var used wire.ExampleDecoder
		for _, other := range []string{`{"instances":[[1,2],[3]],"labels":[1,2],"weights":[1,1]}`, `{"features":1,"label":"b"}`, string(body)} {
			frame := feature.NewFrame(s, true)
			n, wrong, why := used.Decode(s, h, []byte(other), func(_ int, r feature.Row) error { return frame.Append(r) })
			if other == string(body) && (n != rows || fmt.Sprint(wrong, why) != fmt.Sprint(problems, err)) {
				t.Fatalf("in used memory: %d, %v, %v, want %d, %v, %v", n, wrong, why, rows, problems, err)
			}
		}
		if err != nil {
			if wire.ErrorOf(err).Code != "invalid" || frame.Len() != 0 {
				t.Fatalf("%v with %d rows", err, frame.Len())
			}
			return
		}
		if frame.Len()+len(problems) != rows || rows == 0 {
			t.Fatalf("%d rows: %d used, %d problems", rows, frame.Len(), len(problems))
		}
		for _, p := range problems {
			one, err := wire.ExampleRow(h, body, p.Row)
			if err != nil {
				t.Fatal(err)
			}
			_, again, err := wire.DecodeExamples(s, nil, one, func(_ int, r feature.Row) error {
				return feature.NewFrame(s, true).Append(r)
			})
			if err != nil || len(again) != 1 {
				t.Fatalf("row %d is bad (%v) but alone, %s, it is not: %v, %v", p.Row, p.Err, one, again, err)
			}
		}
	})
}
