package embedded_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestListenRefusesOpenAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts embedded.Options
		want error
	}{
		{name: "loopback", opts: embedded.Options{Listen: "127.0.0.1:0"}},
		{name: "localhost", opts: embedded.Options{Listen: "localhost:0"}},
		{name: "every interface", opts: embedded.Options{Listen: ":0"}, want: embedded.ErrOpen},
		{name: "an unspecified address", opts: embedded.Options{Listen: "0.0.0.0:0"}, want: embedded.ErrOpen},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv, err := embedded.Start(tt.opts)
			if !errors.Is(err, tt.want) {
				t.Errorf("Start(%+v) = %v, want %v", tt.opts, err, tt.want)
			}
			if err == nil && srv.Close() != nil {
				t.Error("Close failed")
			}
		})
	}
}

func TestSecondServerOnADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := embedded.Start(embedded.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Start(embedded.Options{Dir: dir}); !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("second Start = %v, want ErrInUse", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := embedded.Start(embedded.Options{Dir: dir})
	if err != nil {
		t.Fatalf("Start after Close = %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	first, err := embedded.Start(embedded.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := embedded.Start(embedded.Options{Listen: first.URL()[len("nats://"):]}); err == nil {
		t.Error("Start on a port in use succeeded")
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	sub, err := nc.SubscribeSync("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("a", []byte("b")); err != nil {
		t.Fatal(err)
	}
	msg, err := sub.NextMsgWithContext(t.Context())
	if err != nil || string(msg.Data) != "b" {
		t.Errorf("NextMsg = %v, %v", msg, err)
	}
}

// TestStartWaitsForTheDirectory starts a server while the one before is still on
// its way out.
func TestStartWaitsForTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := embedded.Start(embedded.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- first.Close() }()
	second, err := embedded.Start(embedded.Options{Dir: dir})
	if err != nil {
		t.Fatalf("second Start = %v, want it to wait for the first to end", err)
	}
	if err := errors.Join(<-closed, second.Close()); err != nil {
		t.Error(err)
	}
}
