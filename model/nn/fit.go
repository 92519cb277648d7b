package nn

import (
	"context"
	"errors"
)

// ErrDiverged is returned when a loss or gradient is not finite.
var ErrDiverged = errors.New("training diverged")

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
	Loss      Loss      // required
	Optimizer Optimizer // default Adam{}

	Epochs    int // default 1
	BatchSize int // default 32

	// NoShuffle keeps the rows in order; else each epoch draws an order from
	// Seed and the epoch's number.
	NoShuffle bool
	Seed      uint64

	EarlyStopping   *EarlyStopping
	ReduceOnPlateau *ReduceOnPlateau

	// Target stops the training when the monitored value is reached.
	Target *Target

	// GlobalClipNorm bounds the norm of all gradients together; 0 is off.
	GlobalClipNorm float64

	// Metrics, if not nil, scores the validation outputs of an epoch (all
	// rows, outputs after the last activation) and names each score; the names
	// can be monitored with the prefix "val_".
	Metrics func(outputs, targets, weights []float32) map[string]float64

	// Progress, if not nil, is called after every epoch, from the fitting
	// goroutine. Returning false stops the training after this epoch.
	Progress func(Epoch) bool
}

// EarlyStopping stops when a monitored value has not improved for Patience
// epochs (Keras's EarlyStopping).
type EarlyStopping struct {
	Monitor     string  // default "val_loss", without validation "loss"
	MinDelta    float64 // smallest change that counts
	Patience    int     // epochs without improvement
	RestoreBest bool    // end with the best epoch's weights
}

// ReduceOnPlateau lowers the learning rate when a monitored value has not
// improved (Keras's ReduceLROnPlateau). It refuses an optimizer with a schedule.
type ReduceOnPlateau struct {
	Monitor  string
	Factor   float64 // default 0.1
	Patience int     // default 10
	MinDelta float64 // default 1e-4
	Cooldown int
	MinRate  float64
}

// Target is a value at which training may stop.
type Target struct {
	Monitor string
	Value   float64
}

// Epoch is what one epoch came to.
type Epoch struct {
	Number       int                `json:"epoch"` // from 1
	Epochs       int                `json:"epochs"`
	Loss         float64            `json:"loss"` // mean over the epoch's rows, penalties included
	ValLoss      *float64           `json:"val_loss,omitempty"`
	Metrics      map[string]float64 `json:"metrics,omitempty"`
	LearningRate float64            `json:"learning_rate"`
	Rows         int                `json:"rows"`
}

// History is what a fit came to.
type History struct {
	Epochs  []Epoch `json:"epochs"`
	Best    int     `json:"best,omitempty"` // the epoch whose weights were restored
	Stopped string  `json:"stopped"`        // "epochs", "early_stopping", "target", "progress"
}

// A Trainer trains one network. It keeps the optimizer's state between fits.
type Trainer struct{}

// NewTrainer returns a trainer of n. The network belongs to it until training
// is over.
func NewTrainer(n *Network, loss Loss, opt Optimizer) (*Trainer, error) { panic("unbuilt") }

// Step runs one mini-batch forward and back and updates the weights. w may be
// nil. It returns the batch's mean loss, or [ErrDiverged] with the weights as
// they were.
func (t *Trainer) Step(x, y, w []float32, rows int) (float64, error) { panic("unbuilt") }

// Fit trains on train and, if val is not nil, scores each epoch on val. Only
// ctx's end, an error of the data and [ErrDiverged] are errors; the network is
// then not fit for use.
func (t *Trainer) Fit(ctx context.Context, train, val Data, opts FitOptions) (*History, error) {
	panic("unbuilt")
}

// State returns the optimizer's state and the number of steps done.
func (t *Trainer) State() (params []*Param, steps int64) { panic("unbuilt") }

// Restore sets what State returned; names and shapes must match.
func (t *Trainer) Restore(params []*Param, steps int64) error { panic("unbuilt") }
