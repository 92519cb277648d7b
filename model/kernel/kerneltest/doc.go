// Package kerneltest compares numbers in tests of the packages under model. It is
// for tests only.
package kerneltest
