package main

import (
	"fmt"
	"strings"

	"github.com/schollz/progressbar/v3"

	"github.com/modelbus/modelbus/stream/wire"
)

// A follower shows a training: a bar over the epochs on a terminal, else a line
// an epoch.
type follower struct {
	app *app
	bar *progressbar.ProgressBar

	last     string // the state seen last
	epoch    int    // the epoch said last
	rejected int
}

func (f *follower) event(t wire.Training) {
	terminal := isTerminal(f.app.err)
	again := f.last == t.State
	f.last, f.rejected = t.State, max(f.rejected, t.Reject)
	switch {
	case t.State != "epoch":
		switch {
		case t.State == "waiting" && !again:
			f.app.notef("waiting for another training to end")
		case !terminal && t.State != "done" && t.State != "waiting":
			f.app.notef("%s%s", t.State, rowsRead(t))
		}
	case terminal:
		if f.bar == nil {
			f.bar = f.app.bar(int64(t.Epochs), "training", "epochs")
		}
		f.bar.Describe("training: " + epochScores(t.Scores))
		_ = f.bar.Set(t.Epoch) //nolint:errcheck // the bar is decoration
	case t.Epoch != f.epoch:
		f.epoch = t.Epoch
		f.app.notef("epoch %d/%d %s", t.Epoch, t.Epochs, epochScores(t.Scores))
	}
}

func (f *follower) finish() {
	if f.bar != nil {
		_ = f.bar.Finish() //nolint:errcheck // the bar is decoration
	}
}

func rowsRead(t wire.Training) string {
	if t.Rows == 0 {
		return ""
	}
	if t.Reject > 0 {
		return fmt.Sprintf(": %d rows, %d rejected", t.Rows, t.Reject)
	}
	return fmt.Sprintf(": %d rows", t.Rows)
}

// epochScores prints the scores of an epoch, the losses first.
func epochScores(scores map[string]float64) string {
	var parts []string
	for _, name := range []string{"loss", "val_loss", "val_accuracy", "val_mse", "val_mae"} {
		if v, ok := scores[name]; ok {
			parts = append(parts, name+" "+number(v))
		}
	}
	return strings.Join(parts, " ")
}
