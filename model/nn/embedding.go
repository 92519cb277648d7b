package nn

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/modelbus/modelbus/model/kernel"
)

// Embedding replaces indices by trained vectors. With Columns set, the listed
// columns of a row are indices, each with a table of its own, and their vectors
// take their places; the other columns pass through. Without Columns it is Keras's
// form: every column is an index into one table of InputDim rows and OutputDim
// columns, and the vectors of a row are laid out one after the other.
//
// Indices are whole numbers in [0, InputDim); the feature pipeline guarantees it.
// A fraction is dropped; an index out of range reads the nearest row and one that
// is not a number reads row 0, so that no request can stop a server.
type Embedding struct {
	InputDim, OutputDim int
	Columns             []EmbeddingColumn

	Initializer Initializer // default random_uniform in [-0.05, 0.05)
	Regularizer Regularizer
}

// maxIndices is the most rows of a table: beyond it float32 has gaps.
const maxIndices = 1 << 24

// An EmbeddingColumn is a column of indices in [0, InputDim) that becomes
// OutputDim columns.
type EmbeddingColumn struct {
	Column, InputDim, OutputDim int
}

// Config implements [Layer].
func (l Embedding) Config() Config {
	columns := make([]any, len(l.Columns))
	for i, c := range l.Columns {
		columns[i] = map[string]any{"column": c.Column, "input_dim": c.InputDim, "output_dim": c.OutputDim}
	}
	return newConfig("Embedding",
		"input_dim", l.InputDim,
		"output_dim", l.OutputDim,
		"columns", columns,
		"embeddings_initializer", l.Initializer.config().nested(),
		"embeddings_regularizer", l.Regularizer.config().nested(),
	)
}

func parseEmbedding(a *arguments) Embedding {
	l := Embedding{
		InputDim:    a.integer("input_dim", 0, 1),
		OutputDim:   a.integer("output_dim", 0, 1),
		Initializer: a.initializer("embeddings_initializer"),
		Regularizer: a.regularizer("embeddings_regularizer"),
	}
	for i, v := range a.list("columns") {
		m, ok := v.(map[string]any)
		if !ok {
			a.fail("columns", "must be a list of {column, input_dim, output_dim}, got %s", describe(v))
			break
		}
		c := Config{Name: "columns", Args: m}.arguments()
		l.Columns = append(l.Columns, EmbeddingColumn{
			Column:    c.integer("column", 0, 0),
			InputDim:  c.integer("input_dim", 0, 1),
			OutputDim: c.integer("output_dim", 0, 1),
		})
		a.wrap(fmt.Sprintf("columns[%d]", i), c.done())
	}
	a.ignore("input_length", "sparse", "quantization_config")
	a.refuse("activity_regularizer", "embeddings_constraint", "mask_zero", "weights", "lora_rank", "lora_alpha")
	return l
}

func (l Embedding) check() error {
	const name = "Embedding"
	if len(l.Columns) > 0 && (l.InputDim != 0 || l.OutputDim != 0) {
		return &ConfigError{Name: name, Key: "columns", Msg: "want either columns or input_dim and output_dim, got both"}
	}
	tables := l.Columns
	if len(tables) == 0 {
		tables = []EmbeddingColumn{{InputDim: l.InputDim, OutputDim: l.OutputDim}}
	}
	seen := map[int]bool{}
	for _, c := range tables {
		if c.InputDim < 1 || c.OutputDim < 1 || c.OutputDim > maxWidth {
			return &ConfigError{Name: name, Msg: fmt.Sprintf("input_dim and output_dim must be at least 1, got %d and %d", c.InputDim, c.OutputDim)}
		}
		if c.InputDim > maxIndices {
			return &ConfigError{Name: name, Key: "input_dim", Msg: fmt.Sprintf("must be at most %d, the whole numbers that a float32 tells apart, got %d", maxIndices, c.InputDim)}
		}
		if err := checkSize(name, "input_dim", c.InputDim, c.OutputDim); err != nil {
			return err
		}
		if seen[c.Column] || c.Column < 0 {
			return &ConfigError{Name: name, Key: "columns", Msg: fmt.Sprintf("columns must differ and count from 0, got %d", c.Column)}
		}
		seen[c.Column] = true
	}
	return firstError(l.Initializer.check(name, "embeddings_initializer"), l.Regularizer.check(name, "embeddings_regularizer"))
}

