package bench

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/modelbus/modelbus/model/feature"
)

// A Sampler draws plausible rows of a schema: numbers uniform in [0, 1), which
// every scale takes, with six digits; categories from their vocabulary.
type Sampler struct {
	schema *feature.Schema
	words  [][]string // by feature
	rng    *rand.Rand
}

// Learned reports whether a feature takes only the categories that training
// showed, so that a [Sampler] must be told them.
func Learned(f *feature.Feature) bool {
	return f.Type == feature.Category && len(f.Vocabulary) == 0 && f.Encode != feature.Hashing && f.Unknown != feature.UnknownZeros
}

// NewSampler returns a sampler. vocabulary gives the categories of a feature
// that is [Learned]; it may be nil if there is none, and an error that wraps
// [feature.ErrInvalid] says so if there is.
func NewSampler(s *feature.Schema, vocabulary func(feature string) []string, seed uint64) (*Sampler, error) {
	p := &Sampler{schema: s, words: make([][]string, len(s.Features)), rng: rand.New(rand.NewPCG(seed, 0))}
	for i := range s.Features {
		f := &s.Features[i]
		if f.Type != feature.Category {
			continue
		}
		p.words[i] = f.Vocabulary
		if Learned(f) && vocabulary != nil {
			p.words[i] = vocabulary(f.Name)
		}
		if len(p.words[i]) > 0 {
			continue
		}
		if Learned(f) {
			return nil, fmt.Errorf("%w: feature %q takes only categories of its training rows, which are not known here: use rows of a file", feature.ErrInvalid, f.Name)
		}
		p.words[i] = []string{"a", "b", "c", "d", "e", "f", "g", "h"} // any text will do
	}
	return p, nil
}

// Rows returns the next n rows.
func (p *Sampler) Rows(n int) (*feature.Frame, error) {
	f := feature.NewFrame(p.schema, false)
	row := feature.Row{Values: make([]feature.Value, len(p.schema.Features))}
	for range n {
		for i := range p.schema.Features {
			row.Values[i] = p.value(i)
		}
		if err := f.Append(row); err != nil {
			return nil, fmt.Errorf("drawing a row: %w", err)
		}
	}
	return f, nil
}

func (p *Sampler) value(i int) feature.Value {
	switch f := &p.schema.Features[i]; f.Type {
	case feature.Boolean:
		return feature.Value{Kind: feature.KindBool, Num: float64(p.rng.IntN(2))}
	case feature.Category:
		return feature.Value{Kind: feature.KindText, Text: p.words[i][p.rng.IntN(len(p.words[i]))]}
	case feature.Vector:
		v := make([]float32, f.Size)
		for j := range v {
			v[j] = float32(p.number())
		}
		return feature.Value{Kind: feature.KindVector, Vector: v}
	case feature.Number:
	}
	return feature.Value{Kind: feature.KindNumber, Num: p.number()}
}

func (p *Sampler) number() float64 { return math.Floor(p.rng.Float64()*1e6) / 1e6 }
