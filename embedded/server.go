package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

var (
	// ErrInUse is returned by Start when another process uses the directory and
	// still does a second later.
	ErrInUse = errors.New("store directory is in use")

	// ErrOpen is returned by Start for an address beyond loopback without authentication.
	ErrOpen = errors.New("listening beyond loopback without authentication")

	// ErrAddress is returned by Start for an address that is not host:port.
	ErrAddress = errors.New("want host:port, with a port of 0 to 65535")

	// ErrStore is returned by Start for a directory that cannot be made or locked.
	ErrStore = errors.New("store directory cannot be used")

	// ErrNotReady is returned by Start when another program has the address, or the
	// server did not come up in time.
	ErrNotReady = errors.New("embedded NATS server is not ready")
)

const (
	readyTimeout = 30 * time.Second

	// connectTimeout is how long a connection within the process may take: the server
	// cannot be out of reach, but a busy machine can keep it waiting.
	connectTimeout = 30 * time.Second

	// lockTimeout is how long Start waits for a directory in use: a process that
	// was killed may still be on its way out.
	lockTimeout = time.Second
	lockEvery   = 20 * time.Millisecond
)

// Options configure a server. The zero value is a server that listens on no
// port and keeps its streams in a temporary directory, removed at the end.
type Options struct {
	// Listen is the TCP address, such as "127.0.0.1:4222"; port 0 takes a free
	// one. If empty, only [Server.Connect] reaches the server.
	Listen string

	// Dir holds the streams. If empty, a temporary directory is used.
	Dir string

	// SyncInterval is how often written data is synced to disk; 0 syncs every
	// write before it is acknowledged.
	SyncInterval time.Duration

	// MaxPayload bounds a message in bytes: 8 MiB if 0.
	MaxPayload int

	// Config is the path of a nats-server configuration file for all else
	// (authentication, TLS, clustering). Listen, Dir and MaxPayload override it
	// where they are set.
	Config string

	// Insecure allows listening beyond loopback without authentication.
	Insecure bool

	// Logger receives the server's warnings and errors. The zero Logger is silent.
	Logger zerolog.Logger
}

// A Server is a running NATS server.
type Server struct {
	srv  *server.Server
	lock *flock.Flock
	temp string // directory to remove, empty for none
}

// Start starts a server and waits until it is ready for connections and JetStream.
func Start(opts Options) (*Server, error) {
	o, err := opts.server()
	if err != nil {
		return nil, err
	}
	s := &Server{}
	if o.StoreDir == "" {
		if s.temp, err = os.MkdirTemp("", "modelbus-"); err != nil {
			return nil, fmt.Errorf("making a temporary store: %w", err)
		}
		o.StoreDir = s.temp
	} else if s.lock, err = claim(o); err != nil {
		return nil, err
	}
	if err := s.start(o, opts.Logger); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (s *Server) start(o *server.Options, log zerolog.Logger) error {
	srv, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("configuring the embedded NATS server: %w", err)
	}
	errs := &lastError{log: log}
	srv.SetLoggerV2(errs, false, false, false)
	s.srv = srv
	srv.Start()
	if !await(srv, errs) {
		srv.Shutdown()
		srv.WaitForShutdown()
		return fmt.Errorf("%w on %q: %s", ErrNotReady, net.JoinHostPort(o.Host, strconv.Itoa(o.Port)), errs.text())
	}
	return nil
}

// await reports whether srv became ready; it gives up at once on a fatal error,
// such as a port in use, for which the server itself would be waited for in vain.
func await(srv *server.Server, errs *lastError) bool {
	for end := time.Now().Add(readyTimeout); time.Now().Before(end) && !errs.isFatal(); {
		if srv.ReadyForConnections(50 * time.Millisecond) {
			return srv.JetStreamEnabled()
		}
	}
	return false
}

// server returns the nats-server options that o asks for.
func (o Options) server() (*server.Options, error) {
	so := &server.Options{}
	if o.Config != "" {
		var err error
		if so, err = server.ProcessConfigFile(o.Config); err != nil {
			return nil, fmt.Errorf("reading %s: %w", o.Config, err)
		}
	}
	so.NoSigs = true
	so.JetStream = true
	so.DisableJetStreamBanner = true
	switch {
	case o.Listen != "":
		if err := listen(so, o.Listen); err != nil {
			return nil, err
		}
	case o.Config == "":
		so.DontListen = true
	}
	if o.Dir != "" {
		so.StoreDir = o.Dir
	}
	if o.MaxPayload > 0 {
		so.MaxPayload = int32(min(o.MaxPayload, server.MAX_PAYLOAD_MAX_SIZE)) //nolint:gosec // bounded on this line
	} else if o.Config == "" {
		so.MaxPayload = server.MAX_PAYLOAD_MAX_SIZE
	}
	if o.SyncInterval == 0 {
		so.SyncAlways = true
	} else {
		so.SyncInterval = o.SyncInterval
	}
	if !o.Insecure && !so.DontListen && !loopback(so.Host) && !authenticated(so) {
		return nil, fmt.Errorf("%w: %s: listen on 127.0.0.1, configure users, or insist", ErrOpen, so.Host)
	}
	return so, nil
}

func listen(so *server.Options, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", addr, ErrAddress)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", addr, ErrAddress)
	}
	so.Host, so.Port = host, int(n)
	if n == 0 {
		so.Port = server.RANDOM_PORT
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func authenticated(o *server.Options) bool {
	return o.Username != "" || o.Authorization != "" || len(o.Users) > 0 || len(o.Nkeys) > 0 ||
		len(o.TrustedOperators) > 0 || len(o.TrustedKeys) > 0 || o.AuthCallout != nil ||
		o.CustomClientAuthentication != nil || (o.TLSVerify && o.TLSConfig != nil)
}

// claim locks the directory, which it makes unless the server could not listen.
func claim(o *server.Options) (*flock.Flock, error) {
	if _, err := os.Stat(o.StoreDir); err != nil {
		if err := vacant(o); err != nil {
			return nil, err
		}
		return lock(o.StoreDir)
	}
	l, err := lock(o.StoreDir)
	if err != nil {
		return nil, err
	}
	if err := vacant(o); err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	return l, nil
}

// vacant returns an error if another program has the server's address.
func vacant(o *server.Options) error {
	if o.DontListen || o.Port <= 0 {
		return nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(o.Host, strconv.Itoa(o.Port)))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	return l.Close()
}

func lock(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	l := flock.New(filepath.Join(dir, "modelbus.lock"))
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	ok, err := l.TryLockContext(ctx, lockEvery)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%w: locking %s: %w", ErrStore, l.Path(), err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s is locked by another process: stop it, or choose another directory", ErrInUse, dir)
	}
	return l, nil
}

// URL returns the address clients connect to, empty if the server does not listen.
func (s *Server) URL() string {
	if s.srv.Addr() == nil {
		return ""
	}
	return s.srv.ClientURL()
}

// Connect returns a connection to the server that bypasses the network.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	opts = append([]nats.Option{nats.MaxReconnects(-1), nats.Timeout(connectTimeout)}, opts...)
	nc, err := nats.Connect("", append(opts, nats.InProcessServer(s.srv))...)
	if err != nil {
		return nil, fmt.Errorf("connecting to the embedded NATS server: %w", err)
	}
	return nc, nil
}

// Close stops the server, waits until all is written, and frees its directory.
// Connections should be drained before.
func (s *Server) Close() error {
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
	return s.release()
}

func (s *Server) release() error {
	if s.temp != "" {
		return os.RemoveAll(s.temp)
	}
	if s.lock != nil {
		return s.lock.Unlock()
	}
	return nil
}
