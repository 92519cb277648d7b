package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
)

func TestMain(m *testing.M) {
	embeddedtest.Parallel()
	testscript.Main(m, map[string]func(){
		"modelbus": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(run(ctx, os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
		},
	})
}

// TestScripts runs testdata/script: the command as its users type it. Besides
// the usual commands of testscript, a script has
//
//	up            start a system on a free loopback port and set NATS_URL
//	taken         set TAKEN to the address of the system of up
//	status N CMD  run modelbus and want exit code N
//	await FILE    wait until a file is there
//	publish SUBJECT TEXT
//	              send a message and wait for its answer
//	shift IN OUT  copy a CSV file with 2 added to the first column
//	flip FILE     flip the lowest bit of the byte 1000 before the end
func TestScripts(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // with -race, a process would sleep a second before it exits
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir)
			env.Setenv("XDG_DATA_HOME", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", env.WorkDir)
			env.Setenv("DATA", filepath.Join(root, "testdata"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up":         up,
			"taken":      taken,
			"status":     status,
			"await":      await,
			"eventually": eventually,
			"publish":    publish,
			"flip":       flip,
			"shift":      shift,
		},
	})
}

// up starts a server and a node in this process, on a free loopback port.
func up(ts *testscript.TestScript, _ bool, _ []string) {
	srv, err := embedded.Start(embedded.Options{Listen: "127.0.0.1:0", SyncInterval: time.Minute})
	ts.Check(err)
	nc, err := srv.Connect(nats.Name("modelbus"))
	ts.Check(err)
	ctx, stop := context.WithCancel(context.Background())
	js, err := jetstream.New(nc)
	ts.Check(err)
	n, err := startNode(ctx, js, nodeOptions{logger: zerolog.Nop()})
	ts.Defer(func() {
		stop()
		if n != nil {
			ts.Check(n.wait())
		}
		nc.Close()
		ts.Check(srv.Close())
	})
	ts.Check(err)
	ts.Setenv("NATS_URL", srv.URL())
}

// taken sets TAKEN to the address that the system of up listens on.
func taken(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Setenv("TAKEN", strings.TrimPrefix(ts.Getenv("NATS_URL"), "nats://"))
}

// status runs modelbus and checks its exit code.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N ARGS")
	}
	err := ts.Exec("modelbus", args[1:]...)
	code := "0"
	if exit, ok := err.(interface{ ExitCode() int }); ok {
		code = string(rune('0' + exit.ExitCode()))
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != args[0] {
		ts.Fatalf("modelbus %q exited with %s, want %s", args[1:], code, args[0])
	}
}

// publish sends a message to the system of up, and waits until it is stored.
func publish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: publish SUBJECT TEXT")
	}
	nc, err := nats.Connect(ts.Getenv("NATS_URL"))
	ts.Check(err)
	defer nc.Close()
	_, err = nc.Request(args[0], []byte(args[1]), patience)
	ts.Check(err)
}

// flip damages a file: the lowest bit of one byte in its last kilobyte.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip FILE")
	}
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if len(b) < 1000 {
		ts.Fatalf("%s has %d bytes, want 1000 or more", args[0], len(b))
	}
	b[len(b)-1000] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

// await waits until a file is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		<-tick.C
	}
	ts.Fatalf("%s did not appear", args[0])
}

// shift copies a CSV file with a header, with 2 added to its first column.
func shift(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shift IN OUT")
	}
	var out strings.Builder
	for i, line := range strings.SplitAfter(ts.ReadFile(args[0]), "\n") {
		first, rest, _ := strings.Cut(line, ",")
		if x, err := strconv.ParseFloat(first, 64); err == nil && i > 0 {
			line = fmt.Sprintf("%g,%s", x+2, rest)
		}
		out.WriteString(line)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out.String()), 0o600))
}

// eventually runs modelbus until its output matches.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN ARGS")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		ts.Check(ts.Exec("modelbus", args[1:]...))
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("modelbus %q does not come to match %q", args[1:], args[0])
}
