// Command modelbus is Model-as-a-Service on NATS.
package main

func main() {}
