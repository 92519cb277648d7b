package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"github.com/modelbus/modelbus/stream/wire"
)

// sayEvery is the least time between two lines about the same state of a training,
// where they do not replace each other.
const sayEvery = time.Second

// A follower shows a training: a bar over the epochs on a terminal, else lines, at
// most one a second while nothing but numbers changes.
type follower struct {
	app *app
	bar *progressbar.ProgressBar

	last     string // the state seen last
	epoch    int    // the epoch said last
	said     time.Time
	rejected int
}

func (f *follower) event(t wire.Training) {
	again := f.last == t.State
	f.last, f.rejected = t.State, max(f.rejected, t.Reject)
	terminal := isTerminal(f.app.err)
	switch {
	case t.State == "waiting":
		if !again {
			f.app.notef("waiting for another training to end")
		}
	case t.State == "done":
	case terminal && t.State == "epoch":
		f.draw(t)
	case terminal, t.State == "epoch" && t.Epoch == f.epoch:
	case again && time.Since(f.said) < sayEvery && (t.State != "epoch" || t.Epoch < t.Epochs):
	default:
		f.say(t)
	}
}

// say prints a line.
func (f *follower) say(t wire.Training) {
	f.said = time.Now()
	if t.State != "epoch" {
		f.app.notef("%s%s", t.State, amount(t))
		return
	}
	f.epoch = t.Epoch
	f.app.notef("epoch %d/%d %s", t.Epoch, t.Epochs, epochScores(t.Scores))
}

// draw moves the bar.
func (f *follower) draw(t wire.Training) {
	if f.bar == nil {
		f.bar = f.app.bar(int64(t.Epochs), "training")
	}
	f.bar.Describe("training: " + epochScores(t.Scores))
	_ = f.bar.Set(t.Epoch) //nolint:errcheck // the bar is decoration
}

func (f *follower) finish() {
	if f.bar != nil {
		_ = f.bar.Finish() //nolint:errcheck // the bar is decoration
	}
}

// amount says how much a training has before it.
func amount(t wire.Training) string {
	if t.Bytes > 0 {
		return ": " + humanize.IBytes(uint64(t.Bytes))
	}
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
