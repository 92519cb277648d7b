package model_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/nn"
)

// errRotten is what a file says of damaged bytes.
var errRotten = errors.New("rotten")

// A file is an artifact in memory that knows what of it was verified.
type file struct {
	bytes    []byte
	verified []bool
	rotten   int // a byte that is not what was stored, -1 for none
}

func newFile(b []byte) *file {
	return &file{bytes: b, verified: make([]bool, len(b)), rotten: -1}
}

func (f *file) Bytes() []byte { return f.bytes }

func (f *file) Verify(from, to int) error {
	for i := from; i < to; i++ {
		f.verified[i] = true
	}
	if from <= f.rotten && f.rotten < to {
		return fmt.Errorf("byte %d: %w", f.rotten, errRotten)
	}
	return nil
}

func open(tb testing.TB, f model.File) *model.Model {
	tb.Helper()
	m, err := model.Open(f)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func checkSamePredictions(t *testing.T, got, want *model.Model) {
	t.Helper()
	rows := flowers(t, want.Schema(), 50, 3)
	w, err := want.NewPredictor().Predict(rows)
	if err != nil {
		t.Fatal(err)
	}
	g, err := got.NewPredictor().Predict(rows)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.Probs, w.Probs) {
		t.Errorf("predictions differ: %v, want %v", g.Probs, w.Probs)
	}
}

// TestOpenReadsInPlace wants a model that predicts, is encoded and trains as one
// that was decoded, and the bytes as they were.
func TestOpenReadsInPlace(t *testing.T) {
	stored := encode(t, smallModel(t))
	aligned, shifted := bytes.Clone(stored), append([]byte{0}, stored...)[1:]
	for name, b := range map[string][]byte{"aligned": aligned, "not aligned": shifted} {
		t.Run(name, func(t *testing.T) {
			m, decoded := open(t, newFile(b)), decode(t, stored)
			checkSamePredictions(t, m, decoded)
			if !bytes.Equal(encode(t, m), stored) {
				t.Error("encoding gives other bytes")
			}
			rows := flowers(t, m.Schema(), 60, 1)
			got, _ := fit(t, m.Spec(), rows, model.FitOptions{Parent: m})
			want, _ := fit(t, m.Spec(), rows, model.FitOptions{Parent: decoded})
			if !bytes.Equal(encode(t, got), encode(t, want)) {
				t.Error("training on from it gives another model")
			}
			if !bytes.Equal(b, stored) {
				t.Error("its bytes were written")
			}
			if err := m.Detach(); err != nil {
				t.Fatal(err)
			}
			clear(b)
			checkSamePredictions(t, m, decoded)
			if !bytes.Equal(encode(t, m), stored) {
				t.Error("detached, encoding gives other bytes")
			}
		})
	}
}

// TestOpenSharesMemory changes the bytes, which nobody may, to see them used.
func TestOpenSharesMemory(t *testing.T) {
	m := smallModel(t)
	b := encode(t, m)
	opened := open(t, newFile(b))
	_, data := split(t, b)
	clear(data)
	rows := flowers(t, m.Schema(), 1, 3)
	out, err := opened.NewPredictor().Predict(rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range out.Probs { // a network of zeros knows nothing
		if math.Abs(float64(p-1.0/3)) > 1e-6 {
			t.Errorf("probabilities = %v, want thirds", out.Probs)
		}
	}
}

// TestOpenLeavesTrainingAlone wants the optimizer's state unread until something
// needs it, and damage in it found then.
func TestOpenLeavesTrainingAlone(t *testing.T) {
	b := encode(t, smallModel(t))
	f := newFile(b)
	m := open(t, f)
	state := slices.Index(f.verified, false)
	if state < 0 || slices.Contains(f.verified[state:], true) {
		t.Fatalf("what was not verified begins at %d, want the tail of %d bytes", state, len(b))
	}
	decoded := decode(t, b)
	f.rotten = len(b) - 1
	checkSamePredictions(t, m, decoded)
	rows := flowers(t, m.Schema(), 60, 1)
	if _, _, err := model.Fit(t.Context(), m.Spec(), rows, model.FitOptions{Parent: m}); !errors.Is(err, errRotten) || !errors.Is(err, model.ErrArtifact) {
		t.Errorf("Fit = %v, want the damage", err)
	}
	if _, err := m.Encode(); !errors.Is(err, errRotten) {
		t.Errorf("Encode = %v, want the damage", err)
	}
	if err := m.Detach(); !errors.Is(err, errRotten) || !errors.Is(err, model.ErrArtifact) {
		t.Errorf("Detach = %v, want the damage", err)
	}
	m.DropTraining()
	if err := m.Detach(); err != nil {
		t.Errorf("Detach without what training needs = %v", err)
	}
	clear(b)
	checkSamePredictions(t, m, decoded)
}

// TestOpenVerifiesWhatItUses damages every byte in turn.
func TestOpenVerifiesWhatItUses(t *testing.T) {
	f := newFile(encode(t, smallModel(t)))
	open(t, f)
	used := slices.Index(f.verified, false)
	for f.rotten = range f.bytes {
		m, err := model.Open(f)
		if f.rotten >= used && err == nil {
			continue
		}
		if m != nil || !errors.Is(err, errRotten) || !errors.Is(err, model.ErrArtifact) {
			t.Fatalf("byte %d damaged: Open = %v, %v, want an error with the file's in it", f.rotten, m, err)
		}
	}
}

// TestOpenFrozenV1 opens the frozen files where they lie, aligned and not.
func TestOpenFrozenV1(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "v1", "*.safetensors"))
	if err != nil || len(names) < 3 {
		t.Fatalf("Glob = %v, %v, want at least 3 files", names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{b, append([]byte{0}, b...)[1:]} {
			if !bytes.Equal(encode(t, open(t, newFile(b))), b) {
				t.Errorf("%s: opening and encoding gives other bytes", name)
			}
		}
	}
}

// TestOpenTakesNoMemory opens a model of 600,000 weights and Adam's moments, 7 MB.
func TestOpenTakesNoMemory(t *testing.T) {
	s := mustParse(t, flowerSpec)
	s.Training.Epochs = 1
	s.Network = []nn.Layer{nn.Dense{Units: 600, Activation: "relu"}, nn.Dense{Units: 1000, Activation: "relu"}}
	m, _ := fit(t, s, flowers(t, &s.Schema, 40, 1), model.FitOptions{})
	f := &sealed{encode(t, m)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	opened := open(t, f)
	runtime.ReadMemStats(&after)
	// Parsing header and spec takes some 100 KB.
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("opening %d bytes allocates %d, want less than 1 MiB", len(f.bytes), got)
	}
	runtime.KeepAlive(opened)
}

// TestEncodeTakesOneCopy wants no more memory than the file's.
func TestEncodeTakesOneCopy(t *testing.T) {
	s := mustParse(t, flowerSpec)
	s.Training.Epochs = 1
	s.Network = []nn.Layer{nn.Dense{Units: 600, Activation: "relu"}, nn.Dense{Units: 1000, Activation: "relu"}}
	m, _ := fit(t, s, flowers(t, &s.Schema, 40, 1), model.FitOptions{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	file := encode(t, m)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(len(file))+1<<20 {
		t.Errorf("encoding to %d bytes allocates %d", len(file), got)
	}
}

// sealed is a file that is whole.
type sealed struct{ bytes []byte }

func (f *sealed) Bytes() []byte         { return f.bytes }
func (f *sealed) Verify(_, _ int) error { return nil }
