package learn_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// named publishes examples with named features; each body has two verbs, %v for a
// number and %q for the label.
func (d *deployment) named(t *testing.T, n int, body string) {
	t.Helper()
	for i := range n {
		side, x := "left", -1-float64(i%7)
		if i%2 == 1 {
			side, x = "right", -x
		}
		d.publish(t, "iris", fmt.Sprintf(body, x, side))
	}
}

func TestChampionOfAnotherSchema(t *testing.T) {
	t.Parallel()
	const (
		x  = "  - {name: x, type: number}\n"
		y  = "  - {name: y, type: number}\n"
		z  = "  - {name: z, type: number}\n"
		xy = `{"features": {"x": %v, "y": 0}, "label": %q}`
	)
	tests := []struct {
		name     string
		features string // of the new spec
		body     string // of its examples
		compared bool
		says     string
	}{
		{name: "other order", features: y + x, body: xy, compared: true, says: "accuracy"},
		{name: "other scale", features: "  - {name: x, type: number, scale: [min_max]}\n" + y, body: xy, compared: true, says: "accuracy"},
		{
			name: "a feature more", features: x + y + z, compared: true, says: "accuracy",
			body: `{"features": {"x": %v, "y": 0, "z": 1}, "label": %q}`,
		},
		{name: "a feature less", features: x, says: `"y"`, body: `{"features": {"x": %v}, "label": %q}`},
		{name: "another type", features: x + "  - {name: y, type: boolean}\n", says: `"y"`, body: `{"features": {"x": %v, "y": true}, "label": %q}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := deploy(t, learn.Options{})
			d.create(t, spec)
			d.named(t, 40, xy)
			d.train(t, wire.TrainRequest{})
			d.update(t, change(t, spec, x+y, tt.features))
			d.named(t, 60, tt.body)
			got := d.train(t, wire.TrainRequest{})
			if got.kind != "promoted" || !strings.Contains(got.Why, tt.says) {
				t.Errorf("outcome %+v, want it promoted because of %q", got, tt.says)
			}
			if compared := len(got.Before) > 0; compared != tt.compared {
				t.Errorf("compared: %v, want %v: %+v", compared, tt.compared, got)
			}
		})
	}
}

// A category that only held-out rows show cannot be scored; it does not spoil the
// training.
func TestUnknownCategoryAmongHeldOutRows(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, change(t, spec, "{name: y, type: number}", "{name: y, type: category}"))
	for i := range 60 {
		d.publish(t, "iris", fmt.Sprintf(`{"features": [%d, "usual"], "label": %q}`, i%2, []string{"left", "right"}[i%2]))
	}
	for i := range 40 { // each its own category, so that some are held out
		d.publish(t, "iris", fmt.Sprintf(`{"features": [%d, "rare %d"], "label": %q}`, i%2, i, []string{"left", "right"}[i%2]))
	}
	if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" || len(got.Challenger) == 0 {
		t.Fatalf("outcome %+v, want it promoted with its scores", got)
	}
	got := d.train(t, seeded(8))
	if got.kind != "promoted" || !strings.Contains(got.Why, "cannot be scored by both") {
		t.Errorf("outcome %+v, want it promoted and the rows that do not count", got)
	}
}
