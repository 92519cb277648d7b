package kernel

import (
	"fmt"
	"testing"
)

// TestTurnEveryShape transposes between rows with space beside them, which must stay as it
// was.
func TestTurnEveryShape(t *testing.T) {
	sizes := []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 40, 127, 128, 129, 200}
	for set := range everySet() {
		for _, rows := range sizes {
			for _, cols := range sizes {
				xstride, ystride := cols+3, rows+5
				x, y := make([]float32, rows*xstride), make([]float32, cols*ystride)
				for i := range x {
					x[i] = float32(i + 1)
				}
				turn(y, ystride, x, xstride, rows, cols)
				for i, got := range y {
					want := float32(0)
					if r, c := i%ystride, i/ystride; r < rows {
						want = x[r*xstride+c]
					}
					if got != want {
						t.Fatalf("%s: (%d, %d): number %d is %v, want %v", set, rows, cols, i, got, want)
					}
				}
			}
		}
	}
}

func BenchmarkTurn(b *testing.B) {
	for _, n := range []int{16, 512} {
		for set := range everySet() {
			b.Run(fmt.Sprintf("%d/%s", n, set), func(b *testing.B) {
				x, y := make([]float32, 512*n), make([]float32, 512*n)
				b.SetBytes(int64(4 * len(x)))
				for b.Loop() {
					turn(y, n, x, 512, n, 512)
				}
			})
		}
	}
}
