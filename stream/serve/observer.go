package serve

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/modelbus/modelbus/model/drift"
)

const (
	// defaultWindow is how many rows are compared at once.
	defaultWindow = 2000

	// defaultDriftRate is how many rows a second a model has compared at most. Counting
	// one takes a few microseconds at worst.
	defaultDriftRate = 1000
)

// A sampled is a batch whose rows can be counted.
type sampled interface {
	// sample adds rows of those that were run last, which begin at row base, to w.
	sample(w *drift.Window, rows []int, base int) error
}

// An observer counts the rows that a lane's champion answers, as many as the rate
// allows, into a window, and has that compared when it is full. Workers count after
// they have answered.
type observer struct {
	version *version
	size    int64
	compare func(*observer, *drift.Window, time.Time) // takes the window and refills the observer; not to wait
	verdict *verdict

	mu      sync.Mutex    // guards all below
	window  *drift.Window // nil while it is compared
	began   time.Time     // when its first row came
	draw    sampler
	rows    []int  // scratch
	seen    uint64 // rows
	counted uint64
}

// observe counts rows [lo, hi) of b, of those that were run last, which begin at row base.
func (o *observer) observe(b batch, base, lo, hi int, now time.Time) {
	s, ok := b.(sampled)
	if !ok {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen += uint64(hi - lo) //nolint:gosec // at least 0
	if o.window == nil {
		return
	}
	o.rows = o.draw.draw(o.rows[:0], lo, hi, now)
	if len(o.rows) == 0 {
		return
	}
	if o.window.Rows() == 0 {
		o.began = now
	}
	if err := s.sample(o.window, o.rows, base); err != nil {
		return // the rows have been answered: they are of the window's schema
	}
	o.counted += uint64(len(o.rows))
	if o.window.Rows() >= o.size {
		full := o.window
		o.window = nil
		o.compare(o, full, o.began)
	}
}

// refill gives o an empty window to go on with.
func (o *observer) refill(w *drift.Window) {
	w.Reset()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.window = w
}

// counts returns how many rows were seen and how many of them were counted.
func (o *observer) counts() (seen, counted uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen, o.counted
}

// A sampler draws rows, each with the same chance whatever it holds, so that about rate
// of them are drawn a second and never more. The chance follows from how many
// came in the second before.
type sampler struct {
	rate   int
	random *rand.Rand
	chance float64
	since  time.Time // this second
	seen   int       // since then
	drawn  int
	pass   int // rows to pass over before the next one that is drawn
}

func newSampler(rate int, seed uint64) sampler {
	return sampler{
		rate: rate, chance: 1,
		random: rand.New(rand.NewPCG(seed, 0x64726177)),
	}
}

// draw appends to rows those of [lo, hi) that are drawn at now.
func (s *sampler) draw(rows []int, lo, hi int, now time.Time) []int {
	if age := now.Sub(s.since); age >= time.Second {
		s.chance = 1
		if perSecond := float64(s.seen) / age.Seconds(); perSecond > float64(s.rate) {
			s.chance = float64(s.rate) / perSecond
		}
		s.since, s.seen, s.drawn, s.pass = now, 0, 0, s.gap(s.chance)
	}
	s.seen += hi - lo
	left := s.rate - s.drawn
	if left <= 0 {
		return rows
	}
	before, chance, at := len(rows), s.chance, lo+s.pass
	if short := float64(left) / float64(hi-lo); short < chance {
		// More than may be drawn: rows from all over the batch, not its first ones.
		chance = short
		at = lo + s.gap(chance)
	}
	for ; at < hi && left > 0; at += 1 + s.gap(chance) {
		rows = append(rows, at)
		left--
	}
	s.pass = max(at-hi, 0)
	s.drawn += len(rows) - before
	return rows
}

// gap returns how many rows are passed over before one is drawn by a chance: it is
// distributed geometrically.
func (s *sampler) gap(chance float64) int {
	if chance >= 1 {
		return 0
	}
	if chance <= 0 {
		return math.MaxInt32
	}
	return int(min(math.Log(1-s.random.Float64())/math.Log1p(-chance), math.MaxInt32))
}
