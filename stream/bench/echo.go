package bench

import (
	"fmt"

	"github.com/nats-io/nats.go"
)

// echoQueue is the queue group of the echo, which has one member.
const echoQueue = "modelbus-bench"

// startEcho answers requests on the subject returned with answer, until stop is called.
func startEcho(nc *nats.Conn, answer []byte) (subject string, stop func() error, err error) {
	subject = nc.NewInbox()
	sub, err := nc.QueueSubscribe(subject, echoQueue, func(m *nats.Msg) {
		// What cannot be sent is missed, and counted, by who asked.
		_ = nc.Publish(m.Reply, answer) //nolint:errcheck // see above
	})
	if err != nil {
		return "", nil, fmt.Errorf("starting the echo: %w", err)
	}
	if err := nc.Flush(); err != nil {
		return "", nil, fmt.Errorf("starting the echo: %w", err)
	}
	return subject, sub.Unsubscribe, nil
}
