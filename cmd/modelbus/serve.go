package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/adrg/xdg"
	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/registry/cache"
)

type serveOptions struct {
	listen     string
	data       string
	natsConfig string
	insecure   bool
	sync       time.Duration
	replicas   int
	models     []string
	noTrain    bool
	parallel   int
	cache      string
	cacheSize  string
}

func (a *app) serveCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve predictions and train models until interrupted",
		Long: "Serve predictions and train models until interrupted.\n\n" +
			"Without --server and --context (or NATS_URL and NATS_CONTEXT) a NATS server with JetStream runs\n" +
			"inside this process, on --listen, with its streams in --data: the stock nats command line works\n" +
			"with no flags. With them, that NATS system is used. Flags of the embedded server beat the variables.",
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.chooseServer(cmd.Flags()); err != nil {
				return err
			}
			return a.serve(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:4222", "address of the embedded NATS server; port 0 takes a free one")
	f.StringVar(&o.data, "data", "", "folder of the embedded server's streams (default "+defaultData()+") [MODELBUS_DATA]")
	f.StringVar(&o.natsConfig, "nats-config", "", "nats-server configuration file for the embedded server (users, TLS, cluster)")
	f.BoolVar(&o.insecure, "insecure", false, "allow --listen beyond loopback without authentication")
	f.DurationVar(&o.sync, "sync-interval", 0, "sync the embedded server's data to disk this often instead of on every write")
	f.IntVar(&o.replicas, "replicas", 1, "replicas of the buckets and streams that are made")
	f.StringVar(&o.cache, "cache", "", "folder of downloaded artifacts, which are mapped (default: cache in --data, or "+defaultCache()+" with another NATS system) [MODELBUS_CACHE]")
	f.StringVar(&o.cacheSize, "cache-size", "8GiB", "how large that folder may grow; 0 keeps artifacts in memory [MODELBUS_CACHE_SIZE]")
	f.StringSliceVar(&o.models, "model", nil, "serve only these models (default all)")
	f.BoolVar(&o.noTrain, "no-train", false, "serve only, do not train")
	f.IntVar(&o.parallel, "train-parallel", 0, "how many models train at once, each with its examples in memory (default the processors, 4 at most)")
	return cmd
}

// chooseServer lets a flag that is about the embedded server win over variables
// that name another, and refuses flags that contradict each other.
func (a *app) chooseServer(f *pflag.FlagSet) error {
	for _, own := range []string{"listen", "data", "nats-config", "insecure", "sync-interval"} {
		if !f.Changed(own) {
			continue
		}
		for _, other := range []string{"server", "context"} {
			if f.Changed(other) {
				return usagef("--%s is about the embedded NATS server, --%s about another: give one of the two", own, other)
			}
		}
		a.conn.given.URL, a.conn.context = "", ""
		return nil
	}
	return nil
}

func defaultData() string { return filepath.Join(xdg.DataHome, "modelbus") }

func defaultCache() string { return filepath.Join(xdg.CacheHome, "modelbus") }

// artifacts returns the cache of artifacts.
func (a *app) artifacts(o serveOptions, log zerolog.Logger) (*cache.Cache, error) {
	size, err := humanize.ParseBytes(o.cacheSize)
	if err != nil || size > math.MaxInt64 {
		return nil, usagef("--cache-size is %q: want a size such as 4GiB, or 0", o.cacheSize)
	}
	dir := a.cacheFolder(o)
	return cache.New(cache.Options{Dir: dir, Size: int64(size), Warn: func(err error) { //nolint:gosec // checked above
		log.Warn().Err(err).Str("cache", dir).Msg("artifact cache")
	}}), nil
}

// cacheFolder is where artifacts are kept: beside the streams if those are ours.
func (a *app) cacheFolder(o serveOptions) string {
	switch {
	case o.cache != "":
		return o.cache
	case a.conn.explicit():
		return defaultCache()
	default:
		return filepath.Join(cmp.Or(o.data, defaultData()), "cache")
	}
}

func (a *app) serve(ctx context.Context, o serveOptions) error {
	if o.parallel < 0 {
		return usagef("--train-parallel is %d: want 1 or more, or 0 for the default", o.parallel)
	}
	log := a.logger()
	artifacts, err := a.artifacts(o, log)
	if err != nil {
		return err
	}
	js, closeBus, err := a.bus(o, log)
	if errors.Is(err, errNoServer) {
		return fmt.Errorf("%w (unset NATS_URL and NATS_CONTEXT, or give --listen, to start one in this process)", err)
	}
	if err != nil {
		return err
	}
	reg := a.registryOptions(o.replicas)
	reg.Cache = artifacts
	n, err := startNode(ctx, js, nodeOptions{
		subjects: a.subjects(), registry: reg,
		models: o.models, noTrain: o.noTrain, parallel: o.parallel, logger: log,
	})
	if ctx.Err() != nil {
		return closeBus() // interrupted while starting
	}
	if err != nil {
		return errors.Join(err, closeBus())
	}
	log.Info().Str("version", version).Msg("ready")
	err = n.wait()
	log.Info().Msg("stopped")
	return errors.Join(err, closeBus())
}

// bus connects to the NATS system named, or starts one of our own.
func (a *app) bus(o serveOptions, log zerolog.Logger) (jetstream.JetStream, func() error, error) {
	if a.conn.explicit() {
		b, err := a.conn.connect(logged(log)...)
		if err != nil {
			return nil, nil, err
		}
		log.Info().Str("url", b.nc.ConnectedUrlRedacted()).Msg("connected")
		return b.js, func() error { b.nc.Close(); return nil }, nil
	}
	o.data = cmp.Or(o.data, defaultData())
	srv, err := embedded.Start(embedded.Options{
		Listen: o.listen, Dir: o.data, Config: o.natsConfig,
		SyncInterval: o.sync, Insecure: o.insecure, Logger: log,
	})
	if err != nil {
		return nil, nil, err
	}
	nc, err := srv.Connect(nats.Name("modelbus"))
	if err != nil {
		return nil, nil, errors.Join(err, srv.Close())
	}
	js, err := a.conn.given.jetStream(nc)
	if err != nil {
		nc.Close()
		return nil, nil, errors.Join(err, srv.Close())
	}
	log.Info().Str("url", srv.URL()).Str("data", o.data).Msg("NATS server started")
	return js, func() error {
		nc.Close()
		if err := srv.Close(); err != nil {
			return fmt.Errorf("stopping the embedded NATS server: %w", err)
		}
		return nil
	}, nil
}
