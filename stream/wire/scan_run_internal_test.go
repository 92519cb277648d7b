package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model/feature"
)

// listText draws a list as clients write it, with what some write by mistake.
func listText(t *rapid.T) string {
	var b strings.Builder
	space := rapid.SampledFrom([]string{"", "", " ", "\n\t", "\r "})
	b.WriteString("[")
	for i := range rapid.IntRange(0, 8).Draw(t, "length") {
		if i > 0 {
			b.WriteString(rapid.SampledFrom([]string{",", ",", ",", ",", ",", ",", ",,", ""}).Draw(t, "comma"))
		}
		b.WriteString(space.Draw(t, "space"))
		b.WriteString(element(t))
		b.WriteString(space.Draw(t, "space"))
	}
	b.WriteString(rapid.SampledFrom([]string{"]", "]", "]", "]", ",]", "", "}"}).Draw(t, "end"))
	return b.String()
}

func element(t *rapid.T) string {
	if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
		return rapid.SampledFrom([]string{
			"", "-", "01", "-01", "1.", ".5", "+1", "1e", "1e+", "1e5", "-1E-7", "1e39", "1e400", "-1e400", "1e-400", "null", "true", `"x"`, "NaN", "[1]", "{}",
			"0.0000000000000000000000001", "12345678901234567890123", "16777217", "16777217.0000000001", "340282350000000000000000000000000000001", "-0", "-0.0", "0x1", "1_0",
		}).Draw(t, "text")
	}
	v := float64(math.Float32frombits(rapid.Uint32().Draw(t, "bits")))
	if math.IsNaN(v) || math.IsInf(v, 0) || rapid.Bool().Draw(t, "small") {
		v = float64(rapid.IntRange(-2000, 2000).Draw(t, "thousandths")) / 1000
	}
	return strconv.FormatFloat(v, rapid.SampledFrom([]byte("gf")).Draw(t, "format"), rapid.IntRange(-1, 18).Draw(t, "digits"), 64)
}

// slowly reads a vector an element at a time.
func slowly(r *rowReader, s *scanner, dst []float32) error {
	n, err := s.elements(func(i int) error {
		if i >= len(dst) {
			return s.skip()
		}
		var err error
		dst[i], err = r.element(s, 0, i)
		return err
	})
	if err == nil && n != len(dst) {
		return invalidf("feature %q: want %d numbers, got %d", r.schema.Features[0].Name, len(dst), n)
	}
	return err
}

// TestRunsChangeNothing reads lists with and without runs: they take and refuse
// the same, with the same numbers, the same words, and at the same place.
func TestRunsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := listText(t)
		size := rapid.IntRange(1, 6).Draw(t, "size")
		r := rowReader{}
		r.reset(vectorOf(size))
		fast, slow := scanner{data: []byte(text)}, scanner{data: []byte(text)}
		got, want := make([]float32, size), make([]float32, size)
		err, wantErr := r.nested(&fast, 0, got), slowly(&r, &slow, want)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || fast.off != slow.off {
			t.Fatalf("%q: %v at %d, want %v at %d", text, err, fast.off, wantErr, slow.off)
		}
		for i := range got {
			if err == nil && math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("%q: number %d is %v, want %v", text, i, got[i], want[i])
			}
		}
	})
}

func vectorOf(size int) *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{{Name: "x", Type: feature.Vector, Size: size}},
		Label:    feature.Label{Name: "y", Type: feature.Number},
	}
}

// general reads a list of size numbers with encoding/json and strconv.
func general(text string, size int) ([]float32, error) {
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, err
	}
	var out []float32
	for _, raw := range list {
		v, err := strconv.ParseFloat(string(raw), 32)
		if err != nil || strings.Trim(string(raw), "-0123456789.eE+") != "" {
			return nil, fmt.Errorf("%s is no float32", raw)
		}
		out = append(out, float32(v))
	}
	if len(out) != size {
		return nil, fmt.Errorf("%d numbers", len(out))
	}
	return out, nil
}

// TestFormsAgree writes one row in each form: all are taken with the numbers of
// the general decoder, or all are refused as invalid.
func TestFormsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := listText(t)
		if strings.Count(text, "[") > 1 {
			return // a list in a list is another form
		}
		size := rapid.IntRange(2, 6).Draw(t, "size")
		want, refused := general(text, size)
		for name, form := range map[string]string{
			"in place":   `{"instances":[%s]}`,
			"nested":     `{"instances":[[%s]]}`,
			"named":      `{"instances":[{"x":%s}]}`,
			"OIP flat":   `{"inputs":[{"name":"i","shape":[1,%d],"datatype":"FP32","data":%s}]}`,
			"OIP nested": `{"inputs":[{"data":[%[2]s],"name":"i","shape":[1,%[1]d],"datatype":"FP32"}]}`,
		} {
			body := fmt.Sprintf(form, text)
			if strings.HasPrefix(name, "OIP") {
				body = fmt.Sprintf(form, size, text)
			}
			f := feature.NewFrame(vectorOf(size), false)
			var req Request
			err := DecodeRequest(f, &req, nil, []byte(body), 0)
			if (err == nil) != (refused == nil) {
				t.Fatalf("%s: %s: %v, the general decoder says %v", name, body, err, refused)
			}
			if err != nil {
				if ErrorOf(err).Status != 400 {
					t.Fatalf("%s: %s: %v is no 400", name, body, err)
				}
				continue
			}
			got := f.Row(0).Values[0].Vector
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("%s: %s: %v, the general decoder reads %v", name, body, got, want)
				}
			}
		}
	})
}

// TestPlainRowsChangeNothing reads rows with and without the short way for plain numbers:
// what that takes is read with the same values, to the same place, and of what it does not
// take it reads nothing.
func TestPlainRowsChangeNothing(t *testing.T) {
	took := false
	rapid.Check(t, func(t *rapid.T) {
		s := &feature.Schema{Label: feature.Label{Name: "y", Type: feature.Number}}
		for i := range rapid.IntRange(1, 4).Draw(t, "features") {
			f := feature.Feature{Name: "f" + strconv.Itoa(i), Type: feature.Number}
			if rapid.IntRange(0, 2).Draw(t, "vector") == 0 {
				f.Type, f.Size = feature.Vector, rapid.IntRange(1, 3).Draw(t, "size")
			}
			s.Features = append(s.Features, f)
		}
		text := listText(t)
		fits := rapid.Bool().Draw(t, "fits")
		if fits {
			var numbers []string
			for range s.Width() {
				numbers = append(numbers, strconv.FormatFloat(float64(rapid.IntRange(-1e6, 1e6).Draw(t, "eighths"))/8, 'f', -1, 64))
			}
			text = "[" + strings.Join(numbers, rapid.SampledFrom([]string{",", ", ", " ,\n"}).Draw(t, "comma")) + " ]"
		}
		var short, long rowReader
		short.reset(s)
		long.reset(s)
		fast, slow := scanner{data: []byte(text + ",")}, scanner{data: []byte(text + ",")}
		if !short.plain(&fast) {
			if fast.off != 0 || fits {
				t.Fatalf("%q: %d bytes are read, plain %t", text, fast.off, fits)
			}
			return
		}
		took = true
		if err := long.list(&slow); err != nil || fast.off != slow.off {
			t.Fatalf("%q is read to %d, want %v at %d", text, fast.off, err, slow.off)
		}
		if got, want := fmt.Sprintf("%#v", short.values), fmt.Sprintf("%#v", long.values); got != want {
			t.Fatalf("%q: %s, want %s", text, got, want)
		}
	})
	if !took {
		t.Error("no row was read the short way")
	}
}
