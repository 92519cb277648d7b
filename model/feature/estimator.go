package feature

import "math"

// An estimator learns the statistics of one scale, or of what stands for missing
// values, a row at a time.
type estimator interface {
	// learn takes the values of a row, one a position.
	learn(x []float64)

	// write writes the statistics, as a [State] has them, to those read by name.
	write(to map[string][]float64)

	// read takes statistics of n rows that write could have written.
	read(from map[string][]float64, n float64)

	// memory returns all that the estimator remembers, by name and by reference.
	memory() map[string][]float64

	// sound reports whether the memory, which is finite, could be that of an
	// estimator.
	sound() bool
}

// newEstimator returns the estimator of a scale of size positions; nil for one
// without statistics.
func newEstimator(scale Scale, size int, o RunningOptions) estimator { //nolint:ireturn // one of several kinds
	switch scale {
	case Standardize:
		return newMoments(size, o, statMean, statStd)
	case MinMax:
		return newExtremes(size, size, statMin, statMax)
	case Rescale:
		return newExtremes(size, 1, statLeast, statMost)
	case Robust:
		return newQuartiles(size, statQ25, statMedian, statQ75)
	case None, Log1p:
	}
	return nil
}

// newFill returns the estimator of what stands for missing values, nil if that is
// not learned.
func newFill(policy Missing, size int, o RunningOptions) estimator { //nolint:ireturn // one of several kinds
	switch policy {
	case MissingMean:
		return newMoments(size, o, statFill, "")
	case MissingMedian:
		return newQuartiles(size, "", statFill, "")
	case "", MissingError, MissingConstant, MissingCategory:
	}
	return nil
}

// counted reports whether n is a whole number from 0 that counts rows.
func counted(n float64) bool { return n >= 0 && n < 1<<53 && n == math.Trunc(n) }

// runningMoments are mean and variance (ddof 0) of each position (Welford 1962),
// or with fading their exponentially weighted forms.
type runningMoments struct {
	RunningOptions

	meanStat, stdStat string    // the latter empty if only the mean is asked for
	count             []float64 // one
	mean, variance    []float64
}

func newMoments(size int, o RunningOptions, meanStat, stdStat string) *runningMoments {
	return &runningMoments{
		meanStat: meanStat, stdStat: stdStat, RunningOptions: o,
		count: make([]float64, 1), mean: make([]float64, size), variance: make([]float64, size),
	}
}

func (m *runningMoments) learn(x []float64) {
	m.count[0]++
	n := m.count[0]
	share := m.Fading
	if m.Level {
		share = max(share, 1/n)
	}
	for j, v := range x {
		off := v - m.mean[j]
		if m.Fading > 0 && n > 1 {
			// EW(x²) − EW(x)² without its cancellation.
			m.mean[j] += share * off
			m.variance[j] = (1 - share) * (m.variance[j] + share*off*off)
			continue
		}
		m.mean[j] += off / n
		m.variance[j] += (off*(v-m.mean[j]) - m.variance[j]) / n
	}
}

func (m *runningMoments) write(to map[string][]float64) {
	copy(to[m.meanStat], m.mean)
	if m.stdStat != "" {
		std := to[m.stdStat]
		for j, v := range m.variance {
			std[j] = math.Sqrt(max(v, 0))
		}
	}
}

func (m *runningMoments) read(from map[string][]float64, n float64) {
	m.count[0] = n
	copy(m.mean, from[m.meanStat])
	if m.stdStat != "" {
		for j, s := range from[m.stdStat] {
			m.variance[j] = s * s
		}
	}
}

func (m *runningMoments) memory() map[string][]float64 {
	return map[string][]float64{"count": m.count, "mean": m.mean, "variance": m.variance}
}

func (m *runningMoments) sound() bool {
	for _, v := range m.variance {
		if v < 0 {
			return false
		}
	}
	return counted(m.count[0])
}

// runningExtremes are the least and the greatest number of each position, or of
// all positions together.
type runningExtremes struct {
	leastStat, mostStat string
	size                int
	count               []float64 // one
	least, most         []float64 // size of them, or one
}

func newExtremes(size, kept int, leastStat, mostStat string) *runningExtremes {
	return &runningExtremes{
		leastStat: leastStat, mostStat: mostStat, size: size,
		count: make([]float64, 1), least: make([]float64, kept), most: make([]float64, kept),
	}
}

func (e *runningExtremes) learn(x []float64) {
	first := e.count[0] == 0
	e.count[0]++
	for j, v := range x {
		k := min(j, len(e.least)-1)
		if first && (j == k) {
			e.least[k], e.most[k] = v, v
		}
		e.least[k], e.most[k] = min(e.least[k], v), max(e.most[k], v)
	}
}

func (e *runningExtremes) write(to map[string][]float64) {
	copy(to[e.leastStat], e.least)
	copy(to[e.mostStat], e.most)
}

func (e *runningExtremes) read(from map[string][]float64, n float64) {
	e.count[0] = n
	copy(e.least, from[e.leastStat])
	copy(e.most, from[e.mostStat])
}

func (e *runningExtremes) memory() map[string][]float64 {
	return map[string][]float64{"count": e.count, "least": e.least, "most": e.most}
}

func (e *runningExtremes) sound() bool {
	for k := range e.least {
		if e.least[k] > e.most[k] {
			return false
		}
	}
	return counted(e.count[0])
}

// runningQuartiles are the quartiles of each position, or those of them that have
// a name.
type runningQuartiles struct {
	stats          [3]string
	count          []float64 // one
	heights, ranks []float64 // markerCount a position
}

func newQuartiles(size int, stats ...string) *runningQuartiles {
	return &runningQuartiles{
		stats: [3]string(stats), count: make([]float64, 1),
		heights: make([]float64, markerCount*size), ranks: make([]float64, markerCount*size),
	}
}

func (q *runningQuartiles) at(j int) markers {
	from, to := j*markerCount, (j+1)*markerCount
	return markers{q.heights[from:to], q.ranks[from:to]}
}

func (q *runningQuartiles) learn(x []float64) {
	q.count[0]++
	for j, v := range x {
		q.at(j).add(v, q.count[0])
	}
}

func (q *runningQuartiles) write(to map[string][]float64) {
	for i, stat := range q.stats {
		if stat == "" {
			continue
		}
		out := to[stat]
		for j := range out {
			out[j] = q.at(j).quantile(float64(i+1)/4, q.count[0])
		}
	}
}

func (q *runningQuartiles) read(from map[string][]float64, n float64) {
	// Fewer rows than markers cannot be told from their quartiles: they count as
	// many.
	q.count[0] = max(n, markerCount)
	if n == 0 {
		q.count[0] = 0
		return
	}
	median := from[q.stats[1]]
	low, high := median, median
	if q.stats[0] != "" {
		low, high = from[q.stats[0]], from[q.stats[2]]
	}
	for j := range median {
		q.at(j).guess(low[j], median[j], high[j], q.count[0])
	}
}

func (q *runningQuartiles) memory() map[string][]float64 {
	return map[string][]float64{"count": q.count, "heights": q.heights, "ranks": q.ranks}
}

func (q *runningQuartiles) sound() bool {
	if !counted(q.count[0]) {
		return false
	}
	for j := range len(q.heights) / markerCount {
		if !q.at(j).inOrder(q.count[0]) {
			return false
		}
	}
	return true
}
