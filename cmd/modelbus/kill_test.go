package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

// patience bounds every wait of a test; nothing takes nearly so long.
const patience = 3 * time.Minute

// killSpec is a model of one number, small enough to train in no time, or, with
// many epochs, for ever.
const killSpec = `name: doubled
features: [{name: x, type: number}]
label: {name: y, type: number}
network: [{Dense: {units: 4, activation: relu}}]
training: {batch_size: 256, epochs: `

// A victim is a serving process that gets killed and is started again on the
// same address and folder.
type victim struct {
	t    *testing.T
	addr string
	data string
	cmd  *exec.Cmd
}

// TestKill kills -9 the server while examples arrive, and again while it trains.
// No acknowledged example, version or alias may be lost or doubled, and training
// must work again by itself.
func TestKill(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	v := &victim{t: t, addr: freeAddr(t), data: t.TempDir()}
	v.start()
	v.modelbus("create", v.spec("3}"))

	const rows, batch = 4000, 16
	v.killWhilePublishing(ctx, rows, batch)
	if got, want := v.show().Examples, uint64(rows/batch); got != want {
		t.Errorf("after a kill, and the publishing gone on, %d messages are kept, want %d", got, want)
	}
	v.modelbus("train", "doubled")
	before := v.show()
	if len(before.Versions) != 1 || before.Versions[0].Lineage.Examples != rows {
		t.Fatalf("versions = %+v, want one, made of %d examples", before.Versions, rows)
	}

	v.modelbus("create", "--update", v.spec("1000000}"))
	v.killWhileTraining(ctx)
	after := v.show()
	if after.Training != nil {
		t.Errorf("training %s is under way after the restart, want none", after.Training.ID)
	}
	if len(after.Versions) != 1 || after.Versions[0].Digest != before.Versions[0].Digest || after.Examples != before.Examples {
		t.Errorf("after a kill there are %d messages and versions %+v, want %d and %+v",
			after.Examples, after.Versions, before.Examples, before.Versions)
	}
	if got, want := after.Aliases["champion"], before.Aliases["champion"]; got.To != want.To || got.To != 1 {
		t.Errorf("after a kill the champion is version %d, want %d", got.To, want.To)
	}
	v.modelbus("predict", "doubled", "0.5")
	if lost := v.failed(ctx); len(lost) != 1 || !strings.Contains(lost[0], "the trainer ended during it") {
		t.Errorf("failed trainings %q, want the one that was killed", lost)
	}
	v.modelbus("create", "--update", v.spec("4}"))
	v.modelbus("train", "doubled", "--no-promote") // exits with 7, as a rejection does
	if got := v.show(); len(got.Versions) != 2 || got.Versions[1].Lineage.Examples != rows {
		t.Errorf("after another training versions = %+v, want a second one, made of %d examples", got.Versions, rows)
	}
}

// TestTrainerStops interrupts the server while somebody follows a training.
func TestTrainerStops(t *testing.T) {
	t.Parallel()
	v := &victim{t: t, addr: freeAddr(t), data: t.TempDir()}
	v.start()
	v.modelbus("create", v.spec("1000000}"))
	nc, err := nats.Connect(v.addr)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := nc.Request("modelbus.train.doubled", []byte(`{"instances": [[1], [2]], "labels": [2, 4]}`), patience); err != nil {
			t.Fatal(err)
		}
	}
	nc.Close()
	cmd := exec.CommandContext(t.Context(), "modelbus", "train", "doubled", "--server", v.addr)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(stderr)
	for said.Scan() && !strings.HasPrefix(said.Text(), "epoch ") {
	}
	if err := v.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	last := ""
	for said.Scan() {
		last += said.Text() + "\n"
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitNoResponders || !strings.Contains(last, "trainer stopped") {
		t.Errorf("train ended with %v, want exit code %d:\n%s", err, exitNoResponders, last)
	}
}

// killWhilePublishing kills the server in the middle of rows, and has the same
// publisher go on when there is one again.
func (v *victim) killWhilePublishing(ctx context.Context, rows, batch int) {
	v.t.Helper()
	c := v.client()
	schema, err := c.Schema(ctx, "doubled")
	if err != nil {
		v.t.Fatal(err)
	}
	to := c.Examples("doubled", schema, client.PublisherOptions{BatchRows: batch, InFlight: 4})
	for i := range rows {
		x := float64(i) / float64(rows)
		row := feature.Row{
			Values: []feature.Value{{Kind: feature.KindNumber, Num: x}},
			Label:  feature.Value{Kind: feature.KindNumber, Num: 2 * x},
		}
		if err := to.Add(ctx, row); err != nil {
			v.t.Fatal(err)
		}
		if i == rows/2 {
			acknowledged := to.Published()
			v.kill() // with as many as four messages under way
			v.start()
			if got := int(v.show().Examples) * batch; got < acknowledged {
				v.t.Errorf("after a kill %d examples are kept, want the %d acknowledged at least", got, acknowledged)
			}
		}
	}
	if err := to.Flush(ctx); err != nil {
		v.t.Fatal(err)
	}
	if got := to.Published(); got != rows {
		v.t.Errorf("%d rows are acknowledged, want %d", got, rows)
	}
}

