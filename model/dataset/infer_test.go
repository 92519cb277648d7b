package dataset_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
)

// table returns a CSV of a column "x" from value(row), a number column "n" and a
// label of two classes.
func table(rows int, value func(i int) string) string {
	var b strings.Builder
	b.WriteString("x,n,y\n")
	for i := range rows {
		fmt.Fprintf(&b, "%s,%d.5,%c\n", value(i), i%7, 'a'+i%2)
	}
	return b.String()
}

func cycle(words ...string) func(int) string {
	return func(i int) string { return words[i%len(words)] }
}

func TestInferFeature(t *testing.T) {
	tests := []struct {
		name  string
		rows  int
		value func(int) string
		want  *feature.Feature // nil if left out
		note  string
	}{
		{"number", 50, cycle("1.5", "-2", "3e2"), &feature.Feature{Type: feature.Number}, "-2 … 300"},
		{"few whole numbers", 50, cycle("0", "1"), &feature.Feature{Type: feature.Number}, "0 … 1"},
		{"constant", 50, cycle("4"), &feature.Feature{Type: feature.Number}, "4 … 4, constant"},
		{"number with gaps", 50, cycle("1", "2", "?", ""), &feature.Feature{Type: feature.Number, Missing: feature.MissingMedian, Indicator: true}, "1 … 2, 24 missing"},
		{
			"skewed number", 500, func(i int) string { return fmt.Sprint(i / 490 * 9999) },
			&feature.Feature{Type: feature.Number, Scale: []feature.Scale{feature.Log1p, feature.Standardize}}, "0 … 9999",
		},
		{"boolean", 50, cycle("yes", "No"), &feature.Feature{Type: feature.Boolean}, "2 values"},
		{"boolean with gaps", 50, cycle("true", "false", "NA", "false", "true"), &feature.Feature{Type: feature.Boolean, Missing: feature.MissingConstant, Fill: false, Indicator: true}, "2 values, 10 missing"},
		{"category", 60, cycle("Dream", "Biscoe", "Torgersen"), &feature.Feature{Type: feature.Category}, "3 values"},
		{"category with gaps", 60, cycle("m", "f", "?"), &feature.Feature{Type: feature.Category, Missing: feature.MissingCategory}, "2 values, 20 missing"},
		{
			"rare category", 60, func(i int) string { return []string{"b", "c"}[i/59] },
			&feature.Feature{Type: feature.Category, Unknown: feature.UnknownZeros}, `2 values, "c" only 1 time`,
		},
		{
			"many categories", 400, func(i int) string { return fmt.Sprint("k", i%40) },
			&feature.Feature{Type: feature.Category, Encode: feature.Embedding, Unknown: feature.UnknownZeros}, "40 values",
		},
		{
			"numbers with a word", 60, func(i int) string { return []string{"1", "2", "none"}[i%2+i/59] },
			&feature.Feature{Type: feature.Category, Unknown: feature.UnknownZeros}, `3 values, "none" only 1 time, 59 numbers, but "none" in line 61`,
		},
		{"names", 50, func(i int) string { return fmt.Sprint("k", i) }, nil, "left out: all values differ"},
		{"free text", 50, func(i int) string { return fmt.Sprint("k", i/2*2%49) }, &feature.Feature{Type: feature.Category, Unknown: ""}, "25 values"},
		{"nearly names", 50, func(i int) string { return fmt.Sprint("k", i%40) }, nil, "left out: most values differ"},
		{"dates", 50, cycle("2011-01-01", "2011-01-02 10:00"), nil, "left out: dates"},
		{"row numbers", 50, func(i int) string { return fmt.Sprint(i + 100) }, nil, "left out: it counts the rows"},
		{"nothing", 50, cycle("NA"), nil, "left out: no values"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, table(tt.rows, tt.value), dataset.Options{Header: "yes"})
			in, err := dataset.Infer(r, "y", 0)
			if err != nil {
				t.Fatalf("Infer() = %v", err)
			}
			at, ok := in.Schema.Index("x")
			switch {
			case ok != (tt.want != nil):
				t.Fatalf("Infer() has x: %v, want %v (%s)", ok, tt.want != nil, in.Notes["x"])
			case ok:
				tt.want.Name = "x"
				if got := in.Schema.Features[at]; !reflect.DeepEqual(got, *tt.want) {
					t.Errorf("Infer() says\n%+v, want\n%+v", got, *tt.want)
				}
			}
			if got := in.Notes["x"]; got != tt.note {
				t.Errorf("note %q, want %q", got, tt.note)
			}
			if in.Rows != tt.rows {
				t.Errorf("Rows = %d, want %d", in.Rows, tt.rows)
			}
		})
	}
}

