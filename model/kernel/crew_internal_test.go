package kernel

import (
	"slices"
	"testing"
)

// A product must not take longer because processors are busy elsewhere: whoever was
// started for it and has not begun is not waited for, and helps with a later one.
func TestLateHelpersAreNotWaitedFor(t *testing.T) {
	a, b := Matrix(make([]float32, 64*256), 64, 256), Matrix(make([]float32, 256*512), 256, 512)
	for i := range a.Data {
		a.Data[i] = float32(i%7) - 3
	}
	for i := range b.Data {
		b.Data[i] = float32(i%5) - 2
	}
	multiply := func(g *Gemm) []float32 {
		c := Matrix(make([]float32, 64*512), 64, 512)
		g.Multiply(c, a, b, Epilogue{})
		return c.Data
	}
	want := multiply(new(Gemm))

	late := make(chan struct{})
	g := &Gemm{Threads: 4}
	assist := g.crew.assist
	g.crew.help = func() {
		<-late
		assist()
	}
	for range 3 {
		if got := multiply(g); !slices.Equal(got, want) {
			t.Fatal("the product without help differs from that of one thread")
		}
	}
	if got := g.crew.started; got != g.Threads {
		t.Errorf("%d goroutines for three products, want %d", got, g.Threads)
	}
	close(late)
	for range 100 {
		if got := multiply(g); !slices.Equal(got, want) {
			t.Fatal("the product with late help differs from that of one thread")
		}
	}
}
