// Package client is what a microservice imports to use models over NATS.
//
//	c, err := client.New(nc, client.Options{})
//	p, err := c.Predict(ctx, "iris", []float64{5.1, 3.5, 1.4, 0.2})
//
// # Errors
//
// Failures of the server are [wire.Error] values: errors.Is(err, wire.ErrOverloaded)
// and its siblings tell them apart. No server at all is nats.ErrNoResponders.
// A call that got no answer in time is context.DeadlineExceeded.
//
// # Retries
//
// A request is repeated, with jittered exponential backoff inside the context's
// deadline, only when no server was there or it said that it is overloaded or
// unavailable; anything else is returned at once.
//
// # Large inputs
//
// What does not fit one message is asked in several; all rows of one call are
// answered by the same version.
//
// # Labels that come late
//
// A model whose spec has capture keeps its predictions for a while under their ids, given
// by [WithID] or made by the server; [Client.Label] then says what was true.
//
//	p, err := c.Predict(client.WithID(ctx, "flower-17"), "iris", []float64{5.1, 3.5, 1.4, 0.2})
//	err = c.Label(ctx, "iris", "flower-17", "setosa")
//
// # Concurrency
//
// A [Client] is safe for concurrent use; an [ExamplePublisher] belongs to one
// goroutine.
package client
