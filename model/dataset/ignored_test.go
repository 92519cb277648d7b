package dataset_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
)

func TestIgnored(t *testing.T) {
	flower := schema("species", number("petal_length"), optional(number("petal_width")))
	tests := []struct {
		name, file, text string
		schema           *feature.Schema
		label            string
		want             []dataset.Ignored
	}{
		{"none", "a.csv", "species,petal_width,petal_length\nx,1,2\n", flower, "required", nil},
		{"unknown ones", "a.csv", "id,petal_length,colour,petal_width,species\n1,2,x,3,y\n", flower, "required", []dataset.Ignored{{Column: "id"}, {Column: "colour"}}},
		{"a misspelt feature", "a.jsonl", `{"petal_length": 1, "petal_widht": 2, "species": "x"}`, flower, "required", []dataset.Ignored{{Column: "petal_widht", Meant: "petal_width"}}},
		{"a misspelt label", "a.csv", "petal_length,petal_width,specis\n1,2,x\n", flower, "optional", []dataset.Ignored{{Column: "specis", Meant: "species"}}},
		{"a label that nobody wants", "a.csv", "petal_length,petal_width,species\n1,2,x\n", flower, "none", nil},
		{"by position", "a.csv", "1,2,x\n", flower, "required", nil},
		{"by position, a label that nobody wants", "a.csv", "1,2,x\n", flower, "none", nil},
		{"numbers of a vector", "a.csv", "x0,x1,x2,y\n1,2,3,a\n", schema("y", vector("x", 2)), "required", []dataset.Ignored{{Column: "x2"}}},
		{"the weight of the training form", "a.jsonl", `{"features": {"petal_length": 1, "petal_width": 2, "more": 3}, "label": "x", "weight": 2}`, flower, "required", []dataset.Ignored{{Column: "more"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := dataset.NewReader(strings.NewReader(tt.text), dataset.Options{Name: tt.file})
			if err != nil {
				t.Fatal(err)
			}
			b, err := dataset.Bind(r, tt.schema, tt.label)
			if err != nil {
				t.Fatal(err)
			}
			boundRows(t, b)
			if got := b.Ignored(); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestBindMisspelt(t *testing.T) {
	r, err := dataset.NewReader(strings.NewReader("petal_lengthh,species\n1,x\n"), dataset.Options{Name: "a.csv"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = dataset.Bind(r, schema("species", number("petal_length")), "required")
	if want := `is "petal_lengthh" meant to be "petal_length"?`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %s", err, want)
	}
}
