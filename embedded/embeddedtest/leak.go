package embeddedtest

import (
	"flag"
	"fmt"
	"os"

	"go.uber.org/goleak"
)

// atOnce is how many tests that call t.Parallel run at a time: they wait for a server most
// of their time, however many processors there are.
const atOnce = "8"

// VerifyTestMain is goleak.VerifyTestMain for tests that make a registry. It lets
// two goroutines outlive them. One is nats-server's: a stream that asks for the
// consumer of its source while that has no leader waits half a minute for the
// answer, and shutting the server down does not end it. The other is nats.go's
// (1.55.0): if a publisher is cleaned up in the moment after its first message, the
// goroutine that waits for the connection's state waits for good.
//
// Before, it calls [Parallel].
func VerifyTestMain(m goleak.TestingM) {
	Parallel()
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"),
		goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"))
}

// Parallel has eight tests run at a time that call t.Parallel, even with one processor,
// unless the flag -parallel says otherwise. A TestMain calls it before it runs the tests.
func Parallel() {
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, "setting how many tests run at once:", err)
	}
}
