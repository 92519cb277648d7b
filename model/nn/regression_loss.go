package nn

import "math"

// MeanSquaredError is the mean of (z-y)² over the outputs of a row.
type MeanSquaredError struct{}

// Config implements [Loss].
func (MeanSquaredError) Config() Config        { return newConfig("mean_squared_error") }
func (MeanSquaredError) check() error          { return nil }
func (MeanSquaredError) targets(width int) int { return width }
func (MeanSquaredError) absorbs() string       { return "" }

func (MeanSquaredError) gradient(dz, z, y, w []float32, rows, width int) float64 {
	return comparison{dz, z, y, w, rows, width}.elementwise(func(e float64) (float64, float64) { return e * e, 2 * e })
}

// MeanAbsoluteError is the mean of |z-y| over the outputs of a row. Its derivative
// at 0 is 0.
type MeanAbsoluteError struct{}

// Config implements [Loss].
func (MeanAbsoluteError) Config() Config        { return newConfig("mean_absolute_error") }
func (MeanAbsoluteError) check() error          { return nil }
func (MeanAbsoluteError) targets(width int) int { return width }
func (MeanAbsoluteError) absorbs() string       { return "" }

func (MeanAbsoluteError) gradient(dz, z, y, w []float32, rows, width int) float64 {
	return comparison{dz, z, y, w, rows, width}.elementwise(func(e float64) (float64, float64) { return math.Abs(e), sign(e) })
}

// Huber is the mean over the outputs of a row of e²/2 if |e| ≤ Delta, else of
// Delta·(|e| - Delta/2), where e = z-y (Huber, Robust Estimation of a Location
// Parameter, 1964).
type Huber struct {
	Delta float64 // greater than 0, default 1
}

// Config implements [Loss].
func (l Huber) Config() Config      { return newConfig("huber", "delta", l.Delta) }
func (l Huber) check() error        { return inRange("huber", "delta", l.Delta, nonNegative()) }
func (Huber) targets(width int) int { return width }
func (Huber) absorbs() string       { return "" }

func (l Huber) gradient(dz, z, y, w []float32, rows, width int) float64 {
	delta := orDefault(l.Delta, 1)
	return comparison{dz, z, y, w, rows, width}.elementwise(func(e float64) (float64, float64) {
		if math.Abs(e) <= delta {
			return e * e / 2, e
		}
		return delta * (math.Abs(e) - delta/2), delta * sign(e)
	})
}

// A comparison is what a loss is computed on; see [Loss].
type comparison struct {
	dz, z, y, w []float32
	rows, width int
}

// elementwise computes a loss that is the mean over a row of a function of the
// error z-y. f returns its value and derivative.
func (c comparison) elementwise(f func(e float64) (value, slope float64)) float64 {
	total := 0.0
	for i := range c.rows {
		row, rowWeight := 0.0, weight(c.w, i)
		scale := rowWeight / float64(c.width*c.rows)
		for j := i * c.width; j < (i+1)*c.width; j++ {
			value, slope := f(float64(c.z[j]) - float64(c.y[j]))
			row += value
			if c.dz != nil {
				c.dz[j] = float32(slope * scale)
			}
		}
		total += rowWeight * row / float64(c.width)
	}
	return total
}

// sign returns -1, 0 or 1; NaN stays NaN.
func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return v
}
