package wire_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

func irisSchema() *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{
			{Name: "sepal_length", Type: feature.Number},
			{Name: "sepal_width", Type: feature.Number},
			{Name: "petal_length", Type: feature.Number},
			{Name: "petal_width", Type: feature.Number},
		},
		Label: feature.Label{Name: "species", Type: feature.Category},
	}
}

// mixedSchema has every type; weight and island may be missing.
func mixedSchema() *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{
			{Name: "island", Type: feature.Category, Missing: feature.MissingCategory},
			{Name: "weight", Type: feature.Number, Missing: feature.MissingMean},
			{Name: "shape", Type: feature.Vector, Size: 3},
			{Name: "male", Type: feature.Boolean},
		},
		Label: feature.Label{Name: "price", Type: feature.Number},
	}
}

func imageSchema() *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{{Name: "pixels", Type: feature.Vector, Size: 4}},
		Label:    feature.Label{Name: "digit", Type: feature.Category},
	}
}

// values returns the rows of f in a form that prints and compares well.
func values(f *feature.Frame) [][]any {
	rows := make([][]any, f.Len())
	for i := range rows {
		for _, v := range f.Row(i).Values {
			rows[i] = append(rows[i], plain(v))
		}
	}
	return rows
}

func plain(v feature.Value) any {
	switch v.Kind {
	case feature.KindNumber:
		return v.Num
	case feature.KindText, feature.KindCell:
		return v.Text
	case feature.KindBool:
		return v.Num == 1
	case feature.KindVector:
		return fmt.Sprint(v.Vector)
	case feature.KindMissing:
	}
	return nil
}

func row(v ...any) []any { return v }

func TestDecodeRows(t *testing.T) {
	iris := row(5.1, 3.5, 1.4, 0.2)
	full := row("Dream", 12.5, "[1 2 3]", true)
	tests := []struct {
		name   string
		schema *feature.Schema
		body   string
		want   [][]any
	}{
		{"a list", irisSchema(), `{"instances": [[5.1, 3.5, 1.4, 0.2]]}`, [][]any{iris}},
		{"an object", irisSchema(), `{"instances": [{"petal_width": 0.2, "sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4}]}`, [][]any{iris}},
		{"both", irisSchema(), ` { "signature_name" : "serving_default" , "instances" : [ [5.1,3.5,1.4,2e-1] , {"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2} ] } `, [][]any{iris, iris}},
		{"a vector in place", mixedSchema(), `{"instances": [["Dream", 12.5, 1, 2, 3, true]]}`, [][]any{full}},
		{"a nested vector", mixedSchema(), `{"instances": [["Dream", 12.5, [1, 2, 3], true]]}`, [][]any{full}},
		{"a vector by name", mixedSchema(), `{"instances": [{"shape": [1, 2, 3], "island": "Dream", "male": true, "weight": 12.5}]}`, [][]any{full}},
		{"null where allowed", mixedSchema(), `{"instances": [[null, null, [1, 2, 3], false]]}`, [][]any{row(nil, nil, "[1 2 3]", false)}},
		{"absent where allowed", mixedSchema(), `{"instances": [{"shape": [1, 2, 3], "male": false}]}`, [][]any{row(nil, nil, "[1 2 3]", false)}},
		{"a category as a whole number", mixedSchema(), `{"instances": [[7, 12.5, 1, 2, 3, 1]]}`, [][]any{row("7", 12.5, "[1 2 3]", true)}},
		{"an escaped category", mixedSchema(), `{"instances": [["\u00e9\n", 12.5, 1, 2, 3, true]]}`, [][]any{row("é\n", 12.5, "[1 2 3]", true)}},
		{"an image", imageSchema(), `{"instances": [[0, 1, 2, 255]]}`, [][]any{row("[0 1 2 255]")}},
		{"a nested image", imageSchema(), `{"instances": [[[0, 1, 2, 255]]]}`, [][]any{row("[0 1 2 255]")}},
		{"a bare value", oneNumber(), `{"instances": [1, 2.5]}`, [][]any{row(1.0), row(2.5)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := feature.NewFrame(tt.schema, false)
			var req wire.Request
			if err := wire.DecodeRequest(f, &req, nil, []byte(tt.body), 0); err != nil {
				t.Fatal(err)
			}
			if got := values(f); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if req.Rows != len(tt.want) || req.Form != wire.FormRows {
				t.Errorf("request = %+v, want %d rows in rows form", req, len(tt.want))
			}
		})
	}
}

