package model

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// A File is an artifact that is known to be whole, used where it lies: such as
// one that was found to have a digest when it was stored, mapped to memory.
type File interface {
	// Bytes returns the artifact. Nobody ever writes them, and they stay as long
	// as the File is reachable.
	Bytes() []byte

	// Verify returns an error unless bytes [from, to) are still those that were
	// stored. No byte is used that it was not called for. It may be called by
	// several goroutines.
	Verify(from, to int) error
}

// loose is an artifact that nobody vouches for.
type loose []byte

func (b loose) Bytes() []byte         { return b }
func (b loose) Verify(_, _ int) error { return nil }

// Decode reads an artifact. It trusts nothing: every error wraps [ErrArtifact]
// and says what was found. The model has memory of its own.
func Decode(b []byte) (*Model, error) {
	m, err := open(loose(b))
	if err == nil && m.reference != "" {
		_, err = m.decodeReference()
	}
	if err == nil {
		err = m.detach()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArtifact, err)
	}
	return m, nil
}

// Open is [Decode] of a file that somebody vouches for, so that its checksum is
// not computed, and in place: weights are read in f, which the model keeps
// reachable, if they lie at a multiple of 4 bytes, and what only training needs
// is neither read nor verified before training needs it; nor is the reference read
// before [Model.Reference] needs it.
func Open(f File) (*Model, error) {
	m, err := open(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArtifact, err)
	}
	return m, nil
}

// Detach moves what the model has in its [File] to memory of its own and lets go of
// the file. An error, which wraps [ErrArtifact], leaves the model as it was.
// Nobody may use the model meanwhile.
func (m *Model) Detach() error {
	if err := m.detach(); err != nil {
		return fmt.Errorf("%w: %w", ErrArtifact, err)
	}
	return nil
}

func (m *Model) detach() error {
	if m.file == nil {
		return nil
	}
	if err := m.checkState(); err != nil {
		return err
	}
	for _, p := range slices.Concat(m.network.Params(), m.state) {
		p.Value = slices.Clone(p.Value)
	}
	if m.online != nil {
		m.online = m.online.clone()
	}
	if m.dropped {
		m.network.Freeze()
	}
	runtime.KeepAlive(m.file)
	m.file, m.unread = nil, nil
	return nil
}

// checkState verifies what only training needs in the file, before it is used.
func (m *Model) checkState() error {
	if m.online != nil && m.file != nil {
		if err := m.online.check(m.file); err != nil {
			return err
		}
	}
	for i := range m.unread {
		if err := m.unread[i].check(m.file); err != nil {
			return err
		}
	}
	return nil
}

func open(f File) (*Model, error) {
	metadata, tensors, err := readSafetensors(f)
	if err != nil {
		return nil, err
	}
	if err := checkMetadata(metadata); err != nil {
		return nil, err
	}
	if b, ok := f.(loose); ok {
		if err := verify(b, metadata[keyChecksum]); err != nil {
			return nil, err
		}
	}
	m := &Model{file: f, reference: metadata[keyReference]}
	if m.spec, err = decodeSpec(metadata[keySpec]); err != nil {
		return nil, err
	}
	if m.epochs, m.steps, err = decodeCounts(metadata); err != nil {
		return nil, err
	}
	left := tensorSet{}
	for _, t := range tensors {
		left[t.name] = t
	}
	if m.pipeline, err = m.decodePipeline(metadata[keyVocabularies], left); err != nil {
		return nil, err
	}
	if err := m.decodeNetwork(left); err != nil {
		return nil, err
	}
	if err := m.decodeState(left); err != nil {
		return nil, err
	}
	if text, ok := metadata[keyOnline]; ok {
		if m.online, err = decodeOnline(text, left); err != nil {
			return nil, err
		}
		if _, ok := f.(loose); ok { // else when learning goes on
			if _, err := m.online.decode(f, m.pipeline, m.spec.Retrain.running()); err != nil {
				return nil, err
			}
		}
	}
	for name := range left {
		return nil, fmt.Errorf("tensor %q does not belong to the model", shorten(name))
	}
	return m, nil
}

func checkMetadata(metadata map[string]string) error {
	version, ok := metadata[keyFormat]
	if !ok {
		return fmt.Errorf("the metadata has no key %q: this safetensors file is not a model of modelbus", keyFormat)
	}
	known := []string{keyFormat, keyChecksum, keySpec, keyVocabularies, keyEpochs, keySteps}
	switch version {
	case formatVersion:
	case formatOnline:
		known = append(known, keyOnline)
	default:
		return fmt.Errorf("the format version is %q, this program reads versions %q and %q: a newer one is needed",
			shorten(version), formatVersion, formatOnline)
	}
	for key, value := range metadata {
		if key == keyReference && value == "" {
			return fmt.Errorf("metadata %q is empty", keyReference)
		}
		if key != keyReference && !slices.Contains(known, key) {
			return fmt.Errorf("the metadata has the unknown key %q", shorten(key))
		}
	}
	due := len(known)
	if _, ok := metadata[keyReference]; ok {
		due++
	}
	if len(metadata) != due {
		return fmt.Errorf("the metadata must have the keys %s, got %d of them", strings.Join(known, ", "), len(metadata))
	}
	return nil
}

