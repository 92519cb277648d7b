package drift_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model/drift"
)

// Ten bins of the reference are equally full, and counted exactly.
func TestFitCountsExactly(t *testing.T) {
	f := calm().frame(t, 5000, 1)
	r := reference(t, drift.Options{})
	c, ok := r.Column("price")
	if !ok {
		t.Fatal("there is no price")
	}
	counts := make([]int64, len(c.Edges)+1)
	for i := range f.Len() {
		x, _ := f.Number(1, i)
		at, _ := slices.BinarySearch(c.Edges, x)
		counts[at]++
	}
	if !slices.Equal(c.Counts, counts) {
		t.Errorf("counts %v, want %v", c.Counts, counts)
	}
	for i, n := range counts {
		if n < 300 || n > 700 { // quantiles of 512: ±1.3 points a deviation
			t.Errorf("bin %d has %d of 5000, want about 500", i, n)
		}
	}
	if c, _ := r.Column("constant"); len(c.Edges) != 2 || !slices.Equal(c.Counts, []int64{0, 5000, 0}) {
		t.Errorf("constant: edges %v, counts %v, want three bins, the values in the middle", c.Edges, c.Counts)
	}
}

// Sketches of parts end as the sketch of the whole does.
func TestSketchesMerge(t *testing.T) {
	f := calm().frame(t, 3000, 1)
	sketch := func(lo, hi int) *drift.Sketch {
		k, err := drift.NewSketch(schema(), drift.Options{First: int64(lo)})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Add(f, rows(f)[lo:hi]); err != nil {
			t.Fatal(err)
		}
		return k
	}
	whole, a, b := sketch(0, 3000), sketch(0, 1200), sketch(1200, 3000)
	if err := b.Merge(a); err != nil {
		t.Fatal(err)
	}
	want, got := whole.Reference().Columns(), b.Reference().Columns()
	for i := range want {
		for _, m := range [][2]*float64{{&got[i].Mean, &want[i].Mean}, {&got[i].Variance, &want[i].Variance}} {
			if math.Abs(*m[0]-*m[1]) > 1e-9*math.Abs(*m[1]) {
				t.Errorf("%s: moment %v, want %v", want[i].Column, *m[0], *m[1])
			}
			*m[0] = *m[1]
		}
		if g, w := fmt.Sprint(got[i]), fmt.Sprint(want[i]); g != w {
			t.Errorf("got %s, want %s", g, w)
		}
	}
	other, err := drift.NewSketch(schema(), drift.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Merge(a); !errors.Is(err, drift.ErrInvalid) {
		t.Errorf("merging other options: %v, want %v", err, drift.ErrInvalid)
	}
}

// One pass estimates what two count.
func TestSketchEstimates(t *testing.T) {
	f := calm().frame(t, 5000, 1)
	k, err := drift.NewSketch(schema(), drift.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Add(f, rows(f)); err != nil {
		t.Fatal(err)
	}
	estimate, exact := k.Reference().Columns(), reference(t, drift.Options{}).Columns()
	for i := range 3 {
		if psi := drift.PSI(exact[i].Counts, estimate[i].Counts); psi > 0.05 { // 9/512 is expected
			t.Errorf("%s: the estimate is off by a PSI of %v", exact[i].Column, psi)
		}
	}
}

func TestStatesRestoreExactly(t *testing.T) {
	f := calm().frame(t, 700, 1)
	r := reference(t, drift.Options{})
	var again drift.Reference
	text := marshal(t, r)
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(marshal(t, &again), text) {
		t.Error("a restored reference is another")
	}
	t.Logf("the reference has %d bytes", len(text))
	rapid.Check(t, func(rt *rapid.T) {
		cut := rapid.IntRange(0, f.Len()).Draw(rt, "cut")
		k, err := drift.NewSketch(schema(), drift.Options{Sample: 64})
		if err != nil {
			rt.Fatal(err)
		}
		k2, err := drift.NewSketch(schema(), drift.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		w, w2 := window(t, r), window(t, &again)
		if err := errors.Join(k.Add(f, rows(f)[:cut]), w.AddRange(f, 0, cut),
			json.Unmarshal(marshal(t, k), k2), json.Unmarshal(marshal(t, w), w2),
			k.Add(f, rows(f)[cut:]), k2.Add(f, rows(f)[cut:]),
			w.AddRange(f, cut, f.Len()), w2.AddRange(f, cut, f.Len())); err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(marshal(t, k.Reference()), marshal(t, k2.Reference())) {
			rt.Error("a restored sketch ends as another reference")
		}
		if got, want := marshal(t, w2.Report(drift.Thresholds{})), marshal(t, w.Report(drift.Thresholds{})); !bytes.Equal(got, want) {
			rt.Errorf("a restored window reports %s, want %s", got, want)
		}
	})
}

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func FuzzReference(f *testing.F) {
	f.Add(marshal(f, reference(f, drift.Options{Sample: 16, Bins: 3})))
	live := calm().frame(f, 200, 5)
	f.Fuzz(func(t *testing.T, text []byte) {
		var r drift.Reference
		if err := json.Unmarshal(text, &r); err != nil {
			return
		}
		w, err := drift.NewWindow(&r, schema(), nil)
		if err != nil {
			return
		}
		if err := w.AddRange(live, 0, live.Len()); err != nil {
			t.Fatal(err)
		}
		marshal(t, w.Report(drift.Thresholds{}))
		marshal(t, &r)
	})
}

func FuzzWindowState(f *testing.F) {
	r := reference(f, drift.Options{Sample: 16, Bins: 3})
	live := calm().frame(f, 200, 5)
	w := window(f, r)
	if err := w.AddRange(live, 0, 40); err != nil {
		f.Fatal(err)
	}
	f.Add(marshal(f, w))
	f.Fuzz(func(t *testing.T, text []byte) {
		w := window(t, r)
		if err := json.Unmarshal(text, w); err != nil {
			return
		}
		if err := w.AddRange(live, 0, live.Len()); err != nil {
			t.Fatal(err)
		}
		marshal(t, w.Report(drift.Thresholds{}))
		marshal(t, w)
	})
}

func FuzzSketchState(f *testing.F) {
	live := calm().frame(f, 200, 5)
	sketch := func(tb testing.TB) *drift.Sketch {
		tb.Helper()
		k, err := drift.NewSketch(schema(), drift.Options{Sample: 16, Bins: 3})
		if err != nil {
			tb.Fatal(err)
		}
		return k
	}
	k := sketch(f)
	if err := k.Add(live, rows(live)[:40]); err != nil {
		f.Fatal(err)
	}
	f.Add(marshal(f, k))
	f.Fuzz(func(t *testing.T, text []byte) {
		k := sketch(t)
		if err := json.Unmarshal(text, k); err != nil {
			return
		}
		if err := k.Add(live, rows(live)); err != nil {
			t.Fatal(err)
		}
		var r drift.Reference
		if err := json.Unmarshal(marshal(t, k.Reference()), &r); err != nil {
			t.Errorf("a restored sketch ends as a reference that is none: %v", err)
		}
		marshal(t, k)
	})
}
