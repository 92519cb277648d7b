package embeddedtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const clusterTimeout = 20 * time.Second

// Cluster starts n JetStream servers that form a cluster over loopback and
// returns a connection to each. All end with the test.
func Cluster(tb testing.TB, n int) []*nats.Conn {
	tb.Helper()
	ports := freePorts(tb, n)
	routes := make([]*url.URL, n)
	for i, port := range ports {
		routes[i] = &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)}
	}
	servers := make([]*server.Server, n)
	for i, port := range ports {
		srv, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i+1), Host: "127.0.0.1", Port: server.RANDOM_PORT,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}, Routes: routes,
			JetStream: true, StoreDir: filepath.Join(tb.TempDir(), "js"), NoLog: true, NoSigs: true,
		})
		if err != nil {
			tb.Fatal(err)
		}
		srv.Start()
		tb.Cleanup(func() {
			srv.Shutdown()
			srv.WaitForShutdown()
		})
		servers[i] = srv
	}
	await(tb, servers)
	conns := make([]*nats.Conn, n)
	for i, srv := range servers {
		conns[i] = join(tb, srv)
	}
	return conns
}

// freePorts returns n loopback ports that were free a moment ago.
func freePorts(tb testing.TB, n int) []int {
	tb.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				tb.Error(err)
			}
		}()
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			tb.Fatalf("listening on %v, want a TCP address", l.Addr())
		}
		ports[i] = addr.Port
	}
	return ports
}

// await waits until one server leads the others and all have its state.
func await(tb testing.TB, servers []*server.Server) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(clusterTimeout); time.Now().Before(end); <-tick.C {
		leaders, current := 0, 0
		for _, srv := range servers {
			if srv.JetStreamIsLeader() && len(srv.JetStreamClusterPeers()) == len(servers) {
				leaders++
			}
			if srv.JetStreamIsCurrent() {
				current++
			}
		}
		if leaders == 1 && current == len(servers) {
			return
		}
	}
	tb.Fatalf("a cluster of %d servers has no leader after %v", len(servers), clusterTimeout)
}

// StepDown makes the leader of a stream give way to another server. It returns
// an error if there is no leader just now.
func StepDown(nc *nats.Conn, stream string) error {
	msg, err := nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, time.Second)
	if err != nil {
		return fmt.Errorf("stepping down the leader of %s: %w", stream, err)
	}
	var resp struct {
		Success bool `json:"success"`
		Error   *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(msg.Data, &resp); err != nil {
		return fmt.Errorf("stepping down the leader of %s: %w", stream, err)
	}
	if !resp.Success {
		if resp.Error != nil {
			return fmt.Errorf("stepping down the leader of %s: %s", stream, resp.Error.Description)
		}
		return errors.New("stepping down the leader of " + stream + ": refused")
	}
	return nil
}
