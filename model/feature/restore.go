package feature

import (
	"fmt"
	"math"
	"slices"
)

// maxOneHot bounds the columns of a one_hot feature.
const maxOneHot = 1 << 14

// Restore rebuilds a pipeline from its schema and state. It trusts neither:
// what does not fit together is an error that wraps [ErrInvalid].
func Restore(s Schema, st State) (*Pipeline, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return compile(&s, st)
}

// compile turns a valid schema and a state, which it checks, into a pipeline
// that shares no memory with them.
func compile(s *Schema, st State) (*Pipeline, error) {
	c := compiler{given: st, state: State{
		Stats:        make(map[string][]float64, len(st.Stats)),
		Vocabularies: make(map[string][]string, len(st.Vocabularies)),
	}}
	p := &Pipeline{schema: s.clone(), state: c.state}
	for i := range p.schema.Features {
		ft := &p.schema.Features[i]
		if err := c.feature(ft, i); err != nil {
			return nil, fmt.Errorf("%s: %w", ft.title(), err)
		}
		if c.width > maxSize {
			return nil, invalidf("%s: the matrix has %d columns by now: %d at most are allowed", ft.title(), c.width, maxSize)
		}
	}
	p.width, p.ops = c.width, c.ops
	var err error
	if p.label, err = c.label(&p.schema.Label); err != nil {
		return nil, fmt.Errorf("%s: %w", p.schema.Label.title(), err)
	}
	return p, c.leftovers()
}

type compiler struct {
	given State
	state State // what was taken from given
	width int
	ops   []operation
}

// stats returns a copy of a statistic after checking it.
func (c *compiler) stats(name, stat string, size int) ([]float64, error) {
	key := name + "." + stat
	values, ok := c.given.Stats[key]
	if !ok {
		return nil, invalidf("the state has no %s", stat)
	}
	if len(values) != size {
		return nil, invalidf("the state has %d values of %s: %d are due", len(values), stat, size)
	}
	if err := checkFinite(stat, values); err != nil {
		return nil, err
	}
	c.state.Stats[key] = slices.Clone(values)
	return c.state.Stats[key], nil
}

func checkFinite(stat string, values []float64) error {
	for _, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return invalidf("%s is %v: the values are too large, or the state is damaged", stat, x)
		}
	}
	return nil
}

// words returns a copy of a vocabulary after checking it against the one that
// the schema fixes, if it does.
func (c *compiler) words(name string, fixed []string) ([]string, map[string]int32, error) {
	words, ok := c.given.Vocabularies[name]
	if !ok {
		return nil, nil, invalidf("the state has no vocabulary")
	}
	if len(words) == 0 {
		return nil, nil, invalidf("the vocabulary is empty")
	}
	if len(fixed) > 0 && !slices.Equal(words, fixed) {
		return nil, nil, invalidf("the state's vocabulary is not the schema's")
	}
	if msg := wordsProblem(words); msg != "" {
		return nil, nil, invalidf("the vocabulary %s", msg)
	}
	words = slices.Clone(words)
	c.state.Vocabularies[name] = words
	return words, indexOf(words), nil
}

func indexOf(words []string) map[string]int32 {
	index := make(map[string]int32, len(words))
	for i, w := range words {
		index[w] = int32(i)
	}
	return index
}

func (c *compiler) leftovers() error {
	for key := range c.given.Stats {
		if _, ok := c.state.Stats[key]; !ok {
			return invalidf("the state has a statistic %s that the schema has no use for", quote(key))
		}
	}
	for key := range c.given.Vocabularies {
		if _, ok := c.state.Vocabularies[key]; !ok {
			return invalidf("the state has a vocabulary %s that the schema has no use for", quote(key))
		}
	}
	return nil
}

