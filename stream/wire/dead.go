package wire

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

// deadRoom is what the headers that JetStream clients add to a message may take.
const deadRoom = 256

// Dead returns what could not be used as it is stored on a dead subject: whole,
// with its headers but those of NATS, the reason, and the subject that it came
// from. If that is more than a message may have, room bytes, its data is left
// out and the reason says so.
func Dead(subject string, header nats.Header, data []byte, from string, why error, room int64) *nats.Msg {
	dead := &nats.Msg{Subject: subject, Header: make(nats.Header, len(header)+2), Data: data}
	for key, values := range header {
		if !strings.HasPrefix(key, "Nats-") {
			dead.Header[key] = values
		}
	}
	dead.Header.Set(HeaderReason, HeaderText(why.Error()))
	dead.Header.Set(HeaderSubject, from)
	if int64(dead.Size())+deadRoom > room {
		where := ""
		if header.Get(HeaderSequence) != "" {
			where = ": see the message in the training stream"
		}
		dead.Header.Set(HeaderReason, HeaderText(fmt.Sprintf("its %d bytes do not fit here with these headers%s; %v", len(data), where, why)))
		dead.Data = nil
	}
	return dead
}