func (l Embedding) build(in int, b *builder) ([]operator, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	o := &embeddingOperator{in: in, tables: make([]*Param, in)}
	if len(l.Columns) == 0 {
		table := b.param("embeddings", l.Initializer.or("random_uniform"), l.Regularizer, l.InputDim, l.OutputDim)
		o.list = []*Param{table}
		for j := range o.tables {
			o.tables[j] = table
		}
	}
	columns := slices.SortedFunc(slices.Values(l.Columns), func(a, b EmbeddingColumn) int { return cmp.Compare(a.Column, b.Column) })
	for _, c := range columns {
		if c.Column >= in {
			return nil, &ConfigError{Name: "Embedding", Key: "columns", Msg: fmt.Sprintf("there is no column %d, the input has %d", c.Column, in)}
		}
		name := fmt.Sprintf("embeddings_%d", c.Column)
		o.tables[c.Column] = b.param(name, l.Initializer.or("random_uniform"), l.Regularizer, c.InputDim, c.OutputDim)
		o.list = append(o.list, o.tables[c.Column])
	}
	for _, table := range o.tables {
		if table == nil {
			o.out++
		} else {
			o.out += table.Shape[1]
		}
	}
	if o.out > maxWidth {
		return nil, &ConfigError{Name: "Embedding", Msg: fmt.Sprintf("its output would be %d wide, the most is %d", o.out, maxWidth)}
	}
	return []operator{o}, nil
}

type embeddingOperator struct {
	in, out int
	tables  []*Param // by column; nil for a column that passes through
	list    []*Param // each table once
}

func (o *embeddingOperator) width() int       { return o.out }
func (o *embeddingOperator) params() []*Param { return o.list }

func (o *embeddingOperator) infer(m *memory, x []float32, rows int) []float32 {
	m.y = grow(m.y, rows*o.out)
	y := m.y
	for i := range rows {
		for j, v := range x[i*o.in:][:o.in] {
			table := o.tables[j]
			if table == nil {
				y[0], y = v, y[1:]
				continue
			}
			vector := lookup(table.Value, table.Shape, v)
			copy(y, vector)
			y = y[len(vector):]
		}
	}
	return m.y
}

// lookup returns the row of a table of shape that v names.
func lookup(table []float32, shape []int, v float32) []float32 {
	row := 0
	if v >= float32(shape[0]) {
		row = shape[0] - 1
	} else if v >= 0 {
		row = min(int(v), shape[0]-1)
	}
	return table[row*shape[1]:][:shape[1]]
}

func (o *embeddingOperator) forward(m *memory, x []float32, rows int) []float32 {
	m.x = x
	return o.infer(m, x, rows)
}

// backward gives indices a derivative of zero.
func (o *embeddingOperator) backward(m *memory, dy []float32, rows int) []float32 {
	for _, table := range o.list {
		clear(table.Grad)
	}
	m.dx = grow(m.dx, rows*o.in)
	for i := range rows {
		for j, v := range m.x[i*o.in:][:o.in] {
			table := o.tables[j]
			if table == nil {
				m.dx[i*o.in+j], dy = dy[0], dy[1:]
				continue
			}
			m.dx[i*o.in+j] = 0
			vector := lookup(table.Grad, table.Shape, v)
			kernel.Add(vector, dy[:len(vector)])
			dy = dy[len(vector):]
		}
	}
	if !m.inputGradient {
		return nil
	}
	return m.dx
}
