package model_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

// TestOutputLayer holds the rule by which the output layer and the loss follow
// from the label. An untrained network shows its ending in its parameters and
// its outputs.
func TestOutputLayer(t *testing.T) {
	tests := []struct {
		name            string
		classes         int // 0: a number
		network, loss   string
		params          int // over two inputs
		wantErr         string
		knownBeforehand bool // also where only the data tell the classes
	}{
		{"number, nothing", 0, "", "", 2 + 1, "", false},
		{"number, hidden", 0, "Dense: {units: 4, activation: relu}", "", 12 + 5, "", false},
		{"number, one linear unit", 0, "Dense: {units: 1}", "", 3, "", false},
		{"number, one softplus unit", 0, "Dense: {units: 1, activation: softplus}", "", 3, "", false},
		{"number, huber", 0, "Dense: {units: 4}", "huber", 12 + 5, "", false},
		{"number, softmax", 0, "Dense: {units: 4, activation: softmax}", "", 0, "softmax", true},
		{"number, crossentropy", 0, "", "binary_crossentropy", 0, "label that is a number", true},
		{"two, nothing", 2, "", "", 3, "", false},
		{"two, sigmoid", 2, "Dense: {units: 1, activation: sigmoid}", "", 3, "", false},
		{"two, one logit", 2, "Dense: {units: 1}", "", 3, "", false},
		{"two, softmax", 2, "Dense: {units: 2, activation: softmax}", "", 6, "", false},
		{"two, two logits", 2, "Dense: {units: 2}", "", 6, "", false},
		{"two, hidden sigmoids", 2, "Dense: {units: 2, activation: sigmoid}", "", 6 + 3, "", false},
		{"two, activation apart", 2, "Dense: {units: 1}/Activation: {activation: sigmoid}", "", 3, "", false},
		{"two, hidden activation apart", 2, "Dense: {units: 4}/Activation: {activation: relu}", "", 12 + 5, "", false},
		{"two, sparse crossentropy", 2, "Dense: {units: 4, activation: relu}", "sparse_categorical_crossentropy", 12 + 10, "", false},
		{"two, one-hot crossentropy", 2, "Dense: {units: 4, activation: relu}", "categorical_crossentropy", 12 + 10, "", false},
		{"two, squared error", 2, "", "mean_squared_error", 3, "", false},
		{"two, loss of another ending", 2, "Dense: {units: 1, activation: sigmoid}", "sparse_categorical_crossentropy", 0, "binary_crossentropy", false},
		{"two, binary loss on softmax", 2, "Dense: {units: 2, activation: softmax}", "binary_crossentropy", 0, "sparse_categorical_crossentropy", false},
		{"three, nothing", 3, "", "", 9, "", false},
		{"three, hidden", 3, "Dense: {units: 4, activation: relu}/Dropout: {rate: 0.5}", "", 12 + 15, "", false},
		{"three, softmax", 3, "Dense: {units: 3, activation: softmax}", "", 9, "", false},
		{"three, logits", 3, "Dense: {units: 3}", "", 9, "", false},
		{"three, hidden of three", 3, "Dense: {units: 3, activation: relu}", "", 9 + 12, "", false},
		{"three, one-hot loss", 3, "", "categorical_crossentropy", 9, "", false},
		{"three, squared error", 3, "", "mean_squared_error", 9, "", false},
		{"three, softmax of four", 3, "Dense: {units: 4, activation: softmax}", "", 0, "softmax over 4 units, but the label has 3", false},
		{"three, one sigmoid", 3, "Dense: {units: 1, activation: sigmoid}", "", 0, "sigmoid", false},
		{"three, binary loss", 3, "", "binary_crossentropy", 0, "3 classes", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kind := "category"
			if tt.classes == 0 {
				kind = "number"
			}
			spec := "{name: a, features: [{name: x, type: number}, {name: z, type: number}], label: {name: y, type: " + kind +
				"}, training: {epochs: 1}"
			if tt.loss != "" {
				spec += ", loss: " + tt.loss
			}
			if tt.network != "" {
				spec += ", network: [{" + strings.ReplaceAll(tt.network, "/", "}, {") + "}]"
			}
			s, err := model.ParseSpec([]byte(spec + "}"))
			if (err != nil) != tt.knownBeforehand {
				t.Fatalf("ParseSpec = %v", err)
			}
			var m *model.Model
			var report *model.Report
			if err == nil {
				m, report, err = model.Fit(t.Context(), s, classed(t, &s.Schema, tt.classes), model.FitOptions{})
			}
			if tt.wantErr != "" {
				if err == nil || !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error = %v, want it to say %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if report.Params != tt.params {
				t.Errorf("Params = %d, want %d", report.Params, tt.params)
			}
			checkDistribution(t, predictRows(t, m, [][]any{{0.5, 2.0}, {-3.0, 1.0}}), tt.classes)
		})
	}
}

// classed is a frame of two numbers labelled with one of so many classes, or a number.
func classed(tb testing.TB, s *feature.Schema, classes int) *feature.Frame {
	tb.Helper()
	f := feature.NewFrame(s, true)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 60 {
		label := number(r.Float64())
		if classes > 0 {
			label = text(strconv.Itoa(i % classes))
		}
		appendRow(tb, f, label, number(r.NormFloat64()), number(float64(i%max(classes, 1))))
	}
	return f
}

// checkDistribution checks the form of an output: numbers, or probabilities that
// sum to 1.
func checkDistribution(t *testing.T, out *model.Output, classes int) {
	t.Helper()
	if classes == 0 {
		if len(out.Values) != out.Rows || out.Probs != nil || out.Classes != nil {
			t.Errorf("output = %+v, want one number a row", out)
		}
		return
	}
	if len(out.Classes) != classes || len(out.Probs) != classes*out.Rows || out.Values != nil {
		t.Fatalf("output = %+v, want %d probabilities a row", out, classes)
	}
	for i := range out.Rows {
		sum := float32(0)
		for k, p := range out.Probs[i*classes : (i+1)*classes] {
			if sum += p; p < 0 || p > out.Probs[i*classes+out.Label(i)] {
				t.Errorf("row %d: probability %d = %v, the label's is %v", i, k, p, out.Probs[i*classes+out.Label(i)])
			}
		}
		if sum < 0.9999 || sum > 1.0001 { // rounding of a few float32
			t.Errorf("row %d: probabilities sum to %v", i, sum)
		}
	}
}
