package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

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

// verbs are the kinds of requests and their responses.
func verbs() map[string]func(s *Service, id, version string) any {
	return map[string]func(*Service, string, string) any{
		"PING": (*Service).ping, "INFO": (*Service).info, "STATS": (*Service).stats,
	}
}

// A listener is one subscription.
type listener struct {
	sub    *nats.Subscription
	closed chan struct{} // closed when it has ended
}

// Run answers until ctx is done, then finishes the requests it has and returns
// nil. It returns an error if it could not start or the connection was closed.
// It may be called once.
func (d *Directory) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	wake := make(chan struct{}, 1) // holds one wake-up
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop()
	for _, p := range d.providers {
		if changed := p.Changed(); changed != nil {
			watching.Go(func() { watch(ctx, p, changed, wake) })
		}
	}
	listeners := map[string]*listener{} // by subject
	if err := d.follow(listeners); err != nil {
		return errors.Join(err, drain(listeners))
	}
	if err := d.nc.Flush(); err != nil {
		return errors.Join(fmt.Errorf("starting discovery: %w", err), drain(listeners))
	}
	close(d.ready)
	for {
		select {
		case <-ctx.Done():
			return drain(listeners)
		case <-listeners[apiPrefix+".PING"].closed:
			return fmt.Errorf("discovery ended: %w", nats.ErrConnectionClosed)
		case <-wake:
			if err := d.follow(listeners); err != nil {
				return errors.Join(err, drain(listeners))
			}
		}
	}
}

// watch wakes whoever follows p when its services have changed. The next change is
// waited for before that, so that none falls between.
func watch(ctx context.Context, p Provider, changed <-chan struct{}, wake chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		changed = p.Changed()
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// follow makes listeners those of the services there are.
func (d *Directory) follow(listeners map[string]*listener) error {
	services := d.services()
	wanted := make(map[string]bool, len(verbs())*(1+2*len(services)))
	for verb, respond := range verbs() {
		root := apiPrefix + "." + verb
		subjects := []string{root}
		for i := range services {
			name := root + "." + services[i].Name
			subjects = append(subjects, name, name+"."+d.id(&services[i]))
		}
		for _, subject := range subjects {
			wanted[subject] = true
			if listeners[subject] != nil {
				continue
			}
			l, err := d.listen(subject, root, respond)
			if err != nil {
				return err
			}
			listeners[subject] = l
		}
	}
	gone := map[string]*listener{}
	for subject, l := range listeners {
		if !wanted[subject] {
			gone[subject] = l
			delete(listeners, subject)
		}
	}
	return drain(gone)
}

func (d *Directory) listen(subject, root string, respond func(*Service, string, string) any) (*listener, error) {
	sub, err := d.nc.Subscribe(subject, func(m *nats.Msg) {
		d.answer(m, strings.TrimPrefix(strings.TrimPrefix(m.Subject, root), "."), respond)
	})
	if err != nil {
		return nil, fmt.Errorf("subscribing to %q: %w", subject, err)
	}
	l := &listener{sub: sub, closed: make(chan struct{})}
	sub.SetClosedHandler(func(string) { close(l.closed) })
	if err := sub.SetPendingLimits(pendingReplies, nats.DefaultSubPendingBytesLimit); err != nil {
		return nil, errors.Join(fmt.Errorf("bounding %q: %w", subject, err), sub.Unsubscribe())
	}
	return l, nil
}

// drain ends listeners after the messages they have. A closed connection has ended
// them already.
func drain(listeners map[string]*listener) error {
	var errs []error
	var draining []*listener
	for _, l := range listeners {
		switch err := l.sub.Drain(); {
		case err == nil:
			draining = append(draining, l)
		case !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrBadSubscription):
			errs = append(errs, fmt.Errorf("draining %q: %w", l.sub.Subject, err))
		}
	}
	for _, l := range draining {
		<-l.closed
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
