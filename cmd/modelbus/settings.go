package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"
	"golang.org/x/net/proxy"
)

// errNoContext is returned for a nats context that is not there.
var errNoContext = errors.New("no nats context")

// settings are what a context of the nats command line holds, as its file spells
// it. What is not about connecting (colors, the prefix of advisories) is left out.
type settings struct {
	URL         string `json:"url"`
	SocksProxy  string `json:"socks_proxy"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Token       string `json:"token"`
	Creds       string `json:"creds"`
	NKey        string `json:"nkey"`
	UserJWT     string `json:"user_jwt"`
	UserSeed    string `json:"user_seed"`
	Cert        string `json:"cert"`
	Key         string `json:"key"`
	CA          string `json:"ca"`
	TLSFirst    bool   `json:"tls_first"`
	InboxPrefix string `json:"inbox_prefix"`
	JSDomain    string `json:"jetstream_domain"`
	JSAPIPrefix string `json:"jetstream_api_prefix"`

	NSC       string `json:"nsc"`
	CertStore string `json:"windows_cert_store"`
}

// loadContext reads a context: of that name, of that file if it ends in .json, or,
// if it is empty, the selected one. No selected one is no error.
func loadContext(name string) (settings, error) {
	path, err := contextFile(name)
	if path == "" || err != nil {
		return settings{}, err
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return settings{}, fmt.Errorf("%w %q: `nats context ls` lists them", errNoContext, name)
	case err != nil:
		return settings{}, fmt.Errorf("reading the nats context: %w", err)
	}
	var s settings
	if err := json.Unmarshal(data, &s); err != nil {
		return settings{}, fmt.Errorf("reading the nats context %s: %w", path, err)
	}
	switch {
	case s.NSC != "":
		return settings{}, fmt.Errorf("nats context %s takes its credentials from nsc (%s), which is not supported: name a creds file", path, s.NSC)
	case s.CertStore != "":
		return settings{}, fmt.Errorf("nats context %s takes its certificate from the Windows store, which is not supported: name cert and key files", path)
	}
	return s, nil
}

// contextFile returns where the context is kept, "" if none is named or selected.
func contextFile(name string) (string, error) {
	if strings.HasSuffix(name, ".json") {
		return name, nil
	}
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			if name == "" {
				return "", nil // a service without a home has no contexts
			}
			return "", fmt.Errorf("looking for nats context %q: %w", name, err)
		}
		dir = filepath.Join(home, ".config")
	}
	dir = filepath.Join(dir, "nats")
	if name == "" {
		selected, err := os.ReadFile(filepath.Join(dir, "context.txt"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("reading which nats context is selected: %w", err)
		}
		if name = strings.TrimSpace(string(selected)); name == "" {
			return "", nil
		}
	}
	if strings.Contains(name, "..") || strings.ContainsRune(name, os.PathSeparator) {
		return "", fmt.Errorf("%w %q: want a name, or the path of a .json file", errNoContext, name)
	}
	return filepath.Join(dir, "context", name+".json"), nil
}

// options returns the options to connect with.
func (s settings) options() ([]nats.Option, error) {
	opts, err := s.credentials()
	if err != nil {
		return nil, err
	}
	if (s.Cert == "") != (s.Key == "") {
		return nil, usagef("a TLS certificate and its key (--tlscert, --tlskey) go together")
	}
	if s.Cert != "" {
		opts = append(opts, nats.ClientCert(expand(s.Cert), expand(s.Key)))
	}
	if s.CA != "" {
		opts = append(opts, nats.RootCAs(expand(s.CA)))
	}
	if s.TLSFirst {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	if s.InboxPrefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(s.InboxPrefix))
	}
	if s.SocksProxy != "" {
		u, err := url.Parse(s.SocksProxy)
		if err != nil {
			return nil, usagef("SOCKS proxy %q: %v; want a URL such as socks5://127.0.0.1:1080", s.SocksProxy, err)
		}
		d, err := proxy.FromURL(u, &net.Dialer{})
		if err != nil {
			return nil, usagef("SOCKS proxy %q: %v; want a URL such as socks5://127.0.0.1:1080", s.SocksProxy, err)
		}
		opts = append(opts, nats.SetCustomDialer(d))
	}
	return opts, nil
}
