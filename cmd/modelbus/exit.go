package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// The exit codes.
const (
	exitOK           = 0
	exitFailed       = 1 // anything else
	exitUsage        = 2 // wrong flags or arguments
	exitNotFound     = 3 // no such model, version, alias or file
	exitRefused      = 4 // the input or the request was refused, or part of the input
	exitNoResponders = 5 // no NATS server, or no modelbus behind it; train: nobody who trains, or not to its end
	exitTimeout      = 6 // no answer in time
	exitRejected     = 7 // train: the new version is not better and was not promoted; rebuild: other weights; drift: rows of another kind
)

// errRejected ends `train` when the gate kept the champion.
var errRejected = errors.New("rejected")

// errNoTrainer ends `train` when nobody trains, or not any more.
var errNoTrainer = errors.New("no trainer")

// A usageError is a wrong call of the command.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return &usageError{msg: fmt.Sprintf(format, args...)} }

// exitCode returns the exit code that tells what err is.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if errors.Is(err, registry.ErrNotInitialized) && !isAnswer(err) {
		return exitNoResponders
	}
	for _, c := range []struct {
		code int
		errs []error
	}{
		{exitUsage, []error{embedded.ErrAddress}},
		{exitFailed, []error{embedded.ErrStore}}, // whatever the system says of the folder
		{exitRejected, []error{errRejected, errDiffers, errDrifted}},
		{exitNotFound, []error{wire.ErrNotFound, registry.ErrNotFound, errNoFile, errNoContext, os.ErrNotExist}},
		{exitNoResponders, []error{nats.ErrNoResponders, nats.ErrNoServers, nats.ErrConnectionClosed, errNoServer, errNoTrainer}},
		{exitTimeout, []error{wire.ErrDeadlineExceeded, context.DeadlineExceeded, nats.ErrTimeout}},
		{exitRefused, []error{
			wire.ErrInvalid, wire.ErrConflict, wire.ErrTooLarge, wire.ErrOverloaded, wire.ErrUnavailable, feature.ErrInvalid,
			registry.ErrInvalid, registry.ErrConflict, model.ErrArtifact, embedded.ErrInUse, embedded.ErrOpen,
		}},
	} {
		for _, target := range c.errs {
			if errors.Is(err, target) {
				return c.code
			}
		}
	}
	return exitFailed
}

// hint returns a line that says what to do about err, empty if there is none.
func hint(err error) string {
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return "a NATS server answered, but no modelbus is behind it: start one with `modelbus serve`"
	case errors.Is(err, errNoServer):
		return "start one with `modelbus serve`, or name yours with --server or --context"
	case errors.Is(err, context.Canceled):
		return "" // interrupted: whoever was, has said what it leaves
	case isAnswer(err): // the sentinels of this process do not speak for the server's
		return ""
	case errors.Is(err, registry.ErrNotInitialized):
		return "start `modelbus serve` once: it makes the buckets and streams"
	case errors.Is(err, embedded.ErrInUse):
		return "another `modelbus serve` runs on it: stop that one, or give this one its own --data"
	case errors.Is(err, embedded.ErrOpen):
		return "listen on 127.0.0.1, configure users with --nats-config, or insist with --insecure"
	case errors.Is(err, embedded.ErrNotReady):
		return "if another program has that address, give --listen 127.0.0.1:0 for a free port, or --server to use a NATS server there"
	}
	return ""
}

// isAnswer reports whether err came over NATS.
func isAnswer(err error) bool {
	_, ok := errors.AsType[*wire.Error](err)
	return ok
}
