package dataset_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
)

// boundRows reads all rows, "values → label" each, with "× weight" if there is one.
func boundRows(tb testing.TB, b *dataset.Bound) []string {
	tb.Helper()
	var all []string
	for {
		row, err := b.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			if _, ok := errors.AsType[*dataset.RowError](err); !ok {
				tb.Fatalf("Read() = %v, want a RowError", err)
			}
			all = append(all, err.Error())
			continue
		}
		text := showAll(row.Values) + " → " + show(row.Label)
		if row.Weight != 0 {
			text += fmt.Sprintf(" × %v", row.Weight)
		}
		all = append(all, text)
	}
}

func schema(label string, features ...feature.Feature) *feature.Schema {
	return &feature.Schema{Features: features, Label: feature.Label{Name: label, Type: feature.Category}}
}

func number(name string) feature.Feature { return feature.Feature{Name: name, Type: feature.Number} }

func vector(name string, size int) feature.Feature {
	return feature.Feature{Name: name, Type: feature.Vector, Size: size}
}

func optional(f feature.Feature) feature.Feature {
	f.Missing = feature.MissingMean
	return f
}

func TestBind(t *testing.T) {
	ab := func(label string) *feature.Schema { return schema(label, number("a"), number("b")) }
	tests := []struct {
		name   string
		text   string
		schema *feature.Schema
		label  string
		want   []string
	}{
		{"by name", "id,b,y,a\n9,2,x,1\n", ab("y"), "required", []string{"1|2 → x"}},
		{"label optional and there", "b,y,a\n2,x,1\n", ab("y"), "optional", []string{"1|2 → x"}},
		{"label optional and not there", "b,a\n2,1\n", ab("y"), "optional", []string{"1|2 → -"}},
		{"label not wanted", "b,y,a\n2,x,1\n", ab("y"), "none", []string{"1|2 → -"}},
		{"ragged rows pass on", "a,b,y\n1,2,x\n1\n3,4,z\n", ab("y"), "required", []string{"1|2 → x", "line 3: got 1 cells: 3 are due", "3|4 → z"}},
		{"position, label last", "1,2,x\n", ab("y"), "required", []string{"1|2 → x"}},
		{"position, label first by its name", "x,1,2\n", ab("c1"), "required", []string{"1|2 → x"}},
		{"position, no label", "1,2\n", ab("y"), "optional", []string{"1|2 → -"}},
		{"position, label not wanted", "1,2,x\n", ab("y"), "none", []string{"1|2 → -"}},
		{"names of a file without header", "x,1,2\n", schema("c1", number("c3"), number("c2")), "required", []string{"2|1 → x"}},
		{"vector by position", "1,2,3,x\n", schema("y", number("a"), vector("v", 2)), "required", []string{"1|[2 3] → x"}},
		{"vector by index", "v[1],y,v[0]\n2,x,1\n", schema("y", vector("v", 2)), "required", []string{"[1 2] → x"}},
		{"vector by number from 1", "label,pixel1,pixel2\nx,1,2\n", schema("label", vector("pixel", 2)), "required", []string{"[1 2] → x"}},
		{"vector by underscore", "p_0,p_1,y\n1,2,x\n", schema("y", vector("p", 2)), "required", []string{"[1 2] → x"}},
		{"vector of one", "p,y\n1,x\n", schema("y", vector("p", 1)), "required", []string{"[1] → x"}},
		{
			"vector with bad cells", "v0,v1,y\n1,?,x\n?,?,y\n1,two,z\n0x1,1,z\n1,2,w\n", schema("y", vector("v", 2)), "required",
			[]string{
				`line 2: feature "v": 1 of 2 numbers are missing`, "- → y", `line 4: feature "v" at position 1: got "two": a number is due`,
				`line 5: feature "v" at position 0: got "0x1": a number is due`, "[1 2] → w",
			},
		},
		{"objects", `{"y":"x","b":2,"a":1}`, ab("y"), "required", []string{`#1|#2 → "x"`}},
		{"objects, optional feature comes later", "{\"a\":1,\"y\":\"x\"}\n{\"a\":1,\"y\":\"x\",\"b\":2}", schema("y", number("a"), optional(number("b"))), "required", []string{`#1|- → "x"`, `#1|#2 → "x"`}},
		{"training form", `{"features":{"b":2,"a":1},"label":"x","weight":0.5}`, ab("y"), "required", []string{`#1|#2 → "x" × 0.5`}},
		{"training form by position", `{"features":[1,[2,3]],"label":"x"}` + "\n" + `{"features":[4,[5,6]],"label":"x","weight":3}`, schema("y", number("a"), vector("v", 2)), "required", []string{`#1|[2 3] → "x"`, `#4|[5 6] → "x" × 3`}},
		{"training form, bad weight", `{"features":{"b":2,"a":1},"label":"x","weight":0}`, ab("y"), "required", []string{"line 1: got weight 0: a number above 0 is due"}},
		{"training form, weight as text", `{"features":{"b":2,"a":1},"label":"x","weight":"heavy"}`, ab("y"), "required", []string{`line 1: got weight "heavy": a number above 0 is due`}},
		{"lists", `[1,2,"x"]`, ab("y"), "required", []string{`#1|#2 → "x"`}},
		{"first row unreadable", "{\n" + `{"y":"x","b":2,"a":1}`, ab("y"), "required", []string{"line 1: malformed JSON: unexpected end of JSON input", `#1|#2 → "x"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := dataset.Bind(open(t, tt.text, dataset.Options{}), tt.schema, tt.label)
			if err != nil {
				t.Fatalf("Bind() = %v", err)
			}
			checkRows(t, boundRows(t, b), tt.want...)
		})
	}
}

func TestBindRefuses(t *testing.T) {
	ab := schema("y", number("a"), number("b"))
	tests := []struct {
		name  string
		text  string
		label string
		want  string
	}{
		{"no feature", "a,c,y\n1,2,x\n", "required", `there is no column for "b": the columns are "a", "c", "y"`},
		{"no label", "a,b,c\n1,2,x\n", "required", `there is no column for the label "y": the columns are "a", "b", "c"`},
		{"no header, wrong width", "1,2,3,4\n", "required", `there is no column for "a", "b": the columns are "c1", "c2", "c3", "c4"`},
		{"no header, no label", "1,2\n", "required", `there is no column for "a", "b": the columns are "c1", "c2"`},
		{"objects without a feature", `{"a":1,"y":"x"}`, "required", `there is no column for "b": the columns are "a", "y"`},
		{"label word", "a,b,y\n1,2,x\n", "maybe", `label is "maybe": "required", "optional" or "none" is due`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := dataset.Bind(open(t, tt.text, dataset.Options{}), ab, tt.label)
			checkError(t, "Bind()", err, tt.want)
		})
	}
}

func TestBindArrays(t *testing.T) {
	b := zipped(t,
		entry{"x.npy", npy("|u1", "False", "(2, 1, 2)", uint8(1), uint8(2), uint8(3), uint8(4))},
		entry{"y.npy", npy("<i8", "False", "(2,)", int64(7), int64(8))})
	r, err := dataset.NewReader(bytes.NewReader(b), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bound, err := dataset.Bind(r, schema("y", vector("x", 2)), "required")
	if err != nil {
		t.Fatal(err)
	}
	if !bound.HasLabel() || bound.Line() != 0 {
		t.Errorf("HasLabel, Line = %v, %d, want true, 0", bound.HasLabel(), bound.Line())
	}
	checkRows(t, boundRows(t, bound), "[1 2] → #7", "[3 4] → #8")
	if bound.Line() != 2 {
		t.Errorf("Line() = %d, want 2", bound.Line())
	}
}
