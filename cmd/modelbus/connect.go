package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/pflag"

	"github.com/modelbus/modelbus/stream/client"
)

// errNoServer is returned when no NATS server answers.
var errNoServer = errors.New("no NATS server")

// A connection says how to reach NATS: the flags, variables and contexts of the
// nats command line.
type connection struct {
	given          settings // by flags and variables: beats the context
	context        string
	noContext      bool
	connectionName string
	timeout        time.Duration
}

// variables are the environment variables of the nats command line by flag.
func variables() map[string]string {
	return map[string]string{
		"server": "NATS_URL", "context": "NATS_CONTEXT", "user": "NATS_USER", "password": "NATS_PASSWORD",
		"token": "NATS_TOKEN", "creds": "NATS_CREDS", "nkey": "NATS_NKEY", "tlscert": "NATS_CERT", "tlskey": "NATS_KEY",
		"tlsca": "NATS_CA", "jwt": "NATS_JWT", "seed": "NATS_SEED", "socks-proxy": "NATS_SOCKS_PROXY",
		"js-domain": "NATS_JS_DOMAIN", "js-api-prefix": "NATS_JS_API_PREFIX",
		"inbox-prefix": "NATS_INBOX_PREFIX", "connection-name": "NATS_CONNECTION_NAME",
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
	g := &c.given
	str(&g.URL, "server", "s", "NATS server URLs")
	str(&c.context, "context", "", "nats context: a name, or a path to a .json file")
	f.BoolVar(&c.noContext, "no-context", false, "leave the selected nats context aside")
	str(&g.User, "user", "", "user name, or token if there is no password")
	str(&g.Password, "password", "", "password")
	str(&g.Token, "token", "", "token")
	str(&g.Creds, "creds", "", "credentials file")
	str(&g.NKey, "nkey", "", "nkey seed file")
	str(&g.UserJWT, "jwt", "", "user JWT, or a file of it")
	str(&g.UserSeed, "seed", "", "seed that goes with --jwt, or a file of it")
	str(&g.Cert, "tlscert", "", "TLS client certificate")
	str(&g.Key, "tlskey", "", "TLS client key")
	str(&g.CA, "tlsca", "", "TLS certificate authority")
	f.BoolVar(&g.TLSFirst, "tlsfirst", false, "TLS handshake before the server's greeting")
	str(&g.SocksProxy, "socks-proxy", "", "SOCKS5 proxy to the NATS server, such as socks5://127.0.0.1:1080")
	str(&g.JSDomain, "js-domain", "", "JetStream domain that the streams are in")
	str(&g.JSAPIPrefix, "js-api-prefix", "", "prefix of the subjects of the JetStream API")
	str(&g.InboxPrefix, "inbox-prefix", "", "prefix of reply subjects")
	str(&c.connectionName, "connection-name", "", "name of the connection")
	f.DurationVar(&c.timeout, "timeout", 5*time.Second, "how long to wait for an answer [NATS_TIMEOUT]")
}

// explicit reports whether flags or variables name a server.
func (c *connection) explicit() bool { return c.given.URL != "" || c.context != "" }

// A bus is a connection and the JetStream that is reached by it.
type bus struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	settings settings
}

