package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// tree reads any value as encoding/json would.
func tree(s *scanner) (any, error) {
	switch s.next() {
	case tokenObject:
		m := map[string]any{}
		err := s.members(func(key []byte) error {
			name := string(key)
			v, err := tree(s)
			m[name] = v
			return err
		})
		return m, err
	case tokenArray:
		l := []any{}
		_, err := s.elements(func(int) error {
			v, err := tree(s)
			l = append(l, v)
			return err
		})
		return l, err
	case tokenString:
		text, err := s.str()
		return string(text), err
	case tokenNumber:
		return s.float()
	case tokenTrue, tokenFalse:
		return s.boolean()
	case tokenNull:
		return nil, s.null()
	case tokenNone:
	}
	return nil, s.fail("a value")
}

func parse(data []byte) (any, error) {
	s := scanner{data: data}
	v, err := tree(&s)
	if err == nil {
		err = s.end()
	}
	return v, err
}

// strict reports whether the scanner refuses data although encoding/json takes it.
func strict(data []byte) bool {
	if !utf8.Valid(data) {
		return true
	}
	depth, deepest := 0, 0
	for _, c := range data { // brackets in strings only make it laxer
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		deepest = max(deepest, depth)
	}
	low := bytes.ToLower(data)
	return deepest > maxDepth || bytes.Contains(low, []byte(`\ud8`)) || bytes.Contains(low, []byte(`\ud9`)) ||
		bytes.Contains(low, []byte(`\uda`)) || bytes.Contains(low, []byte(`\udb`)) || bytes.Contains(low, []byte(`\udc`)) ||
		bytes.Contains(low, []byte(`\udd`)) || bytes.Contains(low, []byte(`\ude`)) || bytes.Contains(low, []byte(`\udf`))
}

func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		`{"instances": [[5.1,3.5,1.4,0.2]]}`, `[1e400]`, `[1e-400, -0, 0.1e+3]`, `"\u00e9\ud83d\ude00\n"`, `"\ud83d"`,
		`[1,]`, `{"a":1,"a":2}`, `01`, `-`, `1.`, `1e`, `nul`, `[NaN]`, "\"\xff\"", "\"a\nb\"", ` [ ] `, `{} {}`, ``,
		`123456789012345678901234567890`, `0.000000000000000000000000000001234567890123`, `9007199254740993`,
		`[[[[[[[[[[]]]]]]]]]]`, strings.Repeat("[", 65) + strings.Repeat("]", 65), "\"\x00\"", `{"a" 1}`, `{"a":}`, `{1:1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse(data)
		var want any
		wantErr := json.Unmarshal(data, &want)
		switch {
		case err == nil && wantErr != nil:
			t.Fatalf("%q was read as %v, encoding/json says %v", data, got, wantErr)
		case err != nil && wantErr == nil && !strict(data):
			t.Fatalf("%q: %v, encoding/json reads %v", data, err, want)
		case err == nil && !reflect.DeepEqual(got, want):
			t.Fatalf("%q = %v, encoding/json reads %v", data, got, want)
		case err != nil && !errors.Is(err, ErrInvalid):
			t.Fatalf("%q: %v does not wrap ErrInvalid", data, err)
		}
		s := scanner{data: data}
		skipErr := s.skip()
		if skipErr == nil {
			skipErr = s.end()
		}
		if (skipErr == nil) != (err == nil) {
			t.Fatalf("skip(%q) = %v, reading it = %v", data, skipErr, err)
		}
	})
}

func TestScannerRefuses(t *testing.T) {
	tests := []struct{ name, text string }{
		{"nothing", ""},
		{"trailing bytes", "[1] 2"},
		{"trailing comma", "[1,]"},
		{"leading zero", "[01]"},
		{"plus sign", "[+1]"},
		{"NaN", "[NaN]"},
		{"Infinity", "[-Infinity]"},
		{"number out of range", "[1e309]"},
		{"hexadecimal", "[0x10]"},
		{"single quotes", "['a']"},
		{"raw new line in a string", "[\"a\nb\"]"},
		{"invalid UTF-8", "[\"\xc3\x28\"]"},
		{"invalid UTF-8 behind an escape", "[\"\\n\xc3\x28\"]"},
		{"lone surrogate", `["\ud800"]`},
		{"swapped surrogates", `["\udc00\ud800"]`},
		{"unknown escape", `["\x"]`},
		{"open string", `["a`},
		{"open list", `[1`},
		{"comment", "[1] // one"},
		{"65 levels", strings.Repeat("[", 65) + strings.Repeat("]", 65)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if v, err := parse([]byte(tt.text)); !errors.Is(err, ErrInvalid) {
				t.Errorf("%q = %v, %v, want ErrInvalid", tt.text, v, err)
			}
		})
	}
	if _, err := parse([]byte(strings.Repeat("[", 64) + strings.Repeat("]", 64))); err != nil {
		t.Errorf("64 levels: %v", err)
	}
}

