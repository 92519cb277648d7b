package model_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/kernel/kerneltest"
	"github.com/modelbus/modelbus/model/nn"
)

func TestPredictorReusesMemory(t *testing.T) {
	m := smallModel(t)
	f := flowers(t, m.Schema(), 700, 3) // more than are computed at once
	p := m.NewPredictor()
	if _, err := p.Predict(f); err != nil {
		t.Fatal(err)
	}
	small := f.Range(0, 5)
	if n := testing.AllocsPerRun(10, func() {
		for _, f := range []*feature.Frame{f, small} {
			if _, err := p.Predict(f); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("Predict allocates %v times once its memory has grown, want 0", n)
	}
}

func TestPredictorRowsAreIndependent(t *testing.T) {
	m := smallModel(t)
	f := flowers(t, m.Schema(), 700, 3)
	all, err := m.NewPredictor().Predict(f)
	if err != nil {
		t.Fatal(err)
	}
	p := m.NewPredictor()
	for _, i := range []int{0, 1, 511, 512, 699} {
		one, err := p.Predict(f.Range(i, i+1))
		if err != nil {
			t.Fatal(err)
		}
		for k := range 3 {
			if got, want := one.Probs[k], all.Probs[3*i+k]; got != want {
				t.Errorf("row %d, class %d = %v alone and %v among others", i, k, got, want)
			}
		}
	}
}

func TestPredictErrors(t *testing.T) {
	s := mustParse(t, `{name: a, features: [{name: x, type: number}, {name: kind, type: category}], label: {name: y, type: number}, training: {epochs: 1}}`)
	f := feature.NewFrame(&s.Schema, true)
	for i := range 20 {
		appendRow(t, f, number(float64(i)), number(float64(i)), text([]string{"a", "b"}[i%2]))
	}
	m, _ := fit(t, s, f, model.FitOptions{})
	bad := feature.NewFrame(&s.Schema, false)
	appendRow(t, bad, feature.Value{}, number(1), text("a"))
	appendRow(t, bad, feature.Value{}, number(1), text("zebra"))
	_, err := m.NewPredictor().Predict(bad)
	if !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), "zebra") || !strings.Contains(err.Error(), "kind") {
		t.Errorf("unknown category: error = %v", err)
	}
	far := feature.NewFrame(&s.Schema, false)
	appendRow(t, far, feature.Value{}, number(1e300), text("a"))
	if _, err := m.NewPredictor().Predict(far); !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("a value beyond float32: error = %v", err)
	}
}

func TestOutputLabelTakesTheFirstOfEquals(t *testing.T) {
	o := model.Output{Rows: 2, Classes: []string{"a", "b", "c"}, Probs: []float32{0.2, 0.4, 0.4, 0.5, 0.5, 0}}
	if o.Label(0) != 1 || o.Label(1) != 0 {
		t.Errorf("labels = %d, %d, want 1, 0", o.Label(0), o.Label(1))
	}
}

