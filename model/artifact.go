package model

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// The layout of an artifact, described in FORMAT.md.
const (
	formatVersion = "1"

	keyFormat       = "modelbus"     // format version
	keyChecksum     = "sha256"       // of the file with zeros in its place
	keySpec         = "spec"         // canonical JSON
	keyVocabularies = "vocabularies" // JSON: by feature, the categories
	keyEpochs       = "epochs"
	keySteps        = "steps"

	pipelinePrefix  = "pipeline."
	optimizerPrefix = "optimizer."
)

// Encode returns the artifact: one safetensors file, the same bytes for the same
// model.
func (m *Model) Encode() ([]byte, error) {
	if m.dropped {
		return nil, fmt.Errorf("encoding model %q: %w", m.spec.Name, ErrDropped)
	}
	metadata, err := m.metadata()
	if err != nil {
		return nil, err
	}
	var tensors []tensor
	for name, values := range m.pipeline.State().Stats {
		tensors = append(tensors, tensorF64(pipelinePrefix+name, values))
	}
	for _, p := range m.network.Params() {
		tensors = append(tensors, tensorF32(p.Name, p.Shape, p.Value))
	}
	for _, p := range m.state {
		tensors = append(tensors, tensorF32(optimizerPrefix+p.Name, p.Shape, p.Value))
	}
	for i := range tensors {
		if at := tensors[i].notFinite(); at >= 0 {
			return nil, fmt.Errorf("encoding model %q: tensor %q is not finite at index %d", m.spec.Name, tensors[i].name, at)
		}
	}
	file, err := writeSafetensors(metadata, tensors)
	if err == nil {
		err = seal(file)
	}
	if err != nil {
		return nil, fmt.Errorf("encoding model %q: %w", m.spec.Name, err)
	}
	return file, nil
}

// metadata returns what an artifact says besides its tensors, yet without its
// checksum.
func (m *Model) metadata() (map[string]string, error) {
	spec, err := m.spec.MarshalJSON()
	if err != nil {
		return nil, err
	}
	vocabularies := m.pipeline.State().Vocabularies
	if vocabularies == nil {
		vocabularies = map[string][]string{}
	}
	words, err := json.Marshal(vocabularies)
	if err != nil {
		return nil, fmt.Errorf("encoding model %q: vocabularies: %w", m.spec.Name, err)
	}
	return map[string]string{
		keyFormat:       formatVersion,
		keyChecksum:     unsealed,
		keySpec:         string(spec),
		keyVocabularies: string(words),
		keyEpochs:       strconv.Itoa(m.epochs),
		keySteps:        strconv.FormatInt(m.steps, 10),
	}, nil
}

// checkStorable returns an error if an artifact cannot hold m's vocabularies,
// which is better known before the training than after it.
func (m *Model) checkStorable() error {
	metadata, err := m.metadata()
	if err != nil {
		return err
	}
	text, err := json.Marshal(metadata)
	if err != nil {
		return fmt.Errorf("encoding model %q: metadata: %w", m.spec.Name, err)
	}
	if len(text) > maxHeader {
		return fmt.Errorf("%w: the categories and classes take %d bytes of the artifact's header, at most %d are allowed: "+
			"use encode %q for a feature of so many categories", feature.ErrInvalid, len(text), maxHeader, feature.Hashing)
	}
	return nil
}

// Decode reads an artifact. It trusts nothing: every error wraps [ErrArtifact]
// and says what was found.
func Decode(b []byte) (*Model, error) {
	m, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArtifact, err)
	}
	return m, nil
}

