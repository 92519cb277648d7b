package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/stream/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const timeout = 5 * time.Second

// services is a provider whose set can be changed.
type services struct {
	changed service.Signal

	mu  sync.Mutex // guards all
	all []service.Service
}

func (s *services) Changed() <-chan struct{} { return s.changed.Changed() }

func (s *services) Services() []service.Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

func (s *services) set(all ...service.Service) {
	defer s.changed.Raise()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = all
}

// response has the fields of all three responses.
type response struct {
	Type        string
	Name        string
	ID          string
	Version     string
	Metadata    map[string]string
	Description string
	Started     time.Time
	Endpoints   []struct {
		Name     string
		Subject  string
		Queue    string `json:"queue_group"`
		Metadata map[string]string
		Requests uint64 `json:"num_requests"`
		Errors   uint64 `json:"num_errors"`
		Last     string `json:"last_error"`
		Time     int64  `json:"processing_time"`
		Average  int64  `json:"average_processing_time"`
		Data     json.RawMessage
	}
}

// start runs a directory until the test ends.
func start(t *testing.T, nc *nats.Conn, providers ...service.Provider) {
	t.Helper()
	d := service.New(nc, "1.2.3", providers...)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	select {
	case <-d.Ready():
	case err := <-done:
		t.Fatalf("Run() = %v before it was ready", err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
}

// ask returns the want answers to a discovery request, by name, and checks that
// they follow the schema and that no more come.
func ask(t *testing.T, nc *nats.Conn, subject string, want int) []response {
	t.Helper()
	schema := compile(t)
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sub.Unsubscribe(); err != nil {
			t.Error(err)
		}
	}()
	if err := nc.PublishRequest(subject, inbox, nil); err != nil {
		t.Fatal(err)
	}
	var got []response
	for range want {
		m, err := sub.NextMsg(timeout)
		if err != nil {
			t.Fatalf("%s: answer %d of %d: %v", subject, len(got)+1, want, err)
		}
		got = append(got, parse(t, schema, m.Data))
	}
	if m, err := sub.NextMsg(20 * time.Millisecond); err == nil {
		t.Fatalf("%s: answer more than %d: %s", subject, want, m.Data)
	}
	slices.SortFunc(got, func(a, b response) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return got
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("testdata/response.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func parse(t *testing.T, schema *jsonschema.Schema, b []byte) response {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("answer is no JSON: %v: %s", err, b)
	}
	if err := schema.Validate(doc); err != nil {
		t.Fatalf("answer breaks the schema: %v: %s", err, b)
	}
	var r response
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func iris() service.Service {
	return service.Service{
		Name: "iris", Description: "species of iris flowers", Metadata: map[string]string{"label": "species"},
		Started: time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600)),
		Endpoints: []service.Endpoint{{
			Name: "predict", Subject: "modelbus.predict.iris", Queue: "modelbus",
			Requests: 4, Errors: 1, LastError: "400:row 0: sepal_length is missing", Time: 10 * time.Microsecond,
			Data: map[string]any{"version": 3},
		}},
	}
}

func TestVerbs(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	start(t, nc, &services{all: []service.Service{iris()}}, &services{all: []service.Service{{Name: "modelbus"}}})

	t.Run("ping", func(t *testing.T) {
		got := ask(t, nc, "$SRV.PING", 2)
		if got[0].Name != "iris" || got[1].Name != "modelbus" {
			t.Errorf("names = %q, %q, want iris, modelbus", got[0].Name, got[1].Name)
		}
		if got[0].Type != "io.nats.micro.v1.ping_response" || got[0].Version != "1.2.3" || got[0].Metadata["label"] != "species" {
			t.Errorf("ping = %+v, want the type, version 1.2.3 and the metadata", got[0])
		}
	})
	t.Run("info", func(t *testing.T) {
		got := ask(t, nc, "$SRV.INFO", 2)
		if got[0].Description != "species of iris flowers" || len(got[0].Endpoints) != 1 {
			t.Fatalf("info = %+v, want its description and one endpoint", got[0])
		}
		if e := got[0].Endpoints[0]; e.Name != "predict" || e.Subject != "modelbus.predict.iris" || e.Queue != "modelbus" {
			t.Errorf("endpoint = %+v, want predict on modelbus.predict.iris in queue modelbus", e)
		}
	})
	t.Run("stats", func(t *testing.T) {
		got := ask(t, nc, "$SRV.STATS.iris", 1)[0]
		if !got.Started.Equal(iris().Started) {
			t.Errorf("started = %v, want %v", got.Started, iris().Started)
		}
		e := got.Endpoints[0]
		if e.Requests != 4 || e.Errors != 1 || e.Last != iris().Endpoints[0].LastError || e.Time != 10000 || e.Average != 2500 {
			t.Errorf("stats = %+v, want 4 requests, 1 error, 10000 ns, 2500 ns on average", e)
		}
		if string(e.Data) != `{"version":3}` {
			t.Errorf("data = %s, want {\"version\":3}", e.Data)
		}
	})
}

func TestTargets(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	start(t, nc, &services{all: []service.Service{iris(), {Name: "adult"}}})
	id := ask(t, nc, "$SRV.PING.iris", 1)[0].ID

	tests := []struct {
		subject string
		want    int
	}{
		{subject: "$SRV.PING", want: 2},
		{subject: "$SRV.PING.iris", want: 1},
		{subject: "$SRV.PING.iris." + id, want: 1},
		{subject: "$SRV.STATS.iris." + id, want: 1},
		{subject: "$SRV.PING.adult." + id, want: 0},
		{subject: "$SRV.PING.iris.other", want: 0},
		{subject: "$SRV.PING.iris." + id + ".more", want: 0},
		{subject: "$SRV.PING.IRIS", want: 0},
		{subject: "$SRV.PING.ir", want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.subject, func(t *testing.T) {
			for _, got := range ask(t, nc, tt.subject, tt.want) {
				if tt.want == 1 && got.ID != id {
					t.Errorf("id = %q, want %q", got.ID, id)
				}
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.Start(t)
	nc := embeddedtest.Join(t, srv)
	mine := &services{all: []service.Service{iris()}}
	start(t, nc, mine)
	first := ask(t, nc, "$SRV.PING", 1)[0].ID

	mine.set(iris(), service.Service{Name: "adult", Started: iris().Started})
	both := ask(t, nc, "$SRV.INFO", 2)
	if both[1].ID != first {
		t.Errorf("id of iris = %q after another service came, want %q", both[1].ID, first)
	}
	if both[0].ID == first {
		t.Errorf("adult and iris share the id %q", first)
	}

	mine.set()
	ask(t, nc, "$SRV.PING", 0)
	again := iris()
	again.Started = again.Started.Add(time.Second)
	mine.set(again)
	if got := ask(t, nc, "$SRV.PING", 1)[0].ID; got == first {
		t.Errorf("id = %q after a new start, want another one", got)
	}

	mine.set(iris())
	start(t, embeddedtest.Join(t, srv), &services{all: []service.Service{iris()}})
	if got := ask(t, nc, "$SRV.PING.iris", 2); got[0].ID == got[1].ID {
		t.Errorf("two processes share the id %q", got[0].ID)
	}
}

// TestNoResponders asks for services that nobody has, or has no more: the server
// says so at once.
func TestNoResponders(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	mine := &services{all: []service.Service{iris()}}
	start(t, nc, mine, &services{all: []service.Service{{Name: "modelbus"}}})
	first := ask(t, nc, "$SRV.PING.iris", 1)[0].ID
	for _, verb := range []string{"PING", "INFO", "STATS"} {
		for _, target := range []string{"nope", "ir", "adult", "iris.other", "adult." + first, "iris." + first + ".more"} {
			expect(t, nc, "$SRV."+verb+"."+target, false)
		}
	}

	adult := service.Service{Name: "adult", Started: iris().Started}
	mine.set(iris(), adult)
	await(t, nc, "$SRV.STATS.adult", true)
	expect(t, nc, "$SRV.PING.iris."+first, true)

	again := iris()
	again.Started = again.Started.Add(time.Second)
	mine.set(again)
	await(t, nc, "$SRV.PING.adult", false)
	await(t, nc, "$SRV.PING.iris."+first, false)
	expect(t, nc, "$SRV.INFO.iris", true)
	if got := ask(t, nc, "$SRV.PING.iris", 1)[0].ID; got == first {
		t.Errorf("a new life has the id %q of the one before", got)
	}
	expect(t, nc, "$SRV.PING.modelbus", true)
}

// expect checks that a request is answered, or that nobody is there.
func expect(t *testing.T, nc *nats.Conn, subject string, answered bool) {
	t.Helper()
	_, err := nc.Request(subject, nil, timeout)
	if answered && err != nil || !answered && !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("%s: got error %v, answered should be %v", subject, err, answered)
	}
}

// await waits until a request is answered, or until nobody is there.
func await(t *testing.T, nc *nats.Conn, subject string, answered bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(timeout); time.Now().Before(end); <-tick.C {
		_, err := nc.Request(subject, nil, timeout/100) // one that was between gets no answer
		if answered && err == nil || !answered && errors.Is(err, nats.ErrNoResponders) {
			return
		}
	}
	t.Fatalf("%s: answered is not %v after %v", subject, answered, timeout)
}

func TestUnencodableData(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	s := iris()
	s.Endpoints[0].Data = math.NaN()
	start(t, nc, &services{all: []service.Service{s}})
	got := ask(t, nc, "$SRV.STATS", 1)[0].Endpoints[0]
	if got.Requests != 4 || !bytes.Contains(got.Data, []byte("NaN")) {
		t.Errorf("stats = %+v with data %s, want the counters and data that tell of the NaN", got, got.Data)
	}
}

func TestRunEndsWithConnection(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	d := service.New(nc, "1.2.3")
	done := make(chan error, 1)
	go func() { done <- d.Run(t.Context()) }()
	<-d.Ready()
	nc.Close()
	if err := <-done; !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("Run() = %v, want %v", err, nats.ErrConnectionClosed)
	}
}
