package nn

import (
	"math"
	"reflect"
	"testing"
)

// kerasSchedules is testdata/keras_schedules.json.
type kerasSchedules struct {
	Schedules struct {
		Exponential struct {
			Cases []struct {
				LR, Rate, Value float64
				Steps           int
				Step            int64
				Staircase       bool
			}
		}
		Piecewise struct {
			Boundaries []int64
			Values     []float64
			Cases      [][2]float64
		}
		Polynomial struct {
			LR, End float64
			Steps   int
			Cases   []struct {
				Step         int64
				Power, Value float64
				Cycle        bool
			}
		}
		InverseTime struct {
			LR, Rate float64
			Steps    int
		} `json:"inverse_time"`
		Cosine struct {
			Cases [][2]float64
			N     int
			LR    float64
		}
	}
}

func TestSchedulesAgreeWithKeras(t *testing.T) {
	var f kerasSchedules
	readFixture(t, "keras_schedules.json", &f)
	check := func(s Schedule, step int64, want float64) {
		t.Helper()
		if got := s.Rate(step); math.Abs(got-want) > 1e-12 { // float64 throughout
			t.Errorf("%#v.Rate(%d) = %v, want %v", s, step, got, want)
		}
	}
	for _, c := range f.Schedules.Exponential.Cases {
		check(ExponentialDecay{c.LR, c.Steps, c.Rate, c.Staircase}, c.Step, c.Value)
	}
	for _, c := range f.Schedules.Piecewise.Cases {
		check(PiecewiseConstantDecay{f.Schedules.Piecewise.Boundaries, f.Schedules.Piecewise.Values}, int64(c[0]), c[1])
	}
	p := f.Schedules.Polynomial
	for _, c := range p.Cases {
		check(PolynomialDecay{p.LR, p.Steps, &p.End, c.Power, c.Cycle}, c.Step, c.Value)
	}
	i := f.Schedules.InverseTime
	for step := range int64(30) {
		want := i.LR / (1 + i.Rate*float64(step)/float64(i.Steps))
		check(InverseTimeDecay{InitialLearningRate: i.LR, DecaySteps: i.Steps, DecayRate: i.Rate}, step, want)
	}
	for _, c := range f.Schedules.Cosine.Cases {
		check(CosineDecay{InitialLearningRate: f.Schedules.Cosine.LR, DecaySteps: f.Schedules.Cosine.N}, int64(c[0]), c[1])
	}
}

func TestCosineDecayWarmsUp(t *testing.T) {
	s := CosineDecay{InitialLearningRate: 0, DecaySteps: 100, Alpha: 0.1, WarmupTarget: new(2.0), WarmupSteps: 10}
	for step, want := range map[int64]float64{0: 0, 5: 1, 10: 2, 60: 1.1, 110: 0.2, 1000: 0.2} {
		if got := s.Rate(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("Rate(%d) = %v, want %v", step, got, want)
		}
	}
}

func TestCosineDecayRestarts(t *testing.T) {
	tests := []struct {
		name string
		s    CosineDecayRestarts
		want map[int64]float64
	}{
		{"doubling periods", CosineDecayRestarts{InitialLearningRate: 1, FirstDecaySteps: 10}, map[int64]float64{0: 1, 5: 0.5, 10: 1, 20: 0.5, 30: 1, 50: 0.5, 70: 1}},
		{"equal periods", CosineDecayRestarts{InitialLearningRate: 1, FirstDecaySteps: 10, TMul: 1}, map[int64]float64{0: 1, 5: 0.5, 10: 1, 15: 0.5, 100: 1}},
		{"falling starts", CosineDecayRestarts{InitialLearningRate: 1, FirstDecaySteps: 10, MMul: new(0.5)}, map[int64]float64{0: 1, 10: 0.5, 30: 0.25}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for step, want := range tt.want {
				if got := tt.s.Rate(step); math.Abs(got-want) > 1e-12 {
					t.Errorf("Rate(%d) = %v, want %v", step, got, want)
				}
			}
		})
	}
	// Whatever the factor, each period begins at the top.
	for _, factor := range []float64{1.1, 1.5, 2, 3, 7, 10} {
		s := CosineDecayRestarts{InitialLearningRate: 1, FirstDecaySteps: 10, TMul: factor}
		begin := 0.0
		for n := range 8 {
			if begin == math.Trunc(begin) {
				if got := s.Rate(int64(begin)); got < 0.999 {
					t.Errorf("factor %v, period %d: Rate(%v) = %v, want 1", factor, n, begin, got)
				}
			}
			begin += 10 * math.Pow(factor, float64(n))
		}
	}
}

func TestScheduleConfigsReadBack(t *testing.T) {
	schedules := map[string]Schedule{
		"ExponentialDecay":       ExponentialDecay{0.1, 10, 0.5, true},
		"InverseTimeDecay":       InverseTimeDecay{0.1, 10, 0.5, false},
		"PolynomialDecay":        PolynomialDecay{0.1, 10, new(0.0), 2, true},
		"PiecewiseConstantDecay": PiecewiseConstantDecay{[]int64{1, 2}, []float64{0.3, 0.2, 0}},
		"CosineDecay":            CosineDecay{0, 10, 0.1, new(1.0), 5},
		"CosineDecayRestarts":    CosineDecayRestarts{0.1, 10, 3, new(0.0), 0.1},
	}
	for _, k := range scheduleKinds() {
		s, ok := schedules[k.name]
		if !ok {
			t.Errorf("%s is not tested", k.name)
			continue
		}
		got, err := ParseSchedule(s.Config())
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("ParseSchedule(%v) = %#v, %v, want %#v", s.Config(), got, err, s)
		}
	}
}

// The first step uses the rate of step 0, the second that of step 1.
func TestScheduleSeesTheStepsDoneBefore(t *testing.T) {
	r := newTape(SGD{Schedule: PiecewiseConstantDecay{[]int64{0, 1}, []float64{1, 10, 100}}}, []float32{0})
	for i, want := range []float32{-1, -11, -111} {
		r.step([]float32{1})
		if r.value[0] != want {
			t.Errorf("step %d: x = %v, want %v", i+1, r.value[0], want)
		}
	}
}
