package model_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

func mustParse(tb testing.TB, text string) *model.Spec {
	tb.Helper()
	s, err := model.ParseSpec([]byte(text))
	if err != nil {
		tb.Fatalf("ParseSpec: %v", err)
	}
	return s
}

func number(x float64) feature.Value { return feature.Value{Kind: feature.KindNumber, Num: x} }
func text(s string) feature.Value    { return feature.Value{Kind: feature.KindText, Text: s} }

func truth(b bool) feature.Value {
	v := feature.Value{Kind: feature.KindBool}
	if b {
		v.Num = 1
	}
	return v
}

func appendRow(tb testing.TB, f *feature.Frame, label feature.Value, values ...feature.Value) {
	tb.Helper()
	if err := f.Append(feature.Row{Values: values, Label: label, Weight: 1}); err != nil {
		tb.Fatalf("Append: %v", err)
	}
}

const flowerSpec = `
name: flowers
features:
  - {name: length, type: number}
  - {name: width, type: number}
label: {name: species, type: category}
network:
  - Dense: {units: 8, activation: relu}
optimizer: {Adam: {learning_rate: 0.02}}
training: {epochs: 10, batch_size: 16, seed: 7}
`

// flowers are three clouds of points a few standard deviations apart.
func flowers(tb testing.TB, s *feature.Schema, n int, seed uint64) *feature.Frame {
	tb.Helper()
	f := feature.NewFrame(s, true)
	r := rand.New(rand.NewPCG(seed, 0))
	names := []string{"setosa", "versicolor", "virginica"}
	for i := range n {
		k := i % 3
		appendRow(tb, f, text(names[k]), number(float64(4*k)+r.NormFloat64()), number(float64(3*(k%2))+r.NormFloat64()*0.7))
	}
	return f
}

func fit(tb testing.TB, s *model.Spec, f *feature.Frame, opts model.FitOptions) (*model.Model, *model.Report) {
	tb.Helper()
	m, r, err := model.Fit(tb.Context(), s, f, opts)
	if err != nil {
		tb.Fatalf("Fit: %v", err)
	}
	return m, r
}

func encode(tb testing.TB, m *model.Model) []byte {
	tb.Helper()
	b, err := m.Encode()
	if err != nil {
		tb.Fatalf("Encode: %v", err)
	}
	return b
}

func decode(tb testing.TB, b []byte) *model.Model {
	tb.Helper()
	m, err := model.Decode(b)
	if err != nil {
		tb.Fatalf("Decode: %v", err)
	}
	return m
}

func TestFitLearnsClasses(t *testing.T) {
	s := mustParse(t, flowerSpec)
	m, report := fit(t, s, flowers(t, &s.Schema, 300, 1), model.FitOptions{})
	scores, err := m.Evaluate(flowers(t, &s.Schema, 300, 2))
	if err != nil {
		t.Fatal(err)
	}
	if got := scores.Values["accuracy"]; got < 0.93 {
		t.Errorf("accuracy = %v, want at least 0.93", got)
	}
	if got, want := report.Params, 2*8+8+8*3+3; got != want {
		t.Errorf("Params = %d, want %d", got, want)
	}
	if got := len(report.History.Epochs); got != 10 || report.Rows != 300 {
		t.Errorf("report = %d epochs of %d rows, want 10 of 300", got, report.Rows)
	}
}

func TestFitIsDeterministic(t *testing.T) {
	s := mustParse(t, flowerSpec)
	f := flowers(t, &s.Schema, 301, 1)
	var want []byte
	for _, procs := range []int{1, 2, 5} {
		before := runtime.GOMAXPROCS(procs)
		m, _ := fit(t, s, f, model.FitOptions{})
		runtime.GOMAXPROCS(before)
		got := encode(t, m)
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("GOMAXPROCS %d gives another artifact", procs)
		}
	}
}

// TestFitIsDeterministicInParallel fits a network whose products are shared by
// several goroutines, forward, back and in validation.
func TestFitIsDeterministicInParallel(t *testing.T) {
	s := mustParse(t, `{name: a, features: [{name: x, type: vector, size: 96}], label: {name: y, type: number, scale: standardize},
  network: [{Dense: {units: 192, activation: relu}}, BatchNormalization, {Dropout: {rate: 0.1}}, {Dense: {units: 160, activation: gelu}}],
  training: {epochs: 2, batch_size: 100, seed: 5, validation_split: 0.25}}`)
	f := feature.NewFrame(&s.Schema, true)
	r := rand.New(rand.NewPCG(1, 2))
	for range 430 { // 323 to train on: three batches of 100 and one of 23
		x, y := make([]float32, 96), 0.0
		for j := range x {
			x[j] = float32(r.NormFloat64())
			y += float64(x[j]) / float64(j+1)
		}
		appendRow(t, f, number(y), feature.Value{Kind: feature.KindVector, Vector: x})
	}
	var want []byte
	for _, procs := range []int{1, 2, 8} {
		before := runtime.GOMAXPROCS(procs)
		m, _ := fit(t, s, f, model.FitOptions{})
		runtime.GOMAXPROCS(before)
		if got := encode(t, m); want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Errorf("GOMAXPROCS %d gives another artifact", procs)
		}
	}
}

