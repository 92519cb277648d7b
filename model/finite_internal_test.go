package model

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/feature"
)

// sumModel predicts the sum of two numbers, both of which it takes as they are.
func sumModel(t *testing.T) *Model {
	t.Helper()
	s, err := ParseSpec([]byte(`{name: sum, features: [{name: a, type: number, scale: none}, {name: b, type: number, scale: none}],
  label: {name: y, type: number}, training: {epochs: 1}}`))
	if err != nil {
		t.Fatal(err)
	}
	f := feature.NewFrame(&s.Schema, true)
	appendNumbers(t, f, 1, 2)
	m, _, err := Fit(t.Context(), s, f, FitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	copy(m.network.Params()[0].Value, []float32{1, 1})
	return m
}

func appendNumbers(t *testing.T, f *feature.Frame, values ...float64) {
	t.Helper()
	row := feature.Row{Label: feature.Value{Kind: feature.KindNumber}}
	for _, v := range values {
		row.Values = append(row.Values, feature.Value{Kind: feature.KindNumber, Num: v})
		row.Label.Num += v
	}
	if err := f.Append(row); err != nil {
		t.Fatal(err)
	}
}

func TestEncodeRefusesWhatIsNotFinite(t *testing.T) {
	for name, tensor := range map[string]func(m *Model) []float32{
		"dense.kernel":                    func(m *Model) []float32 { return m.network.Params()[0].Value },
		"optimizer.dense.kernel.velocity": func(m *Model) []float32 { return m.state[2].Value },
	} {
		for _, v := range []float64{math.NaN(), math.Inf(-1)} {
			m := sumModel(t)
			tensor(m)[1] = float32(v)
			b, err := m.Encode()
			if b != nil || err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "not finite at index 1") {
				t.Errorf("%s = %v: Encode = %d bytes, %v, want an error that names it", name, v, len(b), err)
			}
		}
	}
}

func TestPredictRefusesWhatIsNotFinite(t *testing.T) {
	m := sumModel(t)
	f := feature.NewFrame(&m.spec.Schema, false)
	appendNumbers(t, f, 1e38, 2e38)
	if _, err := m.NewPredictor().Predict(f); err != nil {
		t.Fatalf("3e38: %v", err)
	}
	appendNumbers(t, f, 3e38, 3e38)
	_, err := m.NewPredictor().Predict(f)
	if !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), "row 1") || !strings.Contains(err.Error(), "+Inf") {
		t.Errorf("6e38: Predict = %v, want ErrInvalid that names row 1 and +Inf", err)
	}
}
