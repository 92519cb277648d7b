package nn

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/modelbus/modelbus/model/kernel"
)

// A workspace is the memory of one training run of a network. Its buffers grow
// to the largest batch seen.
type workspace struct {
	// step is the number of the mini-batch, from 1. With the seed it names all
	// random draws of the batch, so that a run that was stopped, saved and
	// loaded goes on with the same draws. The trainer sets it.
	step int64

	seed     uint64
	memories []memory
	active   int // operators that the latest forward ran
	first    int // the first operator with parameters: none before it needs a derivative
	gemm     kernel.Gemm

	inputGradient bool      // whether backward computes dx
	dx            []float32 // derivative by the network's inputs, (rows, Inputs)
}

// newWorkspace returns a workspace for training n. seed is what dropout draws
// from, together with the workspace's step.
func newWorkspace(n *Network, seed uint64) *workspace {
	ws := &workspace{seed: seed, memories: make([]memory, len(n.operators))}
	ws.first = slices.IndexFunc(n.operators, func(op operator) bool { return len(op.params()) > 0 })
	ws.gemm.Threads = runtime.GOMAXPROCS(0)
	for i := range ws.memories {
		ws.memories[i].gemm = &ws.gemm
	}
	return ws
}

// forward runs rows of x through the network in training mode and keeps what
// backward needs, x included. It returns the outputs (rows, Outputs), before
// the last activation if fromLogits, valid until the next call.
func (n *Network) forward(ws *workspace, x []float32, rows int, fromLogits bool) []float32 {
	checkShape("forward: x", x, rows, n.inputs)
	ws.active = len(n.operators)
	if fromLogits {
		ws.active--
	}
	for i, op := range n.operators[:ws.active] {
		m := &ws.memories[i]
		m.inputGradient = ws.inputGradient || i > ws.first
		m.stream = mix(ws.seed, uint64(ws.step), uint64(i))
		x = op.forward(m, x, rows)
	}
	return x
}

// backward takes the derivative dz of the loss by the outputs of the latest
// forward and sets the gradient of every trainable parameter. It may overwrite
// dz.
func (n *Network) backward(ws *workspace, dz []float32, rows int) {
	checkShape("backward: dz", dz, rows, n.outputs)
	for i := ws.active - 1; i >= 0; i-- {
		if dz = n.operators[i].backward(&ws.memories[i], dz, rows); dz == nil {
			break
		}
	}
	ws.dx = dz
}

// checkShape panics unless b holds as many rows of width numbers, an error of the
// calling code.
func checkShape(what string, b []float32, rows, width int) {
	if rows < 0 || len(b) < rows*width {
		panic(fmt.Sprintf("nn: %s has %d numbers, want %d rows of %d", what, len(b), rows, width))
	}
}