// connect connects to the server or context named, else to the selected nats
// context, else to nats://127.0.0.1:4222. Flags and variables beat the context.
func (c *connection) connect(more ...nats.Option) (*bus, error) {
	if c.timeout <= 0 {
		return nil, usagef("--timeout is %v: want more than 0, such as 5s", c.timeout)
	}
	s, err := c.settings()
	if err != nil {
		return nil, err
	}
	opts, err := s.options()
	if err != nil {
		return nil, err
	}
	opts = append(opts,
		nats.Name(cmp.Or(c.connectionName, "modelbus")), nats.MaxReconnects(-1), nats.Timeout(c.timeout))
	opts = append(opts, more...)
	nc, err := nats.Connect(cmp.Or(s.URL, nats.DefaultURL), opts...)
	_, unresolved := errors.AsType[*net.DNSError](err)
	switch {
	case err == nil:
	case unresolved, errors.Is(err, nats.ErrNoServers), strings.Contains(err.Error(), "connection refused"):
		return nil, fmt.Errorf("%w at %s: %w", errNoServer, c.where(), err)
	default:
		return nil, fmt.Errorf("connecting to %s: %w", c.where(), err)
	}
	js, err := s.jetStream(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &bus{nc: nc, js: js, settings: s}, nil
}

// settings are those of the context with what was given in their place.
func (c *connection) settings() (settings, error) {
	var s settings
	if !c.noContext || c.context != "" {
		var err error
		if s, err = loadContext(c.context); err != nil {
			return settings{}, err
		}
	}
	given := c.given
	if given.User != "" && given.Password == "" {
		given.Token, given.User = cmp.Or(given.Token, given.User), ""
	}
	if cmp.Or(given.User, given.Token, given.Creds, given.NKey, given.UserJWT) != "" { // somebody else connects
		s.User, s.Password, s.Token, s.Creds, s.NKey, s.UserJWT, s.UserSeed = "", "", "", "", "", "", ""
	}
	if given.JSDomain != "" || given.JSAPIPrefix != "" {
		s.JSDomain, s.JSAPIPrefix = "", ""
	}
	s.URL = cmp.Or(given.URL, s.URL)
	s.User, s.Password, s.Token = cmp.Or(given.User, s.User), cmp.Or(given.Password, s.Password), cmp.Or(given.Token, s.Token)
	s.Creds, s.NKey = cmp.Or(given.Creds, s.Creds), cmp.Or(given.NKey, s.NKey)
	s.UserJWT, s.UserSeed = cmp.Or(given.UserJWT, s.UserJWT), cmp.Or(given.UserSeed, s.UserSeed)
	s.Cert, s.Key, s.CA = cmp.Or(given.Cert, s.Cert), cmp.Or(given.Key, s.Key), cmp.Or(given.CA, s.CA)
	s.TLSFirst = given.TLSFirst || s.TLSFirst
	s.SocksProxy, s.InboxPrefix = cmp.Or(given.SocksProxy, s.SocksProxy), cmp.Or(given.InboxPrefix, s.InboxPrefix)
	s.JSDomain, s.JSAPIPrefix = cmp.Or(given.JSDomain, s.JSDomain), cmp.Or(given.JSAPIPrefix, s.JSAPIPrefix)
	return s, nil
}

// jetStream returns the JetStream of the domain or API prefix set.
func (s settings) jetStream(nc *nats.Conn) (jetstream.JetStream, error) {
	var js jetstream.JetStream
	var err error
	switch {
	case s.JSDomain != "" && s.JSAPIPrefix != "":
		return nil, usagef("a JetStream domain (%s) has an API prefix of its own: give --js-domain or --js-api-prefix, not both", s.JSDomain)
	case s.JSDomain != "":
		js, err = jetstream.NewWithDomain(nc, s.JSDomain)
	case s.JSAPIPrefix != "":
		js, err = jetstream.NewWithAPIPrefix(nc, s.JSAPIPrefix)
	default:
		js, err = jetstream.New(nc)
	}
	if err != nil {
		return nil, fmt.Errorf("opening JetStream: %w", err)
	}
	return js, nil
}

func (c *connection) where() string {
	switch {
	case c.given.URL != "":
		return c.given.URL
	case c.context != "":
		return fmt.Sprintf("context %q", c.context)
	default:
		return "the selected context, or " + nats.DefaultURL
	}
}

// withClient connects, calls fn, and closes the connection.
func (a *app) withClient(fn func(*client.Client, *bus) error) error {
	b, err := a.conn.connect()
	if err != nil {
		return err
	}
	defer b.nc.Close()
	c, err := client.New(b.nc, client.Options{
		Subjects: a.subjects(), Timeout: a.conn.timeout,
		Domain: b.settings.JSDomain, APIPrefix: b.settings.JSAPIPrefix,
	})
	if err != nil {
		return err
	}
	return fn(c, b)
}
