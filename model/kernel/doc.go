// Package kernel holds the float32 matrix and vector loops under package nn.
package kernel
