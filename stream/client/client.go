package client

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// Options are optional parameters of a [Client]. The zero value is ready for use.
type Options struct {
	Subjects wire.Subjects

	// Timeout bounds a call whose context has no deadline: 5 s if 0.
	Timeout time.Duration

	// Retries bounds how often a request is repeated: 5 if 0, none if negative.
	Retries int

	// Backoff is the first pause between repeats: 20 ms if 0. It doubles, up
	// to 1 s, and each pause is drawn from its upper half.
	Backoff time.Duration
}

// A Client uses the models of one deployment. It is safe for concurrent use and
// does not own its connection.
type Client struct{}

// New returns a client on nc.
func New(nc *nats.Conn, opts Options) (*Client, error) { panic("unbuilt") }

// Predict asks ref ("iris", "iris@3", "iris@canary") about instances, each a
// []float64, []float32, []any in feature order or a map[string]any by feature.
func (c *Client) Predict(ctx context.Context, ref string, instances ...any) (*wire.Predictions, error) {
	panic("unbuilt")
}

// PredictFrame asks ref about all rows of f, in several requests where they do
// not fit one message.
func (c *Client) PredictFrame(ctx context.Context, ref string, f *feature.Frame) (*wire.Predictions, error) {
	panic("unbuilt")
}

// Schema returns the features and label of a model.
func (c *Client) Schema(ctx context.Context, model string) (*feature.Schema, error) { panic("unbuilt") }

// An ExamplePublisher publishes training examples with acknowledgement: batches
// of rows, a bounded number in flight, repeated until stored or the context
// ends. It is not safe for concurrent use.
type ExamplePublisher struct{}

// PublisherOptions are optional parameters of an [ExamplePublisher].
type PublisherOptions struct {
	// BatchRows bounds the rows of a message: 512 if 0. The server's maximum payload bounds it too.
	BatchRows int

	// InFlight bounds messages that are not acknowledged: 64 if 0. Add waits
	// while there are as many.
	InFlight int

	// ID makes publishing idempotent: message i has Nats-Msg-Id "<ID>-<i>", so
	// publishing the same rows again within the stream's window stores nothing
	// twice. If empty, a random one is drawn.
	ID string
}

// Examples returns a publisher of examples of a model with schema s.
func (c *Client) Examples(model string, s *feature.Schema, opts PublisherOptions) *ExamplePublisher {
	panic("unbuilt")
}

// Add adds one example. An error that wraps [feature.ErrInvalid] is about this
// row, which is then left out; any other ends the publishing.
func (p *ExamplePublisher) Add(ctx context.Context, row feature.Row) error { panic("unbuilt") }

// Flush publishes what is buffered and waits until all is acknowledged.
func (p *ExamplePublisher) Flush(ctx context.Context) error { panic("unbuilt") }

// Published returns how many rows are acknowledged.
func (p *ExamplePublisher) Published() int { panic("unbuilt") }

// PublishExamples publishes rows and waits until all are stored.
func (c *Client) PublishExamples(ctx context.Context, model string, s *feature.Schema, rows []feature.Row) error {
	panic("unbuilt")
}

// Control sends a control request and decodes its answer into reply (nil: ignored).
// The typed calls below are made of it.
func (c *Client) Control(ctx context.Context, verb, model string, request, reply any) error {
	panic("unbuilt")
}

// Create stores a new model from its spec (YAML or JSON).
func (c *Client) Create(ctx context.Context, req wire.CreateRequest) (*wire.ModelInfo, error) {
	panic("unbuilt")
}

// Models lists all models.
func (c *Client) Models(ctx context.Context) ([]wire.ModelInfo, error) { panic("unbuilt") }

// Model returns what is known of a model.
func (c *Client) Model(ctx context.Context, model string, history bool) (*wire.ModelInfo, error) {
	panic("unbuilt")
}

// Train starts a training and follows it: fn (may be nil) is called for each
// event, until the verdict, which is returned. A training that failed returns
// its error with the verdict. If ctx ends first, the training goes on.
func (c *Client) Train(ctx context.Context, model string, req wire.TrainRequest, fn func(wire.Training)) (*wire.Verdict, error) {
	panic("unbuilt")
}

// Export returns the artifact of ref with its record, verified.
func (c *Client) Export(ctx context.Context, ref registry.Ref) (registry.Version, []byte, error) {
	panic("unbuilt")
}

// Import stores an artifact as a new version of the model, which it makes if it
// is not there, after decoding it. promote moves the champion to it.
func (c *Client) Import(ctx context.Context, name string, artifact []byte, promote bool, who, why string) (registry.Version, error) {
	panic("unbuilt")
}
