package serve

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/stream/wire"
)

// fewAnswers is how many answers are written to the connection before their rows are
// compared with others: many take far longer to compute.
const fewAnswers = 4

// A worker takes requests of one lane and answers them.
type worker struct {
	lane   *lane
	pass   func() // lets others compute in between; nil: it has no turn to give
	taken  []request
	groups []group
	reply  nats.Msg
	named  uint64      // version in the headers of reply, 0: none
	sent   []time.Time // receipts of the requests that were answered
	took   span        // of what is being answered
	ran    time.Time   // when the model had run last
	model  []string    // header value
	after  after       // of what is being answered
	copies []copied    // of what was answered, to be captured
	id     [1]string   // header value
}

// A group is the requests of a batch that one version answers.
type group struct {
	version *version
	batch   batch
	items   []int // indices into taken
	ends    []int // row after the last of each item
}

func newWorker(l *lane) *worker {
	return &worker{
		lane: l, reply: nats.Msg{Header: nats.Header{}}, model: []string{l.name},
	}
}

// run works until the queue is closed and empty. Weights may be mapped: a page that
// cannot be read any more is a panic, which is answered, not the end of the process.
func (w *worker) run() {
	debug.SetPanicOnFault(true)
	l := w.lane
	w.pass = l.turns.pass
	for l.queue.await() {
		l.turns.begin()
		runtime.Gosched() // as in intake.more
		w.work()
		l.turns.end()
	}
}

// work takes what waits, spread over the workers if it is much, and answers it.
func (w *worker) work() {
	l := w.lane
	waiting, bytes := l.queue.waiting()
	share := bytes > shareBytes || l.pace.of(waiting) > shareWork
	w.taken = l.queue.take(w.taken[:0], int(l.atOnce.Load()), share)
	defer l.queue.done()
	if len(w.taken) == 0 {
		return // another was faster
	}
	start := time.Now()
	w.serve(start)
	l.pace.note(len(w.taken), time.Since(start))
	clear(w.taken) // hold no message while waiting
}

// serve answers what was taken or passes it on. A panic while computing is
// answered as an internal error.
func (w *worker) serve(now time.Time) {
	defer func() {
		if p := recover(); p != nil {
			w.rescue(p)
		}
		for i := range w.groups {
			w.groups[i].version, w.groups[i].batch = nil, nil // hold no version while waiting
		}
		w.lane.capture.put(w.copies)
		w.copies = nil
	}()
	w.groups = w.groups[:0]
	w.took.taken = now
	w.gather(now)
	for i := range w.groups {
		g := &w.groups[i]
		w.compute(g)
		g.version.giveBack(g.batch)
	}
}

func (w *worker) rescue(p any) {
	w.lane.log.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("computing a batch panicked")
	for i := range w.taken {
		if r := &w.taken[i]; !r.done {
			w.lane.fail(r, fmt.Errorf("%w: computing the batch of this request failed; the server's log has more", wire.ErrInternal))
		}
	}
}

// gather decodes what was taken into one batch a version.
func (w *worker) gather(now time.Time) {
	answers := w.lane.live.Load()
	w.after = after{shadow: answers.shadow, capture: w.lane.settings.capture}
	for i := range w.taken {
		r := &w.taken[i]
		if err := w.check(r, now); err != nil {
			w.lane.fail(r, err)
			continue
		}
		v := r.by
		if v == nil {
			if v = w.choose(answers, r, now); v == nil {
				continue
			}
		}
		g := w.group(v)
		rows, err := g.batch.add(r.msg)
		if err != nil {
			w.lane.fail(r, err)
			continue
		}
		if n := len(g.ends); n > 0 {
			rows += g.ends[n-1]
		}
		g.items = append(g.items, i)
		g.ends = append(g.ends, rows)
	}
}

// check refuses what is late, or what would be captured under an id that cannot be one.
func (w *worker) check(r *request, now time.Time) error {
	if err := checkDeadline(r.msg.Header, now); err != nil || w.after.capture == 0 || r.unobserved() {
		return err
	}
	return checkID(r.msg.Header)
}

func checkDeadline(h nats.Header, now time.Time) error {
	if len(h) == 0 {
		return nil
	}
	deadline, err := wire.Deadline(h)
	if err != nil {
		return err
	}
	if !deadline.IsZero() && now.After(deadline) {
		return fmt.Errorf("%w: the request was taken %v after its deadline", wire.ErrDeadlineExceeded, now.Sub(deadline).Round(time.Microsecond))
	}
	return nil
}

// choose returns the version that answers r, or passes r on to the keeper if
// it is not loaded.
func (w *worker) choose(answers *live, r *request, now time.Time) *version {
	if c := answers.canary; c != nil && r.target == "" && c.takes(w.lane.name, r.msg) {
		w.lane.routed.Add(1)
		return c.version
	}
	t, ok := parseTarget(r.target)
	if !ok {
		w.lane.fail(r, w.lane.missing(r.target, ""))
		return nil
	}
	v := answers.find(t)
	if v == nil {
		w.lane.park(r)
		return nil
	}
	if t.number > 0 {
		v.used.Store(now.UnixNano())
	}
	return v
}

