package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// lines passes on each line that is logged.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// dying answers as a NATS server does that goes into lame duck mode and ends, each
// time somebody connects.
func dying(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = l.Close() }) //nolint:errcheck // the test is over
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			const info = `INFO {"server_id":"A","version":"2.12.0","headers":true,"max_payload":1048576%s}` + "\r\n"
			_, _ = fmt.Fprintf(c, info, "") //nolint:errcheck // whoever connected sees that nothing comes
			in := bufio.NewScanner(c)
			for in.Scan() && in.Text() != "PING" {
			}
			// The PONG says that the second INFO was read: closed before, the reset
			// could overtake it.
			_, _ = fmt.Fprintf(c, "PONG\r\n"+info+"PING\r\n", `,"ldm":true`) //nolint:errcheck // likewise
			for in.Scan() && in.Text() != "PONG" {
			}
			_ = c.Close() //nolint:errcheck // it ends
		}
	})
	return "nats://" + l.Addr().String()
}

func TestConnectionIsLogged(t *testing.T) {
	t.Parallel()
	said := make(lines, 1000)
	url := dying(t)
	c := connection{given: settings{URL: url}, timeout: 5 * time.Second}
	b, err := c.connect(append(logged(zerolog.New(said)), nats.ReconnectWait(time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	defer b.nc.Close()
	ended := time.After(20 * time.Second)
	for _, want := range []string{
		`"level":"warn","url":"` + url + `","message":"the NATS server is about to stop (lame duck mode)"`,
		`"url":"` + url + `","message":"disconnected from NATS`,
		`"level":"info","url":"` + url + `","times":`,
	} {
		for line := ""; !strings.Contains(line, want); {
			select {
			case line = <-said:
			case <-ended:
				t.Fatalf("nobody said %s; the last line is %s", want, line)
			}
		}
	}
}
