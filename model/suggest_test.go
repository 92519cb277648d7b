package model_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
)

func TestSuggestFits(t *testing.T) {
	number := feature.Schema{
		Features: []feature.Feature{{Name: "x", Type: feature.Number}, {Name: "k", Type: feature.Category}},
		Label:    feature.Label{Name: "y", Type: feature.Number},
	}
	classes := number
	classes.Label.Type = feature.Category
	image := feature.Schema{
		Features: []feature.Feature{{Name: "x", Type: feature.Vector, Size: 784}},
		Label:    feature.Label{Name: "y", Type: feature.Category},
	}
	boolean := image
	boolean.Label.Type = feature.Boolean
	tests := []struct {
		name     string
		schema   feature.Schema
		smoothed bool // from 1,000 rows to 20,000
	}{
		{name: "number", schema: number},
		{name: "classes", schema: classes},
		{name: "image", schema: image, smoothed: true},
		{name: "boolean image", schema: boolean},
	}
	for _, tt := range tests {
		for _, rows := range []int{0, 999, 1_000, 19_999, 20_000, 1_000_000} {
			t.Run(fmt.Sprintf("%s %d", tt.name, rows), func(t *testing.T) {
				s, err := model.Suggest("m", tt.schema, rows)
				if err != nil {
					t.Fatal(err)
				}
				text, err := s.YAML(nil)
				if err != nil {
					t.Fatal(err)
				}
				back, err := model.ParseSpec(text)
				if err != nil {
					t.Fatalf("the suggestion does not read back: %v\n%s", err, text)
				}
				if !reflect.DeepEqual(back.Training, s.Training) || len(back.Network) != len(s.Network) {
					t.Errorf("got back %+v, want %+v", back, s)
				}
				if got, want := s.Loss != nil, tt.smoothed && rows >= 1_000 && rows < 20_000; got != want {
					t.Errorf("a loss is suggested: got %v, want %v", got, want)
				}
				if stops := s.Training.EarlyStopping != nil; stops != (s.Training.ValidationSplit > 0) {
					t.Errorf("got early stopping %v with validation_split %g, want both or none", stops, s.Training.ValidationSplit)
				}
			})
		}
	}
}

// TestSuggestLearns trains the suggestion for a real file: each fifth of it is held
// out once, over ten seeds, and none of them is chosen.
func TestSuggestLearns(t *testing.T) {
	path := filepath.Join("..", "testdata", "iris.csv")
	inferred, err := dataset.Infer(irisReader(t, path), "species", 0)
	if err != nil {
		t.Fatal(err)
	}
	var accuracy, logLoss float64
	for seed := range uint64(10) {
		train, test := irisParts(t, path, &inferred.Schema, int(seed%5))
		spec, err := model.Suggest("iris", inferred.Schema, train.Len())
		if err != nil {
			t.Fatal(err)
		}
		spec.Training.Seed = seed
		m, _, err := model.Fit(t.Context(), spec, train, model.FitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		scores, err := m.Evaluate(test)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("seed %d, rows %d, %d, … held out: accuracy %.4f, log loss %.4f", seed, seed%5, seed%5+5,
			scores.Values["accuracy"], scores.Values["log_loss"])
		accuracy += scores.Values["accuracy"] / 10
		logLoss += scores.Values["log_loss"] / 10
	}
	// Multinomial logistic regression is wrong in one of 30 rows of this file, and
	// so are good networks, which one or two odd rows drive to 2 in some parts. A
	// network that learned those by heart has a log loss of 0.1 and more.
	if accuracy < 0.95 {
		t.Errorf("got a mean accuracy of %.4f, want at least 0.95", accuracy)
	}
	if logLoss > 0.085 {
		t.Errorf("got a mean log loss of %.4f, want at most 0.085", logLoss)
	}
}

// irisParts holds out every fifth row, from the row first on.
func irisParts(t *testing.T, path string, schema *feature.Schema, first int) (train, test *feature.Frame) {
	t.Helper()
	train, test = feature.NewFrame(schema, true), feature.NewFrame(schema, true)
	rows, err := dataset.Bind(irisReader(t, path), schema, "required")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return train, test
		}
		if err != nil {
			t.Fatal(err)
		}
		part := train
		if i%5 == first {
			part = test
		}
		if err := part.Append(row); err != nil {
			t.Fatal(err)
		}
	}
}

func irisReader(t *testing.T, path string) dataset.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := dataset.NewReader(f, dataset.Options{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
