package feature_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/feature"
)

func TestValidate(t *testing.T) {
	x := func(f feature.Feature) *feature.Schema {
		f.Name = "x"
		return regression(f)
	}
	y := func(l feature.Label) *feature.Schema {
		l.Name = "y"
		return &feature.Schema{Features: []feature.Feature{{Name: "x", Type: feature.Number}}, Label: l}
	}
	tests := []struct {
		name   string
		schema *feature.Schema
		path   string
		want   string
	}{
		{"no features", &feature.Schema{Label: feature.Label{Name: "y", Type: feature.Number}}, "features", "the schema has no features: one at least is due"},
		{"no type", x(feature.Feature{}), "features[0].type", `feature "x": the type is missing: one of "number", "category", "boolean", "vector" is due`},
		{"unknown type", x(feature.Feature{Type: "int"}), "features[0].type", `feature "x": type is "int": one of "number", "category", "boolean", "vector" is due`},
		{"no size", x(feature.Feature{Type: feature.Vector}), "features[0].size", `feature "x": size is 0: a vector has 1 to 1048576 numbers`},
		{"size of a number", x(feature.Feature{Type: feature.Number, Size: 3}), "features[0].size", `feature "x": a number has no size`},
		{"unknown scale", x(feature.Feature{Type: feature.Number, Scale: []feature.Scale{"zscore"}}), "features[0].scale", `feature "x": scale is "zscore": one of "none", "standardize", "min_max", "rescale", "robust", "log1p" is due`},
		{"none with others", x(feature.Feature{Type: feature.Number, Scale: []feature.Scale{feature.None, feature.Log1p}}), "features[0].scale", `feature "x": scale "none" stands alone or not at all`},
		{"scale twice", x(feature.Feature{Type: feature.Number, Scale: []feature.Scale{feature.Log1p, feature.Log1p}}), "features[0].scale", `feature "x": scale "log1p" is listed twice`},
		{"scale of a category", x(feature.Feature{Type: feature.Category, Scale: []feature.Scale{feature.Log1p}}), "features[0].scale", `feature "x": a category has no scale`},
		{"encoding of a number", x(feature.Feature{Type: feature.Number, Encode: feature.OneHot}), "features[0].encode", `feature "x": a number has no encode`},
		{"vocabulary of a boolean", x(feature.Feature{Type: feature.Boolean, Vocabulary: []string{"a"}}), "features[0].vocabulary", `feature "x": a boolean has no vocabulary`},
		{"no buckets", x(feature.Feature{Type: feature.Category, Encode: feature.Hashing}), "features[0].buckets", `feature "x": buckets is 0: hashing needs 1 to 1048576`},
		{"buckets of one_hot", x(feature.Feature{Type: feature.Category, Buckets: 3}), "features[0].buckets", `feature "x": only encode "hashing" has buckets`},
		{"units of one_hot", x(feature.Feature{Type: feature.Category, Units: 3}), "features[0].units", `feature "x": only encode "embedding" has units`},
		{"unknown with hashing", x(feature.Feature{Type: feature.Category, Encode: feature.Hashing, Buckets: 3, Unknown: feature.UnknownZeros}), "features[0].unknown", `feature "x": encode "hashing" knows no unknown category`},
		{"doubled word", x(feature.Feature{Type: feature.Category, Vocabulary: []string{"a", "b", "a"}}), "features[0].vocabulary", `feature "x": vocabulary lists "a" twice`},
		{"mean of a category", x(feature.Feature{Type: feature.Category, Missing: feature.MissingMean}), "features[0].missing", `feature "x": missing is "mean": one of "error", "constant", "category" is due`},
		{"fill without constant", x(feature.Feature{Type: feature.Number, Fill: 3}), "features[0].fill", `feature "x": fill needs missing: constant`},
		{"no fill", x(feature.Feature{Type: feature.Number, Missing: feature.MissingConstant}), "features[0].fill", `feature "x": fill: got no value: a number is due`},
		{"fill of another type", x(feature.Feature{Type: feature.Number, Missing: feature.MissingConstant, Fill: "0"}), "features[0].fill", `feature "x": fill: got the text "0": a number is due`},
		{"short fill", x(feature.Feature{Type: feature.Vector, Size: 3, Missing: feature.MissingConstant, Fill: []any{1.0, 2}}), "features[0].fill", `feature "x": fill: got a list of 2 values: 3 are due`},
		{"fill outside the scale", x(feature.Feature{Type: feature.Number, Scale: []feature.Scale{feature.Log1p}, Missing: feature.MissingConstant, Fill: -5}), "features[0].fill", `feature "x": fill: got -5: scale "log1p" needs values above -1`},
		{"fill outside the vocabulary", x(feature.Feature{Type: feature.Category, Vocabulary: []string{"a"}, Missing: feature.MissingConstant, Fill: "b"}), "features[0].fill", `feature "x": fill: "b" is not in the vocabulary`},
		{"indicator alone", x(feature.Feature{Type: feature.Number, Indicator: true}), "features[0].indicator", `feature "x": indicator needs a policy for missing values: missing is "error"`},
		{"indicator twice", x(feature.Feature{Type: feature.Category, Missing: feature.MissingCategory, Indicator: true}), "features[0].indicator", `feature "x": missing: category already tells missing values apart`},
		{"no name", regression(feature.Feature{Type: feature.Number}), "features[0].name", `feature "": the name is empty`},
		{"reserved name", regression(feature.Feature{Name: ".label", Type: feature.Number}), "features[0].name", `feature ".label": the name is reserved`},
		{"name not UTF-8", regression(feature.Feature{Name: "\xff", Type: feature.Number}), "features[0].name", `feature "\xff": the name is not UTF-8`},
		{"label named as a feature", regression(feature.Feature{Name: "y", Type: feature.Number}), "label.name", `label "y": there is a feature of this name`},
		{"label without type", y(feature.Label{}), "label.type", `label "y": the type is missing: one of "number", "category", "boolean" is due`},
		{"vector label", y(feature.Label{Type: feature.Vector}), "label.type", `label "y": a label cannot be a vector: one of "number", "category", "boolean" is due`},
		{"scale of classes", y(feature.Label{Type: feature.Category, Scale: []feature.Scale{feature.Log1p}}), "label.scale", `label "y": a category has no scale`},
		{"classes of a number", y(feature.Label{Type: feature.Number, Classes: []string{"a", "b"}}), "label.classes", `label "y": a number has no classes`},
		{"one class", y(feature.Label{Type: feature.Category, Classes: []string{"a"}}), "label.classes", `label "y": classes has one entry: a classifier needs two or more`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.schema.Validate()
			checkError(t, "Validate()", err, tt.want)
			if e, ok := errors.AsType[*feature.FieldError](err); !ok || e.Path != tt.path {
				t.Errorf("Validate() = %#v, want a FieldError at %s", err, tt.path)
			}
		})
	}
	t.Run("all at once", func(t *testing.T) {
		s := &feature.Schema{
			Features: []feature.Feature{{Name: "a", Type: feature.Number}, {Name: "a", Type: "b"}},
			Label:    feature.Label{Name: "y", Type: "c"},
		}
		if got := strings.Count(s.Validate().Error(), "\n") + 1; got != 3 {
			t.Errorf("Validate() reports %d problems, want 3: %v", got, s.Validate())
		}
	})
	t.Run("valid", func(t *testing.T) {
		if err := mixed().Validate(); err != nil {
			t.Errorf("Validate() = %v, want nil", err)
		}
	})
}

func TestSchemaShape(t *testing.T) {
	s := mixed()
	if i, ok := s.Index("wet"); i != 2 || !ok {
		t.Errorf("Index(wet) = %d, %v, want 2, true", i, ok)
	}
	if _, ok := s.Index("dry"); ok {
		t.Error("Index(dry) is found")
	}
	if got := s.Width(); got != 5 {
		t.Errorf("Width() = %d, want 5: a vector takes Size places", got)
	}
	if s.Numeric() {
		t.Error("Numeric() = true with a category")
	}
	if !regression(feature.Feature{Name: "v", Type: feature.Vector, Size: 2}).Numeric() {
		t.Error("Numeric() = false with a vector alone")
	}
}
