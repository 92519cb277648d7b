package main

import (
	"bytes"
	"strings"
	"testing"

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
