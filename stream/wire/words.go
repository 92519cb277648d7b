package wire

// maxWords bounds how many words are kept: clients may send ever new ones.
const maxWords = 1024

// longestWord is how many bytes a word that is kept has at most.
const longestWord = 256

// words are strings that came before: names of tensors and categories come again
// and again.
type words struct{ known map[string]string }

// of returns text as a string.
func (w *words) of(text []byte) string {
	if s, ok := w.known[string(text)]; ok {
		return s
	}
	if len(text) > longestWord {
		return string(text)
	}
	if w.known == nil || len(w.known) == maxWords {
		w.known = make(map[string]string)
	}
	s := string(text)
	w.known[s] = s
	return s
}
