//go:build race

package kernel

// thorough is off under the race detector, which slows the exact reference down
// twentyfold: there sizes are tried in larger steps.
const thorough = false
