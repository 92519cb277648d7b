package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/modelbus/modelbus/embedded"
)

// TestCredentials has each way to say who connects, by flag, by variable and by
// context, and looks at what the server would be told.
func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seedBytes, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	seed, jwt := string(seedBytes), "eyJh.eyJi.c2ln"
	creds := "-----BEGIN NATS USER JWT-----\n" + jwt + "\n------END NATS USER JWT------\n\n" +
		"-----BEGIN USER NKEY SEED-----\n" + seed + "\n------END USER NKEY SEED------\n"
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	seedFile, jwtFile, credsFile := write("user.nk", seed+"\n"), write("user.jwt", jwt+"\n"), write("user.creds", creds)
	embeddedCreds := "data:;base64," + base64.StdEncoding.EncodeToString([]byte(creds))
	t.Setenv("MY_SEED", seed)
	write("jwt.json", fmt.Sprintf(`{"user_jwt": %q, "user_seed": "env://MY_SEED"}`, "file://"+jwtFile))
	write("creds.json", fmt.Sprintf(`{"creds": %q}`, embeddedCreds))
	write("user.json", `{"user": "u", "password": "p"}`)

	for _, tt := range []struct {
		name       string
		given      settings
		context    string
		jwt, nkey  string
		signs      bool
		user, pass string
		token      string
	}{
		{name: "jwt and seed", given: settings{UserJWT: jwt, UserSeed: seed}, jwt: jwt, signs: true},
		{name: "files of them", given: settings{UserJWT: jwtFile, UserSeed: seedFile}, jwt: jwt, signs: true},
		{name: "a bearer", given: settings{UserJWT: jwt}, jwt: jwt},
		{name: "context with a JWT", context: "jwt.json", jwt: jwt, signs: true},
		{name: "creds file", given: settings{Creds: credsFile}, jwt: jwt, signs: true},
		{name: "context with embedded creds", context: "creds.json", jwt: jwt, signs: true},
		{name: "nkey file", given: settings{NKey: seedFile}, nkey: public, signs: true},
		{name: "context with a user", context: "user.json", user: "u", pass: "p"},
		{name: "a flag instead of the context's", context: "user.json", given: settings{NKey: seedFile}, nkey: public, signs: true},
		{name: "user alone is a token", given: settings{User: "t"}, token: "t"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connection{given: tt.given, noContext: true}
			if tt.context != "" {
				c.context = filepath.Join(dir, tt.context)
			}
			s, err := c.settings()
			if err != nil {
				t.Fatal(err)
			}
			opts, err := s.options()
			if err != nil {
				t.Fatal(err)
			}
			var o nats.Options
			for _, opt := range opts {
				if err := opt(&o); err != nil {
					t.Fatal(err)
				}
			}
			gotJWT := ""
			if o.UserJWT != nil {
				if gotJWT, err = o.UserJWT(); err != nil {
					t.Fatal(err)
				}
			}
			if gotJWT != tt.jwt || o.Nkey != tt.nkey || o.User != tt.user || o.Password != tt.pass || o.Token != tt.token {
				t.Errorf("got JWT %q, nkey %q, user %q, password %q, token %q", gotJWT, o.Nkey, o.User, o.Password, o.Token)
			}
			if !tt.signs {
				return
			}
			signature, err := o.SignatureCB([]byte("nonce"))
			if err != nil {
				t.Fatal(err)
			}
			if err := pair.Verify([]byte("nonce"), signature); err != nil {
				t.Errorf("its signature: %v", err)
			}
		})
	}
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		conn connection
		want string // in the error
	}{
		{"seed alone", connection{given: settings{UserSeed: "SUA"}}, "--jwt"},
		{"no JWT", connection{given: settings{UserJWT: "nothing"}}, "no JWT"},
		{"no seed", connection{given: settings{UserJWT: "a.b.c", UserSeed: "SUX"}}, "no seed"},
		{"no such creds", connection{given: settings{Creds: "/no/such"}}, "/no/such"},
		{"certificate alone", connection{given: settings{Cert: "c.pem"}}, "go together"},
		{"proxy of another kind", connection{given: settings{SocksProxy: "ftp://x"}}, "socks5://"},
		{"domain and prefix", connection{given: settings{JSDomain: "d", JSAPIPrefix: "p"}}, "not both"},
		{"secret elsewhere", connection{given: settings{Token: "op://vault/x"}}, "env://"},
		{"no such context", connection{context: filepath.Join(dir, "none.json")}, "nats context ls"},
		{"broken context", connection{context: broken}, "broken.json"},
		{"context outside", connection{context: "../x"}, "want a name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.conn.noContext = true
			s, err := tt.conn.settings()
			if err == nil {
				_, err = s.options()
			}
			if err == nil {
				_, err = s.jetStream(nil)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q in it", err, tt.want)
			}
		})
	}
}

// TestSocksProxy connects through a SOCKS5 proxy.
func TestSocksProxy(t *testing.T) {
	srv, err := embedded.Start(embedded.Options{Listen: "127.0.0.1:0", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}()
	p := newSocksProxy(t)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	c := connection{given: settings{URL: srv.URL(), SocksProxy: "socks5://" + p.addr}, timeout: 5e9}
	b, err := c.connect()
	if err != nil {
		t.Fatal(err)
	}
	b.nc.Close()
	if got := p.connections.Load(); got != 1 {
		t.Errorf("%d connections went through the proxy, want 1", got)
	}
	c.given.SocksProxy = "socks5://127.0.0.1:1"
	if _, err := c.connect(); !errors.Is(err, errNoServer) {
		t.Errorf("without the proxy: got %v, want %v", err, errNoServer)
	}
}

// A socksProxy is what RFC 1928 asks of a proxy for CONNECT to an IPv4 address or
// a name, without authentication.
type socksProxy struct {
	addr        string
	connections atomic.Int64
}

func newSocksProxy(t *testing.T) *socksProxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &socksProxy{addr: l.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.connections.Add(1)
			p.relay(t, conn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close() //nolint:errcheck // it ends the loop
		<-done
	})
	return p
}

// relay serves one connection until either side ends it.
func (p *socksProxy) relay(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close() //nolint:errcheck // a test's
	buf := make([]byte, 512)
	read := func(n int) []byte {
		if _, err := io.ReadFull(conn, buf[:n]); err != nil {
			t.Error(err)
		}
		return buf[:n]
	}
	read(int(read(2)[1]))
	_, _ = conn.Write([]byte{5, 0}) //nolint:errcheck // the client will tell
	host := ""
	switch read(4)[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	}
	port := read(2)
	to, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort(host, fmt.Sprint(int(port[0])<<8|int(port[1]))))
	if err != nil {
		t.Error(err)
		return
	}
	defer to.Close()                                        //nolint:errcheck // a test's
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}) //nolint:errcheck // the client will tell
	over := make(chan struct{}, 2)
	for _, pipe := range [][2]net.Conn{{conn, to}, {to, conn}} {
		go func() {
			_, _ = io.Copy(pipe[0], pipe[1]) //nolint:errcheck // until one ends
			over <- struct{}{}
		}()
	}
	<-over
}