func TestInferLabel(t *testing.T) {
	standardize := []feature.Scale{feature.Standardize}
	var hundred []string
	for i := range 100 {
		hundred = append(hundred, fmt.Sprintf("c%02d", i))
	}
	tests := []struct {
		name  string
		rows  int
		value func(int) string
		want  feature.Label
		note  string
	}{
		{"text", 10, cycle("a", "b"), feature.Label{Type: feature.Category, Classes: []string{"a", "b"}}, "2 classes"},
		{"numbers", 40, cycle("10", "9", "-1"), feature.Label{Type: feature.Category, Classes: []string{"-1", "9", "10"}}, "3 classes"},
		{"one class", 10, cycle("a"), feature.Label{Type: feature.Category}, "1 class"},
		{"100 classes", 200, func(i int) string { return fmt.Sprintf("c%02d", i%100) }, feature.Label{Type: feature.Category, Classes: hundred}, "100 classes"},
		{"101 classes", 202, func(i int) string { return fmt.Sprint("c", i%101) }, feature.Label{Type: feature.Category}, "101 classes"},
		{"digits in few rows", 39, func(i int) string { return fmt.Sprint(i % 10) }, feature.Label{Type: feature.Number, Scale: standardize}, "0 … 9"},
		{"many whole numbers", 100, func(i int) string { return fmt.Sprint(i % 21) }, feature.Label{Type: feature.Number, Scale: standardize}, "0 … 20"},
		{"zero and one", 4, cycle("1", "0"), feature.Label{Type: feature.Category, Classes: []string{"0", "1"}}, "2 classes"},
		{"fractions", 100, cycle("0.5", "1"), feature.Label{Type: feature.Number, Scale: standardize}, "0.5 … 1"},
		{"truth", 10, cycle("true", "false"), feature.Label{Type: feature.Boolean}, "2 classes"},
		{"gaps", 10, cycle("a", "b", "a", "b", ""), feature.Label{Type: feature.Category, Classes: []string{"a", "b"}}, "2 classes, 2 rows have none and are of no use"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, err := dataset.Infer(open(t, table(tt.rows, tt.value), dataset.Options{Header: "yes"}), "x", 0)
			if err != nil {
				t.Fatalf("Infer() = %v", err)
			}
			tt.want.Name = "x"
			if !reflect.DeepEqual(in.Schema.Label, tt.want) || in.Notes["x"] != tt.note {
				t.Errorf("Infer() says %+v, %q, want %+v, %q", in.Schema.Label, in.Notes["x"], tt.want, tt.note)
			}
		})
	}
}

// wide returns a table of columns c1 … cn of numbers up to most and a last one
// of classes.
func wide(n, rows int, most float64) string {
	var b strings.Builder
	for i := range rows {
		for j := range n {
			fmt.Fprintf(&b, "%v,", float64((i*j)%5)/4*most)
		}
		fmt.Fprintf(&b, "%d\n", i%2)
	}
	return b.String()
}

