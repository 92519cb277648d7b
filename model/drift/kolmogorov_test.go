package drift_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

// apart returns two sorted samples of size n that are h/n apart.
func apart(n, h int) (a, b []float64) {
	for i := range n {
		a = append(a, float64(i))
		b = append(b, float64(i+h)-0.5)
	}
	return a, b
}

// The table is exact rational arithmetic, rounded; ours is 60 multiplications.
func TestKolmogorovSmirnovIsExact(t *testing.T) {
	var tables map[string]any
	readJSON(t, "ks_exact_pvalues.json", &tables)
	for name, n := range map[string]int{"n30": 30, "n100": 100} {
		table, ok := tables[name].(map[string]any)
		if !ok {
			t.Fatalf("no table %s", name)
		}
		for key, want := range table {
			h, err := strconv.Atoi(key)
			if err != nil {
				t.Fatal(err)
			}
			a, b := apart(n, h)
			d, p := drift.KolmogorovSmirnov(a, b)
			if d != float64(h)/float64(n) || !(kerneltest.Tolerance{Rel: 1e-12}).Near(p, want.(float64)) { //nolint:errcheck // the table holds numbers
				t.Errorf("n %d, h %d: got %v, %v, want p %v", n, h, d, p, want)
			}
		}
	}
}

// Lattice paths that touch the bound, counted one by one.
func TestKolmogorovSmirnovOfUnequalSizes(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for m := 1; m <= 6; m++ {
			for mask := range 1 << (n + m) {
				a, b := deal(mask, n+m)
				if len(a) != n {
					continue
				}
				d, p := drift.KolmogorovSmirnov(a, b)
				if want := countPaths(n, m, d); !(kerneltest.Tolerance{Rel: 1e-12}).Near(p, want) {
					t.Fatalf("%v and %v: p = %v, want %v", a, b, p, want)
				}
			}
		}
	}
}

// deal gives each of the numbers up to n to one of two samples.
func deal(mask, n int) (a, b []float64) {
	for i := range n {
		if mask>>i&1 == 1 {
			a = append(a, float64(i))
		} else {
			b = append(b, float64(i))
		}
	}
	return a, b
}

func countPaths(n, m int, d float64) float64 {
	far, all := 0, 0
	for mask := range 1 << (n + m) {
		i, j, most := 0, 0, 0.0
		for k := range n + m {
			if mask>>k&1 == 1 {
				i++
			} else {
				j++
			}
			most = max(most, math.Abs(float64(i)/float64(n)-float64(j)/float64(m)))
		}
		if i == n {
			all++
			if most >= d-1e-12 {
				far++
			}
		}
	}
	return float64(far) / float64(all)
}

// Where both are known, the limit is near the exact value.
func TestKolmogorovSmirnovLimit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	draw := func(n int, shift float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.NormFloat64() + shift
		}
		slices.Sort(x)
		return x
	}
	for _, shift := range []float64{0, 0.03, 0.06} {
		a, b := draw(3000, 0), draw(3000, shift)
		_, exact := drift.KolmogorovSmirnov(a, b)
		_, near := drift.KolmogorovSmirnov(a, slices.Concat(b, []float64{9})) // 3000·3001 is too much to be exact
		if !(kerneltest.Tolerance{Rel: 0.05, Abs: 1e-6}).Near(near, exact) {
			t.Errorf("shift %v: limit %v, exact %v", shift, near, exact)
		}
	}
	if d, p := drift.KolmogorovSmirnov(nil, []float64{1}); d != 0 || p != 1 {
		t.Errorf("of nothing: %v, %v, want 0, 1", d, p)
	}
	if d, p := drift.KolmogorovSmirnov(slices.Repeat([]float64{2}, 40), slices.Repeat([]float64{2}, 31)); d != 0 || p != 1 {
		t.Errorf("of equal constants: %v, %v, want 0, 1", d, p)
	}
}
