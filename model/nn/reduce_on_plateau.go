package nn

import (
	"cmp"
	"fmt"
)

// ReduceOnPlateau lowers the learning rate when a monitored value has not
// improved (Keras's ReduceLROnPlateau). It refuses an optimizer with a schedule.
type ReduceOnPlateau struct {
	Monitor  string  // default "val_loss", without validation "loss"
	Factor   float64 // in (0, 1), default 0.1
	Patience int     // epochs without improvement before the rate is lowered; default 10
	MinDelta float64 // smallest change that counts; default 1e-4
	Cooldown int     // epochs after a reduction that do not count
	MinRate  float64 // the rate is never lowered below it
}

// plateau is a [ReduceOnPlateau] at work.
type plateau struct {
	ReduceOnPlateau

	monitor  *monitor
	rate     float64
	best     float64
	wait     int
	cooldown int // epochs left
}

func newPlateau(s settings, o ReduceOnPlateau, validated bool) (*plateau, error) {
	p := &plateau{ReduceOnPlateau: o, rate: s.learningRate}
	p.Factor, p.Patience, p.MinDelta = cmp.Or(p.Factor, 0.1), cmp.Or(p.Patience, 10), cmp.Or(p.MinDelta, 1e-4)
	wrong := func(key, format string, args ...any) error {
		return &ConfigError{Name: "reduce_lr_on_plateau", Key: key, Msg: fmt.Sprintf(format, args...)}
	}
	switch {
	case s.schedule != nil:
		return nil, wrong("", "cannot lower a learning rate that follows a schedule (%s); leave one of them out",
			s.schedule.Config().Name)
	case !openFraction().contains(p.Factor):
		return nil, wrong("factor", "must be in %s, got %v", openFraction(), p.Factor)
	case p.Patience < 0:
		return nil, wrong("patience", "must not be negative, got %d", p.Patience)
	case p.Cooldown < 0:
		return nil, wrong("cooldown", "must not be negative, got %d", p.Cooldown)
	case !nonNegative().contains(p.MinDelta):
		return nil, wrong("min_delta", "must not be negative, got %v", p.MinDelta)
	case !nonNegative().contains(p.MinRate):
		return nil, wrong("min_lr", "must not be negative, got %v", p.MinRate)
	}
	m, err := newMonitor("reduce_lr_on_plateau", o.Monitor, validated)
	if err != nil {
		return nil, err
	}
	p.monitor, p.best = m, m.worst()
	return p, nil
}

// reduce looks at an epoch and returns the learning rate of the next.
func (p *plateau) reduce(e *Epoch) float64 {
	if p.cooldown > 0 {
		p.cooldown--
		p.wait = 0
	}
	current := p.monitor.value(e)
	switch {
	case p.monitor.improved(current, p.best, p.MinDelta):
		p.best, p.wait = current, 0
	case p.cooldown == 0:
		p.wait++
		if p.wait >= p.Patience && p.rate > p.MinRate {
			p.rate = max(p.rate*p.Factor, p.MinRate)
			p.cooldown, p.wait = p.Cooldown, 0
		}
	}
	return p.rate
}
