package nn

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
)

// Data is what a network is fitted to. Implementations are used by one
// goroutine at a time.
type Data interface {
	// Len returns the number of rows.
	Len() int

	// Gather writes the rows listed in rows to x (len(rows), inputs), their
	// targets to y and their weights to w.
	Gather(x, y, w []float32, rows []int) error
}

// FitOptions say how to fit. Zero fields mean the default given.
type FitOptions struct {
	Epochs    int // number of the last epoch; default InitialEpoch + 1
	BatchSize int // default 32

	// InitialEpoch is how many epochs are done already: a training of 10
	// epochs that goes on with InitialEpoch 10 and Epochs 20 is one of 20.
	InitialEpoch int

	// NoShuffle keeps the rows in order; else each epoch draws an order from
	// Seed and the epoch's number, and from nothing else.
	NoShuffle bool
	Seed      uint64

	EarlyStopping   *EarlyStopping
	ReduceOnPlateau *ReduceOnPlateau

	// Target stops the training when the monitored value is reached.
	Target *Target

	// GlobalClipNorm bounds the norm of all gradients together; 0 is off. The
	// optimizer must then have no clipping of its own.
	GlobalClipNorm float64

	// Metrics, if not nil, scores the validation outputs of an epoch (all
	// rows, outputs after the last activation) and names each score; the names
	// can be monitored with the prefix "val_". The slices are valid during the
	// call.
	Metrics func(outputs, targets, weights []float32) map[string]float64

	// Progress, if not nil, is called after every epoch, from the fitting
	// goroutine. Returning false stops the training after this epoch.
	Progress func(Epoch) bool
}

// Epoch is what one epoch came to.
type Epoch struct {
	Number int     `json:"epoch"` // from 1
	Epochs int     `json:"epochs"`
	Loss   float64 `json:"loss"` // mean over the epoch's rows as they were trained on, penalties included

	// ValLoss is the mean loss of the validation rows after the epoch,
	// penalties included, as in Keras.
	ValLoss      *float64           `json:"val_loss,omitempty"`
	Metrics      map[string]float64 `json:"metrics,omitempty"` // of the validation rows
	LearningRate float64            `json:"learning_rate"`     // of the epoch's last step
	Rows         int                `json:"rows"`
}

// History is what a fit came to.
type History struct {
	Epochs  []Epoch `json:"epochs"`
	Best    int     `json:"best,omitempty"` // the epoch whose weights were restored
	Stopped string  `json:"stopped"`        // "epochs", "early_stopping", "target", "progress"
}

// Fit trains on train and, if val is not nil, scores each epoch on val. Its
// errors are options that make no sense ([*ConfigError]), ctx's end, which is
// looked for at every batch, an error of the data, and [ErrDiverged] with the
// epoch, the step and what was seen; after the last three the network is not
// fit for use.
//
// A reduced learning rate and the count of epochs without improvement last for
// one Fit; the optimizer's moments and steps last as long as the trainer.
func (t *Trainer) Fit(ctx context.Context, train, val Data, opts FitOptions) (*History, error) {
	f, err := t.newFit(train, val, opts)
	if err != nil {
		return nil, err
	}
	history := &History{Stopped: "epochs"}
	for number := opts.InitialEpoch + 1; number <= f.opts.Epochs; number++ {
		e, err := f.epoch(ctx, number)
		if err != nil {
			return nil, fmt.Errorf("epoch %d: %w", number, err)
		}
		stop, err := f.judge(e)
		if err != nil {
			return nil, err
		}
		history.Epochs = append(history.Epochs, *e)
		if opts.Progress != nil && !opts.Progress(*e) {
			stop = cmp.Or(stop, "progress")
		}
		if stop != "" {
			history.Stopped = stop
			break
		}
	}
	if f.stopping != nil && history.Stopped != "target" {
		history.Best = f.stopping.restore()
	}
	return history, nil
}

// A fit is one call of Fit.
type fit struct {
	*Trainer

	opts       FitOptions
	train      Data
	order      []int
	batch      minibatch
	rate       float64 // reduced learning rate, 0: the optimizer's
	clip       Clip
	validation *validation
	stopping   *stopping // nil without early stopping
	plateau    *plateau  // nil without
	target     *monitor  // nil without
}

func (t *Trainer) newFit(train, val Data, opts FitOptions) (*fit, error) {
	opts.Epochs = cmp.Or(opts.Epochs, opts.InitialEpoch+1)
	opts.BatchSize = cmp.Or(opts.BatchSize, 32)
	f := &fit{Trainer: t, opts: opts, train: train, clip: t.settings.clip}
	if err := f.check(val); err != nil {
		return nil, err
	}
	f.opts.BatchSize = min(opts.BatchSize, train.Len())
	if opts.GlobalClipNorm > 0 {
		f.clip = Clip{GlobalNorm: opts.GlobalClipNorm}
	}
	f.order = make([]int, train.Len())
	rows := f.opts.BatchSize
	f.batch = minibatch{
		x: make([]float32, rows*t.network.Inputs()),
		y: make([]float32, rows*t.loss.targets(t.network.Outputs())),
		w: make([]float32, rows),
	}
	if val != nil {
		f.validation = t.newValidation(val, opts.Metrics)
	}
	if err := f.watch(val != nil); err != nil {
		return nil, err
	}
	return f, nil
}

