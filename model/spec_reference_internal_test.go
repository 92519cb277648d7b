package model

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/gate"
)

// tableRows returns the rows of the first table under a heading of SPEC.md, as
// cells by key.
func tableRows(t *testing.T, text, heading string) map[string][]string {
	t.Helper()
	_, section, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("SPEC.md has no section %s", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string][]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		key := strings.Trim(strings.TrimSpace(cells[0]), "`")
		if len(cells) != 4 || !strings.HasPrefix(line, "| `") {
			continue
		}
		if rows[key] != nil {
			t.Errorf("%s: %s has two rows", heading, key)
		}
		for i, c := range cells {
			cells[i] = strings.TrimSpace(c)
		}
		rows[key] = cells
	}
	return rows
}

func jsonKeys(of any) []string {
	typ := reflect.TypeOf(of)
	keys := make([]string, 0, typ.NumField())
	for field := range typ.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}

// TestReferenceIsComplete holds SPEC.md to the code: each key of a spec has a row with
// a type, a default and an example that is read, each row is that of a key, and the
// ranges are those that are checked.
func TestReferenceIsComplete(t *testing.T) {
	b, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	const (
		number  = "name: m\nfeatures: [{name: a, type: number}]\nlabel: {name: y, type: number}\n"
		classes = "name: m\nfeatures: [{name: a, type: number}]\nlabel: {name: y, type: category}\n"
	)
	for _, section := range []struct {
		heading string
		keys    []string
		spec    string // with %s where an example goes
	}{
		{"spec", sections(), "%s\n"},
		{"feature", jsonKeys(feature.Feature{}), "name: m\nfeatures: [%s]\nlabel: {name: y, type: number}\n"},
		{"label", jsonKeys(feature.Label{}), "name: m\nfeatures: [{name: a, type: number}]\n%s\n"},
		{"training", jsonKeys(Training{}), classes + "training:\n  %s\n"},
		{"training.early_stopping", jsonKeys(EarlyStopping{}), classes + "training:\n  validation_split: 0.1\n  early_stopping:\n    %s\n"},
		{"training.reduce_lr_on_plateau", jsonKeys(ReduceOnPlateau{}), number + "training:\n  reduce_lr_on_plateau:\n    %s\n"},
		{"serving", jsonKeys(Serving{}), number + "serving:\n  %s\n"},
		{"serving.drift", jsonKeys(Watch{}), number + "serving:\n  drift:\n    %s\n"},
		{"retrain", jsonKeys(Retrain{}), classes + "retrain:\n  %s\n"},
		{"retrain.gate", jsonKeys(gate.Config{}), classes + "retrain:\n  gate:\n    %s\n"},
	} {
		t.Run(section.heading, func(t *testing.T) {
			rows := tableRows(t, text, section.heading)
			for _, key := range section.keys {
				cells := rows[key]
				if cells == nil {
					t.Errorf("%s has no row", key)
					continue
				}
				delete(rows, key)
				if cells[1] == "" || cells[2] == "" {
					t.Errorf("%s: got type %q and default %q, want both", key, cells[1], cells[2])
				}
				if cells[3] != "–" { // refused in a spec
					readExample(t, section.heading, section.spec, key, strings.Trim(cells[3], "`"))
				}
			}
			for key := range rows {
				t.Errorf("there is a row for %s, which is no key", key)
			}
		})
	}
	checkReferenceRanges(t, text)
}

// readExample reads the example of a key within the rest of a spec, adding keys that
// it needs beside it.
func readExample(t *testing.T, heading, form, key, example string) {
	t.Helper()
	spec := fmt.Sprintf(form, example)
	if heading == "spec" {
		for k, line := range map[string]string{"name": "name: m", "features": "features: [{name: a, type: number}]", "label": "label: {name: y, type: number}"} {
			if k != key {
				spec += line + "\n"
			}
		}
	}
	if heading == "training" && key == "target" {
		spec += "  validation_split: 0.1\n"
	}
	if heading == "retrain" && slices.Contains([]string{"batch", "replay", "fading"}, key) {
		spec += "  mode: online\n"
	}
	if heading == "retrain.gate" && slices.Contains([]string{"alpha", "test", "margin"}, key) {
		spec += "    kind: stream\n"
	}
	if heading == "retrain" && !slices.Contains([]string{"every", "cron", "on", "window", "gate"}, key) {
		spec += "  every: 10\n"
	}
	if heading == "retrain.gate" && key == "slices" {
		spec += "    change: {accuracy: 0}\n"
	}
	if !strings.Contains(example, key) {
		t.Errorf("%s: the example %s does not have it", key, example)
	}
	if _, err := ParseSpec([]byte(spec)); err != nil {
		t.Errorf("%s: the example is refused: %v\n%s", key, err, spec)
	}
}

// checkReferenceRanges compares the ranges with those that are checked.
func checkReferenceRanges(t *testing.T, text string) {
	t.Helper()
	zero := 0.0
	s := Spec{Training: Training{Holdout: &zero, EarlyStopping: &EarlyStopping{}, ReduceOnPlateau: &ReduceOnPlateau{}}}
	for _, l := range s.limits() {
		at := strings.LastIndex(l.path, ".")
		row := tableRows(t, text, l.path[:at])[l.path[at+1:]]
		if row == nil {
			t.Errorf("%s has no row", l.path)
			continue
		}
		want := fmt.Sprintf("number, %v to %v", l.min, l.max)
		switch {
		case l.path == "training.reduce_lr_on_plateau.factor":
			want = "number, more than 0 and less than 1"
		case l.whole && l.max == wholeMax:
			want = fmt.Sprintf("whole number, %d or more", int(l.min))
		case l.whole:
			want = fmt.Sprintf("whole number, %d to %d", int(l.min), int(l.max))
		case l.max == math.MaxFloat64 && l.min > 0:
			want = "number, more than 0"
		case l.max == math.MaxFloat64:
			want = fmt.Sprintf("number, %v or more", l.min)
		}
		if !strings.HasPrefix(row[1], want) {
			t.Errorf("%s: got the range %q, want %q", l.path, row[1], want)
		}
	}
}

// TestReferenceExamples reads the specs of SPEC.md.
func TestReferenceExamples(t *testing.T) {
	b, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(b), -1)
	if len(blocks) < 4 {
		t.Fatalf("got %d examples, want 4 or more", len(blocks))
	}
	for _, block := range blocks {
		if _, err := ParseSpec([]byte(block[1])); err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
	}
}
