package nn

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReferenceNamesAll holds SPEC.md to the code: every layer, initializer,
// regularizer, optimizer, schedule and loss has a row, which names its arguments.
func TestReferenceNamesAll(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "SPEC.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"learning_rate", "weight_decay", "clipvalue", "clipnorm", "global_clipnorm"} // of every optimizer
	for _, k := range layerKinds() {
		checkReference(t, string(b), "layer", k.name, nil, func(a *arguments) { k.parse(a) })
	}
	for _, k := range optimizerKinds() {
		checkReference(t, string(b), "optimizer", k.name, all, func(a *arguments) { k.parse(a) })
	}
	for _, k := range scheduleKinds() {
		checkReference(t, string(b), "schedule", k.name, nil, func(a *arguments) { k.parse(a) })
	}
	for _, k := range lossKinds() {
		checkReference(t, string(b), "loss", k.name, nil, func(a *arguments) { k.parse(a) })
	}
	for _, name := range initializerNames() {
		checkReference(t, string(b), "initializer", name, nil, nil)
	}
	for _, name := range []string{"L1", "L2", "L1L2"} {
		checkReference(t, string(b), "regularizer", name, nil, nil)
	}
	for _, name := range activationNames() {
		if !strings.Contains(string(b), "`"+name+"`") {
			t.Errorf("activation %s is not named", name)
		}
	}
}

// checkReference looks for the row of a name in the table of a kind, and in it for
// the arguments that parse asks for.
func checkReference(t *testing.T, text, kind, name string, common []string, parse func(*arguments)) {
	t.Helper()
	_, table, ok := strings.Cut(text, "\n| "+kind+" | arguments |\n")
	if !ok {
		t.Fatalf("SPEC.md has no table of kind %s", kind)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	row := ""
	for line := range strings.Lines(table) {
		first, rest, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if slices.Contains(strings.FieldsFunc(first, func(r rune) bool { return strings.ContainsRune("`, ()", r) }), name) {
			row = rest
		}
	}
	if row == "" {
		t.Errorf("%s %s has no row", kind, name)
		return
	}
	if parse == nil {
		return
	}
	a := Config{Name: name}.arguments()
	parse(a)
	for _, key := range a.known {
		if !strings.Contains(row, "`"+key+"`") && !slices.Contains(common, key) {
			t.Errorf("%s %s: its row does not name the argument %s", kind, name, key)
		}
	}
}
