package embeddedtest

import "go.uber.org/goleak"

// VerifyTestMain is goleak.VerifyTestMain for tests that make a registry. It lets
// one goroutine outlive them, which is nats-server's: a stream that asks for the
// consumer of its source while that has no leader waits half a minute for the
// answer, and shutting the server down does not end it.
func VerifyTestMain(m goleak.TestingM) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(
		"github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"))
}
