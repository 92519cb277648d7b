package main

import (
	"context"
	"errors"
	"testing"
)

// TestNodeEndsWhileStarting has a node end before it is ready.
func TestNodeEndsWhileStarting(t *testing.T) {
	t.Parallel()
	failed := errors.New("a part failed")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context //nolint:containedctx // of the case
		err  error
		want error
	}{
		{"a part fails", t.Context(), failed, failed},
		{"interrupted", canceled, nil, context.Canceled}, // then no part has an error
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &node{done: make(chan struct{}), err: tt.err}
			close(n.done)
			if err := n.started(tt.ctx, make(chan struct{})); !errors.Is(err, tt.want) {
				t.Errorf("started() = %v, want %v", err, tt.want)
			}
		})
	}
}
