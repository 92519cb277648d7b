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
// window of time begins with the first message stored in it. With a replay share, older
// examples that are not held out are trained on, too: those of which a hash of place, seed
// and last example is the smallest, so that rebuilding draws the same ones, whatever others
// were removed. They are read after the window, from all that the stream keeps; at most twice
// as many as are drawn are in memory. The lineage names them apart.
//
// A gate in the spec's retrain section decides in place of these rules: values that must
// be reached, by how much a score may be worse than the champion's, in all and in each
// group of some features. The verdict of every training carries its own, "no_gate" if
// there is none.
//
// # Learning online
//
// A model of mode online learns from each example as it comes, under the model's lease,
// which one process keeps as long as it lives; another one takes over 8 seconds after it
// has died. Each example is first predicted, then learned ([model.Learner]); the
// predictions are the version's prequential scores, those of the baselines beside
// them. A version is cut at the first place after so many examples, so much time, a trigger,
// or on request, where no batch is half full, and stored while learning goes on. On
// request all examples there are at the time are learned first, and a half full batch
// is learned as it is.
//
// Learning goes on from the newest online version or, if there is none that can be gone on
// from, from the champion or the newest version if that is newer; else from the first
// kept example. Categories and classes that the spec does not list are those of the first
// 200 rows, or fewer if versions are to be cut earlier. An example that the learner
// refuses, of an unknown class say, is a bad one.
//
// State and place in the stream are one: a version's artifact holds all that the learner
// knows after the last example of its lineage. Whoever comes later learns the examples
// after it again, and gets the same bits as if nobody had been interrupted. The registry
// takes an online version only as the first one after its parent
// ([registry.ErrOvertaken]), so that no example counts in two versions of the chain, even
// if two processes believe that they have the lease. Before a version is stored, the
// scores of all its examples are.
//
// A place in the stream is a sequence, when its message was stored, and when the stream was
// made. In a stream that was made anew learning goes on with its first example; in one that
// has lost its end, as when a machine crashed, with the first one that was stored later, so that
// what is lost counts and nothing is passed over. Whoever follows the examples looks again
// whenever the server has a new consumer for it.
//
// A spec that says neither every nor cron has a version cut each minute in which examples
// came, the first one after 1,000 examples. What keep leaves out is deleted when there is another version.
//
// A version whose range had a step that was left out because loss or gradient was not
// finite is registered and never promoted by itself.
//
// # Examples as they come
//
// Of every model with a retrain section that is not paused, whoever has the lease
// scores versions on the labelled examples as they come, never on those a version was
// trained on: the champion, the challenger, for a while the version before, online the
// learner. A version that cannot predict an example is not scored on it; weights of
// examples do not count. An example that carries a prediction, as one whose label came
// late does, counts as it was predicted. The scores, the baselines on the same examples
// and all that follows are one record by model, put by compare-and-set with the
// sequence of the last example counted: each example counts once, whoever goes on from
// there. While a model is paused none of this happens; resumed, it catches up.
//
// With a gate of kind stream a training, other than the first, puts its version on
// trial: the alias challenger names it, and the champion and it are compared on each
// example. It is promoted when it was proved better and all thresholds hold, and
// rejected when it was proved worse, a threshold does not hold then, nothing was
// proved within 20 times min_examples, or it could score none of min_examples, as after a
// change of the features. A version that comes while another is on trial is
// registered and rejected, or takes its place if min_examples have proved nothing, which ends
// that trial with a "rejected" event of its own, as removing its alias, or the gate, does. A class that could not be predicted is a wrong
// one; a champion that can score none of min_examples examples loses. Promoting it by
// hand, or removing the alias, ends the trial. A version that was rolled back is
// not promoted by itself again.
//
// With watch, the version before a promotion, whoever made it, is scored beside the
// new champion for so many examples, and takes its place again when it was proved
// better. When instead the champion was, the comparison begins anew with half the alpha,
// as labels may change their meaning later. A rollback is not watched.
//
// The spec's detector sees the champion's error on each example: 1 for a wrong class and
// 0 for a right one; of numbers e/(e+m) of the absolute error e, where m is the mean of
// those before it, of 100 at least. It begins anew with each champion, and 200 examples after a
// drift; the one of the version before goes on beside it for 2,000 examples, other than after a
// rollback, or while a change is being learned. A drift is one kept event, which names the
// message where it is supposed to have begun. With on: [drift] a training is due if the last
// drift event of the model, whoever announced it, is newer than the newest version, online
// once more after 250, 750 and 1,750 examples more; with score_below, if the champion's score
// of about the last 1,000 examples, 200 at least, is worse than the value: once, until there
// is a new version or the score was good again.
//
// Online, what came since a rise of the errors began, the newest 1,000 examples of it, is
// learned again 30 times before each version that is cut for it ([model.Learner.Rehearse]);
// they are read from the stream, and rebuilding does the same.
//
// Of mode window, with anything in on, windows begin where a rise of the errors began, and so
// does what is replayed, as soon as there are 200 examples after it and until another one is
// noticed. With drift a training is due then, and each time that these have doubled, until
// the window is full or there are 10,000. Where it is not known where a drift began, or it is
// not of errors, a training is due at once and, with a window of so many examples, when
// that holds none from before it.
//
// # Leases
//
// Every training, asked for or by itself, holds its model's lease, so that processes
// train a model one after the other; it runs out 6 seconds after its holder has died.
// Who waits for one of the process's slots ([Options.Parallel]) has no lease; a process
// without one begins no training by itself, and after 6 seconds lets others follow the model. With the
// lease, the registry notes that the training has begun; whoever has it and finds a
// note of another training knows that the process of that one is no more, and announces
// that it failed. Other trainers look for such notes every 15 seconds. The note goes in
// the same step with how the training ends, so it ends once.
//
// # Events
//
// Every training that has begun ends with exactly one kept event: "promoted" (the
// verdict is in the field verdict of its data; of the alias challenger if a trial begins), "rejected" (its id is the version's
// number, its data the verdict), "unchanged" (it gave the artifact of the newest
// version again; its id is the training's, its data the verdict), or "failed" (its id
// is the training's, its data a verdict with an error). Its progress is published
// plainly as "training" events: waiting (for a slot or the lease), reading, epoch, evaluating, storing, and in any case done. The
// last one is repeated every 5 seconds. A plain "cancel" event asks whoever carries
// out the training of that id to end it. A plain "cut" event with a reply subject asks
// whoever learns online to cut a version; the training that was asked for ends with that.
//
// # Labels that come late
//
// A running trainer takes labels from the stream <PREFIX>_LABEL, by a durable consumer
// that all trainers share, joins each with what was captured under its id in
// <PREFIX>_CAPTURE, and publishes a training example. Each row becomes one example, whatever
// ends in between: it is claimed by compare-and-set before the example is published, and
// that it is published is noted after. PROTOCOL.md says what becomes of labels that come
// early, twice, or are wrong; [Labels] counts them. A trainer holds at most 32 in
// memory.
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
