package feature_test

import (
	"math"
	"slices"
	"testing"

	"github.com/modelbus/modelbus/model/feature"
)

func TestTargets(t *testing.T) {
	tests := []struct {
		name    string
		label   feature.Label
		train   []feature.Value
		want    []float32
		classes []string
	}{
		{"number", feature.Label{Type: feature.Number}, []feature.Value{num(3), cell("-4.5")}, []float32{3, -4.5}, nil},
		{"standardized", feature.Label{Type: feature.Number, Scale: []feature.Scale{feature.Standardize}}, []feature.Value{num(1), num(3)}, []float32{-1, 1}, nil},
		{"log1p and min_max", feature.Label{Type: feature.Number, Scale: []feature.Scale{feature.Log1p, feature.MinMax}}, []feature.Value{num(0), num(99)}, []float32{0, 1}, nil},
		{"constant", feature.Label{Type: feature.Number, Scale: []feature.Scale{feature.Standardize}}, []feature.Value{num(7), num(7)}, []float32{0, 0}, nil},
		{"category", feature.Label{Type: feature.Category}, []feature.Value{text("b"), text("a")}, []float32{1, 0}, []string{"a", "b"}},
		{"category of numbers", feature.Label{Type: feature.Category}, []feature.Value{num(10), cell("2")}, []float32{1, 0}, []string{"2", "10"}},
		{"category of booleans", feature.Label{Type: feature.Category}, []feature.Value{yes(true), cell("false")}, []float32{1, 0}, []string{"false", "true"}},
		{"fixed classes", feature.Label{Type: feature.Category, Classes: []string{"z", "a", "m"}}, []feature.Value{text("a"), text("z")}, []float32{1, 0}, []string{"z", "a", "m"}},
		{"boolean", feature.Label{Type: feature.Boolean}, []feature.Value{yes(false), num(1)}, []float32{0, 1}, []string{"false", "true"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.label.Name = "y"
			s := &feature.Schema{Features: []feature.Feature{{Name: "x", Type: feature.Number}}, Label: tt.label}
			f := feature.NewFrame(s, true)
			for _, v := range tt.train {
				if err := f.Append(feature.Row{Values: []feature.Value{num(0)}, Label: v}); err != nil {
					t.Fatal(err)
				}
			}
			p := fit(t, f)
			got := make([]float32, f.Len())
			if err := p.Targets(got, f, 0, f.Len()); err != nil {
				t.Fatalf("Targets() = %v", err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("Targets() = %v, want %v", got, tt.want)
			}
			if got := p.Classes(); !slices.Equal(got, tt.classes) {
				t.Errorf("Classes() = %v, want %v", got, tt.classes)
			}
			if tt.classes == nil {
				p.Unscale(got)
				for i, v := range tt.train {
					want := f.Row(i).Label.Num
					if !near(float64(got[i]), want, 1e-5*max(1, math.Abs(want))) { // the target was rounded to float32
						t.Errorf("Unscale(target of %v) = %v, want %v", v, got[i], want)
					}
				}
			}
		})
	}
}

func TestFitRefuses(t *testing.T) {
	category := feature.Label{Name: "y", Type: feature.Category}
	number := feature.Feature{Name: "x", Type: feature.Number, Missing: feature.MissingMean}
	row := func(x, y feature.Value) feature.Row { return feature.Row{Values: []feature.Value{x}, Label: y} }
	tests := []struct {
		name    string
		feature feature.Feature
		label   feature.Label
		rows    []feature.Row
		want    string
	}{
		{"no rows", number, category, nil, "there are no rows to fit to"},
		{"no values", number, category, []feature.Row{row(none, text("a")), row(none, text("b"))}, `feature "x": all 2 values are missing`},
		{"one class", number, category, []feature.Row{row(num(1), text("a")), row(num(2), text("a"))}, `label "y": all 2 rows are "a": a classifier needs two classes or more`},
		{
			"one truth", number,
			feature.Label{Name: "y", Type: feature.Boolean},
			[]feature.Row{row(num(1), yes(true))},
			`label "y": all 1 rows are "true": a classifier needs two classes or more`,
		},
		{
			"foreign category",
			feature.Feature{Name: "x", Type: feature.Category, Vocabulary: []string{"a", "b"}},
			category,
			[]feature.Row{row(text("q"), text("a"))},
			`row 0: feature "x": unknown category "q": the schema lists "a", "b"`,
		},
		{
			"outside the domain",
			feature.Feature{Name: "x", Type: feature.Number, Scale: []feature.Scale{feature.Log1p}},
			category,
			[]feature.Row{row(num(1), text("a")), row(num(-1), text("b"))},
			`row 1: feature "x": got -1: scale "log1p" needs values above -1`,
		},
		{
			"too large", number, category,
			[]feature.Row{row(num(-1e308), text("a")), row(num(1e308), text("b"))},
			`feature "x": std is +Inf: the values are too large, or the state is damaged`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := feature.NewFrame(&feature.Schema{Features: []feature.Feature{tt.feature}, Label: tt.label}, true)
			for _, r := range tt.rows {
				if err := f.Append(r); err != nil {
					t.Fatal(err)
				}
			}
			_, err := feature.Fit(f)
			checkError(t, "Fit()", err, tt.want)
		})
	}
}
