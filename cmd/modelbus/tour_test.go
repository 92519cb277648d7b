//go:build tour

package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTour runs the commands of the README as they are written, with the stock
// nats command line from PATH. The build tag keeps it out of `go test ./...`,
// which needs nothing but Go.
func TestTour(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("nats"); err != nil {
		t.Fatal("the tour needs the nats command line: ", err)
	}
	commands := readmeCommands(t, filepath.Join(root, "README.md"))
	if len(commands) < 20 {
		t.Fatalf("only %d commands in the README", len(commands))
	}
	dir := t.TempDir()
	for _, name := range []string{"cmd", "embedded", "model", "registry", "stream", "testdata", "go.mod", "go.sum"} {
		if err := os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	tour := &tour{dir: dir, home: t.TempDir(), addr: freeAddr(t)}
	for _, command := range commands {
		switch command {
		case "go test ./...": // what runs this
		case "./modelbus serve":
			tour.serve(t)
		default:
			tour.run(t, command)
		}
	}
}

type tour struct{ dir, home, addr string }

// readmeCommands returns the lines of the sh blocks.
func readmeCommands(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var commands []string
	in := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		switch line := lines.Text(); {
		case line == "```sh":
			in = true
		case strings.HasPrefix(line, "```"):
			in = false
		case in && line != "":
			commands = append(commands, line)
		}
	}
	return commands
}

func (r *tour) command(ctx context.Context, line string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", line)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+r.home, "XDG_DATA_HOME="+r.home, "XDG_CACHE_HOME="+r.home)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func (r *tour) run(t *testing.T, line string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	var env []string
	if !strings.HasPrefix(line, "go ") {
		env = []string{"NATS_URL=nats://" + r.addr}
	}
	out, err := r.command(ctx, line, env...).CombinedOutput()
	t.Logf("$ %s\n%s", line, out)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	// nats exits 0 on a service error (natscli issue 958).
	if strings.HasPrefix(line, "nats req") && strings.Contains(string(out), `"error"`) {
		t.Fatalf("%s was answered with an error", line)
	}
}

// serve starts the server in the background and waits until it answers.
func (r *tour) serve(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := r.command(ctx, "exec ./modelbus serve --listen "+r.addr)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("serve ended with %v", err)
		}
	})
	r.run(t, "for i in $(seq 100); do ./modelbus ls 2>/dev/null && exit 0; sleep 0.1; done; exit 1")
}