func oneNumber() *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{{Name: "x", Type: feature.Number}},
		Label:    feature.Label{Name: "y", Type: feature.Number},
	}
}

// Each error says where it is, what was due, and what came.
func TestDecodeRowsRefuses(t *testing.T) {
	iris, mixed := irisSchema(), mixedSchema()
	tests := []struct {
		name   string
		schema *feature.Schema
		body   string
		say    []string
	}{
		{"nothing", iris, ``, []string{"object", "the end"}},
		{"no JSON", iris, `hello`, []string{"object", "hello"}},
		{"cut off", iris, `{"instances": [[5.1, 3.5`, []string{"byte 24", "the end"}},
		{"trailing bytes", iris, `{"instances": [[5.1,3.5,1.4,0.2]]}]`, []string{"after the message"}},
		{"no instances", iris, `{}`, []string{`"instances"`, `"inputs"`}},
		{"no rows", iris, `{"instances": []}`, []string{"at least one"}},
		{"instances no list", iris, `{"instances": {"a": 1}}`, []string{"want a list", "an object"}},
		{"unknown key", iris, `{"instance": [[5.1,3.5,1.4,0.2]]}`, []string{`"instance"`, `"instances"`}},
		{"doubled key", iris, `{"instances": [[5.1,3.5,1.4,0.2]], "instances": [[5.1,3.5,1.4,0.2]]}`, []string{"twice"}},
		{"two forms", iris, `{"instances": [[5.1,3.5,1.4,0.2]], "inputs": [{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}`, []string{`"instances"`, `"inputs"`}},
		{"too narrow", iris, `{"instances": [[5.1,3.5,1.4,0.2],[5.1,3.5]]}`, []string{"instances[1]", "want 4 values, got 2"}},
		{"too wide", iris, `{"instances": [[1,2,3,4,5,6]]}`, []string{"instances[0]", "want 4 values, got 6"}},
		{"a row that is no row", iris, `{"instances": ["abc"]}`, []string{"instances[0]", `"abc"`}},
		{"a string for a number", iris, `{"instances": [[1,2,3,4],[1,2,3,4],["abc",2,3,4]]}`, []string{"instances[2]", `"sepal_length"`, "want a number", `"abc"`}},
		{"a boolean for a number", iris, `{"instances": [[true,2,3,4]]}`, []string{`"sepal_length"`, "true"}},
		{"a list for a number", iris, `{"instances": [[[1],2,3,4]]}`, []string{`"sepal_length"`, "a list"}},
		{"null for a number", iris, `{"instances": [[1,null,3,4]]}`, []string{"instances[0]", `"sepal_width"`, "missing"}},
		{"NaN", iris, `{"instances": [[NaN,2,3,4]]}`, []string{"NaN"}},
		{"Infinity", iris, `{"instances": [[-Infinity,2,3,4]]}`, []string{"Infinity"}},
		{"out of range", iris, `{"instances": [[1e999,2,3,4]]}`, []string{"instances[0]", "1e999", "range"}},
		{"out of range for a vector", imageSchema(), `{"instances": [[1,2,1e39,4]]}`, []string{"instances[0]", `"pixels"`, "element 2", "1e39"}},
		{"unknown feature", iris, `{"instances": [{"sepal": 1}]}`, []string{"instances[0]", `"sepal"`, `"sepal_length"`, `"petal_width"`}},
		{"missing feature", iris, `{"instances": [{"sepal_length": 1, "petal_width": 2}]}`, []string{"instances[0]", `"sepal_width"`, `"petal_length"`}},
		{"doubled feature", iris, `{"instances": [{"sepal_length": 1, "sepal_length": 2}]}`, []string{"sepal_length", "twice"}},
		{"half a category", mixed, `{"instances": [[1.5, 1, [1,2,3], true]]}`, []string{`"island"`, "1.5"}},
		{"two for a boolean", mixed, `{"instances": [["a", 1, [1,2,3], 2]]}`, []string{`"male"`, "2"}},
		{"a short vector", mixed, `{"instances": [["a", 1, [1,2], true]]}`, []string{`"shape"`, "want 3 numbers, got 2"}},
		{"a number for a vector by name", mixed, `{"instances": [{"shape": 4, "male": true}]}`, []string{`"shape"`, "list of 3 numbers", "number 4"}},
		{"a string in a vector", mixed, `{"instances": [["a", 1, [1,"x",3], true]]}`, []string{`"shape"`, "element 1", `"x"`}},
		{"null in a vector", mixed, `{"instances": [["a", 1, 1, null, 3, true]]}`, []string{`"shape"`, "element 1", "null"}},
		{"a vector cut off", mixed, `{"instances": [["a", 1, 1, 2]]}`, []string{"want 6 values, got 4"}},
		{"a missing vector", mixed, `{"instances": [["a", 1, null, true]]}`, []string{`"shape"`, "missing"}},
		{"outputs beside instances", iris, `{"instances": [[1,2,3,4]], "outputs": []}`, []string{`"outputs"`, `"instances"`}},
		{"too deep", iris, `{"instances": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, []string{"instances[0]"}},
		{"not UTF-8", mixed, "{\"instances\": [[\"\xff\", 1, 1, 2, 3, true]]}", []string{"UTF-8"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refuses(t, tt.schema, nil, []byte(tt.body), tt.say...) })
	}
}

// refuses checks that a message is invalid, that the error says each of say, and
// that the frame is left as it was.
func refuses(t *testing.T, s *feature.Schema, h nats.Header, body []byte, say ...string) {
	t.Helper()
	f := feature.NewFrame(s, false)
	var req wire.Request
	err := wire.DecodeRequest(f, &req, h, body, 0)
	if !errors.Is(err, wire.ErrInvalid) && !errors.Is(err, feature.ErrInvalid) {
		t.Fatalf("DecodeRequest = %v, want ErrInvalid", err)
	}
	for _, word := range say {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
	if f.Len() != 0 {
		t.Errorf("the frame has %d rows after an error, want 0", f.Len())
	}
}

func TestDecodeRequestKeepsEarlierRows(t *testing.T) {
	f := feature.NewFrame(irisSchema(), false)
	var req wire.Request
	decode := func(body string, maxRows int) error { return wire.DecodeRequest(f, &req, nil, []byte(body), maxRows) }
	if err := decode(`{"instances": [[1,2,3,4],[5,6,7,8]]}`, 2); err != nil {
		t.Fatal(err)
	}
	if err := decode(`{"instances": [[1,2,3,4],[5,6,7]]}`, 2); err == nil {
		t.Error("a short row was taken")
	}
	if err := decode(`{"instances": [[1,2,3,4],[1,2,3,4],[1,2,3,4]]}`, 2); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("three rows = %v, want ErrTooLarge", err)
	}
	if err := decode(`{"inputs": [{"name":"x","shape":[3,4],"datatype":"FP32","data":[1,2,3,4,5,6,7,8,9,10,11,12]}]}`, 2); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("a tensor of three rows = %v, want ErrTooLarge", err)
	}
	if f.Len() != 2 {
		t.Errorf("the frame has %d rows, want the 2 before the errors", f.Len())
	}
}

func TestRequestID(t *testing.T) {
	f := feature.NewFrame(irisSchema(), false)
	var req wire.Request
	h := nats.Header{wire.HeaderID: {"a\nb"}}
	if err := wire.DecodeRequest(f, &req, h, []byte(`{"instances": [[1,2,3,4]]}`), 0); err != nil || string(req.ID) != "a b" {
		t.Errorf("id = %q, %v, want the header's on one line", req.ID, err)
	}
	body := `{"id":"c","inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}],"outputs":[{"name":"score"},{"name":"label","parameters":{"binary_data":false}}],"parameters":{"binary_data_output":true}}`
	if err := wire.DecodeRequest(f, &req, h, []byte(body), 0); err != nil || string(req.ID) != "c" {
		t.Errorf("id = %q, %v, want the body's", req.ID, err)
	}
	want := []wire.OutputWanted{{Name: "score", Binary: true}, {Name: "label"}}
	if !reflect.DeepEqual(req.Outputs, want) {
		t.Errorf("outputs = %v, want %v", req.Outputs, want)
	}
	if err := wire.DecodeRequest(f, &req, nil, []byte(`{"instances": [[1,2,3,4]]}`), 0); err != nil || len(req.ID) != 0 || len(req.Outputs) != 0 {
		t.Errorf("a reused request = %+v, %v, want nothing of the one before", req, err)
	}
}
