package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"
	"github.com/synadia-io/orbit.go/natscontext"

	"github.com/modelbus/modelbus/stream/client"
)

// errNoServer is returned when no NATS server answers.
var errNoServer = errors.New("no NATS server")

// errNoContext is returned for a nats context that is not there.
var errNoContext = errors.New("no nats context")

// A connection says how to reach NATS: the flags, variables and contexts of the
// nats command line.
type connection struct {
	server, context             string
	creds, nkey                 string
	user, password, token       string
	tlsCert, tlsKey, tlsCA      string
	tlsFirst                    bool
	inboxPrefix, connectionName string
	timeout                     time.Duration
}

// variables are the environment variables of the nats command line by flag.
func variables() map[string]string {
	return map[string]string{
		"server": "NATS_URL", "context": "NATS_CONTEXT", "user": "NATS_USER", "password": "NATS_PASSWORD",
		"token": "NATS_TOKEN", "creds": "NATS_CREDS", "nkey": "NATS_NKEY", "tlscert": "NATS_CERT", "tlskey": "NATS_KEY",
		"tlsca": "NATS_CA", "inbox-prefix": "NATS_INBOX_PREFIX", "connection-name": "NATS_CONNECTION_NAME",
		"timeout": "NATS_TIMEOUT", "prefix": "MODELBUS_PREFIX", "data": "MODELBUS_DATA",
		"cache": "MODELBUS_CACHE", "cache-size": "MODELBUS_CACHE_SIZE",
	}
}

// readEnvironment sets flags that were not given from their variables. They are
// no flag defaults, which help would print: some are secret.
func readEnvironment(f *pflag.FlagSet) error {
	for name, variable := range variables() {
		flag, value := f.Lookup(name), os.Getenv(variable)
		if flag == nil || flag.Changed || value == "" {
			continue
		}
		if err := flag.Value.Set(value); err != nil {
			return usagef("%s=%q: %v", variable, value, err)
		}
	}
	return nil
}

func (c *connection) bind(f *pflag.FlagSet) {
	str := func(p *string, name, short, usage string) {
		f.StringVarP(p, name, short, "", usage+" ["+variables()[name]+"]")
	}
	str(&c.server, "server", "s", "NATS server URLs")
	str(&c.context, "context", "", "nats context: a name, or a path to a .json file")
	str(&c.user, "user", "", "user name, or token if there is no password")
	str(&c.password, "password", "", "password")
	str(&c.token, "token", "", "token")
	str(&c.creds, "creds", "", "credentials file")
	str(&c.nkey, "nkey", "", "nkey seed file")
	str(&c.tlsCert, "tlscert", "", "TLS client certificate")
	str(&c.tlsKey, "tlskey", "", "TLS client key")
	str(&c.tlsCA, "tlsca", "", "TLS certificate authority")
	str(&c.inboxPrefix, "inbox-prefix", "", "prefix of reply subjects")
	str(&c.connectionName, "connection-name", "", "name of the connection")
	f.BoolVar(&c.tlsFirst, "tlsfirst", false, "TLS handshake before the server's greeting")
	f.DurationVar(&c.timeout, "timeout", 5*time.Second, "how long to wait for an answer [NATS_TIMEOUT]")
}

// explicit reports whether flags or variables name a server.
func (c *connection) explicit() bool { return c.server != "" || c.context != "" }

// connect connects to the server or context named, else to the selected nats
// context, else to nats://127.0.0.1:4222.
func (c *connection) connect(extra ...nats.Option) (*nats.Conn, error) {
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	opts = append(opts, extra...)
	var nc *nats.Conn
	if c.context == "" && c.server != "" {
		nc, err = nats.Connect(c.server, opts...)
	} else {
		nc, _, err = natscontext.Connect(c.context, opts...)
	}
	_, unresolved := errors.AsType[*net.DNSError](err)
	switch {
	case err == nil:
		return nc, nil
	case c.context != "" && strings.Contains(err.Error(), "unknown context"):
		return nil, fmt.Errorf("%w %q: `nats context ls` lists them", errNoContext, c.context)
	case unresolved, errors.Is(err, nats.ErrNoServers), strings.Contains(err.Error(), "connection refused"):
		return nil, fmt.Errorf("%w at %s: %w", errNoServer, c.where(), err)
	default:
		return nil, fmt.Errorf("connecting to %s: %w", c.where(), err)
	}
}

func (c *connection) where() string {
	switch {
	case c.server != "":
		return c.server
	case c.context != "":
		return fmt.Sprintf("context %q", c.context)
	default:
		return "the selected context, or " + nats.DefaultURL
	}
}

func (c *connection) options() ([]nats.Option, error) {
	if c.timeout <= 0 {
		return nil, usagef("--timeout is %v: want more than 0, such as 5s", c.timeout)
	}
	name := c.connectionName
	if name == "" {
		name = "modelbus"
	}
	opts := []nats.Option{nats.Name(name), nats.MaxReconnects(-1), nats.Timeout(c.timeout)}
	if c.server != "" && c.context != "" {
		opts = append(opts, func(o *nats.Options) error {
			o.Servers = strings.Split(c.server, ",")
			return nil
		})
	}
	switch {
	case c.user != "" && c.password == "":
		opts = append(opts, nats.Token(c.user))
	case c.user != "":
		opts = append(opts, nats.UserInfo(c.user, c.password))
	}
	if c.token != "" {
		opts = append(opts, nats.Token(c.token))
	}
	if c.creds != "" {
		opts = append(opts, nats.UserCredentials(c.creds))
	}
	if c.nkey != "" {
		o, err := nats.NkeyOptionFromSeed(c.nkey)
		if err != nil {
			return nil, fmt.Errorf("reading nkey %s: %w", c.nkey, err)
		}
		opts = append(opts, o)
	}
	if (c.tlsCert == "") != (c.tlsKey == "") {
		return nil, usagef("--tlscert and --tlskey go together")
	}
	if c.tlsCert != "" {
		opts = append(opts, nats.ClientCert(c.tlsCert, c.tlsKey))
	}
	if c.tlsCA != "" {
		opts = append(opts, nats.RootCAs(c.tlsCA))
	}
	if c.tlsFirst {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	if c.inboxPrefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(c.inboxPrefix))
	}
	return opts, nil
}

// withClient connects, calls fn, and closes the connection.
func (a *app) withClient(fn func(*client.Client, *nats.Conn) error) error {
	nc, err := a.conn.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	c, err := client.New(nc, client.Options{Subjects: a.subjects(), Timeout: a.conn.timeout})
	if err != nil {
		return err
	}
	return fn(c, nc)
}
