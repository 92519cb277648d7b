package serve

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
)

// BenchmarkWorker answers batches of requests without a server, beside publishing the
// same answers.
func BenchmarkWorker(b *testing.B) {
	nc, err := nats.Connect("", nats.InProcessServer(sink{}))
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	spec, err := model.ParseSpec([]byte(`{"name":"m","features":[{"name":"x","type":"vector","size":10}],
		"label":{"name":"y","type":"number"},"network":[{"Dense":{"units":10,"activation":"relu"}}],"training":{"epochs":1}}`))
	if err != nil {
		b.Fatal(err)
	}
	frame := feature.NewFrame(&spec.Schema, true)
	for i := range 32 {
		x := make([]float32, 10)
		x[i%10] = float32(i)
		if err := frame.Append(feature.Row{
			Values: []feature.Value{{Kind: feature.KindVector, Vector: x}},
			Label:  feature.Value{Kind: feature.KindNumber, Num: float64(i)},
		}); err != nil {
			b.Fatal(err)
		}
	}
	l := laneOf(b, nc, spec, frame)
	l.inspector = newInspector(nil, defaultDriftRate, zerolog.Nop())
	l.observer.Store(nil)
	l.watch(b.Context(), l.live.Load().aliases[registry.Champion])
	w := newWorker(l)
	m := &nats.Msg{
		Subject: "modelbus.predict.m", Reply: "_INBOX.Oc5ywfVNIBmoZ8Jmo2zPZt.T6tB8zLm",
		Data: []byte(`{"instances": [[0.552323, 0.16832, 0.912432, 0.743233, 0.123455, 0.932423, 0.42342, 0.7674, 0.234235, 0.9423421]]}`),
	}
	for _, n := range []int{1, 20} {
		b.Run(fmt.Sprintf("answer/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for range n {
					if err := l.queue.put(request{msg: m, at: time.Now()}); err != nil {
						b.Fatal(err)
					}
				}
				w.work()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/request")
		})
	}
	reply := &nats.Msg{Subject: m.Reply, Header: w.reply.Header, Data: w.reply.Data}
	for _, header := range []nats.Header{nil, {"Modelbus-Model": {"m"}, "Modelbus-Version": {"1234"}}} {
		reply.Header = header
		b.Run(fmt.Sprintf("publish/%d", len(header)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := nc.PublishMsg(reply); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
