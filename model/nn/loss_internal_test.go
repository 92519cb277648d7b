package nn

import (
	"math"
	"testing"

	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

// kerasLoss is one loss of keras/src/losses/losses_test.py.
type kerasLoss struct {
	Y, P, Z   [][]float32
	SampleW   any `json:"sample_w"`
	Loss      float64
	Smoothing float64
	Exact     any

	Unweighted     float64
	SampleWeighted float64 `json:"sample_weighted"`
	Weighted       float64
	Delta          float64
}

func flat(m [][]float32) []float32 {
	var all []float32
	for _, row := range m {
		all = append(all, row...)
	}
	return all
}

// logarithms turns probabilities into logits of the same softmax.
func logarithms(p []float32) []float32 {
	z := make([]float32, len(p))
	for i, v := range p {
		z[i] = float32(math.Log(float64(v)))
	}
	return z
}

// odds turns probabilities into logits of the same sigmoid.
func odds(p []float32) []float32 {
	z := make([]float32, len(p))
	for i, v := range p {
		z[i] = float32(math.Log(float64(v)) - math.Log(1-float64(v)))
	}
	return z
}

func TestLossesAgreeWithKeras(t *testing.T) {
	var k struct {
		MSE               kerasLoss
		MAE               kerasLoss
		BCEProbs          kerasLoss `json:"bce_probs"`
		BCELogits         kerasLoss `json:"bce_logits"`
		BCELabelSmoothing kerasLoss `json:"bce_label_smoothing"`
		CCEProbs          kerasLoss `json:"cce_probs"`
		CCELogits         kerasLoss `json:"cce_logits"`
		CCELabelSmoothing kerasLoss `json:"cce_label_smoothing"`
		Huber             kerasLoss
	}
	readFixture(t, "keras_losses.json", &k)
	exactBCE, ok := k.BCELogits.Exact.(float64)
	if !ok {
		t.Fatal("bce_logits.exact is no number")
	}
	exactCCE, ok := k.CCEProbs.Exact.(float64)
	if !ok {
		t.Fatal("cce_probs.exact is no number")
	}
	two, three := []float32{1.2, 3.4}, []float32{1.2, 3.4, 5.6}
	identity := []float32{1, 0, 0, 0, 1, 0, 0, 0, 1}
	indices := []float32{0, 1, 2}
	// Published figures are cut off after four digits; exact ones are computed in
	// float64 from logits that are rounded to float32 here.
	digits, exact := kerneltest.Tolerance{Abs: 1e-4}, kerneltest.Tolerance{Rel: 3e-7}
	tests := []struct {
		name      string
		loss      Loss
		z, y, w   []float32
		rows      int
		want      float64
		tolerance kerneltest.Tolerance
	}{
		{"mse", MeanSquaredError{}, flat(k.MSE.P), flat(k.MSE.Y), nil, 2, k.MSE.Unweighted, exact},
		{"mse weighted", MeanSquaredError{}, flat(k.MSE.P), flat(k.MSE.Y), two, 2, k.MSE.SampleWeighted, exact},
		{"mae", MeanAbsoluteError{}, flat(k.MAE.P), flat(k.MAE.Y), nil, 2, k.MAE.Unweighted, exact},
		{"mae weighted", MeanAbsoluteError{}, flat(k.MAE.P), flat(k.MAE.Y), two, 2, k.MAE.SampleWeighted, exact},
		{"huber", Huber{Delta: k.Huber.Delta}, flat(k.Huber.P), flat(k.Huber.Y), nil, 2, k.Huber.Loss, exact},
		{"bce of probabilities", BinaryCrossentropy{}, odds(flat(k.BCEProbs.P)), flat(k.BCEProbs.Y), nil, 3, k.BCEProbs.Loss, digits},
		{"bce", BinaryCrossentropy{}, flat(k.BCELogits.Z), flat(k.BCELogits.Y), nil, 2, exactBCE, exact},
		{"bce smoothed", BinaryCrossentropy{LabelSmoothing: k.BCELabelSmoothing.Smoothing}, flat(k.BCELabelSmoothing.Z), flat(k.BCELabelSmoothing.Y), nil, 1, k.BCELabelSmoothing.Loss, digits},
		{"cce of probabilities", CategoricalCrossentropy{}, logarithms(flat(k.CCEProbs.P)), identity, nil, 3, exactCCE, exact},
		{"cce of probabilities weighted", CategoricalCrossentropy{}, logarithms(flat(k.CCEProbs.P)), identity, three, 3, k.CCEProbs.Weighted, digits},
		{"cce", CategoricalCrossentropy{}, flat(k.CCELogits.Z), identity, nil, 3, k.CCELogits.Loss, digits},
		{"cce weighted", CategoricalCrossentropy{}, flat(k.CCELogits.Z), identity, three, 3, k.CCELogits.Weighted, digits},
		{"cce smoothed", CategoricalCrossentropy{LabelSmoothing: k.CCELabelSmoothing.Smoothing}, flat(k.CCELabelSmoothing.Z), flat(k.CCELabelSmoothing.Y), nil, 1, k.CCELabelSmoothing.Loss, exact},
		{"sparse cce", SparseCategoricalCrossentropy{}, flat(k.CCELogits.Z), indices, nil, 3, k.CCELogits.Loss, digits},
		{"sparse cce weighted", SparseCategoricalCrossentropy{}, flat(k.CCELogits.Z), indices, three, 3, k.CCELogits.Weighted, digits},
		{"sparse cce smoothed", SparseCategoricalCrossentropy{LabelSmoothing: k.CCELabelSmoothing.Smoothing}, flat(k.CCELabelSmoothing.Z), []float32{0}, nil, 1, k.CCELabelSmoothing.Loss, exact},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			width := len(tt.z) / tt.rows
			got := tt.loss.gradient(nil, tt.z, tt.y, tt.w, tt.rows, width) / float64(tt.rows)
			if !tt.tolerance.Near(got, tt.want) {
				t.Errorf("loss = %v, want %v", got, tt.want)
			}
		})
	}
}