// killWhileTraining kills the server when the second epoch of a training is
// over, and starts it again.
func (v *victim) killWhileTraining(ctx context.Context) {
	v.t.Helper()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	second, ended := make(chan struct{}), make(chan struct{})
	c := v.client()
	go func() {
		defer close(ended)
		var once sync.Once
		verdict, err := c.Train(ctx, "doubled", wire.TrainRequest{}, func(at wire.Training) {
			if at.Epoch >= 2 {
				once.Do(func() { close(second) })
			}
		})
		if ctx.Err() == nil {
			v.t.Errorf("Train() = %+v, %v before the kill", verdict, err)
		}
	}()
	select {
	case <-second:
	case <-ended:
	case <-ctx.Done():
		v.t.Error("no second epoch within the test's time")
	}
	stop()
	v.kill()
	<-ended
	v.start()
}

// start starts the server and returns when it is ready.
func (v *victim) start() {
	v.t.Helper()
	cmd := exec.Command("modelbus", "serve", "--listen", v.addr, "--data", v.data)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.cmd = cmd
	v.t.Cleanup(func() { v.end(cmd) })
	var log strings.Builder
	lines := bufio.NewReader(stderr)
	for !strings.Contains(log.String(), "ready") {
		line, err := lines.ReadString('\n')
		log.WriteString(line)
		if err != nil {
			v.t.Fatalf("serve ended before it was ready: %s", log.String())
		}
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // ends with the process
}

func (v *victim) kill() {
	v.t.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		v.t.Fatal(err)
	}
	v.end(v.cmd)
}

// end kills a process if it still runs, and waits for it.
func (*victim) end(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Kill() //nolint:errcheck // it may have ended
		_ = cmd.Wait()         //nolint:errcheck // it was killed
	}
}

// modelbus runs a command and returns what it prints. A version that was not
// promoted is no failure.
func (v *victim) modelbus(args ...string) string {
	v.t.Helper()
	cmd := exec.CommandContext(v.t.Context(), "modelbus", args...)
	// With -race, a process would sleep a second before it exits.
	cmd.Env = append(os.Environ(), "NATS_URL=nats://"+v.addr, "GORACE=atexit_sleep_ms=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != exitRejected {
		v.t.Fatalf("modelbus %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

func (v *victim) show() wire.ModelInfo {
	v.t.Helper()
	var info wire.ModelInfo
	if err := json.Unmarshal([]byte(v.modelbus("show", "doubled", "--json")), &info); err != nil {
		v.t.Fatal(err)
	}
	return info
}

// failed returns how trainings failed, once one has.
func (v *victim) failed(ctx context.Context) []string {
	v.t.Helper()
	nc, err := nats.Connect(v.addr)
	if err != nil {
		v.t.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("modelbus.event.doubled.failed.*")
	if err != nil {
		v.t.Fatal(err)
	}
	all := v.modelbus("watch", "doubled", "--all", "--count", "4") // created, version, promoted, updated
	if !strings.Contains(all, "failed") {
		if _, err := sub.NextMsgWithContext(ctx); err != nil {
			v.t.Fatalf("no training failed: %v", err)
		}
	}
	lines := strings.Split(v.modelbus("watch", "doubled", "--all", "--count", "5"), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return !strings.Contains(line, " failed ") })
}

// spec writes the spec, which ends in the number of epochs, and returns its file.
func (v *victim) spec(epochs string) string {
	v.t.Helper()
	name := filepath.Join(v.t.TempDir(), "doubled.yaml")
	if err := os.WriteFile(name, []byte(killSpec+epochs+"\n"), 0o600); err != nil {
		v.t.Fatal(err)
	}
	return name
}

// client returns a client that outlives the server.
func (v *victim) client() *client.Client {
	v.t.Helper()
	nc, err := nats.Connect(v.addr, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(nc.Close)
	c, err := client.New(nc, client.Options{})
	if err != nil {
		v.t.Fatal(err)
	}
	return c
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}
