package client_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestNewChecksThePrefix(t *testing.T) {
	t.Parallel()
	if _, err := client.New(embeddedtest.Connect(t), client.Options{Subjects: wire.Subjects{Prefix: "a.b"}}); !errors.Is(err, wire.ErrInvalid) {
		t.Errorf("New = %v, want ErrInvalid", err)
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	spec := `{"name":"m","features":[{"name":"a","type":"number"}],"label":{"name":"y","type":"number"},"network":[]}`
	info := `{"model":{"name":"m","spec":` + spec + `},"versions":[{"version":4}],"examples":9}`
	respond(t, nc, "modelbus.control.>", func(m *nats.Msg) *nats.Msg {
		switch m.Subject {
		case "modelbus.control.show.m", "modelbus.control.create":
			return &nats.Msg{Data: []byte(info)}
		case "modelbus.control.list":
			return &nats.Msg{Data: []byte(`{"models":[` + info + `]}`)}
		case "modelbus.control.delete.m":
			return &nats.Msg{Data: []byte(`{}`)}
		}
		return failure(fmt.Errorf("model %q: %w", "x", registry.ErrNotFound))
	})
	c := newClient(t, nc, client.Options{})
	ctx := t.Context()
	if m, err := c.Model(ctx, "m", true); err != nil || m.Model.Name != "m" || m.Versions[0].Number != 4 || m.Examples != 9 {
		t.Errorf("Model = %+v, %v", m, err)
	}
	if m, err := c.Create(ctx, wire.CreateRequest{Spec: spec}); err != nil || m.Model.Name != "m" {
		t.Errorf("Create = %+v, %v", m, err)
	}
	if l, err := c.Models(ctx); err != nil || len(l) != 1 {
		t.Errorf("Models = %+v, %v", l, err)
	}
	if s, err := c.Schema(ctx, "m"); err != nil || s.Features[0].Name != "a" || s.Label.Name != "y" {
		t.Errorf("Schema = %+v, %v", s, err)
	}
	if err := c.Control(ctx, wire.VerbDelete, "m", wire.DeleteRequest{}, nil); err != nil {
		t.Errorf("delete = %v", err)
	}
	if _, err := c.Model(ctx, "x", false); !errors.Is(err, wire.ErrNotFound) || !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Model of nothing = %v, want ErrNotFound", err)
	}
	if _, err := c.Model(ctx, "a.b", false); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("Model of a name with a dot = %v, want ErrInvalid", err)
	}
}