// TestCrossentropiesFarOut shows that logits of any size give finite losses and
// derivatives.
func TestCrossentropiesFarOut(t *testing.T) {
	z := []float32{1e30, -1e30, 0, -1e30, 1e30, 0}
	for _, l := range []Loss{BinaryCrossentropy{}, CategoricalCrossentropy{}, SparseCategoricalCrossentropy{}} {
		t.Run(l.Config().Name, func(t *testing.T) {
			y := []float32{0, 1, 0, 1, 0, 0}
			if l.targets(3) == 1 {
				y = []float32{1, 0}
			}
			dz := make([]float32, len(z))
			got := l.gradient(dz, z, y, nil, 2, 3)
			if !(got > 1e29) || math.IsInf(got, 0) {
				t.Errorf("loss = %v, want a finite number of the order of 1e30", got)
			}
			for i, d := range dz {
				if math.Abs(float64(d)) > 1 || d != d {
					t.Errorf("derivative %d = %v, want within [-1, 1]", i, d)
				}
			}
		})
	}
}

// TestCrossentropiesOfCertainty has logits of ±10⁴, whose probabilities are 0 and 1
// in any floating point: the loss is their distance all the same.
func TestCrossentropiesOfCertainty(t *testing.T) {
	const far = 1e4
	tests := []struct {
		name string
		loss Loss
		z, y []float32
		want float64
		dz   []float64
	}{
		{"bce right", BinaryCrossentropy{}, []float32{far, -far}, []float32{1, 0}, 0, []float64{0, 0}},
		{"bce wrong", BinaryCrossentropy{}, []float32{far, -far}, []float32{0, 1}, far, []float64{0.5, -0.5}},
		{"bce smoothed", BinaryCrossentropy{LabelSmoothing: 0.5}, []float32{far, -far}, []float32{1, 0}, far / 4, []float64{0.125, -0.125}},
		{"cce right", CategoricalCrossentropy{}, []float32{far, -far}, []float32{1, 0}, 0, []float64{0, 0}},
		{"cce wrong", CategoricalCrossentropy{}, []float32{far, -far}, []float32{0, 1}, 2 * far, []float64{1, -1}},
		{"cce smoothed", CategoricalCrossentropy{LabelSmoothing: 0.5}, []float32{far, -far}, []float32{1, 0}, far / 2, []float64{0.25, -0.25}},
		{"sparse right", SparseCategoricalCrossentropy{}, []float32{far, -far}, []float32{0}, 0, []float64{0, 0}},
		{"sparse wrong", SparseCategoricalCrossentropy{}, []float32{far, -far}, []float32{1}, 2 * far, []float64{1, -1}},
		{"sparse smoothed", SparseCategoricalCrossentropy{LabelSmoothing: 0.5}, []float32{far, -far}, []float32{0}, far / 2, []float64{0.25, -0.25}},
		{"equal logits", SparseCategoricalCrossentropy{}, []float32{far, far}, []float32{0}, math.Ln2, []float64{-0.5, 0.5}},
	}
	// ln 2 is lost in 10⁴ + ln 2 to 2⁻⁴⁰; the rest is exact.
	near := kerneltest.Tolerance{Abs: 0x1p-38}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dz := make([]float32, 2)
			if got := tt.loss.gradient(dz, tt.z, tt.y, nil, 1, 2); !near.Near(got, tt.want) {
				t.Errorf("loss = %v, want %v", got, tt.want)
			}
			if err := kerneltest.Compare(kerneltest.Tolerance{}, dz, tt.dz); err != nil {
				t.Errorf("derivative: %v", err)
			}
		})
	}
}

func TestSparseLossPanicsOnImpossibleClass(t *testing.T) {
	for _, class := range []float32{-1, 3, 0.5, float32(math.NaN())} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("class %v was taken for one of three", class)
				}
			}()
			SparseCategoricalCrossentropy{}.gradient(nil, []float32{1, 2, 3}, []float32{class}, nil, 1, 3)
		}()
	}
}

func TestLossRefusesAnotherActivation(t *testing.T) {
	tests := []struct {
		last string
		loss Loss
		want bool // from logits
		ok   bool
	}{
		{"sigmoid", BinaryCrossentropy{}, true, true},
		{"softmax", CategoricalCrossentropy{}, true, true},
		{"softmax", SparseCategoricalCrossentropy{}, true, true},
		{"linear", BinaryCrossentropy{}, false, true},
		{"tanh", SparseCategoricalCrossentropy{}, false, true},
		{"sigmoid", MeanSquaredError{}, false, true},
		{"softmax", BinaryCrossentropy{}, false, false},
		{"sigmoid", CategoricalCrossentropy{}, false, false},
		{"linear", Huber{Delta: -1}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.last+" "+tt.loss.Config().Name, func(t *testing.T) {
			n, err := New(2, []Layer{Dense{Units: 2, Activation: tt.last}}, 1)
			if err != nil {
				t.Fatal(err)
			}
			got, err := n.fromLogits(tt.loss)
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("fromLogits = %t, %v, want %t, ok %t", got, err, tt.want, tt.ok)
			}
		})
	}
}
