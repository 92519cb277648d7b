package model_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
)

func reference(tb testing.TB, m *model.Model) *drift.Reference {
	tb.Helper()
	r, err := m.Reference()
	if err != nil || r == nil {
		tb.Fatalf("Reference = %v, %v, want one", r, err)
	}
	return r
}

// column returns the counts of a column of m's reference.
func column(tb testing.TB, m *model.Model, name string) *drift.ColumnReference {
	tb.Helper()
	c, ok := reference(tb, m).Column(name)
	if !ok {
		tb.Fatalf("there is no column %q", name)
	}
	return c
}

func asJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestFitKeepsAReference(t *testing.T) {
	s := mustParse(t, flowerSpec)
	rows := flowers(t, &s.Schema, 300, 1)
	m, _ := fit(t, s, rows, model.FitOptions{})
	length := column(t, m, "length")
	sum := 0.0
	for i := range rows.Len() {
		x, _ := rows.Number(0, i)
		sum += x / 300
	}
	if length.Rows != 300 || length.Mean-sum > 1e-9 || sum-length.Mean > 1e-9 {
		t.Errorf("length has %d rows of mean %v, want 300 of the raw values' mean %v", length.Rows, length.Mean, sum)
	}
	if got := column(t, m, drift.PredictionColumn); got.Rows != 300 || len(got.Words) != 3 {
		t.Errorf("predictions are %d of %v, want 300 of 3 classes", got.Rows, got.Words)
	}
	if got := column(t, m, drift.ScoreColumn); got.Min < 1./3 || got.Max > 1 {
		t.Errorf("scores are from %v to %v, want from a third to 1", got.Min, got.Max)
	}
	for name, again := range map[string]*model.Model{
		"Decode": decode(t, encode(t, m)), "Open": open(t, newFile(encode(t, m))),
	} {
		if got, want := asJSON(t, reference(t, again)), asJSON(t, reference(t, m)); got != want {
			t.Errorf("%s gives the reference\n%s\nwant\n%s", name, got, want)
		}
		again.DropTraining()
		if w, err := again.NewWindow(); w == nil || err != nil {
			t.Errorf("NewWindow after %s = %v, %v, want a window", name, w, err)
		}
	}
}

// TestReferencePredictsHeldOutRows wants the predictions of rows that were not trained on.
func TestReferencePredictsHeldOutRows(t *testing.T) {
	s := mustParse(t, flowerSpec)
	rows := flowers(t, &s.Schema, 300, 1)
	split := mustParse(t, strings.Replace(flowerSpec, "seed: 7", "seed: 7, validation_split: 0.1", 1))
	for _, tt := range []struct {
		name  string
		spec  *model.Spec
		held  *feature.Frame
		train int64
		want  int64
	}{
		{"none", s, nil, 300, 300},
		{"empty", s, feature.NewFrame(&s.Schema, true), 300, 300},
		{"held out", s, flowers(t, &s.Schema, 40, 9), 300, 40},
		{"validation", split, nil, 270, 30},
		{"both", split, flowers(t, &split.Schema, 40, 9), 270, 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := fit(t, tt.spec, rows, model.FitOptions{HeldOut: tt.held})
			if got := column(t, m, drift.PredictionColumn).Rows; got != tt.want {
				t.Errorf("the reference has %d predictions, want %d", got, tt.want)
			}
			if got := column(t, m, "width").Rows; got != tt.train {
				t.Errorf("the reference has %d rows, want %d", got, tt.train)
			}
		})
	}
	other := mustParse(t, strings.Replace(flowerSpec, "name: length", "name: height", 1))
	if _, _, err := model.Fit(t.Context(), s, rows, model.FitOptions{HeldOut: flowers(t, &other.Schema, 40, 9)}); !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("held-out rows of another schema: error %v, want one that wraps ErrInvalid", err)
	}
}

// TestReferencePassesOverWhatCannotBePredicted has held-out rows of a category that was
// not trained on.
func TestReferencePassesOverWhatCannotBePredicted(t *testing.T) {
	s := mustParse(t, "name: m\nfeatures: [{name: c, type: category}]\nlabel: {name: y, type: number}\ntraining: {epochs: 1}")
	frame := func(words ...string) *feature.Frame {
		f := feature.NewFrame(&s.Schema, true)
		for i, w := range words {
			appendRow(t, f, number(float64(i)), text(w))
		}
		return f
	}
	m, _ := fit(t, s, frame("a", "b", "a", "b"), model.FitOptions{HeldOut: frame("a", "z", "b")})
	if got := column(t, m, drift.PredictionColumn).Rows; got != 2 {
		t.Errorf("the reference has %d predictions, want 2: one of three rows cannot be predicted", got)
	}
}

