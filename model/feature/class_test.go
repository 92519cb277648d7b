package feature_test

import (
	"errors"
	"testing"

	"github.com/modelbus/modelbus/model/feature"
)

func classes(listed ...string) *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{{Name: "x", Type: feature.Number}},
		Label:    feature.Label{Name: "y", Type: feature.Category, Classes: listed},
	}
}

func labelled(x float64, class string) feature.Row {
	return feature.Row{Values: []feature.Value{num(x)}, Label: text(class)}
}

// A labelled frame takes the classes that its schema lists, and never an empty one.
func TestFrameRefusesClasses(t *testing.T) {
	for _, tt := range []struct {
		name, class string
		listed      []string
		want        string
	}{
		{"empty", "", nil, `label "y": the value is missing: an example needs one`},
		{"empty, listed", "", []string{"a", "b"}, `label "y": the value is missing: an example needs one`},
		{"unknown", "c", []string{"a", "b"}, `label "y": unknown class "c": the classes are "a", "b"`},
		{"misspelt", "Setossa", []string{"setosa", "virginica"}, `label "y": unknown class "Setossa", did you mean "setosa"? The classes are "setosa", "virginica"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := feature.NewFrame(classes(tt.listed...), true)
			err := f.Append(labelled(1, tt.class))
			checkError(t, "Append()", err, tt.want)
			if !errors.Is(err, feature.ErrInvalid) || f.Len() != 0 {
				t.Errorf("error %v with %d rows, want ErrInvalid with none", err, f.Len())
			}
		})
	}
}

// Rows that came from a frame of other classes are looked at when a pipeline is fitted.
func TestFitRefusesForeignClass(t *testing.T) {
	loose, f := feature.NewFrame(classes(), true), feature.NewFrame(classes("a", "b"), true)
	for i, class := range []string{"a", "c"} {
		if err := errors.Join(loose.Append(labelled(float64(i), class)), f.AppendFrom(loose, i)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := feature.Fit(f)
	checkError(t, "Fit()", err, `row 1: label "y": unknown class "c": the schema lists "a", "b"`)
}

func TestCheckClass(t *testing.T) {
	known := []string{"no", "yes", "setosa", "versicolor"}
	for class, want := range map[string]string{
		"yes":       "",
		"y":         `unknown class "y": the classes are "no", "yes", "setosa", "versicolor"`,
		"NO":        `unknown class "NO", did you mean "no"? The classes are "no", "yes", "setosa", "versicolor"`,
		"vesicolor": `unknown class "vesicolor", did you mean "versicolor"? The classes are "no", "yes", "setosa", "versicolor"`,
	} {
		err := feature.CheckClass(class, known)
		if want == "" {
			if err != nil {
				t.Errorf("CheckClass(%q) = %v, want nil", class, err)
			}
			continue
		}
		checkError(t, "CheckClass()", err, want)
	}
}
