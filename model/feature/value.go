package feature

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind says what a [Value] holds.
type Kind uint8

// The kinds of values.
const (
	KindMissing Kind = iota
	KindNumber
	KindText
	KindBool
	KindVector
	KindCell // text of a file without types, such as a CSV cell: converted to the column's type
)

// A Value is one cell of a row as it was received, not yet checked against a
// schema. The zero Value is missing.
type Value struct {
	Kind   Kind
	Num    float64   // KindNumber; 0 or 1 with KindBool
	Text   string    // KindText, KindCell
	Vector []float32 // KindVector
}

// A Row is one instance or example. Values stand in schema order.
type Row struct {
	Values []Value
	Label  Value // missing for an instance

	// Weight of the example; an unlabelled frame ignores it. 0 means that none
	// was given and counts as 1; a negative or non-finite weight is an error.
	Weight float64
}

// missing reports whether v stands for no value: an empty cell is one.
func (v *Value) missing() bool {
	return v.Kind == KindMissing || v.Kind == KindCell && v.Text == ""
}

// number converts v to a finite number.
func (v *Value) number() (float64, error) {
	switch v.Kind {
	case KindNumber:
		if math.IsNaN(v.Num) || math.IsInf(v.Num, 0) {
			return 0, invalidf("got %v: a finite number is due", v.Num)
		}
		return v.Num, nil
	case KindCell:
		return parseNumber(v.Text)
	case KindMissing, KindText, KindBool, KindVector:
	}
	return 0, invalidf("got %s: a number is due", v.describe())
}

// parseNumber reads decimal notation only: no hexadecimal, underscore, infinity
// or NaN, which strconv would take.
func parseNumber(s string) (float64, error) {
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, invalidf("got %s: a number is due", quote(s))
	}
	x, err := strconv.ParseFloat(s, 64)
	switch {
	case math.IsInf(x, 0):
		return 0, invalidf("got %s: a number within ±%.2g is due", quote(s), math.MaxFloat64)
	case err != nil:
		return 0, invalidf("got %s: a number is due", quote(s))
	}
	return x, nil
}

// boolean converts v to 0 or 1.
func (v *Value) boolean() (uint8, error) {
	switch v.Kind {
	case KindBool, KindNumber:
		switch v.Num {
		case 0:
			return 0, nil
		case 1:
			return 1, nil
		}
	case KindCell:
		for _, word := range [...]string{"true", "t", "yes", "1"} {
			if strings.EqualFold(v.Text, word) {
				return 1, nil
			}
		}
		for _, word := range [...]string{"false", "f", "no", "0"} {
			if strings.EqualFold(v.Text, word) {
				return 0, nil
			}
		}
	case KindMissing, KindText, KindVector:
	}
	return 0, invalidf("got %s: true or false is due", v.describe())
}

// category converts v to the text of a category. An integral number is its
// decimal text, so that class 3 is the same in JSON and in a CSV; buf is
// scratch, and the result may share its memory.
func (v *Value) category(buf []byte) ([]byte, error) {
	switch v.Kind {
	case KindText, KindCell:
		return append(buf, v.Text...), nil
	case KindBool:
		return strconv.AppendBool(buf, v.Num != 0), nil
	case KindNumber:
		const exact = 1 << 53 // from here on two integers may be one float64
		switch {
		case math.Abs(v.Num) >= exact:
			return nil, invalidf("got %s: text or a whole number within ±2^53 is due", v.describe())
		case v.Num == math.Trunc(v.Num):
			return strconv.AppendInt(buf, int64(v.Num), 10), nil
		}
	case KindMissing, KindVector:
	}
	return nil, invalidf("got %s: text or a whole number is due", v.describe())
}

// Category returns the category that v names, as a frame stores it: text, or
// the decimal text of a whole number. An error wraps [ErrInvalid].
func (v *Value) Category() (string, error) {
	text, err := v.category(nil)
	if err == nil && !utf8.Valid(text) {
		err = invalidf("got %s: UTF-8 text is due", v.describe())
	}
	return string(text), err
}

// describe says what v is, for an error.
func (v *Value) describe() string {
	switch v.Kind {
	case KindMissing:
		return "no value"
	case KindNumber:
		return "the number " + strconv.FormatFloat(v.Num, 'g', -1, 64)
	case KindText:
		return "the text " + quote(v.Text)
	case KindBool:
		return strconv.FormatBool(v.Num != 0)
	case KindVector:
		return fmt.Sprintf("a list of %d numbers", len(v.Vector))
	case KindCell:
		return quote(v.Text)
	}
	return fmt.Sprintf("a value of unknown kind %d", v.Kind)
}

// quote quotes s, shortened where it is long.
func quote(s string) string {
	const limit = 48
	if len(s) <= limit {
		return strconv.Quote(s)
	}
	cut := limit
	for cut > limit-4 && s[cut]&0xC0 == 0x80 { // not within a rune
		cut--
	}
	return strconv.Quote(s[:cut]) + "…"
}

// list names up to ten words.
func list(words []string) string {
	const limit = 10
	var b strings.Builder
	for i, w := range words[:min(len(words), limit)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(w))
	}
	if more := len(words) - limit; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
