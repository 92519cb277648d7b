package cache_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"github.com/modelbus/modelbus/registry/cache"
)

// victim, in the environment, has this binary download to that folder and hang.
const victim = "CACHE_TEST_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		hang(dir)
	}
	goleak.VerifyTestMain(m)
}

func victimBlob() blob { return newBlob(9, 3*mib) }

// hang downloads half an artifact, says so, and waits for its end.
func hang(dir string) {
	b := victimBlob()
	c := cache.New(cache.Options{Dir: dir, Size: 4 * mib})
	_, err := c.Open(context.Background(), b.digest, int64(len(b.bytes)), func(w *cache.Writer) error {
		if err := w.Start(context.Background(), int64(len(b.bytes))); err != nil {
			return err
		}
		if _, err := w.Write(b.bytes[:len(b.bytes)/2]); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(os.Stdout, "half"); err != nil {
			return err
		}
		_, err := os.Stdin.Read(make([]byte, 1)) // never: killed before
		return err
	})
	panic(err)
}

// TestKilled kills a process in the middle of a download.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for _, b := range []blob{victimBlob(), newBlob(1, 3*mib)} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), victim+"="+dir)
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "half\n" {
			t.Fatalf("the process says %q, %v", line, err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("the process ended well, want it killed")
		}
		h := newHouse(t, dir, 4*mib)
		h.check(b, true)
		h.downloads(1)
		h.warned()
		h.has(b)
		if err := os.Remove(h.path(b.digest)); err != nil {
			t.Fatal(err)
		}
	}
}
