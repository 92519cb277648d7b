package feature

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// RunningOptions are the settings of a [Running].
type RunningOptions struct {
	// Fading is the weight of the newest row in the mean and the variance of
	// standardize and in a mean that stands for missing values, in [0, 1): 0.01
	// remembers the last hundred rows or so, 0 all rows alike. Other statistics
	// never forget.
	Fading float64

	// Level has all rows count alike until there are 1/Fading of them. Without it the first
	// row has the weight of all that came before it, and the variance is far too small for
	// about 1/Fading rows, as in River's AdaptiveStandardScaler.
	Level bool
}

// A Running learns the statistics of a pipeline a row at a time, for models that
// keep learning: predict with what is known, learn the row, transform it again and
// train on it. Transforming never changes anything; [Running.Learn] alone does.
// Vocabularies stay as they were fitted, for the width of the matrix depends on
// them. A Running belongs to one goroutine at a time. See [NewRunning].
type Running struct {
	options  RunningOptions
	pipeline *Pipeline // its statistics are written by Learn
	columns  []running
	label    running
}

// A running learns the statistics of one column.
type running struct {
	name   string
	column int
	fill   estimator // nil if nothing is learned
	scales []scaled
	stats  map[string][]float64 // those of the pipeline's state, by reference
	number *numberOp            // what has to follow the statistics; nil
	vector *vectorOp            // or nil
	x      []float64            // scratch
}

// A scaled is one scale of a column, with the step that it becomes.
type scaled struct {
	scale     Scale
	estimator estimator // nil without statistics
	step      *step
}

// NewRunning returns a Running that goes on where p, fitted on the given number of
// rows, has come to. With 0 rows it keeps the vocabularies alone and begins anew:
// until a row is learned, numbers are 0 with standardize, min_max and rescale, and
// as they are with robust. (Quartiles go on from a guess of what is between them.)
// p stays as it is.
func NewRunning(p *Pipeline, rows int64, o RunningOptions) (*Running, error) {
	if rows < 0 || rows >= 1<<53 {
		return nil, invalidf("got %d rows: a number from 0 is due", rows)
	}
	r, err := newRunning(p, o)
	if err != nil {
		return nil, err
	}
	r.each(func(c *running, e estimator, _ string) {
		if rows > 0 {
			e.read(c.stats, float64(rows))
		}
	})
	r.write()
	return r, nil
}

func newRunning(p *Pipeline, o RunningOptions) (*Running, error) {
	if !(o.Fading >= 0 && o.Fading < 1) {
		return nil, invalidf("got fading %v: a number in [0, 1) is due", o.Fading)
	}
	own, err := compile(&p.schema, p.state)
	if err != nil {
		return nil, err
	}
	own.fitted = p.fitted
	r := &Running{options: o, pipeline: own}
	for i := range own.schema.Features {
		ft := &own.schema.Features[i]
		c := newColumnRunning(own, ft.Name, ft.places())
		c.column = i
		switch op := own.ops[i].(type) {
		case *numberOp:
			c.number = op
			c.follow(ft.scales(), op.scale, o)
		case *vectorOp:
			c.vector = op
			c.follow(ft.scales(), op.scale, o)
		default:
			continue
		}
		c.fill = newFill(ft.Missing, ft.places(), o)
		r.columns = append(r.columns, c)
	}
	r.label = newColumnRunning(own, labelKey, 1)
	if own.schema.Label.Type == Number {
		r.label.follow(own.schema.Label.scales(), own.label.scale, o)
	}
	return r, nil
}

func newColumnRunning(p *Pipeline, name string, size int) running {
	c := running{name: name, stats: make(map[string][]float64), x: make([]float64, size)}
	for _, stat := range []string{
		statMean, statStd, statMin, statMax, statLeast, statMost, statMedian, statQ25, statQ75, statFill,
	} {
		if values, ok := p.state.Stats[name+"."+stat]; ok {
			c.stats[stat] = values
		}
	}
	return c
}

// follow adds estimators of scales, whose steps are given.
func (c *running) follow(scales []Scale, steps steps, o RunningOptions) {
	for i, scale := range scales {
		c.scales = append(c.scales, scaled{scale, newEstimator(scale, len(c.x), o), &steps[i]})
	}
}

// each visits all estimators with the names of their statistics' part.
func (r *Running) each(visit func(c *running, e estimator, part string)) {
	for i := range r.columns {
		r.columns[i].each(visit)
	}
	r.label.each(visit)
}

func (c *running) each(visit func(c *running, e estimator, part string)) {
	if c.fill != nil {
		visit(c, c.fill, statFill)
	}
	for _, s := range c.scales {
		if s.estimator != nil {
			visit(c, s.estimator, string(s.scale))
		}
	}
}

// Learn takes rows [lo, hi) of f, in order, one by one: how they are cut into
// calls makes no difference. Missing values are passed over, and so are numbers
// beyond ±1e150 and what a scale gives of a value outside its domain, which
// [Pipeline.Transform] refuses.
// The label's scale is learned if f has labels.
func (r *Running) Learn(f *Frame, lo, hi int) error {
	switch {
	case lo < 0 || hi < lo || hi > f.rows:
		return invalidf("got rows [%d, %d) of a frame of %d", lo, hi, f.rows)
	case !r.pipeline.knows(f.schema):
		return invalidf("the frame was built for another schema")
	}
	for row := lo; row < hi; row++ {
		for i := range r.columns {
			c := &r.columns[i]
			c.learn(f.columns[c.column], f.first+row)
		}
		if f.label != nil && len(r.label.scales) > 0 {
			r.label.learn(f.label, f.first+row)
		}
	}
	for i := range r.columns {
		r.columns[i].refresh()
	}
	return nil
}

