package nn

import (
	"errors"
	"testing"
)

func TestBuildRefusesTooManyParams(t *testing.T) {
	layers := []Layer{Dense{Units: 3}, Dense{Units: 4}} // 4·3 + 3 + 3·4 + 4 = 31
	for _, left := range []int{0, 11, 30, 31} {
		n, err := build(4, layers, &builder{total: maxParams - left})
		_, refused := errors.AsType[*ConfigError](err)
		if refused != (left < 31) {
			t.Errorf("with room for %d: %v, %v", left, n, err)
		}
	}
}

func TestSnake(t *testing.T) {
	for class, want := range map[string]string{
		"Dense": "dense", "BatchNormalization": "batch_normalization", "ReLU": "re_lu", "LeakyReLU": "leaky_re_lu", "ELU": "elu",
	} {
		if got := snake(class); got != want {
			t.Errorf("snake(%s) = %s, want %s", class, got, want)
		}
	}
}
