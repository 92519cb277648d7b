package drift_test

import (
	"math"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

type statistics struct {
	Chi struct {
		Ref       []int64 `json:"ref_counts"`
		Cur       []int64 `json:"cur_counts"`
		P         float64 `json:"p_value"`
		Statistic float64
	} `json:"chi_square"`
	Computed struct {
		PSI float64
		JS  float64 `json:"js_distance_base_2"`
	} `json:"computed_by_me_same_counts"`
	Fisher []struct {
		Ref, Cur string
		P        float64
	}
	FDR []struct {
		Q     []float64
		Drift bool
	} `json:"alibi_fdr"`
}

func TestDistances(t *testing.T) {
	var f statistics
	readJSON(t, "drift_statistics.json", &f)
	near := kerneltest.Tolerance{Rel: 1e-12}
	if got := drift.PSI(f.Chi.Ref, f.Chi.Cur); !near.Near(got, f.Computed.PSI) {
		t.Errorf("PSI() = %v, want %v", got, f.Computed.PSI)
	}
	if got := drift.JensenShannon(f.Chi.Ref, f.Chi.Cur); !near.Near(got, f.Computed.JS) {
		t.Errorf("JensenShannon() = %v, want %v", got, f.Computed.JS)
	}
	// The published test takes the reference as the truth: the limit of a large one.
	large := make([]int64, len(f.Chi.Ref))
	for i, n := range f.Chi.Ref {
		large[i] = n * 1_000_000
	}
	statistic, p := drift.ChiSquare(large, f.Chi.Cur)
	if !(kerneltest.Tolerance{Rel: 1e-5}).Near(statistic, f.Chi.Statistic) || math.Abs(p-f.Chi.P) > 1e-5 {
		t.Errorf("ChiSquare() = %v, %v, want %v, %v", statistic, p, f.Chi.Statistic, f.Chi.P)
	}
}

func TestFisher(t *testing.T) {
	var f statistics
	readJSON(t, "drift_statistics.json", &f)
	for _, c := range f.Fisher {
		count := func(s string) (hits, n int64) { return int64(strings.Count(s, "a")), int64(len(s)) }
		hits, n := count(c.Ref)
		others, m := count(c.Cur)
		if got := drift.Fisher(hits, n, others, m); math.Abs(got-c.P) > 0.001 { // published cut off at three decimals
			t.Errorf("Fisher(%d of %d, %d of %d) = %v, want %v", hits, n, others, m, got, c.P)
		}
	}
	for _, tt := range []struct {
		hits, n, others, m int64
		low, high          float64
	}{
		{0, 0, 3, 5, 1, 1},
		{5, 10, 5, 10, 1, 1},
		{0, 1000, 0, 10, 1, 1},
		{300_000, 1_000_000, 300_300, 1_000_000, 0.6, 0.7}, // z = 0.463: 0.643
		{300_000, 1_000_000, 310_000, 1_000_000, 0, 1e-30},
	} {
		if got := drift.Fisher(tt.hits, tt.n, tt.others, tt.m); got < tt.low || got > tt.high {
			t.Errorf("Fisher(%+v) = %v", tt, got)
		}
	}
}

func TestFalseDiscovery(t *testing.T) {
	for _, q := range []float64{0.05, 0.1, 0.25} {
		for _, tt := range []struct {
			p     float64
			drift bool
		}{{q - 1e-5, true}, {q, false}} {
			values := make([]float64, 1000)
			p := make([]*float64, len(values))
			for i := range values {
				values[i], p[i] = tt.p, &values[i]
			}
			drift.FalseDiscovery(p)
			if got := values[7] < q; got != tt.drift {
				t.Errorf("1000 p-values of %v: adjusted %v, below %v is %v, want %v", tt.p, values[7], q, got, tt.drift)
			}
		}
	}
	// Benjamini and Hochberg's own example: 4 of 15 at 0.05.
	values := []float64{
		0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1,
	}
	p := make([]*float64, len(values))
	for i := range values {
		p[len(p)-1-i] = &values[i]
	}
	drift.FalseDiscovery(p)
	for i, v := range values {
		if (v <= 0.05) != (i < 4) {
			t.Errorf("adjusted p-value %d is %v", i+1, v)
		}
	}
}

func TestDistancesOfNothing(t *testing.T) {
	empty, some := []int64{0, 0}, []int64{3, 0}
	for _, c := range [][2][]int64{{empty, some}, {some, empty}, {empty, empty}, {some, some}, {nil, nil}} {
		statistic, p := drift.ChiSquare(c[0], c[1])
		if psi, js := drift.PSI(c[0], c[1]), drift.JensenShannon(c[0], c[1]); psi != 0 || js != 0 || statistic != 0 || p != 1 {
			t.Errorf("of %v: PSI %v, JS %v, chi-square %v with p %v, want 0, 0, 0, 1", c, psi, js, statistic, p)
		}
	}
	if js := drift.JensenShannon([]int64{9, 0}, []int64{0, 4}); js != 1 {
		t.Errorf("JensenShannon() of nothing in common = %v, want 1", js)
	}
}
