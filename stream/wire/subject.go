package wire

// Headers of requests and answers.
const (
	HeaderModel         = "Modelbus-Model"
	HeaderVersion       = "Modelbus-Version"
	HeaderID            = "Modelbus-Id"
	HeaderDeadline      = "Modelbus-Deadline" // RFC 3339 with nanoseconds, or Unix milliseconds
	HeaderReason        = "Modelbus-Reason"   // on dead examples: the error
	HeaderSubject       = "Modelbus-Subject"  // on dead examples: where it came from
	HeaderSequence      = "Modelbus-Sequence" // on dead examples: its place in the stream
	HeaderTrace         = "traceparent"
	HeaderContentLength = "Inference-Header-Content-Length"
	HeaderError         = "Nats-Service-Error"
	HeaderErrorCode     = "Nats-Service-Error-Code"
)

// Subjects are the subjects of one deployment.
type Subjects struct {
	// Prefix is "modelbus" if empty.
	Prefix string
}

// Predict returns <prefix>.predict.<model>[.<version or alias>]; target may be empty.
func (s Subjects) Predict(model, target string) string { panic("unbuilt") }

// ParsePredict splits a predict subject. ok is false if it is not one.
func (s Subjects) ParsePredict(subject string) (model, target string, ok bool) { panic("unbuilt") }

// Train returns <prefix>.train.<model>.
func (s Subjects) Train(model string) string { panic("unbuilt") }

// Result returns <prefix>.result.<model>.
func (s Subjects) Result(model string) string { panic("unbuilt") }

// Dead returns <prefix>.dead.<model>.
func (s Subjects) Dead(model string) string { panic("unbuilt") }

// Event returns <prefix>.event.<model>.<kind>.<id>.
func (s Subjects) Event(model, kind, id string) string { panic("unbuilt") }

// Control returns <prefix>.control.<verb>[.<model>].
func (s Subjects) Control(verb, model string) string { panic("unbuilt") }

// Stream returns the name of a stream: <PREFIX>_TRAIN, _RESULT, _EVENT or _DEAD.
func (s Subjects) Stream(name string) string { panic("unbuilt") }
