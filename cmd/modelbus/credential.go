package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// credentials returns who connects: the first of user, creds, nkey and JWT that is
// set, and the token.
func (s settings) credentials() ([]nats.Option, error) {
	opt, err := s.identity()
	if err != nil {
		return nil, err
	}
	var opts []nats.Option
	if opt != nil {
		opts = append(opts, opt)
	}
	if s.Token != "" {
		token, err := secret(s.Token)
		if err != nil {
			return nil, fmt.Errorf("reading the token: %w", err)
		}
		opts = append(opts, nats.Token(token))
	}
	return opts, nil
}

func (s settings) identity() (nats.Option, error) {
	switch {
	case s.User != "":
		password, err := secret(s.Password)
		if err != nil {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		return nats.UserInfo(s.User, password), nil
	case s.Creds != "":
		return credsOption(s.Creds)
	case s.NKey != "":
		return nkeyOption(s.NKey)
	case s.UserJWT != "":
		return jwtOption(s.UserJWT, s.UserSeed)
	case s.UserSeed != "":
		return nil, usagef("--seed is the key of a user JWT: give that too, with --jwt; a seed alone is an --nkey")
	}
	return nil, nil //nolint:nilnil // nobody in particular
}

// credsOption reads a file of credentials at each connecting, as it may be
// renewed; credentials from elsewhere are read once.
func credsOption(creds string) (nats.Option, error) {
	if path, ok := filePath(creds); ok {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("reading credentials: %w", err)
		}
		return nats.UserCredentials(path), nil
	}
	content, err := secret(creds)
	if err != nil {
		return nil, fmt.Errorf("reading credentials: %w", err)
	}
	return nats.UserCredentialBytes([]byte(content)), nil
}

func nkeyOption(ref string) (nats.Option, error) {
	content, err := material(ref)
	if err != nil {
		return nil, fmt.Errorf("reading the nkey: %w", err)
	}
	pair, err := nkeys.ParseDecoratedNKey([]byte(content))
	if err != nil {
		return nil, fmt.Errorf("reading the nkey: %w: want a user's seed, SU…, or a file of it", err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("reading the nkey: %w", err)
	}
	if !nkeys.IsValidPublicUserKey(public) {
		return nil, fmt.Errorf("reading the nkey: it is that of %.1s…, want a user's seed, SU…", public)
	}
	return nats.Nkey(public, pair.Sign), nil
}

// jwtOption returns a user of that JWT, who signs with the seed. Without one
// only the JWT of a bearer is accepted by servers.
func jwtOption(jwtRef, seedRef string) (nats.Option, error) {
	content, err := material(jwtRef)
	if err != nil {
		return nil, fmt.Errorf("reading the user JWT: %w", err)
	}
	jwt, err := nkeys.ParseDecoratedJWT([]byte(content))
	if err != nil {
		return nil, fmt.Errorf("reading the user JWT: %w", err)
	}
	if strings.Count(jwt, ".") != 2 {
		return nil, usagef("--jwt %.40q is no JWT (three parts with dots between), and no file", jwtRef)
	}
	token := func() (string, error) { return jwt, nil }
	if seedRef == "" {
		return nats.UserJWT(token, func([]byte) ([]byte, error) { return nil, nil }), nil
	}
	if content, err = material(seedRef); err != nil {
		return nil, fmt.Errorf("reading the user seed: %w", err)
	}
	pair, err := nkeys.ParseDecoratedNKey([]byte(content))
	if err != nil {
		return nil, usagef("--seed is no seed of a user (SU…), and no file of one: %v", err)
	}
	return nats.UserJWT(token, pair.Sign), nil
}

// material is secret for what may also be in a file whose path is ref.
func material(ref string) (string, error) {
	if path, ok := filePath(ref); ok {
		content, err := os.ReadFile(path)
		if err == nil || !errors.Is(err, os.ErrNotExist) || strings.ContainsAny(ref, `/\`) {
			return strings.TrimSpace(string(content)), err
		}
	}
	return secret(ref)
}

// secret returns the value that ref is, or refers to: file://PATH, env://NAME
// and data:;base64,… as the nats command line reads them.
func secret(ref string) (string, error) {
	switch {
	case hasScheme(ref, "file://"):
		content, err := os.ReadFile(expand(ref[len("file://"):]))
		return strings.TrimRight(string(content), "\r\n"), err
	case hasScheme(ref, "env://"):
		name := ref[len("env://"):]
		value, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("variable %s is not set", name)
		}
		return value, nil
	case hasScheme(ref, "data:"):
		header, content, _ := strings.Cut(ref, ",")
		if !strings.HasSuffix(header, ";base64") {
			return "", errors.New("data: want data:;base64,… here")
		}
		value, err := base64.StdEncoding.DecodeString(content)
		return strings.TrimRight(string(value), "\r\n"), err
	case hasScheme(ref, "op://"), hasScheme(ref, "nsc://"):
		return "", fmt.Errorf("%s is read by the nats command line only: name a file, or env://NAME", ref)
	default:
		return ref, nil
	}
}

// filePath returns the path that ref is, unless it names something else.
func filePath(ref string) (string, bool) {
	if hasScheme(ref, "file://") {
		return expand(ref[len("file://"):]), true
	}
	u, err := url.Parse(ref)
	named := err == nil && len(u.Scheme) > 1 // one letter is a Windows drive
	return expand(ref), !named
}

// hasScheme reports whether ref begins with a scheme, in any case.
func hasScheme(ref, scheme string) bool {
	return len(ref) >= len(scheme) && strings.EqualFold(ref[:len(scheme)], scheme)
}

// expand replaces a leading ~ and $NAME in a path.
func expand(path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			path = filepath.Join(home, path[1:])
		}
	}
	return os.ExpandEnv(path)
}
