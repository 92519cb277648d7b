// Command modelbus is Model-as-a-Service on NATS: one process answers
// predictions, collects training examples, trains, and keeps every version.
//
// Payload goes to standard output, everything else to standard error. The exit
// code tells what happened: see exit.go.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}
