package model

import (
	"strings"

	"github.com/modelbus/modelbus/model/nn"
)

// unknownWord says that word is no kind, which one was probably meant, and
// which there are.
func unknownWord(kind, word string, known []string) string {
	msg := "unknown " + kind + " \"" + shorten(word) + "\""
	if near := nn.Nearest(word, known); near != "" {
		msg += ", did you mean " + near + "?"
	}
	return msg + " (known: " + strings.Join(known, ", ") + ")"
}