// Every number that Go can write is read back to the bit.
func TestScannerNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if rapid.Bool().Draw(t, "short") {
			want = float64(rapid.Int64Range(-1e9, 1e9).Draw(t, "mantissa")) / math.Pow10(rapid.IntRange(0, 12).Draw(t, "scale"))
		}
		if math.IsNaN(want) || math.IsInf(want, 0) {
			return
		}
		format := rapid.SampledFrom([]byte("gef")).Draw(t, "format")
		text := strconv.FormatFloat(want, format, -1, 64)
		s := scanner{data: []byte(text)}
		got, err := s.float()
		if err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%s = %v, %v, want %v", text, got, err, want)
		}
	})
}

func TestScannerAllocates(t *testing.T) {
	data := []byte(`{"instances": [[5.1, 3.5, -1.4e1, 0.2], ["a", null, true, {"b": 1}]]}`)
	var s scanner
	if n := testing.AllocsPerRun(100, func() {
		s.reset(data)
		if err := s.skip(); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("skipping a message allocates %v times, want 0", n)
	}
}

func TestHalf(t *testing.T) {
	tests := []struct {
		bits uint16
		want float64
	}{
		{0x3e00, 1.5},
		{0xc000, -2},
		{0, 0},
		{0x0001, 0x1p-24},
		{0x03ff, 1023 * 0x1p-24},
		{0x0400, 0x1p-14},
		{0x7bff, 65504},
		{0x7c00, math.Inf(1)},
		{0xfc00, math.Inf(-1)},
	}
	for _, tt := range tests {
		if got := half(tt.bits); got != tt.want {
			t.Errorf("half(%#04x) = %v, want %v", tt.bits, got, tt.want)
		}
	}
	if got := half(0x7e00); !math.IsNaN(got) {
		t.Errorf("half(0x7e00) = %v, want NaN", got)
	}
}

func TestSingleRoundsOnce(t *testing.T) {
	tests := []struct {
		text string
		want float32
	}{
		{"1.0000000596046447754", 1.00000011920928955},       // above half way; the nearest float64 is half way
		{"1.00000005960464477539", 1},                        // below half way
		{"1e-45", math.SmallestNonzeroFloat32},               // below the normal range
		{"3.4028235e+38", math.MaxFloat32},                   // above the largest, but nearest to it
		{"3.4028236e+38", float32(math.Inf(1))},              // beyond
		{"-0", float32(math.Copysign(0, -1))},                // its sign stays
		{"16777217.0000000001", 16777218},                    // above half way
		{"7.0064923216240853546e-46", 0},                     // below half the smallest
		{"7.0064923216240853547e-46", 1.401298464324817e-45}, // above half the smallest
	}
	for _, tt := range tests {
		s := scanner{data: []byte(tt.text)}
		got, err := s.single()
		if err != nil || math.Float32bits(got) != math.Float32bits(tt.want) {
			t.Errorf("single(%s) = %v, %v, want %v", tt.text, got, err, tt.want)
		}
	}
}

// TestSingleIsParseFloat compares numbers of every length with strconv, and above
// all those next to half way between two float32.
func TestSingleIsParseFloat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
		if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		v := float64(x)
		if rapid.Bool().Draw(t, "half way") {
			v = (v + float64(math.Nextafter32(x, float32(math.Inf(1))))) / 2
			v = math.Float64frombits(math.Float64bits(v) + uint64(rapid.IntRange(0, 12).Draw(t, "off")) - 6)
		}
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return
		}
		digits := rapid.IntRange(-1, 24).Draw(t, "digits")
		text := strconv.FormatFloat(v, rapid.SampledFrom([]byte("gef")).Draw(t, "format"), digits, 64)
		s := scanner{data: []byte(text)}
		got, err := s.single()
		want, wantErr := strconv.ParseFloat(text, 32)
		if err != nil || math.Float32bits(got) != math.Float32bits(float32(want)) {
			t.Fatalf("single(%s) = %v, %v, strconv says %v, %v", text, got, err, want, wantErr)
		}
		if s.off != len(text) {
			t.Fatalf("single(%s) left %q", text, text[s.off:])
		}
	})
}

