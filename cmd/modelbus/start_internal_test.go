package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

// BenchmarkStart is the time from nothing to the first prediction: an embedded
// NATS server with ten models in its folder, serving and training.
func BenchmarkStart(b *testing.B) {
	const models = 10
	dir := b.TempDir()
	run := func(use func(*nats.Conn) error) {
		srv, err := embedded.Start(embedded.Options{Dir: dir, Listen: "127.0.0.1:0"})
		if err != nil {
			b.Fatal(err)
		}
		nc, err := srv.Connect()
		if err != nil {
			b.Fatal(err)
		}
		js, err := jetstream.New(nc)
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		n, err := startNode(ctx, js, nodeOptions{logger: zerolog.Nop()})
		if err == nil {
			err = use(nc)
		}
		b.StopTimer()
		stop()
		if n != nil {
			err = errors.Join(err, n.wait())
		}
		nc.Close()
		if err := errors.Join(err, srv.Close()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	artifact := tenNumbers(b)
	run(func(nc *nats.Conn) error {
		c, err := client.New(nc, client.Options{})
		for i := range models {
			if err == nil {
				_, err = c.Import(b.Context(), fmt.Sprintf("m%d", i), artifact, true, "", "")
			}
		}
		return err
	})
	for b.Loop() {
		run(func(nc *nats.Conn) error {
			answer, err := nc.Request("modelbus.predict.m7", []byte(`{"instances":[[0,0,0,0,0,0,0,0,0,0]]}`), 10*time.Second)
			if err != nil {
				return err
			}
			return wire.ErrorFrom(answer)
		})
	}
}

// tenNumbers returns the artifact of a 10-10-1 network.
func tenNumbers(b *testing.B) []byte {
	b.Helper()
	spec, err := model.ParseSpec([]byte(`
name: ten
features: [{name: x, type: vector, size: 10}]
label: {name: y, type: number}
network: [{Dense: {units: 10, activation: relu}}]
training: {epochs: 1}
`))
	if err != nil {
		b.Fatal(err)
	}
	f := feature.NewFrame(&spec.Schema, true)
	for i := range 32 {
		x := make([]float32, 10)
		x[i%10] = float32(i)
		if err := f.Append(feature.Row{
			Values: []feature.Value{{Kind: feature.KindVector, Vector: x}}, Label: feature.Value{Kind: feature.KindNumber, Num: float64(i)},
		}); err != nil {
			b.Fatal(err)
		}
	}
	m, _, err := model.Fit(b.Context(), spec, f, model.FitOptions{})
	if err != nil {
		b.Fatal(err)
	}
	artifact, err := m.Encode()
	if err != nil {
		b.Fatal(err)
	}
	return artifact
}
