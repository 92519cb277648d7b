package wire

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers of requests and answers.
const (
	HeaderModel         = "Modelbus-Model"
	HeaderVersion       = "Modelbus-Version"
	HeaderID            = "Modelbus-Id"
	HeaderDeadline      = "Modelbus-Deadline"   // RFC 3339 with nanoseconds, or Unix milliseconds
	HeaderObserve       = "Modelbus-Observe"    // on requests: [ObserveOff], or as usual
	HeaderReason        = "Modelbus-Reason"     // on dead examples and requests: the error
	HeaderSubject       = "Modelbus-Subject"    // on dead examples and requests: where it came from
	HeaderSequence      = "Modelbus-Sequence"   // on dead examples: its place in the stream
	HeaderStored        = "Modelbus-Stored"     // on dead examples: when the stream got it
	HeaderRow           = "Modelbus-Row"        // on examples that were one of several: their place among them, from 0
	HeaderPrediction    = "Modelbus-Prediction" // on examples made of a late label: the class or number that was predicted
	HeaderScore         = "Modelbus-Score"      // on examples made of a late label: the probability of the class that was predicted
	HeaderTrace         = "traceparent"
	HeaderContentLength = "Inference-Header-Content-Length"
	HeaderError         = "Nats-Service-Error"
	HeaderErrorCode     = "Nats-Service-Error-Code"
)

// ObserveOff is the value of [HeaderObserve] of a request that is answered and no more:
// its rows do not count for drift, it is not captured and no shadow gets a copy.
const ObserveOff = "off"

// DefaultPrefix is the first token of all subjects unless a deployment sets another.
const DefaultPrefix = "modelbus"

// Subjects are the subjects of one deployment.
type Subjects struct {
	// Prefix is "modelbus" if empty. It is one token, [A-Za-z0-9_-]{1,32}.
	Prefix string
}

// Check returns an error that wraps [ErrInvalid] if the prefix is not a prefix.
func (s Subjects) Check() error {
	if !isToken(s.prefix(), 32) {
		return invalidf("prefix %s: want 1 to 32 of A-Z a-z 0-9 _ -", quote(s.Prefix))
	}
	return nil
}

func (s Subjects) prefix() string {
	if s.Prefix == "" {
		return DefaultPrefix
	}
	return s.Prefix
}

// Predict returns <prefix>.predict.<model>[.<version or alias>]; target may be empty.
func (s Subjects) Predict(model, target string) string {
	if target == "" {
		return s.join("predict", model)
	}
	return s.join("predict", model, target)
}

// ParsePredict splits a predict subject. ok is false if it is not one: another
// prefix or verb, a model or target that is empty, longer than 64 bytes or not
// of [A-Za-z0-9_-], or more tokens.
func (s Subjects) ParsePredict(subject string) (model, target string, ok bool) {
	rest, ok := strings.CutPrefix(subject, s.prefix())
	if !ok {
		return "", "", false
	}
	rest, ok = strings.CutPrefix(rest, ".predict.")
	if !ok {
		return "", "", false
	}
	model, target, targeted := strings.Cut(rest, ".")
	if !isToken(model, 64) || targeted && !isToken(target, 64) {
		return "", "", false
	}
	return model, target, true
}

// Train returns <prefix>.train.<model>.
func (s Subjects) Train(model string) string { return s.join("train", model) }

// Result returns <prefix>.result.<model>.
func (s Subjects) Result(model string) string { return s.join("result", model) }

// Dead returns <prefix>.dead.<model>.
func (s Subjects) Dead(model string) string { return s.join("dead", model) }

// Capture returns <prefix>.capture.<model>.<id>.
func (s Subjects) Capture(model, id string) string { return s.join("capture", model, id) }

// Join returns <prefix>.join.<model>.<id>.
func (s Subjects) Join(model, id string) string { return s.join("join", model, id) }

// Label returns <prefix>.label.<model>.
func (s Subjects) Label(model string) string { return s.join("label", model) }

// Event returns <prefix>.event.<model>.<kind>.<id>.
func (s Subjects) Event(model, kind, id string) string { return s.join("event", model, kind, id) }

// Control returns <prefix>.control.<verb>[.<model>].
func (s Subjects) Control(verb, model string) string {
	if model == "" {
		return s.join("control", verb)
	}
	return s.join("control", verb, model)
}

// Stream returns the name of a stream: <PREFIX>_TRAIN, _RESULT, _EVENT, _DEAD,
// _CAPTURE, _LABEL or _JOIN.
func (s Subjects) Stream(name string) string {
	return strings.ToUpper(s.prefix()) + "_" + strings.ToUpper(name)
}

func (s Subjects) join(tokens ...string) string {
	return s.prefix() + "." + strings.Join(tokens, ".")
}

// isToken reports whether s is 1 to limit of [A-Za-z0-9_-].
func isToken(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// SetDeadline writes t to the deadline header.
func SetDeadline(h nats.Header, t time.Time) {
	h.Set(HeaderDeadline, t.UTC().Format(time.RFC3339Nano))
}

// Deadline returns the deadline of a request, the zero time if it has none. An
// error wraps [ErrInvalid].
func Deadline(h nats.Header) (time.Time, error) {
	values := h[HeaderDeadline]
	if len(values) == 0 {
		return time.Time{}, nil
	}
	// A time begins with its year: a failed attempt to read it as a number would
	// cost more than the rest.
	if !strings.ContainsAny(values[0], "T:") {
		if ms, err := strconv.ParseInt(values[0], 10, 64); err == nil {
			return time.UnixMilli(ms), nil
		}
	}
	t, err := time.Parse(time.RFC3339Nano, values[0])
	if err != nil {
		return time.Time{}, fmt.Errorf("header %s: %w", HeaderDeadline,
			invalidf("want RFC 3339 or Unix milliseconds, got %s", quote(values[0])))
	}
	return t, nil
}
