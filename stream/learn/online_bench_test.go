//go:build unix

package learn_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// BenchmarkOnline learns examples of eight numbers that are in the stream already, in
// messages of so many rows as the Go client writes them, and as JSON text: from the
// trainer's start until all are in a version. The server is in the process: "cpu-ns/row" is
// the processor time of both.
func BenchmarkOnline(b *testing.B) {
	for _, form := range []string{"binary", "json"} {
		for _, rows := range []int{1, 16} {
			b.Run(form+"/rows="+strconv.Itoa(rows), func(b *testing.B) { benchmarkOnline(b, form, rows) })
		}
	}
}

const backlog = 40_000

func benchmarkOnline(b *testing.B, form string, rows int) {
	b.Helper()
	spec := `
name: wide
label: {name: up, type: category, classes: ["0", "1"]}
network: [{Dense: {units: 32, activation: relu}}]
optimizer: {Adam: {learning_rate: 0.01}}
retrain: {mode: online, every: ` + strconv.Itoa(backlog/4) + `, replay: {rows: 100, batches: 2, size: 8}}
features:
`
	for i := range 8 {
		spec += fmt.Sprintf("  - {name: x%d, type: number}\n", i)
	}
	m, err := model.ParseSpec([]byte(spec))
	if err != nil {
		b.Fatal(err)
	}
	messages := wideMessages(b, m, form, rows)
	var took, used []float64
	for b.Loop() {
		t, c := learnBacklog(b, spec, messages)
		took, used = append(took, t.Seconds()), append(used, c.Seconds())
	}
	b.ReportMetric(backlog/median(took), "rows/s")
	b.ReportMetric(median(used)/backlog*1e9, "cpu-ns/row")
}

// wideMessages returns examples in messages of so many rows.
func wideMessages(b *testing.B, m *model.Spec, form string, rows int) []*nats.Msg {
	b.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	frame := feature.NewFrame(&m.Schema, true)
	for range backlog {
		row, sum := feature.Row{}, 0.0
		for range 8 {
			x := rnd.Float64()
			row.Values, sum = append(row.Values, feature.Value{Kind: feature.KindNumber, Num: x}), sum+x
		}
		row.Label = feature.Value{Kind: feature.KindText, Text: "0"}
		if sum > 4 {
			row.Label.Text = "1"
		}
		if err := frame.Append(row); err != nil {
			b.Fatal(err)
		}
	}
	var all []*nats.Msg
	for lo := 0; lo < backlog; lo += rows {
		msg := &nats.Msg{Subject: "modelbus.train.wide", Header: nats.Header{}}
		if form == "json" {
			msg.Data = wideJSON(frame, lo, lo+rows)
		} else if err := wire.EncodeExamples(msg, frame, lo, lo+rows); err != nil {
			b.Fatal(err)
		}
		all = append(all, msg)
	}
	return all
}

// wideJSON writes rows as a person would: one example, or a batch.
func wideJSON(frame *feature.Frame, lo, hi int) []byte {
	var instances, labels []string
	for i := lo; i < hi; i++ {
		row := frame.Row(i)
		var values []string
		for _, v := range row.Values {
			values = append(values, strconv.FormatFloat(v.Num, 'g', 8, 64))
		}
		instances = append(instances, "["+strings.Join(values, ",")+"]")
		labels = append(labels, strconv.Quote(row.Label.Text))
	}
	if len(labels) == 1 {
		return fmt.Appendf(nil, `{"features":%s,"label":%s}`, instances[0], labels[0])
	}
	return fmt.Appendf(nil, `{"instances":[%s],"labels":[%s]}`, strings.Join(instances, ","), strings.Join(labels, ","))
}

// learnBacklog publishes messages and has a trainer learn them. It returns how long the
// trainer took and the processor time of the process meanwhile.
func learnBacklog(b *testing.B, spec string, messages []*nats.Msg) (took, used time.Duration) {
	b.Helper()
	srv := embeddedtest.Start(b)
	nc := embeddedtest.Join(b, srv)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1024))
	if err != nil {
		b.Fatal(err)
	}
	if err := learn.Setup(b.Context(), js, wire.Subjects{}, 0); err != nil {
		b.Fatal(err)
	}
	reg, err := registry.Create(b.Context(), js, registry.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := reg.CreateModel(b.Context(), parse(b, spec)); err != nil {
		b.Fatal(err)
	}
	for _, m := range messages {
		copied := *m
		if _, err := js.PublishMsgAsync(&copied, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	trainer, err := learn.New(nc, reg, learn.Options{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	began, before := time.Now(), processorTime(b)
	go func() { done <- trainer.Run(ctx) }()
	awaitVersion(b, reg, 4)
	took, used = time.Since(began), processorTime(b)-before
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	nc.Close()
	if err := srv.Close(); err != nil {
		b.Fatal(err)
	}
	return took, used
}

// awaitVersion waits until a version of that number is there.
func awaitVersion(b *testing.B, reg *registry.Registry, number uint64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	arrived := errors.New("arrived")
	err := reg.Events(ctx, "wide", 1, func(_ uint64, e registry.Event) error {
		if e.Kind == registry.KindVersion && e.ID == strconv.FormatUint(number, 10) {
			return arrived
		}
		return nil
	})
	if !errors.Is(err, arrived) {
		b.Fatal(err)
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// processorTime returns the time that the process has had a processor for.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
