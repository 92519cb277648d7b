package model

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/modelbus/modelbus/model/feature"
)

// splitStream keeps the draw of the validation rows apart from what else is
// drawn from the seed.
const splitStream = 0x76616c6964617465 // "validate"

// splitRows draws share of n rows for validation and returns the rest and them,
// both in order. Rows at the end of a stream or a sorted file are no fairer
// sample than those at its beginning, so the seed decides and not the place.
func splitRows(n int, share float64, seed uint64) (train, validation []int, err error) {
	count := int(math.Round(float64(n) * share))
	if share == 0 {
		return upTo(n), nil, nil
	}
	if count == 0 || count == n {
		return nil, nil, fmt.Errorf("%w: validation_split %g of %d rows leaves nothing to train or to validate on",
			feature.ErrInvalid, share, n)
	}
	order := rand.New(rand.NewPCG(seed, splitStream)).Perm(n)
	train, validation = order[count:], order[:count]
	slices.Sort(train)
	slices.Sort(validation)
	return train, validation, nil
}

func upTo(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// scorable returns those of rows that p can transform. A validation row may show
// a category or a class that no training row did; the model, which would refuse
// such a row when serving, cannot be scored on it.
func scorable(p *feature.Pipeline, f *feature.Frame, rows []int) ([]int, error) {
	x, y := make([]float32, p.Width()), make([]float32, 1)
	out := make([]int, 0, len(rows))
	var refused error
	for _, r := range rows {
		err := errors.Join(p.Transform(x, f, r, r+1), p.Targets(y, f, r, r+1))
		if err == nil {
			out = append(out, r)
		} else if refused == nil {
			refused = err
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("none of %d validation rows can be scored: %w", len(rows), refused)
	}
	return out, nil
}
