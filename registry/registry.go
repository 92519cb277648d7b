package registry

import (
	"cmp"
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry/cache"
)

// Options are optional parameters of [Create] and [Open]. All users of one
// deployment must use the same Prefix.
type Options struct {
	// Prefix is the first token of subjects, lower case: "modelbus" if empty.
	// Bucket and stream names are its upper-case form.
	Prefix string

	// Replicas of what Create makes: 1 if 0. Where something is there already,
	// 0 leaves its replicas alone.
	Replicas int

	// Cache is where OpenArtifact and PutArtifact keep artifacts; nil keeps none.
	Cache *cache.Cache
}

// A Registry is the store of one deployment.
type Registry struct {
	layout

	cache *cache.Cache

	js  jetstream.JetStream
	nc  *nats.Conn
	api string // prefix of JetStream API subjects, with its dot

	stall time.Duration // how long a download waits for the next piece

	kv      jetstream.Stream
	objects jetstream.Stream
	log     jetstream.Stream // of announcements
}

// Create makes buckets and streams that are missing, brings the configuration
// of those there to what is needed without touching their data, and opens them.
// Several processes may create at once.
func Create(ctx context.Context, js jetstream.JetStream, opts Options) (*Registry, error) {
	made := func(p plan) (jetstream.Stream, error) { return ensure(ctx, js, p, opts.Replicas) }
	r, err := open(ctx, js, opts, made)
	if err != nil {
		return nil, err
	}
	if _, err := made(r.live(max(opts.Replicas, 1))); err != nil {
		return nil, err
	}
	return r, nil
}

// Open binds to what Create made and makes nothing: it returns
// [ErrNotInitialized] if something is missing.
func Open(ctx context.Context, js jetstream.JetStream, opts Options) (*Registry, error) {
	return open(ctx, js, opts, func(p plan) (jetstream.Stream, error) { return bind(ctx, js, p) })
}

func open(ctx context.Context, js jetstream.JetStream, opts Options, stream func(plan) (jetstream.Stream, error)) (*Registry, error) {
	l, err := newLayout(opts.Prefix)
	if err != nil {
		return nil, err
	}
	if err := probe(ctx, js); err != nil {
		return nil, err
	}
	r := &Registry{layout: l, cache: cmp.Or(opts.Cache, &cache.Cache{}), js: js, nc: js.Conn(), api: APIPrefix(js), stall: stallTime}
	plans := l.plans(opts.Replicas)
	for i, s := range []*jetstream.Stream{&r.kv, &r.objects, &r.log} {
		if *s, err = stream(plans[i]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// JetStream returns what the registry was opened with: it reaches the domain
// that the deployment is in.
func (r *Registry) JetStream() jetstream.JetStream { return r.js }

// APIPrefix returns the first tokens of the JetStream API's subjects as js reaches
// it, with the last dot: those of its domain or API prefix, or "$JS.API.".
func APIPrefix(js jetstream.JetStream) string {
	switch o := js.Options(); {
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	case o.APIPrefix != "" && o.APIPrefix[len(o.APIPrefix)-1] != '.':
		return o.APIPrefix + "."
	case o.APIPrefix != "":
		return o.APIPrefix
	default:
		return jetstream.DefaultAPIPrefix
	}
}

// now is the time records carry.
func now() time.Time { return time.Now().UTC() }
