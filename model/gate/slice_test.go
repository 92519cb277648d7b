package gate_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/gate"
)

func bikes() *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{
			{Name: "weekday", Type: feature.Category, Missing: feature.MissingCategory},
			{Name: "hour", Type: feature.Number, Missing: feature.MissingMean},
			{Name: "holiday", Type: feature.Boolean},
			{Name: "sensor", Type: feature.Vector, Size: 2},
		},
		Label: feature.Label{Name: "busy", Type: feature.Boolean},
	}
}

func ride(weekday, hour int) feature.Row {
	return feature.Row{Values: []feature.Value{
		{Kind: feature.KindText, Text: strconv.Itoa(weekday)},
		{Kind: feature.KindNumber, Num: float64(hour)},
		{Kind: feature.KindBool, Num: float64(weekday / 6)},
		{Kind: feature.KindVector, Vector: []float32{1, 2}},
	}}
}

func rides(tb testing.TB, rows ...feature.Row) *feature.Frame {
	tb.Helper()
	f := feature.NewFrame(bikes(), false)
	for _, r := range rows {
		if err := f.Append(r); err != nil {
			tb.Fatal(err)
		}
	}
	return f
}

func week(tb testing.TB, hours int) (*feature.Frame, *drift.Reference) {
	tb.Helper()
	var all []feature.Row
	for day := range 7 {
		for hour := range hours {
			all = append(all, ride(day, hour))
		}
	}
	f := rides(tb, all...)
	r, err := drift.Fit(f, indices(f.Len()), drift.Predictions{}, drift.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return f, r
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestSlicerGroups(t *testing.T) {
	_, day := week(t, 24)
	_, morning := week(t, 3)
	names := []string{"weekday", "hour", "holiday"}
	missing := ride(6, 4)
	missing.Values[0], missing.Values[1] = feature.Value{}, feature.Value{}
	tests := []struct {
		name string
		ref  *drift.Reference
		row  feature.Row
		want []string
	}{
		{"first quarter", day, ride(0, 0), []string{"weekday=0", "hour<=5.75", "holiday=false"}},
		{"its end", day, ride(0, 5), []string{"weekday=0", "hour<=5.75", "holiday=false"}},
		{"second quarter", day, ride(6, 6), []string{"weekday=6", "5.75<hour<=11.5", "holiday=true"}},
		{"last quarter", day, ride(6, 23), []string{"weekday=6", "hour>17.25", "holiday=true"}},
		{"unknown", day, ride(9, 99), []string{"weekday other", "hour>17.25", "holiday=true"}},
		{"missing", day, missing, []string{"weekday missing", "hour missing", "holiday=true"}},
		{"few values", morning, ride(1, 2), []string{"weekday=1", "hour=2", "holiday=false"}},
		{"another value", morning, ride(1, 7), []string{"weekday=1", "hour other", "holiday=false"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z, err := gate.NewSlicer(bikes(), names, tt.ref)
			if err != nil {
				t.Fatal(err)
			}
			if got := z.Groups(nil, rides(t, tt.row), 0); !slices.Equal(got, tt.want) {
				t.Errorf("groups %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSlicerSplit(t *testing.T) {
	f, r := week(t, 24)
	z, err := gate.NewSlicer(bikes(), []string{"holiday", "weekday"}, r)
	if err != nil {
		t.Fatal(err)
	}
	groups := z.Split(f, indices(f.Len())[24:])
	var names []string
	n := 0
	for _, g := range groups {
		names = append(names, g.Name)
		n += len(g.Rows)
	}
	want := []string{"holiday=false", "holiday=true", "weekday=1", "weekday=2", "weekday=3", "weekday=4", "weekday=5", "weekday=6"}
	if !slices.Equal(names, want) || n != 2*6*24 {
		t.Errorf("groups %q with %d rows, want %q with %d", names, n, want, 2*6*24)
	}
}

func TestSlicerRefuses(t *testing.T) {
	_, r := week(t, 24)
	for _, name := range []string{"nothing", "sensor"} {
		if _, err := gate.NewSlicer(bikes(), []string{name}, r); !errors.Is(err, gate.ErrInvalid) {
			t.Errorf("NewSlicer(%s) = %v, want %v", name, err, gate.ErrInvalid)
		}
	}
}
