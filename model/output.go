package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/modelbus/modelbus/model/nn"
)

// classesUnknown stands for a number of classes that follows from data not yet
// seen.
const classesUnknown = -1

// The losses by what the network must end with.
const (
	binaryCrossentropy            = "binary_crossentropy"
	categoricalCrossentropy       = "categorical_crossentropy"
	sparseCategoricalCrossentropy = "sparse_categorical_crossentropy"
	meanSquaredError              = "mean_squared_error"
)

// regressionLosses compare numbers; they also do for probabilities.
func regressionLosses() []string { return []string{meanSquaredError, "mean_absolute_error", "huber"} }

// A completion is a network that ends with an output layer, and its loss.
type completion struct {
	layers []nn.Layer
	loss   nn.Loss
}

// An ending is the last Dense layer of a network with its activation; units is
// 0 if the network ends with something else.
type ending struct {
	units      int
	activation string
	index      int // of the layer that names the activation
}

// completeNetwork gives the network of s the output layer and loss that the
// label needs, for a number of classes, 0 for a regression. With classesUnknown
// it only checks, and the completion is nil.
func completeNetwork(s *Spec, classes int) (*completion, *fault) {
	if classes == 1 {
		return nil, faultf("label.classes", "a classification needs at least two classes, got 1")
	}
	lossName := ""
	if s.Loss != nil {
		lossName = s.Loss.Config().Name
	}
	end := networkEnd(s.Network)
	if f := lossFault(lossName, classes); f != nil {
		return nil, f
	}
	if classes == classesUnknown {
		return nil, nil
	}
	added, f := outputLayer(end, lossName, classes)
	if f != nil {
		return nil, f
	}
	c := &completion{layers: slices.Clip(s.Network), loss: s.Loss}
	activation := end.activation
	if added.Name != "" {
		layer, err := nn.ParseLayer(added)
		if err != nil {
			return nil, faultf("network", "adding the output layer: %v", err)
		}
		c.layers = append(c.layers, layer)
		activation = activationName(added.Args["activation"])
	}
	return c, c.chooseLoss(lossName, activation, classes)
}

// networkEnd looks at the last layer, and through an Activation at its Dense.
func networkEnd(layers []nn.Layer) ending {
	if len(layers) == 0 {
		return ending{}
	}
	i := len(layers) - 1
	last := layers[i].Config()
	activation := activationName(last.Args["activation"])
	if last.Name == "Activation" && i > 0 {
		last = layers[i-1].Config()
		if inner := activationName(last.Args["activation"]); inner != "linear" {
			return ending{activation: activation, index: i}
		}
	}
	if last.Name != "Dense" {
		return ending{activation: activation, index: i}
	}
	return ending{units: wholeNumber(last.Args["units"]), activation: activation, index: i}
}

func activationName(v any) string {
	switch v := v.(type) {
	case nil:
		return "linear"
	case string:
		return v
	}
	return fmt.Sprint(v)
}

func wholeNumber(v any) int {
	switch v := v.(type) {
	case int:
		return v
	case int64:
		return int(v)
	case float64:
		return int(v)
	}
	return 0
}

// outputLayer returns the layer to add to a network that ends with end, without
// name if it ends as it must.
func outputLayer(end ending, loss string, classes int) (nn.Config, *fault) {
	dense := func(units int, activation string) nn.Config {
		return nn.Config{Name: "Dense", Args: map[string]any{"units": units, "activation": activation}}
	}
	at := fmt.Sprintf("network.%d", end.index)
	oneUnit := classes == 2 && loss != categoricalCrossentropy && loss != sparseCategoricalCrossentropy
	switch {
	case end.activation == "softmax" && classes == 0:
		return nn.Config{}, faultf(at, "the last layer is a softmax, but the label is a number: leave it out or end with Dense: {units: 1}")
	case end.activation == "softmax" && end.units != 0 && end.units != classes:
		return nn.Config{}, faultf(at, "the last layer is a softmax over %d units, but the label has %d classes: leave it out or give it %d units",
			end.units, classes, classes)
	case end.activation == "sigmoid" && end.units == 1 && classes > 2:
		return nn.Config{}, faultf(at, "the last layer is one sigmoid unit, which tells two classes apart, but the label has %d: "+
			"leave it out or end with Dense: {units: %d, activation: softmax}", classes, classes)
	case classes == 0 && end.units == 1,
		classes == 2 && end.units == 1 && end.activation == "sigmoid",
		classes > 0 && end.units == classes && end.activation == "softmax":
		return nn.Config{}, nil
	case classes == 2 && end.units == 1 && end.activation == "linear":
		return activationLayer("sigmoid"), nil
	case classes > 0 && end.units == classes && end.activation == "linear":
		return activationLayer("softmax"), nil
	case classes == 0:
		return dense(1, "linear"), nil
	case oneUnit:
		return dense(1, "sigmoid"), nil
	}
	return dense(classes, "softmax"), nil
}

func activationLayer(name string) nn.Config {
	return nn.Config{Name: "Activation", Args: map[string]any{"activation": name}}
}

// lossFault checks the loss against the label.
func lossFault(loss string, classes int) *fault {
	allowed := regressionLosses()
	switch {
	case classes == 2 || classes == classesUnknown:
		allowed = append(allowed, binaryCrossentropy, categoricalCrossentropy, sparseCategoricalCrossentropy)
	case classes > 2:
		allowed = append(allowed, categoricalCrossentropy, sparseCategoricalCrossentropy)
	}
	if loss == "" || slices.Contains(allowed, loss) {
		return nil
	}
	return faultf("loss", "%s does not fit a label that is %s: use one of %s", loss, labelWords(classes), strings.Join(allowed, ", "))
}

func labelWords(classes int) string {
	if classes == 0 {
		return "a number"
	}
	return fmt.Sprintf("one of %d classes", classes)
}

// chooseLoss sets the loss that follows from the last activation, or checks the
// one that the spec names.
func (c *completion) chooseLoss(name, activation string, classes int) *fault {
	follows := meanSquaredError
	switch {
	case classes > 0 && activation == "sigmoid":
		follows = binaryCrossentropy
	case classes > 0:
		follows = sparseCategoricalCrossentropy
	}
	if name == "" {
		loss, err := nn.ParseLoss(nn.Config{Name: follows})
		if err != nil {
			return faultf("loss", "choosing the loss: %v", err)
		}
		c.loss = loss
		return nil
	}
	if (name == binaryCrossentropy) != (follows == binaryCrossentropy) && !slices.Contains(regressionLosses(), name) {
		return faultf("loss", "%s does not fit a network that ends with %s: use %s", name, activation, follows)
	}
	return nil
}
