// Package control answers <prefix>.control.<verb>[.<model>]: what the command
// line asks. The requests and answers are in package wire; the logic is in
// registry and learn.
//
// # Requests
//
// All servers of a deployment answer in one queue group, so any of them may get a
// request. A body is the verb's request as JSON, or empty where every field may be
// left out; an unknown field is refused. A request without a reply subject is
// carried out and not answered.
//
// # Errors
//
// Every failure is answered with the form and the codes of package wire: 400 for a
// request that is wrong, 404 for a verb, model, version or alias that is not there,
// with those that are, 409 for a model that is there already or was changed
// meanwhile, 429 at once when too many requests wait, 503 by a server that does not
// train, 504 for a request that took too long.
//
// # Concurrency
//
// A few workers answer, so that a slow request does not hold up the others; the
// queue before them is bounded.
package control
