package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

const apiPrefix = "$SRV"

// pendingReplies bounds the discovery requests that wait in this process;
// what comes on top is dropped by the client library, as for any subscription.
const pendingReplies = 4096

// A Directory answers discovery for its providers.
type Directory struct {
	nc        *nats.Conn
	version   string
	process   string // unique to this directory; ids are made from it
	providers []Provider
	ready     chan struct{}
}

// New returns a directory. version is the software's semantic version.
func New(nc *nats.Conn, version string, providers ...Provider) *Directory {
	return &Directory{
		nc: nc, version: version, process: nuid.Next(), providers: providers,
		ready: make(chan struct{}),
	}
}

// Ready is closed when Run answers.
func (d *Directory) Ready() <-chan struct{} { return d.ready }

// Run answers until ctx is done, then finishes the requests it has and returns
// nil. It returns an error if it could not start or the connection was closed.
// It may be called once.
func (d *Directory) Run(ctx context.Context) error {
	verbs := map[string]func(*Service, string, string) any{
		"PING": (*Service).ping, "INFO": (*Service).info, "STATS": (*Service).stats,
	}
	var subs []*nats.Subscription
	closed := make(chan struct{}, 2*len(verbs))
	for verb, respond := range verbs {
		root := apiPrefix + "." + verb
		for _, subject := range []string{root, root + ".>"} {
			sub, err := d.subscribe(subject, root, respond, closed)
			if err != nil {
				return errors.Join(err, drain(subs, closed))
			}
			subs = append(subs, sub)
		}
	}
	if err := d.nc.Flush(); err != nil {
		return errors.Join(fmt.Errorf("starting discovery: %w", err), drain(subs, closed))
	}
	close(d.ready)
	select {
	case <-ctx.Done():
		return drain(subs, closed)
	case <-closed:
		return fmt.Errorf("discovery ended: %w", nats.ErrConnectionClosed)
	}
}

func (d *Directory) subscribe(subject, root string, respond func(*Service, string, string) any, closed chan<- struct{}) (*nats.Subscription, error) {
	sub, err := d.nc.Subscribe(subject, func(m *nats.Msg) {
		d.answer(m, strings.TrimPrefix(strings.TrimPrefix(m.Subject, root), "."), respond)
	})
	if err != nil {
		return nil, fmt.Errorf("subscribing to %q: %w", subject, err)
	}
	sub.SetClosedHandler(func(string) { closed <- struct{}{} })
	if err := sub.SetPendingLimits(pendingReplies, nats.DefaultSubPendingBytesLimit); err != nil {
		return nil, errors.Join(fmt.Errorf("bounding %q: %w", subject, err), sub.Unsubscribe())
	}
	return sub, nil
}

// drain ends subs after the messages they have. A closed connection has ended
// them already.
func drain(subs []*nats.Subscription, closed <-chan struct{}) error {
	var errs []error
	var draining int
	for _, sub := range subs {
		switch err := sub.Drain(); {
		case err == nil:
			draining++
		case !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrBadSubscription):
			errs = append(errs, fmt.Errorf("draining %q: %w", sub.Subject, err))
		}
	}
	for range draining {
		<-closed
	}
	return errors.Join(errs...)
}

// answer sends one response for each service that target ("", "name" or
// "name.id") names.
func (d *Directory) answer(m *nats.Msg, target string, respond func(*Service, string, string) any) {
	if m.Reply == "" {
		return
	}
	name, id, byID := strings.Cut(target, ".")
	for _, s := range d.services() {
		if name != "" && s.Name != name {
			continue
		}
		sid := d.id(&s)
		if byID && sid != id {
			continue
		}
		b, err := json.Marshal(respond(&s, sid, d.version))
		if err != nil {
			continue // only strings, numbers and encoded JSON: it cannot fail
		}
		if err := d.nc.Publish(m.Reply, b); errors.Is(err, nats.ErrConnectionClosed) {
			return // Run reports that
		}
	}
}

func (d *Directory) services() []Service {
	var all []Service
	for _, p := range d.providers {
		all = append(all, p.Services()...)
	}
	return all
}

// id returns the id of one life of a service: the same for the same name and
// start in this process, another one everywhere else.
func (d *Directory) id(s *Service) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", d.process, s.Name, s.Started.UnixNano()))
	return hex.EncodeToString(h[:11]) // 22 characters, as a NUID has
}
