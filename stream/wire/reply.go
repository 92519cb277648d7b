package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model"
)

// Answer names who answers.
type Answer struct {
	Model   string
	Version uint64
}

// EncodeReply fills header and body of msg with rows [lo, lo+req.Rows) of out,
// in req's form. It appends to msg.Data[:0]. Headers that name model and version
// stay if they are there: who answers often keeps their values. An output that is
// not finite is an error that wraps [ErrInternal].
func EncodeReply(msg *nats.Msg, req *Request, ans Answer, out *model.Output, lo int) error {
	if msg.Header == nil {
		msg.Header = make(nats.Header, 4)
	}
	if len(msg.Header[HeaderModel]) == 0 {
		msg.Header[HeaderModel] = []string{ans.Model}
	}
	if len(msg.Header[HeaderVersion]) == 0 {
		msg.Header[HeaderVersion] = []string{strconv.FormatUint(ans.Version, 10)}
	}
	if len(req.ID) > 0 && !req.bodyID && len(msg.Header[HeaderID]) == 0 {
		msg.Header[HeaderID] = []string{string(req.ID)}
	}
	e := encoder{b: msg.Data[:0], out: out, lo: lo, rows: req.Rows}
	if req.Form == FormRows {
		e.predictions()
		e.text(`,"model_name":`)
		e.quoted(ans.Model)
		e.text(`,"model_version":"`)
		e.b = strconv.AppendUint(e.b, ans.Version, 10)
		e.text(`"}`)
	} else if n := e.tensors(req, ans); n > 0 {
		msg.Header[HeaderContentLength] = req.lengths.of(n)
	}
	msg.Data = e.b
	return e.err
}

// An encoder appends an answer to b. The first error sticks.
type encoder struct {
	b    []byte
	out  *model.Output
	lo   int
	rows int
	err  error
}

func (e *encoder) text(s string)   { e.b = append(e.b, s...) }
func (e *encoder) quoted(s string) { e.b = appendQuoted(e.b, s) }
func (e *encoder) number(v float32) {
	if !e.finite(v) {
		return
	}
	e.b = strconv.AppendFloat(e.b, float64(v), 'g', -1, 32)
}

func (e *encoder) finite(v float32) bool {
	if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
		if e.err == nil {
			e.err = fmt.Errorf("%w: the model's output is %v", ErrInternal, v)
		}
		return false
	}
	return true
}

func (e *encoder) comma(i int) {
	if i > 0 {
		e.b = append(e.b, ',')
	}
}

func (e *encoder) regression() bool { return e.out.Classes == nil }

// probs returns the probabilities of row i of the answer.
func (e *encoder) probs(i int) []float32 {
	n := len(e.out.Classes)
	return e.out.Probs[(e.lo+i)*n : (e.lo+i+1)*n]
}

func (e *encoder) predictions() {
	e.text(`{"predictions":[`)
	for i := range e.rows {
		e.comma(i)
		if e.regression() {
			e.number(e.out.Values[e.lo+i])
			continue
		}
		probs := e.probs(i)
		best := e.out.Label(e.lo + i)
		e.text(`{"label":`)
		e.quoted(e.out.Classes[best])
		e.text(`,"score":`)
		e.number(probs[best])
		e.text(`,"scores":{`)
		for k, p := range probs {
			e.comma(k)
			e.quoted(e.out.Classes[k])
			e.b = append(e.b, ':')
			e.number(p)
		}
		e.text(`}}`)
	}
	e.text(`]`)
}

// tensors writes an Open Inference Protocol answer and returns the length of its
// JSON if binary data follows it, else 0.
func (e *encoder) tensors(req *Request, ans Answer) int {
	e.text(`{"model_name":`)
	e.quoted(ans.Model)
	e.text(`,"model_version":"`)
	e.b = strconv.AppendUint(e.b, ans.Version, 10)
	e.b = append(e.b, '"')
	if req.bodyID {
		e.text(`,"id":`)
		e.b = appendQuoted(e.b, req.ID)
	}
	e.text(`,"outputs":[`)
	wanted := e.wanted(req)
	isBinary := false
	for i, w := range wanted {
		e.comma(i)
		e.tensor(w)
		isBinary = isBinary || w.Binary
	}
	e.text(`]}`)
	if !isBinary {
		return 0
	}
	n := len(e.b)
	for _, w := range wanted {
		if w.Binary {
			e.binary(w.Name)
		}
	}
	return n
}

