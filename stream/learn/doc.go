// Package learn turns training examples into versions.
//
// # A training
//
// It reads the model's examples from the stream <PREFIX>_TRAIN by an ordered
// consumer, from the first kept one (or, warm, from where the champion's lineage
// ends) to the last one there when it began. An example whose place in the stream
// hashes into the holdout share is kept for scoring, for good: no version of the
// model was ever trained on it. The rest is fitted. Champion and challenger are scored
// on the same held-out rows; the version is registered with its lineage, and
// promoted in the same atomic step if it is better, or the first. If the champion
// changes meanwhile, the challenger is compared with the new one.
//
// Of five examples or more at least one is held out. A spec that holds out by
// "newest", or nothing at all, gives up the promise above.
//
// A warm training whose network or features differ from the champion's starts from
// scratch, on all examples.
//
// # Who is promoted
//
// The first version; a challenger whose metric is not worse than the champion's (or,
// with min_delta, better by that much) on the held-out rows that both can score; one
// that nothing was held out for; one whose champion cannot be loaded; and, if
// the spec changed since, one whose champion cannot score the held-out rows. Every
// other challenger is registered and rejected.
//
// # Training by itself
//
// A model whose spec has a retrain section is trained when as many examples have come,
// or as much time has passed, as it says, counted from the newest version: a trainer
// that was away catches up once. With nothing new there is no training. A training by itself that failed is tried again with the next
// examples, a minute later at the earliest. The lineage says why a version was
// trained.
//
// A window is counted in rows, in the order of the stream, held-out ones included; a
// window of time begins with the first message stored in it.
//
// A gate in the spec's retrain section decides in place of these rules: values that must
// be reached, by how much a score may be worse than the champion's, in all and in each
// group of some features. The verdict of every training carries its own, "no_gate" if
// there is none.
//
// # Leases
//
// Every training, asked for or by itself, holds its model's lease, so that processes
// train a model one after the other; it runs out 6 seconds after its holder has died.
// Who waits for one of the process's slots ([Options.Parallel]) has no lease. With the
// lease, the registry notes that the training has begun; whoever has it and finds a
// note of another training knows that the process of that one is no more, and announces
// that it failed. Other trainers look for such notes every 15 seconds. The note goes in
// the same step with how the training ends, so it ends once.
//
// # Events
//
// Every training that has begun ends with exactly one kept event: "promoted" (the
// verdict is in the field verdict of its data), "rejected" (its id is the version's
// number, its data the verdict), "unchanged" (it gave the artifact of the newest
// version again; its id is the training's, its data the verdict), or "failed" (its id
// is the training's, its data a verdict with an error). Its progress is published
// plainly as "training" events: waiting (for a slot or the lease), reading, epoch, evaluating, storing, and in any case done. The
// last one is repeated every 5 seconds. A plain "cancel" event asks whoever carries
// out the training of that id to end it.
//
// # Bad examples
//
// go to <prefix>.dead.<model>, whole, with the reason in headers, once each.
//
// # Memory
//
// Payloads are decoded into typed columns as they come and dropped; 8 MiB of
// messages at most wait to be decoded.
//
// # Concurrency
//
// One training runs per model at a time in a process. Processes know of each
// other's trainings by their progress and do not begin a second one; should two
// begin at the same moment, the registry's compare-and-set lets one promotion win.
package learn
