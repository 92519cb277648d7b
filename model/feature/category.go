package feature

import "fmt"

// A categoryOp writes a category as one of width columns set to 1, or, to be
// embedded, as an index from 1.
type categoryOp struct {
	source

	words []string         // the vocabulary; nil with hashing
	index map[string]int32 // into words

	width   int  // matrix columns without the indicator
	buckets int  // hashing: how many columns the hash chooses from; else 0
	embed   bool // one column with the index
	units   int  // of the embedding

	zeros   bool  // unknown categories give zeros
	missing int32 // the index that stands for a missing value; noCode without a policy
}

func (o *categoryOp) apply(b batch) error {
	c := b.frame.columns[o.column]
	for i := range b.n {
		code := c.codes.row(b.frame.first + b.row(i))[0]
		index, known := o.missing, code == noCode
		switch {
		case known && index == noCode:
			return o.missingError(b, i)
		case known:
		case o.buckets > 0:
			index, known = int32(hash(c.words[code])%uint64(o.buckets)), true
		default:
			index, known = o.index[c.words[code]]
		}
		if !known && !o.zeros {
			return &RowError{Row: b.row(i), Err: unknownError(o.title, "category", c.words[code], o.words)}
		}
		out := b.dst[i*b.stride+o.at:]
		if o.embed {
			out[0] = 0
			if known {
				out[0] = float32(index + 1)
			}
		} else {
			clear(out[:o.width])
			if known {
				out[index] = 1
			}
		}
		if o.indicator {
			out[o.width] = truth(code == noCode)
		}
	}
	return nil
}

// categories returns how many categories there are, a missing value's own
// included.
func (o *categoryOp) categories() int {
	n := len(o.words) + o.buckets
	if int(o.missing) == n {
		n++
	}
	return n
}

func (o *categoryOp) describe(cols []Column) []Column {
	if o.embed {
		at := len(cols)
		cols = o.source.describe(cols, "")
		cols[at].Categories, cols[at].Units = o.categories()+1, o.units
		return cols
	}
	names := make([]string, 0, o.width)
	for _, w := range o.words {
		names = append(names, "="+w)
	}
	for j := range o.buckets {
		names = append(names, fmt.Sprintf("[%d]", j))
	}
	if len(names) < o.width {
		names = append(names, ".missing")
	}
	return o.source.describe(cols, names...)
}

// hash is FNV-1a with 64 bits (Fowler, Noll, Vo; RFC 9923) of the UTF-8 text. It
// is part of the artifact format: it never changes.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
