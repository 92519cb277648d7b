package wire_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// blocks returns the JSON blocks of PROTOCOL.md by what they show.
func blocks(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, part := range strings.Split(string(text), "```json ")[1:] {
		kind, body, _ := strings.Cut(part, "\n")
		body, _, _ = strings.Cut(body, "```")
		found[kind] = append(found[kind], strings.TrimSpace(body))
	}
	return found
}

// Every worked example of PROTOCOL.md is what the code reads.
func TestProtocolExamples(t *testing.T) {
	all := blocks(t)
	seen := 0
	for kind, bodies := range all {
		for _, body := range bodies {
			seen++
			t.Run(kind+"/"+strconv.Itoa(seen), func(t *testing.T) { checkExample(t, kind, body) })
		}
	}
	if seen < 12 {
		t.Errorf("%d examples, want at least 12", seen)
	}
}

func checkExample(t *testing.T, kind, body string) {
	t.Helper()
	if !json.Valid([]byte(body)) {
		t.Fatalf("%s is not JSON", body)
	}
	msg := &nats.Msg{Data: []byte(body)}
	switch kind {
	case "request":
		if req := decoded(t, irisSchema(), nil, body); req.Rows == 0 {
			t.Error("no rows")
		}
	case "binary":
		h, whole := binaryMessage(body, 0x33, 0x33, 0xa3, 0x40, 0, 0, 0x60, 0x40, 0x33, 0x33, 0xb3, 0x3f, 0xcd, 0xcc, 0x4c, 0x3e)
		f := feature.NewFrame(irisSchema(), false)
		if err := wire.DecodeRequest(f, &wire.Request{}, h, whole, 0); err != nil || float32(f.Row(0).Values[0].Num) != 5.1 {
			t.Errorf("got %v, %v, want the first flower", values(f), err)
		}
	case "answer":
		if p, err := wire.DecodeReply(msg); err != nil || p.Len() == 0 || p.Version == 0 {
			t.Errorf("DecodeReply = %+v, %v", p, err)
		}
	case "example":
		if got, problems, err := examples(irisSchema(), nil, []byte(body)); err != nil || len(problems) > 0 || len(got) == 0 {
			t.Errorf("DecodeExamples = %v, %v, %v", got, problems, err)
		}
	case "label":
		if l, err := wire.DecodeLabel(msg.Data); err != nil {
			t.Errorf("DecodeLabel = %+v, %v", l, err)
		}
	case "capture":
		if c, err := wire.DecodeCapture(msg.Data); err != nil || len(c.Predictions) == 0 {
			t.Errorf("DecodeCapture = %+v, %v", c, err)
		}
	case "error":
		var e wire.Error
		if err := json.Unmarshal(msg.Data, &e); err != nil || e.Status != 400 {
			t.Errorf("error = %+v, %v, want status 400", e, err)
		}
	case "event":
		var e registry.Event
		if err := json.Unmarshal(msg.Data, &e); err != nil || e.Kind != "version" {
			t.Errorf("event = %+v, %v", e, err)
		}
	case "drift":
		var e registry.Event
		var d wire.DriftEvent
		if err := json.Unmarshal(msg.Data, &e); err != nil || e.Kind != wire.KindDrift {
			t.Errorf("event = %+v, %v", e, err)
		}
		strict := json.NewDecoder(bytes.NewReader(e.Data))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&d); err != nil || d.Source != wire.SourceFeatures || d.Count != len(d.Columns) || d.Since.IsZero() {
			t.Errorf("data = %+v, %v", d, err)
		}
	case "live":
		if created, live, err := wire.DecodeLive(msg.Data); err != nil || created.IsZero() || live.Value == nil || len(live.Scores) != 1 {
			t.Errorf("DecodeLive = %v, %+v, %v", created, live, err)
		}
	case "oip":
	default:
		t.Errorf("unknown kind of example %q", kind)
	}
}

// Every code of the error table is documented.
func TestProtocolErrors(t *testing.T) {
	text, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range wire.Codes() {
		if line := "| " + strconv.Itoa(c.Status) + " | `" + c.Word + "` |"; !strings.Contains(string(text), line) {
			t.Errorf("PROTOCOL.md has no line %q", line)
		}
	}
}
