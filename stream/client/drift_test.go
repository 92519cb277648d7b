package client_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
)

func TestDrift(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	answers := []string{
		`{"id":"b","endpoints":[{"subject":"modelbus.predict.m","data":{"drift":{"version":3,"rows":500,"drifted":["hour"],"columns":[{"feature":"hour","value":0.4}]}}}]}`,
		`{"id":"a","endpoints":[{"subject":"modelbus.predict.m","data":{"drift":{"version":3}}}]}`,
		`{"id":"c","endpoints":[{"subject":"modelbus.predict.m","data":{}}]}`,
		`{"id":"d","endpoints":[{"subject":"other.predict.m","data":{"drift":{"version":7}}}]}`,
		`{"id":"e"`,
	}
	respond(t, nc, "$SRV.STATS.m", func(m *nats.Msg) *nats.Msg {
		for _, answer := range answers {
			if err := m.Respond([]byte(answer)); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	c := newClient(t, nc, client.Options{})
	got, err := c.Drift(t.Context(), "m")
	if err != nil || len(got) != 2 || got[0].Server != "a" || got[1].Server != "b" {
		t.Fatalf("Drift = %+v, %v, want servers a and b", got, err)
	}
	if d := got[1].FeatureDrift; d.Version != 3 || d.Rows != 500 || d.Drifted[0] != "hour" || d.Columns[0].Value != 0.4 {
		t.Errorf("server b tells %+v", d)
	}
	if got, err := c.Drift(t.Context(), "x"); err != nil || len(got) != 0 {
		t.Errorf("Drift of a model that nobody serves = %+v, %v, want none", got, err)
	}
	if _, err := c.Drift(t.Context(), "a.b"); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("Drift of a name with a dot = %v, want ErrInvalid", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Drift(ended, "m"); !errors.Is(err, context.Canceled) {
		t.Errorf("Drift of an ended context = %v, want Canceled", err)
	}
}
