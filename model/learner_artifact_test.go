package model_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

func TestDecodeChecksOnlineState(t *testing.T) {
	s := mustParse(t, onlineSpec)
	f := learnRows(t, &s.Schema, 60)
	l, err := model.NewLearner(s, f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Learn(f); err != nil {
		t.Fatal(err)
	}
	file := stored(t, l)
	header, data := split(t, file)
	if !bytes.Equal(encode(t, decode(t, file)), file) {
		t.Error("decoding and encoding gives other bytes")
	}
	for _, tt := range []struct{ name, old, text, says string }{
		{"another format", `"modelbus":"2"`, `"modelbus":"1"`, "online"},
		{"counts", `\"examples\":60`, `\"examples\":6`, "cannot be"},
		{"negative counts", `\"skipped\":0`, `\"skipped\":-1`, "cannot be"},
		{"not canonical", `\"skipped\":0`, `\"skipped\": 0`, "canonical"},
		{"unknown key", `\"skipped\":0`, `\"skip\":0`, "skip"},
		{"other words", `\"place\":[`, `\"on\":[\"x\"],\"place\":[`, `"on"`},
		{"no running state", `"online.running.a.fill.count"`, `"online.running.a.fill.counts"`, "fill.count"},
		{"no replay", `"online.replay.a"`, `"online.replay.z"`, "online.replay.a"},
		{"left over", `"online.weight"`, `"online.weights"`, "online.weight"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(header, tt.old) {
				t.Fatalf("the header has no %s", tt.old)
			}
			_, err := model.Decode(joinFile(strings.Replace(header, tt.old, tt.text, 1), data))
			if !errors.Is(err, model.ErrArtifact) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error = %v, want one that says %s", err, tt.says)
			}
		})
	}
}

// A producer of long categories cannot make versions that no artifact holds: rows with
// them are learned and not remembered.
func TestLongCategoriesAreStorable(t *testing.T) {
	s := mustParse(t, onlineSpec)
	s.Schema.Features[2].Vocabulary = []string{"w0", "w1"}
	s.Schema.Label.Classes = []string{"no", "yes"}
	l, err := model.NewLearner(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	// As long as they may be, if each byte is written as seven: 5 MiB for 20 rows.
	const most = (5<<20/20 - 2*5) / 7
	learn := func(n int) {
		t.Helper()
		row := learnRows(t, &s.Schema, 1).Row(0)
		row.Values[2] = feature.Value{}
		for i := range 25 {
			f := feature.NewFrame(&s.Schema, true)
			row.Values[3] = feature.Value{Kind: feature.KindText, Text: strings.Repeat("\x01", n-2) + fmt.Sprintf("%02d", i)}
			if err := f.Append(row); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Learn(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	learn(most)
	header, _ := split(t, stored(t, l))
	if !strings.Contains(header, `\"replay\":20`) || len(header) < 5<<20 {
		t.Errorf("of rows that fit, a header of %d bytes remembers fewer than 20", len(header))
	}
	learn(1 << 20)
	file := stored(t, l)
	if got := l.Examples(); got != 50 {
		t.Errorf("%d examples learned, want 50", got)
	}
	if again, _ := split(t, file); !strings.Contains(again, `\"replay\":20`) || len(again) > len(header)+100 {
		t.Errorf("after rows that do not fit the header has %d bytes, want the %d of those before", len(again), len(header))
	}
	// A spec that remembers more rows has less room for each.
	s.Retrain.Replay.Rows = 10_000
	next, err := model.ResumeLearner(s, decode(t, file), 0)
	if err != nil {
		t.Fatal(err)
	}
	if header, _ := split(t, stored(t, next)); !strings.Contains(header, `\"replay\":0`) {
		t.Error("rows too long for a spec that remembers more are remembered")
	}
}

// onlineFile is a small artifact with the state of a learner.
func onlineFile(tb testing.TB) []byte {
	tb.Helper()
	s := mustParse(tb, onlineSpec)
	rows := learnRows(tb, &s.Schema, 40)
	l, err := model.NewLearner(s, rows)
	if err == nil {
		_, err = l.Learn(rows)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return stored(tb, l)
}

// TestLearnsOnFromVersion2 reads a file as format version 2 wrote it first, of 40 rows of
// learnRows.
func TestLearnsOnFromVersion2(t *testing.T) {
	folder := filepath.Join("testdata", "v2")
	file, err := os.ReadFile(filepath.Join(folder, "online.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	m := decode(t, file)
	if !bytes.Equal(encode(t, m), file) {
		t.Error("decoding and encoding gives other bytes")
	}
	l, err := model.ResumeLearner(m.Spec(), m, 0)
	if err != nil {
		t.Fatal(err)
	}
	lesson, err := l.Learn(learnRows(t, &m.Spec().Schema, 45).Range(40, 45))
	if err != nil {
		t.Fatal(err)
	}
	var want []float32
	text, err := os.ReadFile(filepath.Join(folder, "predictions.json"))
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(lesson.Tested.Probs) != len(want) {
		t.Fatalf("%d probabilities, want %d", len(lesson.Tested.Probs), len(want))
	}
	for i, p := range lesson.Tested.Probs {
		// Five rows with a batch of 1: each but the first is predicted by weights that other
		// kernels may have moved by some last bits.
		if math.Abs(float64(p-want[i])) > 1e-5 {
			t.Errorf("probability %d = %v, want %v", i, p, want[i])
		}
	}
}