// decodeSpec reads a spec, which must be in canonical form, so that a decoded
// model encodes to the same bytes.
func decodeSpec(text string) (*Spec, error) {
	root, failure := parseJSON([]byte(text))
	if failure != nil {
		return nil, fmt.Errorf("metadata %q: %w", keySpec, failure.specError())
	}
	spec, err := parseSpec(root)
	if err != nil {
		return nil, fmt.Errorf("metadata %q: %w", keySpec, err)
	}
	canonical, marshalErr := spec.MarshalJSON()
	if marshalErr != nil || string(canonical) != text {
		return nil, fmt.Errorf("metadata %q is not in canonical form", keySpec)
	}
	return spec, nil
}

func decodeCounts(metadata map[string]string) (epochs int, steps int64, err error) {
	e, err := decodeCount(keyEpochs, metadata[keyEpochs], math.MaxInt32)
	if err != nil {
		return 0, 0, err
	}
	steps, err = decodeCount(keySteps, metadata[keySteps], math.MaxInt64)
	return int(e), steps, err
}

func decodeCount(key, text string, most int64) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("metadata %q must be a whole number from 0 to %d, got %q", key, most, shorten(text))
	}
	return n, nil
}

// A tensorSet holds the tensors of a file that are not used yet.
type tensorSet map[string]tensor

// take removes the F32 tensor name of the given shape.
func (s tensorSet) take(name string, shape []int) (tensor, error) {
	t, ok := s[name]
	if !ok {
		return t, fmt.Errorf("there is no tensor %q", name)
	}
	if t.dtype != dtypeF32 || !slices.Equal(t.shape, shape) {
		return t, fmt.Errorf("tensor %q must be %s %v, got %s %v", name, dtypeF32, shape, t.dtype, t.shape)
	}
	delete(s, name)
	return t, nil
}

func (m *Model) decodePipeline(words string, left tensorSet) (*feature.Pipeline, error) {
	state := feature.State{Stats: map[string][]float64{}, Vocabularies: map[string][]string{}}
	for name, t := range left {
		stat, ok := strings.CutPrefix(name, pipelinePrefix)
		if !ok {
			continue
		}
		if t.dtype != dtypeF64 || len(t.shape) != 1 {
			return nil, fmt.Errorf("tensor %q must be %s with one dimension, got %s %v", shorten(name), dtypeF64, t.dtype, t.shape)
		}
		if err := t.check(m.file); err != nil {
			return nil, err
		}
		state.Stats[stat] = t.float64s()
		delete(left, name)
	}
	if err := json.Unmarshal([]byte(words), &state.Vocabularies); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", keyVocabularies, err)
	}
	if canonical, err := json.Marshal(state.Vocabularies); err != nil || string(canonical) != words {
		return nil, fmt.Errorf("metadata %q is not in canonical form", keyVocabularies)
	}
	pipeline, err := feature.Restore(m.spec.Schema, state)
	if err != nil {
		return nil, fmt.Errorf("the transforms: %w", err)
	}
	return pipeline, nil
}

// decodeNetwork builds the network on the weights of the file, so that a small file
// cannot make it claim more memory than the file has.
func (m *Model) decodeNetwork(left tensorSet) error {
	done, err := m.completion()
	if err != nil {
		return err
	}
	m.network, err = nn.Restore(m.pipeline.Width(), done.layers, func(name string, shape []int) ([]float32, error) {
		t, err := left.take(name, shape)
		if err == nil {
			err = t.check(m.file)
		}
		if err != nil {
			return nil, err
		}
		values, _ := t.float32s()
		return values, nil
	})
	if err != nil {
		return fmt.Errorf("the network: %w", err)
	}
	return nil
}

// decodeState finds the optimizer's state. That it fits the network shows when
// training goes on; here each tensor must be as large as a parameter.
func (m *Model) decodeState(left tensorSet) error {
	done, err := m.completion()
	if err != nil {
		return err
	}
	if m.state, err = nn.StateShapes(m.network, done.loss, m.spec.Optimizer); err != nil {
		return err
	}
	for _, p := range m.state {
		t, err := left.take(optimizerPrefix+p.Name, p.Shape)
		if err != nil {
			return err
		}
		var inPlace bool
		if p.Value, inPlace = t.float32s(); inPlace {
			m.unread = append(m.unread, t)
		} else if err := t.check(m.file); err != nil {
			return err
		}
	}
	return nil
}