func TestInferVector(t *testing.T) {
	t.Run("numbered columns", func(t *testing.T) {
		in, err := dataset.Infer(open(t, wide(64, 50, 16), dataset.Options{}), "c65", 0)
		if err != nil {
			t.Fatal(err)
		}
		want := []feature.Feature{{Name: "c", Type: feature.Vector, Size: 64, Scale: []feature.Scale{feature.Rescale}}}
		if !reflect.DeepEqual(in.Schema.Features, want) || in.Notes["c"] != "columns c1 to c64, 0 … 16" {
			t.Errorf("Infer() says %+v, %q, want %+v", in.Schema.Features, in.Notes["c"], want)
		}
		if _, err := dataset.Bind(open(t, wide(64, 1, 16), dataset.Options{}), &in.Schema, "required"); err != nil {
			t.Errorf("Bind() of the same columns = %v", err)
		}
	})
	t.Run("fractions", func(t *testing.T) {
		in, err := dataset.Infer(open(t, wide(32, 50, 1), dataset.Options{}), "c33", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := in.Schema.Features; len(got) != 1 || got[0].Scale != nil {
			t.Errorf("Infer() says %+v, want one vector with the default scale", got)
		}
	})
	t.Run("too few", func(t *testing.T) {
		in, err := dataset.Infer(open(t, wide(31, 50, 16), dataset.Options{}), "c32", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(in.Schema.Features); got != 31 {
			t.Errorf("Infer() has %d features, want 31", got)
		}
	})
	t.Run("images", func(t *testing.T) {
		b := zipped(t,
			entry{"x_train.npy", npy("|u1", "False", "(2, 1, 2)", uint8(0), uint8(255), uint8(3), uint8(4))},
			entry{"y_train.npy", npy("|u1", "False", "(2,)", uint8(0), uint8(1))})
		r, err := dataset.NewReader(bytes.NewReader(b), dataset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		in, err := dataset.Infer(r, "y", 0)
		if err != nil {
			t.Fatal(err)
		}
		want := feature.Schema{
			Features: []feature.Feature{{Name: "x", Type: feature.Vector, Size: 2, Scale: []feature.Scale{feature.Rescale}}},
			Label:    feature.Label{Name: "y", Type: feature.Category, Classes: []string{"0", "1"}},
		}
		if !reflect.DeepEqual(in.Schema, want) {
			t.Errorf("Infer() says %+v, want %+v", in.Schema, want)
		}
	})
	t.Run("training form", func(t *testing.T) {
		text := `{"features":{"a":1,"b":[1.5,2]},"label":"x","weight":1}` + "\n" + `{"features":{"a":2},"label":"z"}`
		in, err := dataset.Infer(open(t, text, dataset.Options{}), "species", 0)
		if err != nil {
			t.Fatal(err)
		}
		want := feature.Schema{
			Features: []feature.Feature{{Name: "a", Type: feature.Number}, {Name: "b", Type: feature.Vector, Size: 2, Missing: feature.MissingMean}},
			Label:    feature.Label{Name: "species", Type: feature.Category, Classes: []string{"x", "z"}},
		}
		if !reflect.DeepEqual(in.Schema, want) {
			t.Errorf("Infer() says %+v, want %+v", in.Schema, want)
		}
	})
}

func TestInferRefuses(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		label string
		want  string
	}{
		{"no such label", "a,b\n1,2\n", "y", `there is no column "y" for the label: the columns are "a", "b"`},
		{"no rows", "a,b\n", "b", "there are no rows"},
		{"no row readable", "a,b\n1\n1,2,3\n", "b", "no row could be read: line 2: got 1 cells: 2 are due"},
		{"label without values", "a,b\n1,\n", "b", `the label "b" has no value`},
		{"label of lists", `{"a":1,"b":[1,2]}`, "b", `the label "b" is a list of numbers: a number, category or boolean is due`},
		{"nothing else", "b\n1\n2\n", "b", `no column besides the label "b" is of use as a feature`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := dataset.Infer(open(t, tt.text, dataset.Options{Header: "yes"}), tt.label, 0)
			checkError(t, "Infer()", err, tt.want)
		})
	}
}

func TestInferLimit(t *testing.T) {
	in, err := dataset.Infer(open(t, "a,y\n1,x\n2\n3,z\nword,z\n", dataset.Options{}), "y", 2)
	if err != nil {
		t.Fatal(err)
	}
	if in.Rows != 2 || in.Rejected != 1 || in.Reason.Line != 3 || in.Schema.Features[0].Type != feature.Number {
		t.Errorf("Infer() = %+v, want 2 rows, line 3 rejected, a number", in)
	}
}

// TestInferLeaks has features that give the label away, and some that do not.
func TestInferLeaks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		row  func(i int) [4]float64 // a, b, c and the label
		rows int
		want map[string]string // by feature
	}{
		{"two add up", func(i int) [4]float64 {
			a, b := float64(i*37%101), float64(i*i%59)
			return [4]float64{a, float64(i % 7), b, a + b}
		}, 100, map[string]string{"a": "a + c is the label", "c": "a + c is the label"}},
		{"another unit", func(i int) [4]float64 {
			x := float64(i * 37 % 101)
			return [4]float64{float64(i % 7), -1.8*x + 32, float64(i % 5), x}
		}, 100, map[string]string{"b": "its correlation with the label is -1"}},
		{"of use, but no leak", func(i int) [4]float64 {
			x := float64(i * 37 % 101)
			return [4]float64{x + float64(i%11), float64(i % 7), float64(i % 5), x}
		}, 100, nil},
		{"too few rows to tell", func(i int) [4]float64 {
			return [4]float64{float64(i % 3), float64(i % 7), float64(2 * i), float64(i) + 0.5}
		}, 10, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			b.WriteString("a,b,c,y\n")
			for i := range tt.rows {
				v := tt.row(i)
				fmt.Fprintf(&b, "%v,%v,%v,%v\n", v[0], v[1], v[2], v[3])
			}
			r, err := dataset.NewReader(strings.NewReader(b.String()), dataset.Options{Name: "x.csv"})
			if err != nil {
				t.Fatal(err)
			}
			in, err := dataset.Infer(r, "y", 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"a", "b", "c"} {
				got := in.Notes[name]
				if want := tt.want[name]; strings.Contains(got, dataset.Leak) != (want != "") || !strings.Contains(got, want) {
					t.Errorf("note of %s = %q, want %q in it", name, got, want)
				}
			}
		})
	}
}

// Of a file of which only the beginning was read, other classes may follow.
func TestInferSomeRowsListsNoClasses(t *testing.T) {
	in, err := dataset.Infer(open(t, table(10, cycle("a", "b")), dataset.Options{Header: "yes"}), "x", 5)
	if err != nil {
		t.Fatal(err)
	}
	if got := in.Schema.Label.Classes; got != nil {
		t.Errorf("classes %q of the first rows, want none", got)
	}
}