// optimizers returns one of each kind, as a spec writes it, with the options that
// keep state.
func optimizers(tb testing.TB) map[string]string {
	tb.Helper()
	known := map[string]string{
		"Adam":    "{Adam: {amsgrad: true, learning_rate: {ExponentialDecay: {initial_learning_rate: 0.01, decay_steps: 10, decay_rate: 0.9}}}}",
		"AdamW":   "AdamW",
		"SGD":     "{SGD: {momentum: 0.9, nesterov: true, clipnorm: 1}}",
		"RMSprop": "{RMSprop: {momentum: 0.5, centered: true}}",
		"Adagrad": "Adagrad",
		"Nadam":   "Nadam",
		"Lion":    "Lion",
	}
	_, err := nn.ParseOptimizer(nn.Config{Name: "?"})
	if err == nil {
		tb.Fatal("there is an optimizer called ?")
	}
	_, list, _ := strings.Cut(err.Error(), "known: ")
	names := strings.Split(strings.TrimSuffix(list, ")"), ", ")
	if len(names) != len(known) {
		tb.Errorf("optimizers are %v, tested are %d", names, len(known))
	}
	for _, name := range names {
		if known[name] == "" {
			tb.Errorf("optimizer %q is not tested", name)
		}
	}
	return known
}

// TestFitResumes shows that 1,000 steps, an artifact and 1,000 steps more are the
// 2,000 steps of a training that was not stopped, bit for bit; for optimizers
// besides Adam, a tenth as many.
func TestFitResumes(t *testing.T) {
	for name, optimizer := range optimizers(t) {
		t.Run(name, func(t *testing.T) {
			epochs, steps := 10, int64(100)
			if name == "Adam" {
				epochs, steps = 100, 1000
			}
			whole := mustParse(t, `{name: a, features: [{name: length, type: number}, {name: width, type: number}],
  label: {name: species, type: category}, network: [{Dense: {units: 8, activation: tanh}}, {Dropout: {rate: 0.2}}, BatchNormalization],
  optimizer: `+optimizer+`, training: {batch_size: 16, validation_split: 0.2, seed: 3}}`)
			half, err := model.ParseSpec(mustJSON(t, whole))
			if err != nil {
				t.Fatal(err)
			}
			whole.Training.Epochs, half.Training.Epochs = 2*epochs, epochs
			f := flowers(t, &whole.Schema, 200, 1)
			want, _ := fit(t, whole, f, model.FitOptions{})

			first, _ := fit(t, half, f, model.FitOptions{})
			before := encode(t, first)
			parent := decode(t, before)
			if got := parent.Steps(); got != steps {
				t.Fatalf("the first half has %d steps, want %d", got, steps)
			}
			second, report := fit(t, half, f, model.FitOptions{Parent: parent})
			if got := report.History.Epochs[0].Number; got != epochs+1 {
				t.Errorf("the second half begins with epoch %d, want %d", got, epochs+1)
			}
			if got := encode(t, parent); !bytes.Equal(got, before) {
				t.Error("training from a parent has changed the parent")
			}
			second.Spec().Training.Epochs = 2 * epochs // the only difference that may be
			if got := second.Steps(); got != 2*steps {
				t.Errorf("both halves have %d steps, want %d", got, 2*steps)
			}
			if !bytes.Equal(encode(t, second), encode(t, want)) {
				t.Errorf("%d + %d steps give another artifact than %d", steps, steps, 2*steps)
			}
		})
	}
}

func mustJSON(tb testing.TB, s *model.Spec) []byte {
	tb.Helper()
	b, err := s.MarshalJSON()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestFitLearnsNumbers(t *testing.T) {
	s := mustParse(t, `
name: line
features:
  - {name: a, type: number, missing: mean, indicator: true}
  - {name: shop, type: category, encode: embedding, units: 2, unknown: zeros}
  - {name: open, type: boolean}
label: {name: y, type: number, scale: standardize}
network:
  - Dense: {units: 16, activation: relu}
optimizer: {Adam: {learning_rate: 0.02}}
training: {epochs: 60, batch_size: 32, validation_split: 0.1, target: {val_r2: 0.999}}
`)
	f := feature.NewFrame(&s.Schema, true)
	r := rand.New(rand.NewPCG(1, 0))
	shops := map[string]float64{"north": 100, "south": 300, "west": -50}
	for i := range 600 {
		a := number(r.Float64() * 10)
		shop := []string{"north", "south", "west"}[i%3]
		y := 20*a.Num + shops[shop]
		if i%10 == 9 {
			a, y = feature.Value{}, shops[shop]+500
		}
		open := r.IntN(2) == 0
		if open {
			y += 40
		}
		appendRow(t, f, number(y), a, text(shop), truth(open))
	}
	m, report := fit(t, s, f, model.FitOptions{})
	scores, err := m.Evaluate(f)
	if err != nil {
		t.Fatal(err)
	}
	if got := scores.Values["r2"]; got < 0.98 {
		t.Errorf("r2 = %v, want at least 0.98", got)
	}
	if report.Validation != 60 || report.Rows != 540 {
		t.Errorf("rows = %d trained, %d validated, want 540 and 60", report.Rows, report.Validation)
	}
	last := report.History.Epochs[len(report.History.Epochs)-1]
	if mse := last.Metrics["mse"]; !(mse > 0) || math.Abs(scores.Values["mse"]-mse) > 10*mse+1000 {
		t.Errorf("validation mse = %v, want it in label units such as %v", mse, scores.Values["mse"])
	}
	unlabelled := feature.NewFrame(&s.Schema, false)
	appendRow(t, unlabelled, feature.Value{}, number(1), text("nowhere"), truth(true))
	if _, err := m.NewPredictor().Predict(unlabelled); err != nil {
		t.Errorf("an unknown shop is allowed, got %v", err)
	}
	if again := encode(t, decode(t, encode(t, m))); !bytes.Equal(again, encode(t, m)) {
		t.Error("decoding and encoding gives other bytes")
	}
}
