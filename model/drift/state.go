package drift

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

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
		return fmt.Errorf("%w of %s: %w", ErrState, name, err)
	}
	*dst = state
	return nil
}
