package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func newClient(t *testing.T, nc *nats.Conn, opts client.Options) *client.Client {
	t.Helper()
	if opts.Backoff == 0 {
		opts.Backoff = time.Millisecond
	}
	c, err := client.New(nc, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// respond answers requests on subject.
func respond(t *testing.T, nc *nats.Conn, subject string, answer func(m *nats.Msg) *nats.Msg) {
	t.Helper()
	_, err := nc.Subscribe(subject, func(m *nats.Msg) {
		if reply := answer(m); reply != nil {
			if err := m.RespondMsg(reply); err != nil {
				t.Error(err)
			}
		}
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func failure(err error) *nats.Msg {
	msg := &nats.Msg{}
	wire.ErrorOf(err).Reply(msg)
	return msg
}

// sums answers each instance with the sum of its numbers.
func sums(version int) func(m *nats.Msg) *nats.Msg {
	return func(m *nats.Msg) *nats.Msg {
		var req struct{ Instances [][]float64 }
		if err := json.Unmarshal(m.Data, &req); err != nil {
			return failure(fmt.Errorf("%w: %w", wire.ErrInvalid, err))
		}
		var values []float64
		for _, row := range req.Instances {
			sum := 0.0
			for _, x := range row {
				sum += x
			}
			values = append(values, sum)
		}
		body, err := json.Marshal(map[string]any{"predictions": values, "model_name": "m", "model_version": fmt.Sprint(version)})
		if err != nil {
			return failure(err)
		}
		return &nats.Msg{Data: body}
	}
}

func TestPredict(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	bodies := make(chan *nats.Msg, 1)
	respond(t, nc, "modelbus.predict.>", func(m *nats.Msg) *nats.Msg {
		bodies <- m
		return &nats.Msg{
			Header: nats.Header{wire.HeaderID: m.Header[wire.HeaderID]},
			Data:   []byte(`{"predictions":[7,8],"model_name":"iris","model_version":"3"}`),
		}
	})
	c := newClient(t, nc, client.Options{Inject: func(_ context.Context, h nats.Header) {
		h.Set(wire.HeaderTrace, "00-1-2-01")
		h.Set(wire.HeaderID, "r1")
	}})
	type named struct {
		A float64 `json:"a"`
	}
	tests := []struct {
		ref, subject string
		instances    []any
		body         string
	}{
		{"iris", "modelbus.predict.iris", []any{[]float64{0.1, 2}, []float32{0.1, 3}}, `{"instances":[[0.1,2],[0.1,3]]}`},
		{"iris@3", "modelbus.predict.iris.3", []any{[]any{"a", 1, nil}, []any{true}}, `{"instances":[["a",1,null],[true]]}`},
		{"iris@canary", "modelbus.predict.iris.canary", []any{map[string]any{"a": 1}, named{2}}, `{"instances":[{"a":1},{"a":2}]}`},
		{"iris@champion", "modelbus.predict.iris", []any{1, 2.5}, `{"instances":[1,2.5]}`},
	}
	for _, tt := range tests {
		t.Run(tt.ref, func(t *testing.T) {
			got, err := c.Predict(t.Context(), tt.ref, tt.instances...)
			want := &wire.Predictions{Model: "iris", Version: 3, ID: "r1", Values: []float64{7, 8}}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("Predict = %+v, %v, want %+v", got, err, want)
			}
			m := <-bodies
			if m.Subject != tt.subject || string(m.Data) != tt.body || m.Header.Get(wire.HeaderTrace) == "" {
				t.Errorf("request = %s %s %v, want %s %s", m.Subject, m.Data, m.Header, tt.subject, tt.body)
			}
			left, err := wire.Deadline(m.Header)
			if d := time.Until(left); err != nil || d <= 0 || d > 5*time.Second {
				t.Errorf("deadline in %v, %v, want one within the default timeout", d, err)
			}
		})
	}
}

func TestPredictRefuses(t *testing.T) {
	t.Parallel()
	c := newClient(t, embeddedtest.Connect(t), client.Options{})
	tests := []struct {
		name, ref string
		instances []any
		want      error
	}{
		{"no instances", "iris", nil, wire.ErrInvalid},
		{"a dot in the model", "my.model", []any{1}, registry.ErrInvalid},
		{"latest", "iris@latest", []any{1}, registry.ErrInvalid},
		{"NaN", "iris", []any{[]float64{1, nan()}}, wire.ErrInvalid},
		{"NaN in a list", "iris", []any{[]any{nan()}}, wire.ErrInvalid},
		{"a channel", "iris", []any{make(chan int)}, wire.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if p, err := c.Predict(t.Context(), tt.ref, tt.instances...); !errors.Is(err, tt.want) {
				t.Errorf("Predict = %v, %v, want %v", p, err, tt.want)
			}
		})
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestPredictRepeats(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		opts     client.Options
		err      error // of the first answers
		failures int32
		want     error
		requests int32
	}{
		{"overloaded", client.Options{}, wire.ErrOverloaded, 3, nil, 4},
		{"unavailable", client.Options{}, wire.ErrUnavailable, 5, nil, 6},
		{"too often", client.Options{}, wire.ErrOverloaded, 99, wire.ErrOverloaded, 6},
		{"twice at most", client.Options{Retries: 2}, wire.ErrOverloaded, 99, wire.ErrOverloaded, 3},
		{"never", client.Options{Retries: -1}, wire.ErrOverloaded, 99, wire.ErrOverloaded, 1},
		{"invalid", client.Options{}, wire.ErrInvalid, 1, wire.ErrInvalid, 1},
		{"not found", client.Options{}, registry.ErrNotFound, 1, wire.ErrNotFound, 1},
		{"internal", client.Options{}, errors.New("boom"), 1, wire.ErrInternal, 1},
		{"too late", client.Options{}, context.DeadlineExceeded, 1, wire.ErrDeadlineExceeded, 1},
	}
	srv := embeddedtest.Start(t)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nc := embeddedtest.Join(t, srv)
			subjects := wire.Subjects{Prefix: fmt.Sprintf("p%d", i)}
			var requests atomic.Int32
			answer := sums(1)
			respond(t, nc, subjects.Predict("m", ""), func(m *nats.Msg) *nats.Msg {
				if requests.Add(1) <= tt.failures {
					return failure(tt.err)
				}
				return answer(m)
			})
			tt.opts.Subjects = subjects
			_, err := newClient(t, nc, tt.opts).Predict(t.Context(), "m", []float64{1})
			if !errors.Is(err, tt.want) || requests.Load() != tt.requests {
				t.Errorf("Predict = %v after %d requests, want %v after %d", err, requests.Load(), tt.want, tt.requests)
			}
			if e, ok := errors.AsType[*wire.Error](err); tt.want != nil && (!ok || e.Status == 0) {
				t.Errorf("%v carries no *wire.Error", err)
			}
		})
	}
}

func TestPredictWithoutServer(t *testing.T) {
	t.Parallel()
	c := newClient(t, embeddedtest.Connect(t), client.Options{})
	if _, err := c.Predict(t.Context(), "m", []float64{1}); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("Predict = %v, want nats.ErrNoResponders", err)
	}
}

