package wire_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

// binaryBody returns doc followed by FP32 values, and the header that goes with it.
func binaryBody(doc string, values ...float32) (nats.Header, []byte) {
	body := []byte(doc)
	for _, v := range values {
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(v))
	}
	return nats.Header{wire.HeaderContentLength: {strconv.Itoa(len(doc))}}, body
}

// steadyRequests are what a server decodes all day.
func steadyRequests() map[string]steadyRequest {
	tensor := `{"name":"%s","shape":[2,4],"datatype":"FP32",%s}`
	h, body := binaryBody(fmt.Sprintf(`{"inputs":[`+tensor+`],"outputs":[{"name":"probabilities","parameters":{"binary_data":true}}]}`,
		"x", `"parameters":{"binary_data_size":32}`), 1, 2, 3, 4, 5, 6, 7, 8)
	raw, rawBody := binaryBody("", 1, 2, 3, 4)
	one := func(name, datatype, data string) string {
		return fmt.Sprintf(`{"name":%q,"shape":[2],"datatype":%q,"data":[%s]}`, name, datatype, data)
	}
	return map[string]steadyRequest{
		"rows of numbers":    {schema: irisSchema(), body: []byte(`{"instances": [[5.1, 3.5, 1.4, 0.2], [6.25e-1, -3, 1.4000000953674316, 2]]}`)},
		"named rows":         {schema: irisSchema(), body: []byte(`{"instances": [{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}]}`)},
		"an image":           {schema: imageSchema(), body: []byte(`{"instances": [[0, 1, 2, 255], [0.25, 0.5, 1, 0]]}`)},
		"categories":         {schema: mixedSchema(), body: []byte(`{"instances": [["Dream", 12.5, [1, 2, 3], true], [null, null, [1, 2, 3], false]]}`)},
		"escaped categories": {schema: mixedSchema(), body: []byte(`{"instances": [["\u00cele \"D\"", 12.5, [1, 2, 3], true]]}`)},
		"named categories":   {schema: mixedSchema(), body: []byte(`{"instances": [{"island": "Dream", "shape": [1, 2, 3], "male": true}]}`)},
		"OIP, one tensor":    {schema: irisSchema(), body: []byte(`{"id":"42","inputs":[` + fmt.Sprintf(tensor, "x", `"data":[[5.1,3.5,1.4,0.2],[6,7,8,9]]`) + `]}`)},
		"OIP, a tensor each": {
			schema: mixedSchema(),
			body: []byte(`{"inputs":[` + one("island", "BYTES", `"Dream","Biscoe"`) + "," + one("weight", "FP64", "12.5,3") + "," +
				one("male", "BOOL", "true,false") + `,{"name":"shape","shape":[2,3],"datatype":"UINT8","data":[1,2,3,4,5,6]}],"outputs":[{"name":"price"}]}`),
		},
		"OIP binary": {schema: irisSchema(), header: h, body: body},
		"raw binary": {schema: irisSchema(), header: raw, body: rawBody},
	}
}

type steadyRequest struct {
	schema *feature.Schema
	header nats.Header
	body   []byte
}

// answerTo returns an output for a request of that schema.
func (r *steadyRequest) answerTo(rows int) *model.Output {
	if r.schema.Label.Type == feature.Number {
		return &model.Output{Rows: rows, Values: make([]float32, rows)}
	}
	return &model.Output{Rows: rows, Classes: []string{"setosa", "vir\"ginica"}, Probs: []float32{0.25, 0.75, 0.5, 0.5}[:2*rows]}
}