func (c *compiler) steps(name string, scales []Scale, size int) (steps, error) {
	var all steps
	for _, scale := range scales {
		s, err := stepOf(scale, size, func(stat string, size int) ([]float64, error) { return c.stats(name, stat, size) })
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (c *compiler) feature(ft *Feature, column int) error {
	src := source{name: ft.Name, title: ft.title(), column: column, at: c.width, indicator: ft.Indicator}
	if ft.Indicator {
		c.width++
	}
	switch ft.Type {
	case Number:
		return c.number(ft, src)
	case Vector:
		return c.vector(ft, src)
	case Category:
		return c.category(ft, src)
	case Boolean:
	}
	c.width++
	op := &booleanOp{source: src, fill: noTruth}
	if ft.Missing == MissingConstant {
		v := fillValue(ft.Fill)
		var err error
		if op.fill, err = v.boolean(); err != nil {
			return err
		}
	}
	c.ops = append(c.ops, op)
	return nil
}

// fill returns what stands for missing values, by position, or nil.
func (c *compiler) fill(ft *Feature) ([]float64, error) {
	switch ft.Missing {
	case MissingMean, MissingMedian:
		return c.stats(ft.Name, statFill, ft.places())
	case MissingConstant:
		return ft.fillNumbers()
	case "", MissingError, MissingCategory:
	}
	return nil, nil
}

func (c *compiler) number(ft *Feature, src source) error {
	c.width++
	scale, err := c.steps(ft.Name, ft.scales(), 1)
	if err != nil {
		return err
	}
	fill, err := c.fill(ft)
	if err != nil {
		return err
	}
	op := &numberOp{source: src, scale: scale}
	if fill != nil {
		op.fill, op.filled = fill[0], true
		if _, err := narrow("fill", fill[0], scale.forward(fill[0], 0)); err != nil {
			return err
		}
	}
	c.ops = append(c.ops, op)
	return nil
}

func (c *compiler) vector(ft *Feature, src source) error {
	c.width += ft.Size
	scale, err := c.steps(ft.Name, ft.scales(), ft.Size)
	if err != nil {
		return err
	}
	fill, err := c.fill(ft)
	if err != nil {
		return err
	}
	op := &vectorOp{source: src, size: ft.Size, scale: scale, fill: fill, filled: make([]float32, len(fill))}
	for j, x := range fill {
		if op.filled[j], err = narrow("fill", x, scale.forward(x, j)); err != nil {
			return err
		}
	}
	if len(scale) == 1 && !scale[0].log {
		op.compileAffine()
	}
	c.ops = append(c.ops, op)
	return nil
}

// compileAffine prepares the float32 form of the only step, unless its numbers
// are beyond a float32.
func (o *vectorOp) compileAffine() {
	sub, mul := o.sub, o.mul
	if mul == nil {
		sub, mul = make([]float32, o.size), make([]float32, o.size)
	}
	o.sub, o.mul = nil, nil
	for j := range sub {
		sub[j], mul[j] = float32(o.scale[0].sub[j]), 0
		if d := o.scale[0].div[j]; d != 0 {
			mul[j] = float32(1 / d)
		}
		if !finite32(sub[j]) || !finite32(mul[j]) {
			return
		}
	}
	o.sub, o.mul = sub, mul
}

func (c *compiler) category(ft *Feature, src source) error {
	op := &categoryOp{
		source: src, buckets: ft.Buckets, embed: ft.Encode == Embedding, units: ft.Units,
		zeros: ft.Unknown == UnknownZeros, missing: noCode,
	}
	if ft.Encode != Hashing {
		var err error
		if op.words, op.index, err = c.words(ft.Name, ft.Vocabulary); err != nil {
			return err
		}
	}
	switch ft.Missing {
	case MissingConstant:
		fill, err := ft.fillText()
		if err != nil {
			return err
		}
		index, known := op.index[fill]
		switch {
		case op.buckets > 0:
			index = int32(hash(fill) % uint64(op.buckets))
		case !known:
			return invalidf("fill %s is not in the vocabulary", quote(fill))
		}
		op.missing = index
	case MissingCategory:
		op.missing = int32(len(op.words) + op.buckets)
	case "", MissingError, MissingMean, MissingMedian:
	}
	op.width = op.categories()
	switch {
	case op.embed:
		if op.units == 0 {
			op.units = min(50, (op.width+1)/2)
		}
		op.width = 1
	case op.buckets == 0 && op.width > maxOneHot:
		return invalidf("%d categories are too many for encode %q, which takes %d: %q or %q is due",
			op.width, OneHot, maxOneHot, Embedding, Hashing)
	}
	c.width += op.width
	c.ops = append(c.ops, op)
	return nil
}

func (c *compiler) label(l *Label) (target, error) {
	t := target{title: l.title()}
	var err error
	switch l.Type {
	case Number:
		t.scale, err = c.steps(labelKey, l.scales(), 1)
		return t, err
	case Boolean:
		t.classes = []string{"false", "true"}
		return t, nil
	case Category, Vector:
	}
	if t.classes, t.index, err = c.words(labelKey, l.Classes); err != nil {
		return target{}, err
	}
	if len(t.classes) < 2 {
		return target{}, invalidf("the state has %d class: a classifier needs two or more", len(t.classes))
	}
	return t, nil
}
