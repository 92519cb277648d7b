package learn

import (
	"strconv"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/gate"
)

// onlineScores are the prequential scores of a stretch, with those of the baselines.
type onlineScores struct {
	own     *gate.Prequential
	naive   *gate.Baseline
	index   map[string]int // of classes, nil for a regression
	classes int
}

func newOnlineScores(classes []string) (*onlineScores, error) {
	s := &onlineScores{classes: len(classes)}
	var err error
	if s.own, err = gate.NewPrequential(1); err != nil {
		return nil, err
	}
	if s.naive, err = gate.NewBaseline(len(classes), 1); err != nil {
		return nil, err
	}
	if classes != nil {
		s.index = make(map[string]int, len(classes))
		for i, c := range classes {
			s.index[c] = i
		}
	}
	return s, nil
}

// add takes rows with the predictions that were made before they were learned.
func (s *onlineScores) add(rows *feature.Frame, tested *model.Output) {
	for i := range tested.Rows {
		label := rows.Label(i)
		if s.index == nil {
			s.own.AddNumber(float64(tested.Values[i]), label.Num)
			s.naive.AddNumber(label.Num)
			continue
		}
		word := label.Text
		if label.Kind == feature.KindBool {
			word = strconv.FormatBool(label.Num == 1)
		}
		k, ok := s.index[word]
		if !ok {
			continue // the learner refuses such rows
		}
		s.own.AddClass(tested.Label(i) == k, float64(tested.Probs[i*s.classes+k]))
		s.naive.AddClass(k)
	}
}

// values returns the scores by name, those of the majority or mean with the prefix
// "baseline_", those of the last label again with "baseline_no_change_".
func (s *onlineScores) values() map[string]float64 {
	out := s.own.Result().Values
	for name, r := range s.naive.Results() {
		prefix := "baseline_"
		if name == gate.NoChange {
			prefix += gate.NoChange + "_"
		}
		for score, v := range r.Values {
			out[prefix+score] = v
		}
	}
	return finite(out)
}