// beyond reports whether x is NaN or so large that its square cannot be summed:
// one such number would spoil the statistics for good.
func beyond(x float64) bool { return !(math.Abs(x) <= 1e150) }

// learn takes a row of column, and brings the statistics and steps up to it.
func (c *running) learn(from *column, row int) {
	if len(c.scales) == 0 && c.fill == nil || !from.floats(c.x, row) || slices.ContainsFunc(c.x, beyond) {
		return
	}
	if c.fill != nil {
		c.fill.learn(c.x)
		c.fill.write(c.stats)
	}
	for i, s := range c.scales {
		if s.estimator != nil {
			s.estimator.learn(c.x)
			s.estimator.write(c.stats)
			s.follow(c.stats)
		}
		if i+1 == len(c.scales) {
			return
		}
		for j, v := range c.x {
			c.x[j] = s.step.forward(v, j)
		}
		if slices.ContainsFunc(c.x, beyond) {
			return
		}
	}
}

// follow brings the step up to the statistics, as stepOf builds it from them.
func (s *scaled) follow(stats map[string][]float64) {
	sub, div := s.step.sub, s.step.div
	switch s.scale {
	case Standardize:
		copy(sub, stats[statMean])
		copy(div, stats[statStd])
	case MinMax:
		copy(sub, stats[statMin])
		for j, most := range stats[statMax] {
			div[j] = most - sub[j]
		}
	case Rescale:
		least, most := stats[statLeast][0], stats[statMost][0]
		for j := range sub {
			sub[j], div[j] = least, most-least
		}
	case Robust:
		copy(sub, stats[statMedian])
		low, high := stats[statQ25], stats[statQ75]
		for j := range div {
			if div[j] = high[j] - low[j]; div[j] == 0 {
				div[j] = 1
			}
		}
	case None, Log1p:
	}
}

// refresh brings the operation up to the statistics.
func (c *running) refresh() {
	if op := c.number; op != nil && c.fill != nil {
		op.fill = c.stats[statFill][0]
	}
	op := c.vector
	if op == nil {
		return
	}
	if c.fill != nil {
		copy(op.fill, c.stats[statFill])
	}
	for j, x := range op.fill {
		op.filled[j] = float32(op.scale.forward(x, j))
	}
	if len(op.scale) == 1 && !op.scale[0].log {
		op.compileAffine()
	}
}

// write brings the whole pipeline up to the estimators.
func (r *Running) write() {
	r.each(func(c *running, e estimator, _ string) { e.write(c.stats) })
	for _, c := range append(slices.Clone(r.columns), r.label) {
		for _, s := range c.scales {
			if s.estimator != nil {
				s.follow(c.stats)
			}
		}
		c.refresh()
	}
}

// Live returns the pipeline as it stands. The next [Running.Learn] changes it, so
// it must not be used by another goroutine or kept: see [Running.Snapshot].
func (r *Running) Live() *Pipeline { return r.pipeline }

// Snapshot returns an immutable copy of the pipeline as it stands, to serve with
// and to be stored: it transforms to the same bits as Live does now. It fails if a
// statistic has become infinite.
func (r *Running) Snapshot() (*Pipeline, error) {
	return compile(&r.pipeline.schema, r.pipeline.state)
}

// State returns what the Running has to keep besides its pipeline, to go on bit
// for bit with [RestoreRunning]: "<feature>.<scale>.<statistic>" (or .fill., and
// .label. for the label). It shares no memory with r.
func (r *Running) State() map[string][]float64 {
	state := make(map[string][]float64)
	r.each(func(c *running, e estimator, part string) {
		for name, values := range e.memory() {
			state[c.name+"."+part+"."+name] = slices.Clone(values)
		}
	})
	return state
}

// RestoreRunning rebuilds a Running from a snapshot of its pipeline, its state and
// its options. It trusts neither: what does not fit together is an error that
// wraps [ErrInvalid].
func RestoreRunning(p *Pipeline, state map[string][]float64, o RunningOptions) (*Running, error) {
	r, err := newRunning(p, o)
	if err != nil {
		return nil, err
	}
	used := 0
	r.each(func(c *running, e estimator, part string) {
		memory := e.memory()
		for _, name := range slices.Sorted(maps.Keys(memory)) {
			key := c.name + "." + part + "." + name
			values, ok := state[key]
			used++
			switch {
			case err != nil:
			case !ok:
				err = invalidf("the running state has no %s", quote(key))
			case len(values) != len(memory[name]):
				err = invalidf("the running state has %d values of %s: %d are due", len(values), quote(key), len(memory[name]))
			default:
				err = checkFinite(key, values)
				copy(memory[name], values)
			}
		}
		if err == nil && !e.sound() {
			err = invalidf("the running state of %s cannot be: it is damaged", quote(c.name+"."+part))
		}
	})
	if err != nil {
		return nil, err
	}
	if used != len(state) {
		return nil, invalidf("the running state has %d statistics, the schema has use for %d", len(state), used)
	}
	before := maps.Clone(p.state.Stats)
	r.write()
	for key, values := range r.pipeline.state.Stats {
		if !slices.Equal(values, before[key]) {
			return nil, fmt.Errorf("%w: the running state is not that of the pipeline: %s differs", ErrInvalid, quote(key))
		}
	}
	return r, nil
}
