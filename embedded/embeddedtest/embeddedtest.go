// Package embeddedtest starts a NATS server for a test.
package embeddedtest

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded"
)

// Start starts a server with JetStream that listens on no port and ends with
// the test.
func Start(tb testing.TB) *embedded.Server {
	tb.Helper()
	return StartWith(tb, embedded.Options{Dir: tb.TempDir(), SyncInterval: time.Minute})
}

// StartWith starts a server with those options, which ends with the test.
func StartWith(tb testing.TB, opts embedded.Options) *embedded.Server {
	tb.Helper()
	srv, err := embedded.Start(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := srv.Close(); err != nil {
			tb.Error(err)
		}
	})
	return srv
}

// Connect starts a server and returns a connection to it. Both end with the test.
func Connect(tb testing.TB) *nats.Conn {
	tb.Helper()
	return Join(tb, Start(tb))
}

// Join returns another connection to srv, which ends with the test.
func Join(tb testing.TB, srv *embedded.Server) *nats.Conn {
	tb.Helper()
	nc, err := srv.Connect()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	return nc
}
