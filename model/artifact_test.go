package model_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

// split returns the parts of a safetensors file.
func split(tb testing.TB, file []byte) (header string, data []byte) {
	tb.Helper()
	n := binary.LittleEndian.Uint64(file)
	return string(file[8 : 8+n]), file[8+n:]
}

// joinFile returns the file of the parts, with the checksum that it needs.
func joinFile(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return reseal(append(append(b, header...), data...))
}

func smallModel(tb testing.TB) *model.Model {
	tb.Helper()
	s := mustParse(tb, flowerSpec)
	s.Training.Epochs = 2
	m, _ := fit(tb, s, flowers(tb, &s.Schema, 60, 1), model.FitOptions{})
	return m
}

func TestArtifactRoundTrip(t *testing.T) {
	m := smallModel(t)
	file := encode(t, m)
	again := decode(t, file)
	if !bytes.Equal(encode(t, again), file) {
		t.Error("decoding and encoding gives other bytes")
	}
	if again.Params() != m.Params() || again.Steps() != 8 || again.Epochs() != 2 {
		t.Errorf("params, steps, epochs = %d, %d, %d, want %d, 8, 2", again.Params(), again.Steps(), again.Epochs(), m.Params())
	}
	f := flowers(t, m.Schema(), 100, 3)
	want, err := m.NewPredictor().Predict(f)
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.NewPredictor().Predict(f)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Probs {
		if got.Probs[i] != want.Probs[i] {
			t.Fatalf("probability %d = %v, want %v", i, got.Probs[i], want.Probs[i])
		}
	}
}