// wanted returns the outputs to write: those asked for, or all.
func (e *encoder) wanted(req *Request) []OutputWanted {
	switch {
	case len(req.Outputs) > 0:
		return req.Outputs
	case e.regression():
		req.all = append(req.all[:0], OutputWanted{req.label, req.BinaryOutput})
	default:
		req.all = append(req.all[:0], OutputWanted{outputLabel, req.BinaryOutput},
			OutputWanted{outputScore, req.BinaryOutput}, OutputWanted{outputProbabilities, req.BinaryOutput})
	}
	return req.all
}

// maxLengths bounds the header values that are kept.
const maxLengths = 64

// lengths are header values that were written before: answers of a model are
// of few lengths.
type lengths struct{ known map[int][]string }

// of returns n as a header value.
func (l *lengths) of(n int) []string {
	if v := l.known[n]; v != nil {
		return v
	}
	if l.known == nil || len(l.known) == maxLengths {
		l.known = make(map[int][]string)
	}
	v := []string{strconv.Itoa(n)}
	l.known[n] = v
	return v
}

// tensor writes the JSON of one output.
func (e *encoder) tensor(w OutputWanted) {
	width, datatype := 1, typeFP32
	switch {
	case e.regression():
	case w.Name == outputLabel:
		datatype = typeBytes
	case w.Name == outputProbabilities:
		width = len(e.out.Classes)
	}
	e.text(`{"name":`)
	e.quoted(w.Name)
	e.text(`,"shape":[`)
	e.b = strconv.AppendInt(e.b, int64(e.rows), 10)
	e.b = append(e.b, ',')
	e.b = strconv.AppendInt(e.b, int64(width), 10)
	e.text(`],"datatype":"`)
	e.text(datatype.String())
	if w.Binary {
		size := e.rows * width * 4
		if datatype == typeBytes {
			for i := range e.rows {
				size += len(e.label(i))
			}
		}
		e.text(`","parameters":{"binary_data_size":`)
		e.b = strconv.AppendInt(e.b, int64(size), 10)
		e.text(`}}`)
		return
	}
	e.text(`","data":[`)
	for i := range e.rows {
		e.comma(i)
		if datatype == typeBytes {
			e.quoted(e.label(i))
			continue
		}
		for k, v := range e.floats(w.Name, i) {
			e.comma(k)
			e.number(v)
		}
	}
	e.text(`]}`)
}

// binary appends the bytes of one output.
func (e *encoder) binary(name string) {
	for i := range e.rows {
		if !e.regression() && name == outputLabel {
			label := e.label(i)
			e.b = binary.LittleEndian.AppendUint32(e.b, uint32(len(label))) //nolint:gosec // a class name
			e.text(label)
			continue
		}
		for _, v := range e.floats(name, i) {
			if e.finite(v) {
				e.b = binary.LittleEndian.AppendUint32(e.b, math.Float32bits(v))
			}
		}
	}
}

func (e *encoder) label(i int) string { return e.out.Classes[e.out.Label(e.lo+i)] }

// floats returns row i of an output of numbers.
func (e *encoder) floats(name string, i int) []float32 {
	switch {
	case e.regression():
		return e.out.Values[e.lo+i : e.lo+i+1]
	case name == outputScore:
		best := e.out.Label(e.lo + i)
		return e.probs(i)[best : best+1]
	}
	return e.probs(i)
}

// appendQuoted appends s as a JSON string; what is not UTF-8 becomes U+FFFD.
func appendQuoted[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f:
			b = fmt.Appendf(b, `\u%04x`, c)
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := decodeRune(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}

func decodeRune[T string | []byte](s T) (rune, int) {
	var first [utf8.UTFMax]byte
	n := copy(first[:], s)
	return utf8.DecodeRune(first[:n])
}
