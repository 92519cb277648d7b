package metric_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model/kernel/kerneltest"
	"github.com/modelbus/modelbus/model/metric"
)

// near compares scores of a handful of float32 inputs, summed in float64: what
// differs is the rounding of the inputs, 6e-8 of each.
func near(got, want float64) bool {
	return kerneltest.Tolerance{Rel: 1e-6, Abs: 1e-6}.Near(got, want)
}

func readFixture(t *testing.T) (f struct {
	AUC struct {
		Y, P  []float32
		Exact float64 `json:"exact_roc"`
	}
	F1 struct {
		Y, P  [][]float32
		Each  []float64
		Macro float64
	}
},
) {
	t.Helper()
	b, err := os.ReadFile("testdata/keras_metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func binary(p []float32) []float32 {
	prob := make([]float32, 0, 2*len(p))
	for _, p := range p {
		prob = append(prob, 1-p, p)
	}
	return prob
}

func TestClassificationAgreesWithKeras(t *testing.T) {
	f := readFixture(t)
	s := metric.Classification(binary(f.AUC.P), f.AUC.Y, nil, []string{"no", "yes"})
	if got := s.Values["roc_auc"]; !near(got, f.AUC.Exact) {
		t.Errorf("roc_auc = %v, want %v", got, f.AUC.Exact)
	}
	var truth []float32
	for _, row := range f.F1.Y {
		truth = append(truth, float32(slices.Index(row, 1)))
	}
	s = metric.Classification(slices.Concat(f.F1.P...), truth, nil, []string{"a", "b", "c"})
	for i, want := range f.F1.Each {
		if !near(s.F1[i], want) {
			t.Errorf("F1[%d] = %v, want %v", i, s.F1[i], want)
		}
	}
	if got := s.Values["f1_macro"]; !near(got, f.F1.Macro) {
		t.Errorf("f1_macro = %v, want %v", got, f.F1.Macro)
	}
}

func TestClassification(t *testing.T) {
	prob := []float32{
		0.7, 0.2, 0.1,
		0.2, 0.5, 0.3,
		0.4, 0.4, 0.2, // equal: the first
		0.1, 0.1, 0.8,
	}
	s := metric.Classification(prob, []float32{0, 1, 1, 2}, nil, []string{"a", "b", "c"})
	want := map[string]float64{
		"accuracy": 0.75,
		"log_loss": -(math.Log(0.7) + math.Log(0.5) + math.Log(0.4) + math.Log(0.8)) / 4,
		"f1_macro": (2.0/3 + 2.0/3 + 1) / 3,
		"roc_auc":  1, // each class outranks the rest
	}
	for name, want := range want {
		if got := s.Values[name]; !near(got, want) {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if got := s.Baseline["majority"]; got != 0.5 {
		t.Errorf("majority = %v, want 0.5", got)
	}
	if want := [][]int{{1, 0, 0}, {1, 1, 0}, {0, 0, 1}}; !slices.EqualFunc(s.Confusion, want, slices.Equal) {
		t.Errorf("confusion = %v, want %v", s.Confusion, want)
	}
	if s.Rows != 4 || len(s.Classes) != 3 {
		t.Errorf("rows, classes = %d, %v", s.Rows, s.Classes)
	}
}

func TestClassificationUndefined(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	two := []string{"no", "yes"}
	tests := []struct {
		name        string
		prob, truth []float32
		weight      []float64
		classes     []string
		absent      []string
		want        map[string]float64
	}{
		{
			name: "no rows", classes: two,
			absent: []string{"accuracy", "log_loss", "f1_macro", "roc_auc"},
		},
		{
			name: "one class present", prob: []float32{0.5, 0.5, 0.2, 0.8}, truth: []float32{1, 1}, classes: two,
			absent: []string{"roc_auc"},
			want:   map[string]float64{"accuracy": 0.5},
		},
		{
			name: "certain and wrong is finite", prob: []float32{1, 0}, truth: []float32{1}, classes: two,
			want: map[string]float64{"log_loss": -math.Log(1e-7), "accuracy": 0},
		},
		{
			name: "a class the model does not know is wrong",
			prob: []float32{0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1}, truth: []float32{0, -1, 2, nan}, classes: two,
			want: map[string]float64{"accuracy": 0.25, "log_loss": (-math.Log(0.9) - 3*math.Log(1e-7)) / 4},
		},
		{
			name: "predictions that are not finite are wrong",
			prob: []float32{nan, nan, inf, inf, 0.1, 0.9}, truth: []float32{1, 1, 1}, classes: two,
			absent: []string{"roc_auc"},
			want:   map[string]float64{"log_loss": (-math.Log(0.9) - 2*math.Log(1e-7)) / 3},
		},
		{
			name: "no weight", prob: []float32{1, 0}, truth: []float32{0}, weight: []float64{0}, classes: two,
			absent: []string{"accuracy", "log_loss", "roc_auc"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := metric.Classification(tt.prob, tt.truth, tt.weight, tt.classes)
			for _, name := range tt.absent {
				if v, ok := s.Values[name]; ok {
					t.Errorf("%s = %v, want none", name, v)
				}
			}
			for name, want := range tt.want {
				if got, ok := s.Values[name]; !ok || !near(got, want) {
					t.Errorf("%s = %v, %v, want %v", name, got, ok, want)
				}
			}
			if _, err := json.Marshal(s); err != nil {
				t.Errorf("scores cannot be written: %v", err)
			}
		})
	}
}

// Keras keeps probabilities within [1e-7, 1-1e-7].
func TestCertainAndRightIsNotQuiteFree(t *testing.T) {
	s := metric.Classification([]float32{0, 1}, []float32{1}, nil, []string{"no", "yes"})
	if got := s.Values["log_loss"]; got < 0.99e-7 || got > 1.01e-7 {
		t.Errorf("log_loss = %v, want 1e-7", got)
	}
}

func TestConfusionIsBounded(t *testing.T) {
	const k = metric.MaxConfusion + 1
	s := metric.Classification(make([]float32, k), []float32{3}, nil, make([]string, k))
	if s.Confusion != nil {
		t.Errorf("confusion of %d classes has %d rows, want none", k, len(s.Confusion))
	}
}

func TestRegression(t *testing.T) {
	s := metric.Regression([]float32{2.5, 0, 2, 8}, []float32{3, -0.5, 2, 7}, nil)
	// scikit-learn's documentation of r2_score and mean_squared_error.
	want := map[string]float64{"mse": 0.375, "mae": 0.5, "rmse": math.Sqrt(0.375), "r2": 0.9486081370449679}
	for name, want := range want {
		if got := s.Values[name]; !near(got, want) {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if got, want := s.Baseline["mean"], 29.1875/4; !near(got, want) {
		t.Errorf("mean = %v, want %v", got, want)
	}
}

func TestRegressionUndefined(t *testing.T) {
	s := metric.Regression([]float32{1, 2, 3}, []float32{0.1, 0.1, 0.1}, nil)
	if v, ok := s.Values["r2"]; ok {
		t.Errorf("r2 of a constant truth = %v, want none", v)
	}
	for _, s := range []metric.Scores{
		metric.Regression(nil, nil, nil),
		metric.Regression([]float32{float32(math.NaN())}, []float32{1}, nil),
	} {
		if len(s.Values) != 0 {
			t.Errorf("values = %v, want none", s.Values)
		}
	}
}

func TestBetter(t *testing.T) {
	nan := math.NaN()
	for _, name := range slices.Concat(metric.ClassificationNames(), metric.RegressionNames()) {
		up, known := metric.Better(name, 2, 1)
		down, _ := metric.Better(name, 1, 2)
		same, _ := metric.Better(name, 1, 1)
		if !known || up == down || same {
			t.Errorf("Better(%q) = %v up, %v down, %v same, known %v", name, up, down, same, known)
		}
		if b, _ := metric.Better(name, nan, 1); b {
			t.Errorf("Better(%q, NaN, 1) = true", name)
		}
		if b, _ := metric.Better(name, 1, nan); !b {
			t.Errorf("Better(%q, 1, NaN) = false", name)
		}
	}
	if up, _ := metric.Better("accuracy", 2, 1); !up {
		t.Error("a greater accuracy is not better")
	}
	if up, _ := metric.Better("mse", 2, 1); up {
		t.Error("a greater mse is better")
	}
	if _, known := metric.Better("accurate", 1, 2); known {
		t.Error("accurate is known")
	}
}

// A truth of random ranks with many ties.
func drawRanking(t *rapid.T) (p, truth []float32, weight []float64) {
	n := rapid.IntRange(2, 40).Draw(t, "rows")
	for range n {
		p = append(p, float32(rapid.IntRange(0, 8).Draw(t, "score"))/8)
		truth = append(truth, float32(rapid.IntRange(0, 1).Draw(t, "truth")))
		weight = append(weight, float64(rapid.IntRange(0, 3).Draw(t, "weight")))
	}
	return p, truth, weight
}

func TestAUCIsTheShareOfPairsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, truth, weight := drawRanking(t)
		var wins, pairs float64
		for i := range p {
			for j := range p {
				if truth[i] != 1 || truth[j] != 0 {
					continue
				}
				w := weight[i] * weight[j]
				pairs += w
				switch {
				case p[i] > p[j]:
					wins += w
				case p[i] == p[j]:
					wins += w / 2
				}
			}
		}
		got, ok := metric.Classification(binary(p), truth, weight, []string{"no", "yes"}).Values["roc_auc"]
		if ok != (pairs > 0) || ok && !near(got, wins/pairs) {
			t.Fatalf("roc_auc = %v, %v, want %v of %v pairs", got, ok, wins, pairs)
		}
	})
}

func TestWeightsCountAsRepeatedRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, truth, weight := drawRanking(t)
		var repeated, repeatedTruth []float32
		for i, w := range weight {
			for range int(w) {
				repeated, repeatedTruth = append(repeated, p[i]), append(repeatedTruth, truth[i])
			}
		}
		classes := []string{"no", "yes"}
		compare(t, metric.Classification(binary(p), truth, weight, classes),
			metric.Classification(binary(repeated), repeatedTruth, nil, classes))
		if len(repeated) > 0 && slices.Min(repeatedTruth) != slices.Max(repeatedTruth) {
			compare(t, metric.Regression(p, truth, weight), metric.Regression(repeated, repeatedTruth, nil))
		}
	})
}

func compare(t *rapid.T, got, want metric.Scores) {
	t.Helper()
	for name, want := range want.Values {
		if got, ok := got.Values[name]; !ok || !near(got, want) {
			t.Fatalf("%s = %v, %v, want %v", name, got, ok, want)
		}
	}
	for name, want := range want.Baseline {
		if got := got.Baseline[name]; !near(got, want) {
			t.Fatalf("%s = %v, want %v", name, got, want)
		}
	}
	if len(got.Values) < len(want.Values) {
		t.Fatalf("values = %v, want %v", got.Values, want.Values)
	}
}
