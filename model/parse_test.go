package model_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/modelbus/modelbus/model"
)

func FuzzParseSpec(f *testing.F) {
	for _, text := range []string{fullSpec, fullCanonical, base, kerasBlock(keras2), kerasBlock(keras3), "a: &a [*a]", "{", "? - "} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := model.ParseSpec(text)
		if err != nil {
			if _, ok := errors.AsType[*model.SpecError](err); !ok {
				t.Errorf("error is a %T: %v", err, err)
			}
			return
		}
		canonical := mustJSON(t, s)
		if next := mustJSON(t, mustParse(t, string(canonical))); !bytes.Equal(next, canonical) {
			t.Errorf("parsed again\n got %s\nwant %s", next, canonical)
		}
		yaml, err := s.YAML(nil)
		if err != nil {
			t.Fatal(err)
		}
		if next := mustJSON(t, mustParse(t, string(yaml))); !bytes.Equal(next, canonical) {
			t.Errorf("YAML read back\n got %s\nwant %s\nfrom %s", next, canonical, yaml)
		}
	})
}