// TestArtifactLayout reads a file as any other safetensors reader would.
func TestArtifactLayout(t *testing.T) {
	file := encode(t, smallModel(t))
	header, data := split(t, file)
	if (8+len(header))%8 != 0 {
		t.Errorf("the data begin at %d, which is no multiple of 8", 8+len(header))
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal([]byte(header), &entries); err != nil {
		t.Fatal(err)
	}
	var metadata map[string]string
	if err := json.Unmarshal(entries["__metadata__"], &metadata); err != nil {
		t.Fatal(err)
	}
	if metadata["modelbus"] != "1" || metadata["steps"] != "8" || metadata["epochs"] != "2" ||
		metadata["vocabularies"] != `{".label":["setosa","versicolor","virginica"]}` {
		t.Errorf("metadata = %v", metadata)
	}
	delete(entries, "__metadata__")
	total := 0
	for name, raw := range entries {
		var e struct {
			Dtype   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		size := map[string]int{"F32": 4, "F64": 8}[e.Dtype]
		if e.Offsets[0]%size != 0 {
			t.Errorf("%s begins at %d, which is no multiple of %d", name, e.Offsets[0], size)
		}
		total += e.Offsets[1] - e.Offsets[0]
	}
	if total != len(data) {
		t.Errorf("tensors have %d bytes of %d", total, len(data))
	}
	for _, name := range []string{"dense.kernel", "dense_1.bias", "pipeline.length.mean", "pipeline.width.std", "optimizer.dense.kernel.momentum"} {
		if entries[name] == nil {
			t.Errorf("there is no tensor %q", name)
		}
	}
}

func TestDecodeDamage(t *testing.T) {
	file := encode(t, smallModel(t))
	header, data := split(t, file)
	replace := func(old, text string) func() []byte {
		return func() []byte {
			if !strings.Contains(header, old) {
				t.Fatalf("the header has no %q: %s", old, header)
			}
			return joinFile(strings.Replace(header, old, text, 1), data)
		}
	}
	put := func(at int, bits uint32) func() []byte {
		return func() []byte {
			d := bytes.Clone(data)
			binary.LittleEndian.PutUint32(d[at:], bits)
			return joinFile(header, d)
		}
	}
	length := func(n uint64) func() []byte {
		return func() []byte {
			b := bytes.Clone(file)
			binary.LittleEndian.PutUint64(b, n)
			return b
		}
	}
	sum := func(change func(digits string) string) func() []byte {
		return func() []byte {
			before, after, _ := strings.Cut(string(file), `"sha256":"`)
			return []byte(before + `"sha256":"` + change(after[:64]) + after[64:])
		}
	}
	last := len(data) - 4
	tests := []struct {
		name string
		file func() []byte
		want string
	}{
		{"empty", func() []byte { return nil }, "8 bytes"},
		{"seven bytes", func() []byte { return file[:7] }, "8 bytes"},
		{"a text", func() []byte { return []byte("name: iris\nfeatures: []\n") }, "safetensors"},
		{"length beyond the cap", length(1 << 40), "at most"},
		{"length beyond the file", length(uint64(len(file))), "cut off"},
		{"length zero", length(0), "JSON object"},
		{"length short", length(uint64(len(header) - 20)), "header"},
		{"length long", length(uint64(len(header) + 8)), "header"},
		{"cut in the header", func() []byte { return file[:100] }, "cut off"},
		{"cut in the data", func() []byte { return file[:len(file)-4] }, "cut off"},
		{"trailing bytes", func() []byte { return append(bytes.Clone(file), 0) }, "follow after"},
		{"header not UTF-8", replace("flowers", "fl\xffwers"), "UTF-8"},
		{"doubled tensor", replace(`"dense.bias":{`, `"dense.kernel":{`), "doubled"},
		{"doubled metadata", replace(`"epochs":"2"`, `"steps":"2"`), "doubled"},
		{"doubled entry key", replace(`"dtype":"F64"`, `"shape":[1]`), "doubled"},
		{"unknown entry key", replace(`"dtype"`, `"dtyp"`), "dtyp"},
		{"foreign dtype", replace(`"dtype":"F32"`, `"dtype":"I32"`), "I32"},
		{"negative offset", replace(`"data_offsets":[0,8]`, `"data_offsets":[-1,8]`), "-1"},
		{"hole", replace(`"data_offsets":[0,8]`, `"data_offsets":[4,8]`), "hole"},
		{"overlap", replace(`"data_offsets":[8,16]`, `"data_offsets":[0,16]`), "overlaps"},
		{"reversed", replace(`"data_offsets":[0,8]`, `"data_offsets":[0,7]`), "needs 8 bytes"},
		{"three offsets", replace(`"data_offsets":[0,8]`, `"data_offsets":[0,8,8]`), "more than 2"},
		{"shape of other size", replace(`"shape":[2,8]`, `"shape":[2,9]`), "needs 72 bytes"},
		{"shape overflows", replace(`"shape":[2,8]`, `"shape":[4294967296,4294967296]`), "too large"},
		{"shape turned", replace(`"shape":[2,8]`, `"shape":[8,2]`), "must be F32 [2 8]"},
		{"rank", replace(`"shape":[2,8]`, `"shape":[1,1,1,1,1,1,1,2,8]`), "more than 8"},
		{"renamed tensor", replace(`"dense.kernel"`, `"dense.colonel"`), "dense.kernel"},
		{"renamed statistic", replace(`"pipeline.length.mean"`, `"pipeline.length.mode"`), "mean"},
		{"not a number", put(last, math.Float32bits(float32(math.NaN()))), "not finite"},
		{"infinite", put(last, math.Float32bits(float32(math.Inf(-1)))), "not finite"},
		{"checksum of another file", sum(func(string) string { return strings.Repeat("0", 64) }), "the header says 0000"},
		{"checksum in capitals", sum(strings.ToUpper), "64 lower-case"},
		{"checksum short", sum(func(digits string) string { return digits[:58] + `\u0030` }), "64 lower-case"},
		{"checksum after a blank", replace(`"sha256":"`, `"sha256": "`), "got it 0 times"},
		{"checksum of another key", replace(`"sha256"`, `"sha512"`), "sha512"},
		{"no checksum", func() []byte {
			return joinFile(string(regexp.MustCompile(`"sha256":"[0-9a-f]*",`).ReplaceAll([]byte(header), nil)), data)
		}, "sha256"},
		{"newer version", replace(`"modelbus":"1"`, `"modelbus":"3"`), "newer"},
		{"foreign file", replace(`"modelbus":"1",`, ``), "not a model of modelbus"},
		{"unknown metadata", replace(`"epochs":"2"`, `"epochs":"2","x":""`), `"x"`},
		{"missing metadata", replace(`"epochs":"2",`, ``), "epochs"},
		{"epochs", replace(`"epochs":"2"`, `"epochs":"-2"`), "whole number"},
		{"steps", replace(`"steps":"8"`, `"steps":"08"`), "whole number"},
		{"number as metadata", replace(`"steps":"8"`, `"steps":8`), "want a string"},
		{"spec with a typo", replace(`\"units\"`, `\"unitz\"`), "unitz"},
		{"spec with blanks", replace(`{\"name\"`, `{ \"name\"`), "canonical"},
		{"other network", replace(`\"units\":8`, `\"units\":9`), "dense.kernel"},
		{"huge network", replace(`\"units\":8`, `\"units\":1048576`), "must be F32 [2 1048576]"},
		{"other feature", replace(`\"name\":\"length\"`, `\"name\":\"height\"`), "height"},
		{"class missing", replace(`{\".label\":[\"setosa\",`, `{\".label\":[`), "dense_1"},
		{"vocabulary broken", replace(`{\".label\":[\"setosa\",`, `{\".label\":[\"setosa\"`), "vocabularies"},
		{"one class", replace(`{\".label\":[\"setosa\",\"versicolor\",\"virginica\"]`, `{\".label\":[\"setosa\"]`), "class"},
		{"empty reference", replace(`"reference":"{`, `"reference":"","references":"{`), "reference"},
		{"reference with blanks", replace(`"reference":"{`, `"reference":"{ `), "canonical"},
		{"reference of fewer rows", replace(`\"rows\":60`, `\"rows\":59`), "not 59 rows"},
		{"reference of another feature", replace(`\"feature\":\"length\"`, `\"feature\":\"height\"`), "another schema"},
		{"reference with a key of its own", replace(`{\"feature\":\"length\"`, `{\"fruit\":1,\"feature\":\"length\"`), "fruit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := model.Decode(tt.file())
			if m != nil || !errors.Is(err, model.ErrArtifact) {
				t.Fatalf("Decode = %v, %v, want an error that wraps ErrArtifact", m, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

// TestDecodeBitFlips damages every bit of a file, one at a time; with -short those of
// some bytes.
func TestDecodeBitFlips(t *testing.T) {
	small, err := smallModel(t).WithReference(nil) // four times as small
	if err != nil {
		t.Fatal(err)
	}
	b := encode(t, small)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if m, err := model.Decode(b); m != nil || !errors.Is(err, model.ErrArtifact) {
				t.Fatalf("Decode with bit %d of byte %d flipped = %v, %v, want an error that wraps ErrArtifact", bit, i, m, err)
			}
			b[i] ^= 1 << bit
		}
	}
	decode(t, b)
}

// TestDecodeDamagedWeight flips a bit that gives another weight as good as any.
func TestDecodeDamagedWeight(t *testing.T) {
	file := encode(t, smallModel(t))
	b := bytes.Clone(file)
	b[len(b)-4] ^= 1
	if _, err := model.Decode(b); err == nil || !strings.Contains(err.Error(), "the file is damaged: its SHA-256 is ") {
		t.Errorf("error = %v, want that the file is damaged", err)
	}
	if _, err := model.Decode(reseal(b)); err != nil {
		t.Errorf("with the checksum made right: %v", err)
	}
	if !bytes.Equal(reseal(file), file) {
		t.Error("the checksum is not the SHA-256 of the file with zeros in its place")
	}
}

type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func checkDecode(t failer, b []byte) {
	t.Helper()
	m, err := model.Decode(b)
	inPlace, openErr := model.Open(newFile(b))
	if err == nil && openErr != nil {
		t.Errorf("Decode takes what Open does not: %v", openErr)
	}
	if openErr == nil {
		if _, err := inPlace.NewPredictor().Predict(feature.NewFrame(inPlace.Schema(), false)); err != nil {
			t.Errorf("predicting no rows in place: %v", err)
		}
	}
	if err != nil {
		if !errors.Is(err, model.ErrArtifact) {
			t.Errorf("error %v does not wrap ErrArtifact", err)
		}
		return
	}
	again, err := m.Encode()
	if err != nil {
		t.Fatalf("Encode of a decoded model: %v", err)
	}
	if _, err := model.Decode(again); err != nil {
		t.Fatalf("Decode of an encoded model: %v", err)
	}
	f := feature.NewFrame(m.Schema(), false)
	if _, err := m.NewPredictor().Predict(f); err != nil {
		t.Errorf("predicting no rows: %v", err)
	}
}

func TestDecodeAllocatesInProportion(t *testing.T) {
	file := encode(t, smallModel(t))
	header, data := split(t, file)
	for name, text := range map[string]string{
		"huge network": strings.Replace(header, `\"units\":8`, `\"units\":1048576`, 1),
		"huge vector":  strings.Replace(header, `\"type\":\"number\"}`, `\"type\":\"vector\",\"size\":1048576}`, 1),
		"many layers":  strings.Replace(header, `\"network\":[`, `\"network\":[{\"Dense\":{\"units\":100000}},{\"Dense\":{\"units\":100000}},`, 1),
	} {
		b := joinFile(text, data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := model.Decode(b); !errors.Is(err, model.ErrArtifact) {
			t.Errorf("%s: error = %v", name, err)
		}
		runtime.ReadMemStats(&after)
		// A spec of this size needs some hundred KiB to parse; 4 MiB is far below the network.
		if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
			t.Errorf("%s: decoding %d bytes allocates %d", name, len(b), got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	file := encode(f, smallModel(f))
	header, data := split(f, file)
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add(joinFile(strings.Replace(header, `"shape":[2,8]`, `"shape":[0]`, 1), data))
	f.Add(onlineFile(f))
	f.Add(joinFile(`{}`, nil))
	f.Add(joinFile(`{"__metadata__":{"modelbus":"1"}}`, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkDecode(t, b)
		checkDecode(t, reseal(b)) // what a checksum would hide
	})
}

// A frozen case lists what the model in a file must predict.
type frozen struct {
	File        string      `json:"file"`
	Rows        [][]any     `json:"rows"`
	Predictions [][]float32 `json:"predictions"` // probabilities, or one number
	Classes     []string    `json:"classes"`
}

// TestFrozenV1 reads files of format version 1 as they were written when it was
// frozen. No change may make them unreadable or predict otherwise.
func TestFrozenV1(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "v1", "predictions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []frozen
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 3 {
		t.Fatalf("there are %d frozen files, want at least 3", len(cases))
	}
	for _, c := range cases {
		t.Run(c.File, func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join("testdata", "v1", c.File))
			if err != nil {
				t.Fatal(err)
			}
			m := decode(t, file)
			if !bytes.Equal(encode(t, m), file) {
				t.Error("decoding and encoding gives other bytes")
			}
			out := predictRows(t, m, c.Rows)
			if fmt.Sprint(out.Classes) != fmt.Sprint(c.Classes) {
				t.Errorf("Classes = %v, want %v", out.Classes, c.Classes)
			}
			got := append(out.Values, out.Probs...)
			for i, row := range c.Predictions {
				for j, want := range row {
					// The order of additions may differ between kernels, by some
					// units in the last place of a float32.
					if g := got[i*len(row)+j]; math.Abs(float64(g-want)) > 1e-5*max(1, math.Abs(float64(want))) {
						t.Errorf("row %d, output %d = %v, want %v", i, j, g, want)
					}
				}
			}
		})
	}
}

// predictRows predicts rows as JSON gives them.
func predictRows(tb testing.TB, m *model.Model, rows [][]any) *model.Output {
	tb.Helper()
	f := feature.NewFrame(m.Schema(), false)
	for _, row := range rows {
		values := make([]feature.Value, len(row))
		for i, v := range row {
			switch v := v.(type) {
			case float64:
				values[i] = number(v)
			case string:
				values[i] = text(v)
			case bool:
				values[i] = truth(v)
			case []any:
				values[i].Kind = feature.KindVector
				for _, x := range v {
					f, ok := x.(float64)
					if !ok {
						tb.Fatalf("a vector of %v", v)
					}
					values[i].Vector = append(values[i].Vector, float32(f))
				}
			}
		}
		appendRow(tb, f, feature.Value{}, values...)
	}
	out, err := m.NewPredictor().Predict(f)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}
