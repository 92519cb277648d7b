package serve

// turns let as many workers compute at once as there are processors (two on one, so that
// a long batch does not hold up the others), whatever
// model they are of, in the order in which they asked: goroutines that wait to
// send on a channel are served first come, first served. A turn is one batch, which
// the default batch limit bounds in time, so that models that compete get equal
// shares for each worker that waits.
type turns chan struct{}

func newTurns(n int) turns { return make(turns, n) }

// begin waits for a turn.
func (t turns) begin() { t <- struct{}{} }

// end lets the next one have its turn.
func (t turns) end() { <-t }

// taken reports whether the next one has to wait.
func (t turns) taken() bool { return len(t) == cap(t) }

// pass lets all that wait have their turn, and then goes on.
func (t turns) pass() {
	t.end()
	t.begin()
}