// watch sets up what looks at each epoch.
func (f *fit) watch(validated bool) (err error) {
	if o := f.opts.EarlyStopping; o != nil {
		if f.stopping, err = newStopping(f.network, *o, validated); err != nil {
			return err
		}
	}
	if o := f.opts.ReduceOnPlateau; o != nil {
		if f.plateau, err = newPlateau(f.settings, *o, validated); err != nil {
			return err
		}
	}
	if o := f.opts.Target; o != nil {
		f.target, err = newTarget(*o, validated)
	}
	return err
}

// check returns what is wrong with the numbers of the options.
func (f *fit) check(val Data) error {
	o := f.opts
	wrong := func(key, format string, args ...any) error {
		return &ConfigError{Name: "fit", Key: key, Msg: fmt.Sprintf(format, args...)}
	}
	switch {
	case f.train.Len() < 1:
		return wrong("train", "has no rows to train on")
	case val != nil && val.Len() < 1:
		return wrong("val", "has no rows to score")
	case o.BatchSize < 0:
		return wrong("batch_size", "must be at least 1, got %d", o.BatchSize)
	case o.InitialEpoch < 0:
		return wrong("initial_epoch", "must not be negative, got %d", o.InitialEpoch)
	case o.Epochs <= o.InitialEpoch:
		return wrong("epochs", "must be greater than the %d epochs done, got %d", o.InitialEpoch, o.Epochs)
	case o.GlobalClipNorm != 0 && !positive().contains(o.GlobalClipNorm):
		return wrong("global_clipnorm", "must be a number greater than 0, got %v", o.GlobalClipNorm)
	case o.GlobalClipNorm > 0 && f.clip != (Clip{}):
		return wrong("global_clipnorm", "must not be set beside the optimizer's own clipping")
	}
	return nil
}

// epoch trains on every row once and scores the result.
func (f *fit) epoch(ctx context.Context, number int) (*Epoch, error) {
	f.shuffle(number)
	e := &Epoch{Number: number, Epochs: f.opts.Epochs, Rows: len(f.order)}
	x, y, w := f.batch.x, f.batch.y, f.batch.w
	sum := 0.0
	for start := 0; start < len(f.order); start += f.opts.BatchSize {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("stopped after step %d: %w", f.steps, err)
		}
		rows := f.order[start:min(start+f.opts.BatchSize, len(f.order))]
		n := len(rows)
		b := &f.batch
		b.x, b.y, b.w, b.rows = x[:len(x)/len(w)*n], y[:len(y)/len(w)*n], w[:n], n
		if err := f.train.Gather(b.x, b.y, b.w, rows); err != nil {
			return nil, fmt.Errorf("reading the training rows: %w", err)
		}
		e.LearningRate = cmp.Or(f.rate, f.settings.rate(f.steps+1))
		loss, err := f.step(b, f.opts.Seed, e.LearningRate, f.clip)
		if err != nil {
			return nil, err
		}
		sum += loss * float64(n)
	}
	f.batch.x, f.batch.y, f.batch.w = x, y, w
	e.Loss = sum / float64(len(f.order))
	if err := f.checkState(); err != nil {
		return nil, err
	}
	if f.validation != nil {
		return e, f.validation.score(ctx, e)
	}
	return e, nil
}

// shuffle sets the order of the rows of an epoch.
func (f *fit) shuffle(epoch int) {
	for i := range f.order {
		f.order[i] = i
	}
	if f.opts.NoShuffle {
		return
	}
	const stream = 0x73687566666c65 // apart from the draws of layers and dropout: "shuffle"
	key := mix(f.opts.Seed, stream, uint64(epoch))
	r := rand.New(rand.NewPCG(key, mix(key, 1)))
	r.Shuffle(len(f.order), func(i, j int) { f.order[i], f.order[j] = f.order[j], f.order[i] })
}

// judge lets early stopping, the plateau and the target look at an epoch. It
// returns why the training stops, empty if it goes on.
func (f *fit) judge(e *Epoch) (stop string, err error) {
	if e.Number == f.opts.InitialEpoch+1 {
		if err := f.checkMonitors(e); err != nil {
			return "", err
		}
	}
	if f.plateau != nil {
		f.rate = f.plateau.reduce(e)
	}
	if f.stopping != nil && f.stopping.stop(e) {
		stop = "early_stopping"
	}
	if f.target != nil && f.target.reached(e, f.opts.Target.Value) {
		stop = "target"
	}
	return stop, nil
}

// checkMonitors returns an error if a monitored value is none of the epoch's.
func (f *fit) checkMonitors(e *Epoch) error {
	monitors := []*monitor{f.target}
	if f.stopping != nil {
		monitors = append(monitors, f.stopping.monitor)
	}
	if f.plateau != nil {
		monitors = append(monitors, f.plateau.monitor)
	}
	for _, m := range monitors {
		if m == nil {
			continue
		}
		if err := m.check(e); err != nil {
			return err
		}
	}
	return nil
}