func (w *worker) group(v *version) *group {
	for i := range w.groups {
		if w.groups[i].version == v {
			return &w.groups[i]
		}
	}
	n := len(w.groups)
	if n < cap(w.groups) {
		w.groups = w.groups[:n+1]
	} else {
		w.groups = append(w.groups, group{})
	}
	g := &w.groups[n]
	*g = group{version: v, items: g.items[:0], ends: g.ends[:0]}
	select {
	case g.batch = <-v.spare:
	default:
		g.batch = v.make()
	}
	return g
}

// compute runs a group in batches of at most the limit and answers.
func (w *worker) compute(g *group) {
	limit := w.lane.limits.sized(g.version.params).batch
	for lo := 0; lo < len(g.items); {
		start, hi := g.start(lo), lo+1
		for hi < len(g.items) && g.ends[hi]-start <= limit {
			hi++
		}
		if err := w.predict(g, start, g.ends[hi-1]); err == nil {
			w.answer(g, lo, hi)
		} else {
			w.alone(g, lo, hi, err)
		}
		lo = hi
	}
}

// predict runs rows [lo, hi) of a group and times it.
func (w *worker) predict(g *group, lo, hi int) error {
	begin := time.Now()
	err := g.batch.run(lo, hi, w.pass)
	w.ran = time.Now()
	w.took.model = w.ran.Sub(begin)
	return err
}

func (g *group) start(item int) int {
	if item == 0 {
		return 0
	}
	return g.ends[item-1]
}

// alone runs items [lo, hi), which failed together with err, one by one, so that
// only the guilty fail.
func (w *worker) alone(g *group, lo, hi int, err error) {
	if hi == lo+1 {
		w.lane.fail(&w.taken[g.items[lo]], err)
		return
	}
	for i := lo; i < hi; i++ {
		if err := w.predict(g, g.start(i), g.ends[i]); err != nil {
			w.lane.fail(&w.taken[g.items[i]], err)
			continue
		}
		w.answer(g, i, i+1)
	}
}

// answer answers items [lo, hi), which were run together.
func (w *worker) answer(g *group, lo, hi int) {
	base := g.start(lo)
	for i := lo; i < hi; i++ {
		r := &w.taken[g.items[i]]
		msg := w.message(r, g.version)
		unobserved := r.unobserved()
		if w.after.capture > 0 && !unobserved {
			w.identify(msg)
		}
		id := msg.Header[wire.HeaderID] // the outbox may change what it is given
		err := g.batch.encode(msg, i, g.start(i)-base)
		if err == nil {
			err = w.lane.post.answer(w.lane.name, r, msg, g.ends[i]-g.start(i))
		}
		if err != nil {
			w.lane.fail(r, err)
			continue
		}
		r.done = true
		w.sent = append(w.sent, r.at)
		if !unobserved && (w.after.capture > 0 || w.after.shadow != nil) {
			w.hand(g, r, id, g.start(i)-base, g.ends[i]-g.start(i))
		}
	}
	now := time.Now()
	w.count(g.ends[hi-1]-base, now)
	if hi-lo <= fewAnswers {
		runtime.Gosched() // what writes to the connection goes first: somebody waits for it
	}
	if o := w.lane.observer.Load(); o != nil && o.version == g.version {
		w.observe(o, g, lo, hi, now)
	}
}

// names is how many headers say who answers.
const names = 2

// message returns where the answer to r is to be written, with the headers that say who
// answers and those that r passes on.
func (w *worker) message(r *request, v *version) *nats.Msg {
	if r.msg.Reply == "" { // the outbox keeps it
		msg := &nats.Msg{Header: nats.Header{wire.HeaderModel: w.model, wire.HeaderVersion: v.text}}
		passOn(msg.Header, r.msg.Header)
		return msg
	}
	h := w.reply.Header
	if w.named != v.number || len(h) != names { // else they are what the last answer had
		clear(h)
		h[wire.HeaderModel], h[wire.HeaderVersion] = w.model, v.text
		w.named = v.number
	}
	passOn(h, r.msg.Header)
	return &w.reply
}

// observe has the rows of items [lo, hi), which were run together, counted, but for those
// of requests that are not to be observed.
func (w *worker) observe(o *observer, g *group, lo, hi int, now time.Time) {
	base, from := g.start(lo), g.start(lo)
	for i := lo; i < hi; i++ {
		if !w.taken[g.items[i]].unobserved() {
			continue
		}
		if start := g.start(i); start > from {
			o.observe(g.batch, base, from, start, now)
		}
		from = g.ends[i]
	}
	if end := g.ends[hi-1]; end > from {
		o.observe(g.batch, base, from, end, now)
	}
}

// count counts a batch of that many rows and the answers sent for it.
func (w *worker) count(rows int, now time.Time) {
	w.lane.stats.answered(w.sent, rows, w.took, now)
	w.sent = w.sent[:0]
}