func TestFrozenV1HasNoReference(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("testdata", "v1", "classes.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	m := decode(t, file)
	if r, err := m.Reference(); r != nil || err != nil {
		t.Errorf("Reference = %v, %v, want none", r, err)
	}
	if w, err := m.NewWindow(); w != nil || err != nil {
		t.Errorf("NewWindow = %v, %v, want none", w, err)
	}
}

// TestOpenReadsReferenceLate wants a damaged reference to be found by whoever asks for it.
func TestOpenReadsReferenceLate(t *testing.T) {
	header, data := split(t, encode(t, smallModel(t)))
	b := joinFile(strings.Replace(header, `"reference":"{`, `"reference":"{ `, 1), data)
	m := open(t, newFile(b))
	if r, err := m.Reference(); r != nil || !errors.Is(err, model.ErrArtifact) {
		t.Errorf("Reference = %v, %v, want an error that wraps ErrArtifact", r, err)
	}
	if w, err := m.NewWindow(); w != nil || !errors.Is(err, model.ErrArtifact) {
		t.Errorf("NewWindow = %v, %v, want an error that wraps ErrArtifact", w, err)
	}
}

func TestWithReference(t *testing.T) {
	m := smallModel(t)
	before := encode(t, m)
	rows := flowers(t, m.Schema(), 500, 4)
	sketch, err := drift.NewSketch(m.Schema(), drift.Options{Bins: 5})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]int, rows.Len())
	for i := range all {
		all[i] = i
	}
	if err := sketch.Add(rows, all); err != nil {
		t.Fatal(err)
	}
	other, err := m.WithReference(sketch.Reference())
	if err != nil {
		t.Fatal(err)
	}
	again := decode(t, encode(t, other))
	if got := column(t, again, "length").Rows; got != 500 {
		t.Errorf("the new reference has %d rows, want 500", got)
	}
	checkSamePredictions(t, again, m)
	if !bytes.Equal(encode(t, m), before) {
		t.Error("the model changed")
	}
	foreign := mustParse(t, base)
	if sketch, err = drift.NewSketch(&foreign.Schema, drift.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.WithReference(sketch.Reference()); !errors.Is(err, drift.ErrInvalid) {
		t.Errorf("a reference of another schema: error %v, want one that wraps drift.ErrInvalid", err)
	}
}

// TestReferenceIsBounded fits models of wide schemas, of long categories, and of a
// vector, which is summed up in two numbers.
func TestReferenceIsBounded(t *testing.T) {
	numbers := func(n int) []feature.Feature {
		f := make([]feature.Feature, n)
		for i := range f {
			f[i] = feature.Feature{Name: fmt.Sprintf("x%d", i), Type: feature.Number}
		}
		return f
	}
	words := make([]feature.Feature, 8)
	for i := range words {
		words[i] = feature.Feature{Name: fmt.Sprintf("c%d", i), Type: feature.Category}
	}
	for _, tt := range []struct {
		name     string
		features []feature.Feature
		rows     int
		none     bool
		most     int // bytes
	}{
		{"4 numbers", numbers(4), 2000, false, 40 << 10},
		{"784 numbers", numbers(784), 300, false, 700 << 10},
		{"2000 numbers", numbers(2000), 100, false, 1100 << 10},
		{"9000 numbers", numbers(9000), 40, true, 0},
		{"long categories", words, 300, false, 1 << 20},
		{"vector of 784", []feature.Feature{{Name: "pixels", Type: feature.Vector, Size: 784}}, 600, false, 40 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &model.Spec{
				Name: "wide", Schema: feature.Schema{Features: tt.features, Label: feature.Label{Name: "y", Type: feature.Number}},
				Training: model.Training{Epochs: 1},
			}
			r := rand.New(rand.NewPCG(1, 2))
			f := feature.NewFrame(&s.Schema, true)
			for range tt.rows {
				values := make([]feature.Value, len(tt.features))
				for i := range values {
					switch tt.features[i].Type {
					case feature.Category:
						values[i] = text(strings.Repeat("long ", 300) + fmt.Sprint(r.IntN(100)))
					case feature.Vector:
						values[i] = feature.Value{Kind: feature.KindVector, Vector: make([]float32, 784)}
						values[i].Vector[0] = r.Float32()
					default:
						values[i] = number(r.NormFloat64())
					}
				}
				appendRow(t, f, number(r.NormFloat64()), values...)
			}
			m, _ := fit(t, s, f, model.FitOptions{})
			got, err := m.Reference()
			if err != nil || (got == nil) != tt.none {
				t.Fatalf("Reference = %v, %v, want none: %t", got, err, tt.none)
			}
			bare, err := m.WithReference(nil)
			if err != nil {
				t.Fatal(err)
			}
			if grown := len(encode(t, m)) - len(encode(t, bare)); grown > tt.most {
				t.Errorf("the reference takes %d bytes, want at most %d", grown, tt.most)
			}
		})
	}
}

// FuzzReference puts texts in the place of an artifact's reference. One that is taken
// comes out as it was, and every report against it is finite.
func FuzzReference(f *testing.F) {
	m := smallModel(f)
	valid := asJSON(f, reference(f, m))
	f.Add(valid)
	f.Add(valid[:len(valid)/2])
	f.Add(strings.Replace(valid, `"min":`, `"min":-1e140,"x":`, 1))
	f.Add(strings.ReplaceAll(valid, `"missing":0`, `"missing":1`))
	f.Add(`{"sample":512,"columns":[]}`)
	header, data := split(f, encode(f, m))
	quoted := asJSON(f, valid)
	rows := flowers(f, m.Schema(), 200, 5)
	f.Fuzz(func(t *testing.T, s string) {
		again, err := model.Decode(joinFile(strings.Replace(header, quoted, asJSON(t, s), 1), data))
		if err != nil {
			if !errors.Is(err, model.ErrArtifact) {
				t.Errorf("error %v, want one that wraps ErrArtifact", err)
			}
			return
		}
		if s == "" || asJSON(t, reference(t, again)) != s {
			t.Errorf("the reference %q was taken but reads %s", s, asJSON(t, reference(t, again)))
		}
		w, err := again.NewWindow()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.AddRange(rows, 0, rows.Len()); err != nil {
			t.Fatal(err)
		}
		asJSON(t, w.Report(drift.Thresholds{})) // which JSON cannot hold if a number is not finite
	})
}
