package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/modelbus/modelbus/stream/wire"
)

// The events of a training are repeated while it works on, so that other
// servers know of it.
func TestFollowerSaysEachEpochOnce(t *testing.T) {
	var out bytes.Buffer
	f := &follower{app: &app{stdio: stdio{err: &out}}}
	for _, epoch := range []int{1, 1, 2, 2, 2} {
		f.event(wire.Training{State: "epoch", Epoch: epoch, Epochs: 2})
	}
	if got := strings.Count(out.String(), "epoch "); got != 2 {
		t.Errorf("%d lines for 2 epochs:\n%s", got, out.String())
	}
}

// What changes quickly is not said each time, but for the last epoch; what is stored
// is bytes.
func TestFollowerSaysLittle(t *testing.T) {
	var out bytes.Buffer
	f := &follower{app: &app{stdio: stdio{err: &out}}}
	for rows := range 500 {
		f.event(wire.Training{State: "reading", Rows: rows})
	}
	for epoch := range 500 {
		f.event(wire.Training{State: "epoch", Epoch: epoch + 1, Epochs: 500})
	}
	f.event(wire.Training{State: "storing", Bytes: 4096})
	got := out.String()
	if n := strings.Count(got, "\n"); n > 20 { // one a second, and this takes no second
		t.Errorf("%d lines, want a few:\n%s", n, got)
	}
	for _, want := range []string{"epoch 500/500", "storing: 4.0 KiB\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
}

// A count towards nothing known is said in words.
func TestPushing(t *testing.T) {
	if got, want := pushing(3000, 2*time.Second), "pushing: 3,000 rows, 1,500 rows/s"; got != want {
		t.Errorf("pushing() = %q, want %q", got, want)
	}
}
