package model

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"

	"github.com/modelbus/modelbus/model/feature"
)

// The layout of an artifact, described in FORMAT.md.
const (
	formatVersion = "1"
	formatOnline  = "2" // with the state of a Learner

	keyFormat       = "modelbus"     // format version
	keyChecksum     = "sha256"       // of the file with zeros in its place
	keySpec         = "spec"         // canonical JSON
	keyVocabularies = "vocabularies" // JSON: by feature, the categories
	keyEpochs       = "epochs"
	keySteps        = "steps"
	keyReference    = "reference" // JSON of a drift.Reference; may be missing

	pipelinePrefix  = "pipeline."
	optimizerPrefix = "optimizer."
)

// Encode returns the artifact: one safetensors file, the same bytes for the same
// model. It takes no more memory than that.
func (m *Model) Encode() ([]byte, error) {
	if m.dropped {
		return nil, fmt.Errorf("encoding model %q: %w", m.spec.Name, ErrDropped)
	}
	metadata, err := m.metadata()
	if err != nil {
		return nil, err
	}
	if err := m.checkState(); err != nil {
		return nil, fmt.Errorf("encoding model %q: %w", m.spec.Name, err)
	}
	defer runtime.KeepAlive(m) // and with it the file that its weights may lie in
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
	if m.online != nil {
		tensors = append(tensors, m.online.tensors...)
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
	out := map[string]string{
		keyFormat:       formatVersion,
		keyChecksum:     unsealed,
		keySpec:         string(spec),
		keyVocabularies: string(words),
		keyEpochs:       strconv.Itoa(m.epochs),
		keySteps:        strconv.FormatInt(m.steps, 10),
	}
	if m.reference != "" {
		out[keyReference] = m.reference
	}
	if m.online != nil {
		out[keyFormat] = formatOnline
		out[keyOnline], err = m.online.metadata()
	}
	return out, err
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
	// The reference is yet to come, quoted and at worst twice as long, and so are
	// remembered rows, which may show each class again.
	most := maxHeader - 2*maxReference
	if m.spec.Retrain.Online() {
		most = (most - maxWords) / 2
	}
	if len(text) > most {
		return fmt.Errorf("%w: the categories and classes take %d bytes of the artifact's header, at most %d are allowed: "+
			"use encode %q for a feature of so many categories", feature.ErrInvalid, len(text), most, feature.Hashing)
	}
	return nil
}
