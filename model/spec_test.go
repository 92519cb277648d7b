package model_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

const irisSpec = `name: iris
description: three species of iris
features:
  - {name: sepal_length, type: number}
  - {name: sepal_width, type: number, missing: mean, indicator: true}
  - {name: colour, type: category, encode: embedding, units: 2, unknown: zeros}
label: {name: species, type: category}
network:
  - Dense: {units: 16, activation: relu}
  - BatchNormalization
  - Dropout: {rate: 0.1}
optimizer: {Adam: {learning_rate: {CosineDecay: {initial_learning_rate: 0.01, decay_steps: 100}}}}
loss: {sparse_categorical_crossentropy: {label_smoothing: 0.1}}
training:
  epochs: 50
  validation_split: 0.2
  early_stopping: {monitor: val_accuracy, patience: 3}
  class_weight: balanced
serving: {workers: 2}
`

func TestTmp(t *testing.T) {
	s, err := model.ParseSpec([]byte(irisSpec))
	fmt.Println(err)
	if err != nil { return }
	b, err := s.MarshalJSON()
	fmt.Println(string(b), err)
	_ = errors.Is(err, feature.ErrInvalid)
}
