package wire_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

// TestRequestsDoNotLearnFromEachOther decodes many requests into the memory of one, and
// each on its own: they are taken and refused alike, and say the same.
func TestRequestsDoNotLearnFromEachOther(t *testing.T) {
	const (
		whole  = `{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}]%s}`
		two    = `{"inputs":[{"name":"x","shape":[2,4],"datatype":"FP32","parameters":{"binary_data_size":32}}]%s}`
		mixed  = `{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]%s}`
		asked  = `,"outputs":[{"name":"score"},{"name":"label","parameters":{"binary_data":true}}],"parameters":{"binary_data_output":true}`
		binary = `,"parameters":{"binary_data_output":true}`
	)
	heads := []string{whole, whole, two, mixed, `{"instances":[[1,2,3,4]]%s}`, `{"inputs":[]%s}`}
	ends := []string{"", asked, binary, `,"id":"7"`, `,"outputs":[{"name":"none"}]`, `,`}
	number := irisSchema()
	number.Label = feature.Label{Name: "y", Type: feature.Number}
	schemas := []*feature.Schema{irisSchema(), number}
	rapid.Check(t, func(t *rapid.T) {
		var kept wire.Request
		doc := ""
		for range rapid.IntRange(2, 8).Draw(t, "requests") {
			if doc == "" || rapid.IntRange(0, 2).Draw(t, "another") == 0 {
				doc = fmt.Sprintf(rapid.SampledFrom(heads).Draw(t, "head"), rapid.SampledFrom(ends).Draw(t, "end"))
			}
			values := make([]float32, rapid.SampledFrom([]int{0, 3, 4, 4, 4, 8}).Draw(t, "numbers"))
			for i := range values {
				values[i] = float32(rapid.IntRange(0, 9).Draw(t, "number"))
			}
			h, body := binaryBody(doc, values...)
			if rapid.IntRange(0, 4).Draw(t, "no header") == 0 {
				h = nats.Header{}
			}
			s := rapid.SampledFrom(schemas).Draw(t, "schema")
			got, want := feature.NewFrame(s, false), feature.NewFrame(s, false)
			var fresh wire.Request
			err, wantErr := wire.DecodeRequest(got, &kept, h, body, 0), wire.DecodeRequest(want, &fresh, h, body, 0)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(rows(got), rows(want)) {
				t.Fatalf("%s: %v with rows %v, want %v with %v", doc, err, rows(got), wantErr, rows(want))
			}
			if a, b := said(&kept), said(&fresh); err == nil && a != b {
				t.Fatalf("%s says %s, want %s", doc, a, b)
			}
		}
	})
}

func said(r *wire.Request) string {
	return fmt.Sprintf("%d rows of form %d with id %q, outputs %v, binary %t", r.Rows, r.Form, r.ID, r.Outputs, r.BinaryOutput)
}

func rows(f *feature.Frame) []feature.Row {
	var all []feature.Row
	for i := range f.Len() {
		all = append(all, f.Row(i))
	}
	return all
}
