package kernel

import "fmt"

// A View is a float32 matrix in memory of any layout: element (i, j) is
// Data[i*RowStride + j*ColStride].
type View struct {
	Data       []float32
	Rows, Cols int
	RowStride  int
	ColStride  int
}

// Matrix returns data as a row-major matrix without gaps.
func Matrix(data []float32, rows, cols int) View {
	return View{Data: data, Rows: rows, Cols: cols, RowStride: cols, ColStride: 1}
}

// T returns v transposed, of the same memory.
func (v View) T() View {
	return View{Data: v.Data, Rows: v.Cols, Cols: v.Rows, RowStride: v.ColStride, ColStride: v.RowStride}
}

// check panics unless all elements of v are in its data.
func (v View) check(name string) {
	if v.Rows < 0 || v.Cols < 0 || v.RowStride < 0 || v.ColStride < 0 {
		panic(fmt.Sprintf("kernel: %s has negative sizes: %d×%d, strides %d and %d", name, v.Rows, v.Cols, v.RowStride, v.ColStride))
	}
	if v.Rows == 0 || v.Cols == 0 {
		return
	}
	if last := (v.Rows-1)*v.RowStride + (v.Cols-1)*v.ColStride; last >= len(v.Data) {
		panic(fmt.Sprintf("kernel: %s is %d×%d with strides %d and %d, which is too large for %d numbers",
			name, v.Rows, v.Cols, v.RowStride, v.ColStride, len(v.Data)))
	}
}

// part returns rows × cols elements of v from row i and column j on.
func (v View) part(i, rows, j, cols int) View {
	p := View{Rows: rows, Cols: cols, RowStride: v.RowStride, ColStride: v.ColStride}
	if rows > 0 && cols > 0 {
		p.Data = v.Data[i*v.RowStride+j*v.ColStride:]
	}
	return p
}
