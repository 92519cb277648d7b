//go:build !race

package kernel

// thorough is whether all sizes are tried.
const thorough = true
