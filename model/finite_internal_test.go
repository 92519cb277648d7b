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

// TestNotFinite puts what is not finite in every place, among the largest and
// smallest finite numbers of both signs.
func TestNotFinite(t *testing.T) {
	around := []float32{math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 0, float32(math.Copysign(0, -1)), -1}
	for n := range len(around) + 1 {
		values := around[:n]
		clean := tensorF32("t", []int{n}, values)
		if at := clean.notFinite(); at != -1 {
			t.Errorf("%v: notFinite = %d, want -1", values, at)
		}
		for i := range n {
			for _, bad := range []uint32{0x7f800000, 0xff800000, 0x7fc00000, 0xffffffff, 0x7f800001} {
				v := append([]float32{}, values...)
				v[i] = math.Float32frombits(bad)
				dirty := tensorF32("t", []int{n}, v)
				if at := dirty.notFinite(); at != i {
					t.Errorf("%v: notFinite = %d, want %d", v, at, i)
				}
			}
		}
	}
	wide := tensorF64("t", []float64{1, math.MaxFloat64, math.NaN()})
	if at := wide.notFinite(); at != 2 {
		t.Errorf("F64: notFinite = %d, want 2", at)
	}
}