func TestEvaluateUnseenClass(t *testing.T) {
	m := smallModel(t)
	f := flowers(t, m.Schema(), 90, 2)
	before, err := m.Evaluate(f)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		appendRow(t, f, text("tulip"), number(0), number(0))
	}
	scores, err := m.Evaluate(f)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := scores.Values["accuracy"], before.Values["accuracy"]*0.9; math.Abs(got-want) > 1e-12 {
		t.Errorf("accuracy = %v, want %v: 10 of 100 rows are wrong", got, want)
	}
	if got := scores.Values["log_loss"]; !(got > before.Values["log_loss"]) || math.IsInf(got, 0) {
		t.Errorf("log_loss = %v, want finite and above %v", got, before.Values["log_loss"])
	}
	for name, f := range map[string]*feature.Frame{"unlabelled": feature.NewFrame(m.Schema(), false), "empty": feature.NewFrame(m.Schema(), true)} {
		if _, err := m.Evaluate(f); !errors.Is(err, feature.ErrInvalid) {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

// TestEvaluateWeighs counts a row of weight 3 as three rows.
func TestEvaluateWeighs(t *testing.T) {
	m := smallModel(t)
	weighed, repeated := feature.NewFrame(m.Schema(), true), feature.NewFrame(m.Schema(), true)
	f := flowers(t, m.Schema(), 60, 9)
	for i := range f.Len() {
		row := f.Row(i)
		row.Weight = float64(1 + i%3)
		if err := weighed.Append(row); err != nil {
			t.Fatal(err)
		}
		for range 1 + i%3 {
			appendRow(t, repeated, row.Label, row.Values...)
		}
	}
	got, err := m.Evaluate(weighed)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Evaluate(repeated)
	if err != nil {
		t.Fatal(err)
	}
	near := kerneltest.Tolerance{Rel: 1e-12} // the order of additions in float64
	for name, w := range want.Values {
		if g := got.Values[name]; !near.Near(g, w) {
			t.Errorf("%s = %v weighed, %v repeated", name, g, w)
		}
	}
}

func TestFitErrors(t *testing.T) {
	s := mustParse(t, flowerSpec)
	t.Run("no rows", func(t *testing.T) {
		if _, _, err := model.Fit(t.Context(), s, feature.NewFrame(&s.Schema, true), model.FitOptions{}); !errors.Is(err, feature.ErrInvalid) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("unlabelled", func(t *testing.T) {
		if _, _, err := model.Fit(t.Context(), s, feature.NewFrame(&s.Schema, false), model.FitOptions{}); !errors.Is(err, feature.ErrInvalid) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("one class", func(t *testing.T) {
		f := feature.NewFrame(&s.Schema, true)
		for i := range 10 {
			appendRow(t, f, text("rose"), number(float64(i)), number(1))
		}
		_, _, err := model.Fit(t.Context(), s, f, model.FitOptions{})
		if !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), "rose") {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, _, err := model.Fit(ctx, s, flowers(t, &s.Schema, 90, 1), model.FitOptions{Progress: func(e nn.Epoch) {
			if e.Number == 2 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("diverged", func(t *testing.T) {
		s := mustParse(t, `{name: a, features: [{name: length, type: number}, {name: width, type: number}], label: {name: y, type: number},
  network: [{Dense: {units: 8}}, {Dense: {units: 8}}], optimizer: {SGD: {learning_rate: 100}}, training: {epochs: 50}}`)
		_, _, err := model.Fit(t.Context(), s, classed(t, &s.Schema, 0), model.FitOptions{})
		if !errors.Is(err, nn.ErrDiverged) {
			t.Errorf("error = %v, want ErrDiverged", err)
		}
	})
	t.Run("too small to split", func(t *testing.T) {
		s := mustParse(t, flowerSpec)
		s.Training.ValidationSplit = 0.01
		_, _, err := model.Fit(t.Context(), s, flowers(t, &s.Schema, 9, 1), model.FitOptions{})
		if !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), "validation_split") {
			t.Errorf("error = %v", err)
		}
	})
}

func TestFitParentMustMatch(t *testing.T) {
	m := smallModel(t)
	for name, edit := range map[string][2]string{
		"features":     {"{name: width, type: number}", "{name: width, type: number, scale: min_max}"},
		"label":        {"type: category}", "type: category, classes: [setosa, versicolor, virginica]}"},
		"network":      {"units: 8", "units: 9"},
		"not with SGD": {"Adam: {learning_rate: 0.02}", "SGD: {learning_rate: 0.02}"},
	} {
		s := mustParse(t, strings.Replace(flowerSpec, edit[0], edit[1], 1))
		_, _, err := model.Fit(t.Context(), s, flowers(t, &s.Schema, 60, 1), model.FitOptions{Parent: m})
		if !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error = %v", name, err)
		}
	}
	f := flowers(t, m.Schema(), 30, 1)
	appendRow(t, f, text("tulip"), number(0), number(0))
	if _, _, err := model.Fit(t.Context(), m.Spec(), f, model.FitOptions{Parent: m}); !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), "tulip") {
		t.Errorf("new class: error = %v", err)
	}
}

// TestValidationRowsStayOut gives the validation rows values that would show in
// the pipeline. Which rows they are follows from the seed and the count alone.
func TestValidationRowsStayOut(t *testing.T) {
	s := mustParse(t, `{name: a, features: [{name: x, type: number}], label: {name: y, type: number}, training: {epochs: 1, validation_split: 0.25, seed: 5}}`)
	values := make([]float64, 40)
	build := func() *feature.Frame {
		f := feature.NewFrame(&s.Schema, true)
		for _, v := range values {
			appendRow(t, f, number(1), number(v))
		}
		return f
	}
	influence := 0
	base := 0.0
	for i := -1; i < len(values); i++ {
		clear(values)
		values[0], values[1] = 1, 1 // not constant, whichever is left out
		if i >= 0 {
			values[i] += 1000
		}
		m, report := fit(t, s, build(), model.FitOptions{})
		if report.Rows != 30 || report.Validation != 10 {
			t.Fatalf("rows = %d and %d, want 30 and 10", report.Rows, report.Validation)
		}
		out := predictRows(t, m, [][]any{{500.0}})
		if i < 0 {
			base = float64(out.Values[0])
		} else if float64(out.Values[0]) != base {
			influence++
		}
	}
	if influence != 30 {
		t.Errorf("%d rows influence the model, want the 30 that are trained on", influence)
	}
}

func TestWeights(t *testing.T) {
	spec := `{name: a, features: [{name: x, type: number}], label: {name: y, type: boolean}, training: {epochs: 40, batch_size: 20, seed: 1%s}, optimizer: {SGD: {learning_rate: 0.5}}}`
	// One in five rows is true, whatever x is: the probability is what the weights make of it.
	predict := func(extra string, weight float64) float64 {
		s := mustParse(t, strings.Replace(spec, "%s", extra, 1))
		f := feature.NewFrame(&s.Schema, true)
		for i := range 100 {
			row := feature.Row{Values: []feature.Value{number(float64(i / 5 % 2))}, Label: truth(i%5 == 0), Weight: 1}
			if i%5 == 0 {
				row.Weight = weight
			}
			if err := f.Append(row); err != nil {
				t.Fatal(err)
			}
		}
		m, _ := fit(t, s, f, model.FitOptions{})
		return float64(predictRows(t, m, [][]any{{0.0}}).Probs[1])
	}
	for _, tt := range []struct {
		name, extra  string
		weight, want float64
	}{
		{"none", "", 1, 0.2},
		{"class weight", ", class_weight: {true: 4}", 1, 0.5},
		{"balanced", ", class_weight: balanced", 1, 0.5},
		{"sample weight", "", 4, 0.5},
		{"both", ", class_weight: {true: 4}", 4, 0.8},
	} {
		// SGD over shuffled batches stays within some hundredths of the optimum.
		if got := predict(tt.extra, tt.weight); math.Abs(got-tt.want) > 0.06 {
			t.Errorf("%s: probability = %v, want about %v", tt.name, got, tt.want)
		}
	}
}

// TestBalancedWeightsAreOneForBalancedClasses shows the scale of balanced weights:
// where all classes are as frequent, they change nothing.
func TestBalancedWeightsAreOneForBalancedClasses(t *testing.T) {
	weights := func(extra string) []byte {
		s := mustParse(t, strings.Replace(flowerSpec, "seed: 7", "seed: 7"+extra, 1))
		m, _ := fit(t, s, flowers(t, &s.Schema, 90, 1), model.FitOptions{})
		m.Spec().Training.ClassWeight = nil // the only difference that may be
		return encode(t, m)
	}
	if !bytes.Equal(weights(", class_weight: balanced"), weights("")) {
		t.Error("balanced weights of three classes of 30 rows change the training")
	}
	if bytes.Equal(weights(", class_weight: {setosa: 0.5}"), weights("")) {
		t.Error("the weight of a class changes nothing")
	}
}

// TestFitRefusesWhatNoFileCanHold notices before the training, not after, that
// the categories are more than an artifact can hold.
func TestFitRefusesWhatNoFileCanHold(t *testing.T) {
	s := mustParse(t, `{name: a, features: [{name: x, type: category, encode: embedding, units: 1}], label: {name: y, type: number}}`)
	f := feature.NewFrame(&s.Schema, true)
	for i := range 17 { // of a million bytes each
		appendRow(t, f, number(float64(i)), text(fmt.Sprintf("%01000000d", i)))
	}
	_, _, err := model.Fit(t.Context(), s, f, model.FitOptions{Progress: func(nn.Epoch) { t.Error("an epoch was trained") }})
	if !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), "header") || !strings.Contains(err.Error(), "hashing") {
		t.Errorf("Fit = %v, want ErrInvalid about the header that names hashing", err)
	}
}

// TestFitHidesNoInfiniteWeight has a feature that is always 0 and a decay that
// makes its weight infinite in the last step: no output ever shows it.
func TestFitHidesNoInfiniteWeight(t *testing.T) {
	s := mustParse(t, `{name: a, features: [{name: zero, type: number}], label: {name: y, type: number},
  network: [{Dense: {units: 1, use_bias: false}}], optimizer: {SGD: {learning_rate: 1, weight_decay: 1e39}}, training: {epochs: 1, batch_size: 64}}`)
	f := feature.NewFrame(&s.Schema, true)
	for range 64 {
		appendRow(t, f, number(1), number(0))
	}
	m, _, err := model.Fit(t.Context(), s, f, model.FitOptions{})
	if m != nil || !errors.Is(err, nn.ErrDiverged) || !strings.Contains(err.Error(), "dense.kernel") {
		t.Errorf("Fit = %v, %v, want ErrDiverged that names dense.kernel", m, err)
	}
}

// TestFitLargeDataStaysLean trains on a matrix that is too large to be computed
// beforehand.
func TestFitLargeDataStaysLean(t *testing.T) {
	const size, n = 16384, 600 // 39 MB of float32
	s := mustParse(t, `{name: a, features: [{name: x, type: vector, size: 16384, scale: none}], label: {name: y, type: boolean}, training: {epochs: 1, validation_split: 0.1}}`)
	f := feature.NewFrame(&s.Schema, true)
	x := make([]float32, size)
	for i := range n {
		for j := range x {
			x[j] = float32((i*7+j*3)%11) / 11
		}
		appendRow(t, f, truth(i%2 == 0), feature.Value{Kind: feature.KindVector, Vector: x})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fit(t, s, f, model.FitOptions{})
	runtime.ReadMemStats(&after)
	// The batches, and the rows that the reference predicts: the whole would be 1.
	if got := after.TotalAlloc - before.TotalAlloc; got > n*size*4*3/4 {
		t.Errorf("fitting allocates %d bytes for data of %d", got, n*size*4)
	}
}
