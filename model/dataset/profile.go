package dataset

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
)

// maxDistinct bounds the different texts remembered of a column.
const maxDistinct = 1 << 16

// A profile is what the rows show of one column.
type profile struct {
	column  Column
	rows    int
	missing int
	vectors int // values that are vectors
	numbers int // values that are numbers
	truths  int // values that are true or false, in words or in JSON
	dates   int // values that begin like 2006-01-02
	steps   int // values that are one more than the one before

	fraction        bool    // a number is not whole
	least, most     float64 // of the numbers
	last            float64
	origin          float64 // the first number: moments are taken about it
	sum, sum2, sum3 float64

	distinct map[string]int // how often each text occurs, up to maxDistinct
	overflow bool
	odd      string // a text among numbers
	oddLine  int
}

func newProfile(c Column) *profile {
	return &profile{column: c, least: math.Inf(1), most: math.Inf(-1), distinct: make(map[string]int)}
}

// add takes the value of one row.
func (p *profile) add(v feature.Value, line int) {
	p.rows++
	switch v.Kind {
	case feature.KindMissing:
		p.missing++
	case feature.KindNumber:
		p.number(v.Num)
		p.count(strconv.FormatFloat(v.Num, 'f', -1, 64))
	case feature.KindBool:
		p.truths++
		p.count(strconv.FormatBool(v.Num != 0))
	case feature.KindText, feature.KindCell:
		p.text(v, line)
	case feature.KindVector:
		p.vectors++
		p.column.Size = max(p.column.Size, len(v.Vector))
		for _, x := range v.Vector {
			p.extend(float64(x))
		}
	}
}

func (p *profile) text(v feature.Value, line int) {
	if v.Kind == feature.KindCell && decimal(v.Text) {
		if x, err := strconv.ParseFloat(v.Text, 64); err == nil {
			p.number(x)
			p.count(v.Text)
			return
		}
	}
	if p.odd == "" {
		p.odd, p.oddLine = strings.Clone(v.Text), line
	}
	switch strings.ToLower(v.Text) {
	case "true", "false", "yes", "no", "t", "f":
		if v.Kind == feature.KindCell {
			p.truths++
		}
	}
	if isDate(v.Text) {
		p.dates++
	}
	p.count(v.Text)
}

func (p *profile) number(x float64) {
	if p.numbers == 0 {
		p.origin = x
	} else if x == p.last+1 {
		p.steps++
	}
	p.last = x
	p.numbers++
	p.extend(x)
	d := x - p.origin
	p.sum += d
	p.sum2 += d * d
	p.sum3 += d * d * d
}

func (p *profile) extend(x float64) {
	p.fraction = p.fraction || x != math.Trunc(x)
	p.least, p.most = min(p.least, x), max(p.most, x)
}

func (p *profile) count(text string) {
	if _, ok := p.distinct[text]; !ok {
		if len(p.distinct) == maxDistinct {
			p.overflow = true
			return
		}
		text = strings.Clone(text) // not the whole line that it may be part of
	}
	p.distinct[text]++
}

// pixels reports whether the numbers look like those of an image: whole, from 0
// to 255.
func (p *profile) pixels() bool {
	return !p.fraction && p.least >= 0 && p.most > 1 && p.most <= 255
}

// present returns how many rows have a value.
func (p *profile) present() int { return p.rows - p.missing }

// rarest returns the count of the rarest text and that text, the first of equals
// in sorting order.
func (p *profile) rarest() (text string, count int) {
	count = math.MaxInt
	for t, n := range p.distinct {
		if n < count || n == count && t < text {
			text, count = t, n
		}
	}
	return text, count
}

// skewness returns the third standardized moment of the numbers.
func (p *profile) skewness() float64 {
	n := float64(p.numbers)
	m := p.sum / n
	variance := p.sum2/n - m*m
	if !(variance > 0) {
		return 0
	}
	return (p.sum3/n - 3*m*p.sum2/n + 2*m*m*m) / (variance * math.Sqrt(variance))
}

// span says what range the numbers have.
func (p *profile) span() string {
	return fmt.Sprintf("%s … %s", short(p.least), short(p.most))
}

func short(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// isDate reports whether s begins like 2006-01-02.
func isDate(s string) bool {
	if len(s) < 10 {
		return false
	}
	for i := range 10 {
		digit := s[i] >= '0' && s[i] <= '9'
		if dash := i == 4 || i == 7; dash && s[i] != '-' && s[i] != '/' || !dash && !digit {
			return false
		}
	}
	return true
}
