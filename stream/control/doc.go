// Package control answers <prefix>.control.<verb>[.<model>]: what the command
// line asks. The requests and answers are in package wire; the logic is in
// registry and learn.
package control
