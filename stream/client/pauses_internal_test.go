package client

import (
	"context"
	"testing"
	"time"
)

func TestPauses(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct {
		name string
		draw float64
		want []time.Duration
	}{
		{"lowest", 0, []time.Duration{10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 500 * ms, 500 * ms}},
		{"middle", 0.5, []time.Duration{15 * ms, 30 * ms, 60 * ms, 120 * ms, 240 * ms, 480 * ms, 750 * ms, 750 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPauses(20*ms, func() float64 { return tt.draw })
			for i, want := range tt.want {
				if got := p.next(); got != want {
					t.Errorf("pause %d = %v, want %v", i, got, want)
				}
			}
		})
	}
}

// A pause that the deadline would cut is not begun.
func TestWaitKnowsTheDeadline(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begin := time.Now()
	if wait(ctx, time.Hour) {
		t.Error("wait of an hour with a minute left = true, want false")
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v, want no time", d)
	}
	if !wait(ctx, time.Millisecond) {
		t.Error("wait of a millisecond with a minute left = false, want true")
	}
}
