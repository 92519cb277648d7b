//go:build unix

package client_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// BenchmarkPush publishes examples of ten numbers, and the same messages (subject,
// headers, bytes) by nats.go's PublishMsgAsync, in turn, each into a stream that was just
// made. "×publish" is the ratio of the median rates, "×cpu" that of the median processor
// times of the process, which has the server in it and which a busy machine changes less.
func BenchmarkPush(b *testing.B) {
	for _, rows := range []int{1, 16, 512} {
		b.Run("rows="+strconv.Itoa(rows), func(b *testing.B) { benchmarkPush(b, rows) })
	}
}

func benchmarkPush(b *testing.B, rows int) {
	b.Helper()
	messages := max(20000/rows, 400)
	nc := embeddedtest.Join(b, embeddedtest.Start(b))
	c, err := client.New(nc, client.Options{})
	if err != nil {
		b.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	s, row := tenNumbers()
	push := func() {
		p := c.Examples("m", s, client.PublisherOptions{BatchRows: rows})
		for range messages * rows {
			if err := p.Add(b.Context(), row); err != nil {
				b.Fatal(err)
			}
		}
		if err := p.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	clearStream(b, js)
	push()
	batch := lastMessages(b, js, messages)
	var pushed, published sides
	for b.Loop() {
		clearStream(b, js)
		pushed.measure(b, push)
		clearStream(b, js)
		published.measure(b, func() { publish(b, js, batch) })
	}
	took := median(pushed.took)
	b.ReportMetric(float64(messages)/took, "messages/s")
	b.ReportMetric(float64(messages*rows)/took, "rows/s")
	b.ReportMetric(median(published.took)/took, "×publish")
	b.ReportMetric(median(published.used)/median(pushed.used), "×cpu")
}

// clearStream makes the training stream anew.
func clearStream(b *testing.B, js jetstream.JetStream) {
	b.Helper()
	if err := js.DeleteStream(b.Context(), "MODELBUS_TRAIN"); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		b.Fatal(err)
	}
	if err := learn.Setup(b.Context(), js, wire.Subjects{}, 1); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
}

// sides are the times, in seconds, that one side of a comparison took, and the process had
// processors for.
type sides struct{ took, used []float64 }

func (s *sides) measure(b *testing.B, work func()) {
	b.Helper()
	began, before := time.Now(), processorTime(b)
	work()
	s.took = append(s.took, time.Since(began).Seconds())
	s.used = append(s.used, (processorTime(b) - before).Seconds())
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// tenNumbers returns a schema of ten numbers and one example of it.
func tenNumbers() (*feature.Schema, feature.Row) {
	s := &feature.Schema{Label: feature.Label{Name: "y", Type: feature.Number}}
	var row feature.Row
	for i := range 10 {
		s.Features = append(s.Features, feature.Feature{Name: fmt.Sprintf("x%d", i), Type: feature.Number})
		row.Values = append(row.Values, feature.Value{Kind: feature.KindNumber, Num: float64(i)/10 + 0.0123})
	}
	row.Label = feature.Value{Kind: feature.KindNumber, Num: 1.5}
	return s, row
}

// lastMessages returns copies of the first n messages of the training stream.
func lastMessages(b *testing.B, js jetstream.JetStream, n int) []*nats.Msg {
	b.Helper()
	stream, err := js.Stream(b.Context(), "MODELBUS_TRAIN")
	if err != nil {
		b.Fatal(err)
	}
	consumer, err := stream.OrderedConsumer(b.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	var all []*nats.Msg
	for len(all) < n {
		got, err := consumer.Fetch(n-len(all), jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			b.Fatal(err)
		}
		for m := range got.Messages() {
			all = append(all, &nats.Msg{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
		}
		if got.Error() != nil {
			b.Fatal(got.Error())
		}
	}
	return all
}

// publish publishes messages as an application would: each with an id of its
// own, and all acknowledged in the end.
func publish(b *testing.B, js jetstream.JetStream, batch []*nats.Msg) {
	b.Helper()
	id := nuid.Next()
	futures := make([]jetstream.PubAckFuture, len(batch))
	for i, m := range batch {
		m.Header.Set(jetstream.MsgIDHeader, id+"-"+strconv.Itoa(i))
		var err error
		if futures[i], err = js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			b.Fatal(err)
		}
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