// FuzzNumbers reads whatever begins like a number both ways, which must take
// and refuse the same with the same words.
func FuzzNumbers(f *testing.F) {
	for _, seed := range []string{"0", "-0.1e-3", "1e400", "16777217.0000000001", "1.0000000596046447754", "01", "1.", "1e", "-", "12345678901234567890e-19", "1e-400", "3.4028236e+38"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		wide, narrow := scanner{data: data}, scanner{data: data}
		v, err := wide.float()
		x, narrowErr := narrow.single()
		if (err == nil) != (narrowErr == nil) || err != nil && err.Error() != narrowErr.Error() || wide.off != narrow.off {
			t.Fatalf("%q: %v, then %v; read to %d, then %d", data, err, narrowErr, wide.off, narrow.off)
		}
		if err != nil {
			return
		}
		text := strings.TrimLeft(string(data[:wide.off]), " \t\r\n")
		want, wantErr := strconv.ParseFloat(text, 64)
		want32, _ := strconv.ParseFloat(text, 32) //nolint:errcheck // an overflow is an infinity
		if wantErr != nil || math.Float64bits(v) != math.Float64bits(want) || math.Float32bits(x) != math.Float32bits(float32(want32)) {
			t.Fatalf("%s = %v and %v, strconv says %v and %v, %v", text, v, x, want, want32, wantErr)
		}
	})
}

func BenchmarkNumbers(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, form := range []struct {
		name string
		text func(float32) string
	}{
		{"6 digits", func(v float32) string { return strconv.FormatFloat(float64(v), 'f', 6, 32) }},
		{"float32", func(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }},
		{"float64", func(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 64) }},
	} {
		b.Run(form.name, func(b *testing.B) {
			var list []string
			for range 784 {
				list = append(list, form.text(r.Float32()))
			}
			data := []byte("[" + strings.Join(list, ",") + "]")
			b.SetBytes(int64(len(data)))
			var s scanner
			dst := make([]float32, 784)
			for b.Loop() {
				s.reset(data)
				if err := s.open('['); err != nil {
					b.Fatal(err)
				}
				for n := 0; n < len(dst); n++ {
					n += run(&s, dst[n:len(dst)-1])
					v, err := s.single()
					if err != nil {
						b.Fatal(err)
					}
					dst[n] = v
					if _, err := s.more(']', false); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(784*b.N), "ns/number")
		})
		b.Run(form.name+"/strconv", func(b *testing.B) {
			text := form.text(r.Float32())
			for b.Loop() {
				if _, err := strconv.ParseFloat(text, 32); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
