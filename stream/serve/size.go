package serve

// The defaults of model.Serving follow from the size of the network, so that a batch
// of a large one does not keep the others waiting for long, and a queue holds
// what is answered in a second or so. A row takes about as many multiply-adds as
// the network has parameters; a core does some 10^10 to 10^11 of them a second.
const (
	batchWork             = 1 << 30
	leastBatch, mostBatch = 8, 256

	queueWork             = 1 << 36
	leastQueue, mostQueue = 64, 1024
)

// limits bound what is computed at once and what may wait. Zero batch and queue
// stand for what suits the network.
type limits struct {
	request int // rows of one request
	batch   int // rows computed at once
	queue   int // requests that wait
}

// sized returns l with what is left open set for a network of that many parameters.
func (l limits) sized(params int) limits {
	params = max(params, 1)
	if l.batch == 0 {
		l.batch = min(max(batchWork/params, leastBatch), mostBatch)
	}
	if l.queue == 0 {
		l.queue = int(min(max(queueWork/int64(params), leastQueue), mostQueue))
	}
	return l
}
