package learn

import (
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

// An arrival is a message of labelled examples as it comes in the training stream.
type arrival struct {
	seq    uint64
	time   time.Time
	header nats.Header
	rows   *feature.Frame // usable labelled rows
	tested *model.Output  // predictions of an online learner before it learned them; nil in mode window
}