func decode(b []byte) (*Model, error) {
	metadata, tensors, err := readSafetensors(b)
	if err != nil {
		return nil, err
	}
	if err := checkMetadata(metadata); err != nil {
		return nil, err
	}
	if err := verify(b, metadata[keyChecksum]); err != nil {
		return nil, err
	}
	m := &Model{}
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
	if m.pipeline, err = decodePipeline(m.spec, metadata[keyVocabularies], left); err != nil {
		return nil, err
	}
	if err := m.decodeNetwork(left); err != nil {
		return nil, err
	}
	if err := m.decodeState(left); err != nil {
		return nil, err
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
	if version != formatVersion {
		return fmt.Errorf("the format version is %q, this program reads version %q: a newer one is needed", shorten(version), formatVersion)
	}
	known := []string{keyFormat, keyChecksum, keySpec, keyVocabularies, keyEpochs, keySteps}
	for key := range metadata {
		if !slices.Contains(known, key) {
			return fmt.Errorf("the metadata has the unknown key %q", shorten(key))
		}
	}
	if len(metadata) != len(known) {
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

// take removes the F32 tensor name of the given shape and copies it to dst.
func (s tensorSet) take(dst []float32, name string, shape []int) error {
	t, ok := s[name]
	if !ok {
		return fmt.Errorf("there is no tensor %q", name)
	}
	if t.dtype != dtypeF32 || !slices.Equal(t.shape, shape) {
		return fmt.Errorf("tensor %q must be %s %v, got %s %v", name, dtypeF32, shape, t.dtype, t.shape)
	}
	delete(s, name)
	t.float32s(dst)
	return nil
}

func decodePipeline(spec *Spec, words string, left tensorSet) (*feature.Pipeline, error) {
	state := feature.State{Stats: map[string][]float64{}, Vocabularies: map[string][]string{}}
	for name, t := range left {
		stat, ok := strings.CutPrefix(name, pipelinePrefix)
		if !ok {
			continue
		}
		if t.dtype != dtypeF64 || len(t.shape) != 1 {
			return nil, fmt.Errorf("tensor %q must be %s with one dimension, got %s %v", shorten(name), dtypeF64, t.dtype, t.shape)
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
	pipeline, err := feature.Restore(spec.Schema, state)
	if err != nil {
		return nil, fmt.Errorf("the transforms: %w", err)
	}
	return pipeline, nil
}

// decodeNetwork builds the network after making sure that the file has the
// numbers that it needs, so that a small file cannot claim a huge network.
func (m *Model) decodeNetwork(left tensorSet) error {
	done, err := m.completion()
	if err != nil {
		return err
	}
	have := 0
	for _, t := range left {
		have += len(t.data) / 4
	}
	if err := checkSize(m.pipeline.Width(), done.layers, have); err != nil {
		return err
	}
	if err := m.build(); err != nil {
		return err
	}
	for _, p := range m.network.Params() {
		if err := left.take(p.Value, p.Name, p.Shape); err != nil {
			return err
		}
	}
	return nil
}

// checkSize refuses layers whose tables and matrices need more than have
// numbers.
func checkSize(inputs int, layers []nn.Layer, have int) error {
	width, need := inputs, 0
	for i, l := range layers {
		var tables []nn.EmbeddingColumn
		switch l := l.(type) {
		case nn.Dense:
			tables = []nn.EmbeddingColumn{{InputDim: width, OutputDim: l.Units}}
			width = l.Units
		case nn.Embedding:
			tables, width = embeddingTables(l, width)
		}
		for _, t := range tables {
			if t.InputDim > have/max(t.OutputDim, 1) {
				return fmt.Errorf("layer %d needs %d × %d numbers, the file has %d", i+1, t.InputDim, t.OutputDim, have)
			}
			if need += t.InputDim * t.OutputDim; need > have {
				return fmt.Errorf("the network needs more than %d numbers, which is what the file has", have)
			}
		}
	}
	return nil
}

// embeddingTables returns the tables of l on inputs of width, and its output
// width.
func embeddingTables(l nn.Embedding, width int) (tables []nn.EmbeddingColumn, outputs int) {
	if len(l.Columns) == 0 {
		return []nn.EmbeddingColumn{{InputDim: l.InputDim, OutputDim: l.OutputDim}}, width * l.OutputDim
	}
	for _, t := range l.Columns {
		width += t.OutputDim - 1
	}
	return l.Columns, width
}

// decodeState takes the optimizer's state. That it fits the network shows when
// training goes on; here each tensor must be as large as a parameter.
func (m *Model) decodeState(left tensorSet) error {
	done, err := m.completion()
	if err != nil {
		return err
	}
	trainer, err := nn.NewTrainer(m.network, done.loss, m.spec.Optimizer)
	if err != nil {
		return err
	}
	m.state, _ = trainer.State()
	for _, p := range m.state {
		if err := left.take(p.Value, optimizerPrefix+p.Name, p.Shape); err != nil {
			return err
		}
	}
	return nil
}
