package nn

import "testing"

func TestEditDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"units", "unit", 1},
		{"relu", "rleu", 1},
		{"kitten", "sitting", 3},
		{"größe", "große", 1},
	}
	for _, tt := range tests {
		if got := editDistance([]rune(tt.a), []rune(tt.b)); got != tt.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"units", "use_bias", "kernel_initializer"}
	tests := []struct{ word, want string }{
		{"unit", "units"},
		{"useBias", "use_bias"},
		{"kernel_initialiser", "kernel_initializer"},
		{"rate", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := Nearest(tt.word, known); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}
