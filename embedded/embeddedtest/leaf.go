package embeddedtest

import (
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Leaf starts a hub and a leaf node of it over loopback, each with JetStream in the
// domain of that name, and returns a connection to each. All end with the test.
func Leaf(tb testing.TB, hubDomain, leafDomain string) (hub, leaf *nats.Conn) {
	tb.Helper()
	port := freePorts(tb, 1)[0]
	h := domain(tb, hubDomain, func(o *server.Options) {
		o.LeafNode = server.LeafNodeOpts{Host: "127.0.0.1", Port: port}
	})
	remote := &url.URL{Scheme: "nats-leaf", Host: fmt.Sprintf("127.0.0.1:%d", port)}
	l := domain(tb, leafDomain, func(o *server.Options) {
		o.LeafNode = server.LeafNodeOpts{
			ReconnectInterval: 20 * time.Millisecond,
			Remotes:           []*server.RemoteLeafOpts{{URLs: []*url.URL{remote}}},
		}
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(clusterTimeout); h.NumLeafNodes() == 0; <-tick.C {
		if time.Now().After(end) {
			tb.Fatalf("the leaf node is not connected after %v", clusterTimeout)
		}
	}
	return join(tb, h), join(tb, l)
}

// domain starts a server with JetStream in that domain.
func domain(tb testing.TB, name string, configure func(*server.Options)) *server.Server {
	tb.Helper()
	o := &server.Options{
		ServerName: name, Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, JetStreamDomain: name, StoreDir: filepath.Join(tb.TempDir(), "js"),
	}
	configure(o)
	return start(tb, o)
}

func start(tb testing.TB, o *server.Options) *server.Server {
	tb.Helper()
	srv, err := server.NewServer(o)
	if err != nil {
		tb.Fatal(err)
	}
	srv.Start()
	tb.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(clusterTimeout) {
		tb.Fatalf("server %s is not ready after %v", o.ServerName, clusterTimeout)
	}
	return srv
}

func join(tb testing.TB, srv *server.Server) *nats.Conn {
	tb.Helper()
	nc, err := nats.Connect(srv.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	return nc
}
