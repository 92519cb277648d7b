package embeddedtest

import "go.uber.org/goleak"

// VerifyTestMain is goleak.VerifyTestMain for tests that make a registry. It lets
// two goroutines outlive them. One is nats-server's: a stream that asks for the
// consumer of its source while that has no leader waits half a minute for the
// answer, and shutting the server down does not end it. The other is nats.go's
// (1.55.0): if a publisher is cleaned up in the moment after its first message, the
// goroutine that waits for the connection's state waits for good.
func VerifyTestMain(m goleak.TestingM) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"),
		goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"))
}