func TestPredictFindsALateServer(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	started := make(chan struct{})
	var once atomic.Bool
	c := newClient(t, nc, client.Options{Retries: 1000, Inject: func(context.Context, nats.Header) {
		if once.CompareAndSwap(false, true) {
			close(started)
		}
	}})
	done := make(chan error, 1)
	go func() {
		_, err := c.Predict(t.Context(), "m", []float64{1})
		done <- err
	}()
	<-started
	respond(t, nc, "modelbus.predict.m", sums(1))
	if err := <-done; err != nil {
		t.Errorf("Predict = %v, want an answer from the server that came late", err)
	}
}

func TestPredictHonoursDeadlines(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	respond(t, nc, "modelbus.predict.m", func(*nats.Msg) *nats.Msg { return nil })
	c := newClient(t, nc, client.Options{Timeout: 20 * time.Millisecond})
	if _, err := c.Predict(t.Context(), "m", []float64{1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Predict of a silent server = %v, want context.DeadlineExceeded", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Predict(ctx, "m", []float64{1}); !errors.Is(err, context.Canceled) {
		t.Errorf("Predict of a cancelled context = %v, want context.Canceled", err)
	}
}

func rowsOf(n int) (*feature.Frame, []float64) {
	f := feature.NewFrame(&feature.Schema{
		Features: []feature.Feature{{Name: "a", Type: feature.Number}, {Name: "b", Type: feature.Number}},
		Label:    feature.Label{Name: "y", Type: feature.Number},
	}, false)
	want := make([]float64, n)
	for i := range n {
		a, b := float64(i), float64(i)/8
		want[i] = a + b
		row := feature.Row{Values: []feature.Value{{Kind: feature.KindNumber, Num: a}, {Kind: feature.KindNumber, Num: b}}}
		if err := f.Append(row); err != nil {
			panic(err)
		}
	}
	return f, want
}

func smallServer(t *testing.T, maxPayload int) *embedded.Server {
	t.Helper()
	return embeddedtest.StartWith(t, embedded.Options{MaxPayload: maxPayload, SyncInterval: time.Minute})
}

func TestPredictSplits(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Join(t, smallServer(t, 4096))
	frame, want := rowsOf(10_000)
	t.Run("by payload and rows", func(t *testing.T) {
		var requests atomic.Int32
		answer := sums(2)
		respond(t, nc, "modelbus.predict.m", func(m *nats.Msg) *nats.Msg {
			requests.Add(1)
			if len(m.Data) > 4096 {
				t.Errorf("a request of %d bytes", len(m.Data))
			}
			reply := answer(m)
			if strings.Count(string(m.Data), "[") > 100 { // a server may take fewer rows than the bytes allow
				reply = failure(wire.ErrTooLarge)
			}
			return reply
		})
		p, err := newClient(t, nc, client.Options{}).PredictFrame(t.Context(), "m", frame)
		if err != nil || p.Version != 2 || !reflect.DeepEqual(p.Values, want) {
			t.Fatalf("PredictFrame = %v, want the 10000 sums in order", err)
		}
		if n := requests.Load(); n < 100 {
			t.Errorf("%d requests, want at least 100", n)
		}
	})
	t.Run("one row too large", func(t *testing.T) {
		respond(t, nc, "modelbus.predict.tiny", func(*nats.Msg) *nats.Msg { return failure(wire.ErrTooLarge) })
		_, err := newClient(t, nc, client.Options{}).PredictFrame(t.Context(), "tiny", frame)
		if !errors.Is(err, wire.ErrTooLarge) || !strings.Contains(err.Error(), "row 0 of 10000") {
			t.Errorf("PredictFrame = %v, want ErrTooLarge with the row", err)
		}
	})
	t.Run("one row beyond the payload", func(t *testing.T) {
		respond(t, nc, "modelbus.predict.wide", sums(1))
		wide := make([]float64, 5000)
		_, err := newClient(t, nc, client.Options{}).Predict(t.Context(), "wide", []float64{1, 2}, wide)
		if !errors.Is(err, wire.ErrTooLarge) || !strings.Contains(err.Error(), "row 1 of 2") {
			t.Errorf("Predict = %v, want ErrTooLarge with the row", err)
		}
	})
	t.Run("across a swap", func(t *testing.T) {
		var requests atomic.Int32
		respond(t, nc, "modelbus.predict.swap", func(m *nats.Msg) *nats.Msg {
			if requests.Add(1) <= 3 {
				return sums(1)(m)
			}
			return sums(2)(m)
		})
		respond(t, nc, "modelbus.predict.swap.1", sums(1))
		p, err := newClient(t, nc, client.Options{}).PredictFrame(t.Context(), "swap", frame)
		if err != nil || p.Version != 1 || !reflect.DeepEqual(p.Values, want) {
			t.Fatalf("PredictFrame = %v, want every row from version 1", err)
		}
		if n := requests.Load(); n != 4 {
			t.Errorf("the champion was asked %d times, want 4: then version 1", n)
		}
	})
	t.Run("across a swap and a deletion", func(t *testing.T) {
		var requests atomic.Int32
		respond(t, nc, "modelbus.predict.gone", func(m *nats.Msg) *nats.Msg {
			if requests.Add(1) <= 3 {
				return sums(1)(m)
			}
			return sums(2)(m)
		})
		respond(t, nc, "modelbus.predict.gone.1", func(*nats.Msg) *nats.Msg { return failure(wire.ErrNotFound) })
		p, err := newClient(t, nc, client.Options{}).PredictFrame(t.Context(), "gone", frame)
		if err != nil || p.Version != 2 || !reflect.DeepEqual(p.Values, want) {
			t.Fatalf("PredictFrame = %v, want every row from version 2", err)
		}
	})
	t.Run("never the same version", func(t *testing.T) {
		var requests atomic.Int32
		respond(t, nc, "modelbus.predict.spin", func(m *nats.Msg) *nats.Msg { return sums(int(requests.Add(1)))(m) })
		respond(t, nc, "modelbus.predict.spin.*", func(*nats.Msg) *nats.Msg { return failure(wire.ErrNotFound) })
		if _, err := newClient(t, nc, client.Options{}).PredictFrame(t.Context(), "spin", frame); !errors.Is(err, wire.ErrConflict) {
			t.Errorf("PredictFrame = %v, want ErrConflict", err)
		}
	})
	t.Run("another version than asked for", func(t *testing.T) {
		var requests atomic.Int32
		spin := func(m *nats.Msg) *nats.Msg { return sums(int(requests.Add(1)))(m) }
		respond(t, nc, "modelbus.predict.liar", spin)
		respond(t, nc, "modelbus.predict.liar.*", spin)
		if _, err := newClient(t, nc, client.Options{}).PredictFrame(t.Context(), "liar", frame); !errors.Is(err, wire.ErrInternal) {
			t.Errorf("PredictFrame = %v, want ErrInternal", err)
		}
	})
	t.Run("by the size of answers", func(t *testing.T) {
		respond(t, nc, "modelbus.predict.wordy", func(m *nats.Msg) *nats.Msg {
			reply := sums(1)(m)
			reply.Data = append(reply.Data, strings.Repeat(" ", 200*strings.Count(string(m.Data), "["))...)
			if len(reply.Data) > 4000 {
				return failure(wire.ErrTooLarge)
			}
			return reply
		})
		p, err := newClient(t, nc, client.Options{}).PredictFrame(t.Context(), "wordy", frame)
		if err != nil || !reflect.DeepEqual(p.Values, want) {
			t.Fatalf("PredictFrame = %v, want the 10000 sums in order", err)
		}
	})
	t.Run("a server that miscounts", func(t *testing.T) {
		respond(t, nc, "modelbus.predict.short", func(*nats.Msg) *nats.Msg { return &nats.Msg{Data: []byte(`{"predictions":[1]}`)} })
		if _, err := newClient(t, nc, client.Options{}).PredictFrame(t.Context(), "short", frame); !errors.Is(err, wire.ErrInternal) {
			t.Errorf("PredictFrame = %v, want ErrInternal", err)
		}
	})
}
