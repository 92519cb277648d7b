package feature

// AppendFrom adds a copy of row i of src, which must be of the same schema and as
// labelled as f. It allocates nothing once f has grown and knows the row's
// categories.
func (f *Frame) AppendFrom(src *Frame, i int) error {
	src.check(i)
	switch {
	case f.view:
		return invalidf("a view of a frame takes no rows")
	case f.schema != src.schema && !f.schema.fits(src.schema):
		return invalidf("the row is of another schema")
	case f.Labeled() != src.Labeled():
		return invalidf("of the frame and the row only one has labels")
	}
	for k, c := range f.columns {
		c.copyRow(f.rows, src.columns[k], src.first+i)
	}
	if f.label != nil {
		f.label.copyRow(f.rows, src.label, src.first+i)
		f.weights.put(f.rows, src.weights.row(src.first + i)[0])
	}
	f.rows++
	return nil
}

// copyRow stores row from of src, a column of the same kind, as row to.
func (c *column) copyRow(to int, src *column, from int) {
	switch c.kind {
	case Number:
		c.numbers.put(to, src.numbers.row(from)[0])
	case Boolean:
		c.truths.put(to, src.truths.row(from)[0])
	case Vector:
		c.vectors.copyRow(to, src.vectors.row(from))
	case Category:
		code := src.codes.row(from)[0]
		if code != noCode {
			code = c.codeOf(src.words[code])
		}
		c.codes.put(to, code)
	}
}

// codeOf returns the code of word, a new one if it is new.
func (c *column) codeOf(word string) int32 {
	if code, ok := c.dict[word]; ok {
		return code
	}
	return c.code([]byte(word))
}

// copyRow stores x as row i, at most one beyond those set before.
func (v *vectors) copyRow(i int, x vector) {
	if x.floats != nil {
		v.set(i, x.floats)
		return
	}
	p, at := v.grow(i)
	if p.floats == nil {
		copy(p.bytes[at:at+v.width], x.bytes)
		return
	}
	x.copyTo(p.floats[at : at+v.width])
}
