package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// maxCount bounds the counts of a restored state so that they cannot overflow.
const maxCount = 1 << 53

// restore reads a state strictly into dst and leaves the check of its values to
// check.
func restore[T any](text []byte, name string, dst *T, check func(*T) error) error {
	var state T
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&state)
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("text follows the state")
		}
	}
	if err == nil {
		err = check(&state)
	}
	if err != nil {
		return fmt.Errorf("%w: the state of %s: %w", ErrInvalid, name, err)
	}
	*dst = state
	return nil
}

// sums returns an error unless each x could be a sum.
func sums(name string, x ...float64) error {
	for _, v := range x {
		if math.IsNaN(v) || math.Abs(v) > 1e200 {
			return fmt.Errorf("a sum of %s is %v", name, v)
		}
	}
	return nil
}