// TestSteadyStateAllocatesNothing decodes and answers each form over and over.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	for name, r := range steadyRequests() {
		t.Run(name, func(t *testing.T) {
			f := feature.NewFrame(r.schema, false)
			var req wire.Request
			header := nats.Header{}
			maps.Copy(header, r.header)
			msg := &nats.Msg{Header: nats.Header{}}
			model, version := []string{"iris"}, []string{"3"}
			out := r.answerTo(2)
			turn := func() {
				f.Reset()
				if err := wire.DecodeRequest(f, &req, header, r.body, 0); err != nil {
					t.Fatal(err)
				}
				clear(msg.Header)
				msg.Header[wire.HeaderModel], msg.Header[wire.HeaderVersion] = model, version
				if err := wire.EncodeReply(msg, &req, wire.Answer{Model: "iris", Version: 1234}, out, 0); err != nil {
					t.Fatal(err)
				}
			}
			if n := testing.AllocsPerRun(100, turn); n > 0 {
				t.Errorf("decoding and answering allocates %v times, want 0", n)
			}
		})
	}
}

// steadyExamples are what a trainer decodes all day.
func steadyExamples() map[string]steadyRequest {
	h, body := binaryBody(`{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}},`+
		`{"name":"labels","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}}]}`, 1, 2, 3, 4)
	body = append(binary.LittleEndian.AppendUint32(body, 1), 'a')
	return map[string]steadyRequest{
		"one of numbers": {schema: irisSchema(), body: []byte(`{"features": [5.1, 3.5, 1.4, 0.2], "label": "a"}`)},
		"a batch":        {schema: irisSchema(), body: []byte(`{"instances": [[1, 2, 3, 4], {"sepal_length": 5, "sepal_width": 3, "petal_length": 1, "petal_width": 0.2}], "labels": ["a", "b"], "weights": [1, 2]}`)},
		"categories":     {schema: mixedSchema(), body: []byte(`{"features": {"island": "Dream", "shape": [1, 2, 3], "male": true}, "label": 3.5}`)},
		"OIP binary":     {schema: irisSchema(), header: h, body: body},
	}
}

func TestSteadyExamplesAllocateNothing(t *testing.T) {
	for name, e := range steadyExamples() {
		t.Run(name, func(t *testing.T) {
			var d wire.ExampleDecoder
			f := feature.NewFrame(e.schema, true)
			add := func(_ int, r feature.Row) error { return f.Append(r) }
			turn := func() {
				f.Reset()
				if _, problems, err := d.Decode(e.schema, e.header, e.body, add); err != nil || problems != nil {
					t.Fatal(problems, err)
				}
			}
			if n := testing.AllocsPerRun(100, turn); n > 0 {
				t.Errorf("decoding allocates %v times, want 0", n)
			}
		})
	}
}

// BenchmarkExamples decodes each form.
func BenchmarkExamples(b *testing.B) {
	for name, e := range steadyExamples() {
		b.Run(name, func(b *testing.B) {
			var d wire.ExampleDecoder
			f := feature.NewFrame(e.schema, true)
			add := func(_ int, r feature.Row) error { return f.Append(r) }
			b.ReportAllocs()
			for b.Loop() {
				f.Reset()
				if _, problems, err := d.Decode(e.schema, e.header, e.body, add); err != nil || problems != nil {
					b.Fatal(problems, err)
				}
			}
		})
	}
}

// BenchmarkRequest decodes and answers each form.
func BenchmarkRequest(b *testing.B) {
	for name, r := range steadyRequests() {
		b.Run(name, func(b *testing.B) {
			f := feature.NewFrame(r.schema, false)
			var req wire.Request
			msg := &nats.Msg{Header: nats.Header{}}
			model, version := []string{"iris"}, []string{"3"}
			out := r.answerTo(2)
			b.ReportAllocs()
			b.SetBytes(int64(len(r.body)))
			for b.Loop() {
				f.Reset()
				if err := wire.DecodeRequest(f, &req, r.header, r.body, 0); err != nil {
					b.Fatal(err)
				}
				clear(msg.Header)
				msg.Header[wire.HeaderModel], msg.Header[wire.HeaderVersion] = model, version
				if err := wire.EncodeReply(msg, &req, wire.Answer{Model: "iris", Version: 1234}, out, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
