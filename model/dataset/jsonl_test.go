package dataset_test

import (
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/dataset"
)

func TestJSONLines(t *testing.T) {
	tests := []struct {
		name    string
		text    string
		columns string
		rows    []string
	}{
		{"objects", `{"a":1.5,"b":"x"}` + "\n" + ` {"b":null,"a":true}` + "\r\n\n", "a b", []string{`#1.5|"x"`, "true|-"}},
		{"no newline at the end", `{"a":1}`, "a", []string{"#1"}},
		{"key lost", `{"a":1,"b":2}` + "\n" + `{"b":3}`, "a b", []string{"#1|#2", "-|#3"}},
		{"key added", `{"a":1}` + "\n" + `{"a":2,"b":3}` + "\n" + `{"a":4}`, "a b", []string{"#1", "#2|#3", "#4|-"}},
		{"lists", `[1,"x",false]` + "\n" + `[2,"y"]` + "\n" + `[3,"z",true]`, "c1 c2 c3", []string{`#1|"x"|false`, "line 2: got a list of 2 values: 3 are due", `#3|"z"|true`}},
		{"vectors", `{"v":[1,2.5],"n":[[1, 2],[3,4]]}`, "v(2) n(4)", []string{"[1 2.5]|[1 2 3 4]"}},
		{"training", `{"features":{"a":1},"label":"x","weight":2}` + "\n" + `{"label":"y","features":{"a":2}}`, "a label:label weight:weight", []string{`#1|"x"|#2`, `#2|"y"|-`}},
		{"training on lists", `{"features":[1,[2,3]],"label":4}`, "c1 c2(2) label:label", []string{"#1|[2 3]|#4"}},
		{"a feature named label", `{"features":{"label":1},"label":2}`, "label label:label", []string{"#1|#2"}},
		{"columns named like the form", `{"features":3,"label":4}`, "features label", []string{"#3|#4"}},
		{
			"malformed", `{"a":1}` + "\n{\"a\":\n" + `{"a":2}`, "a",
			[]string{"#1", "line 2: malformed JSON: unexpected end of JSON input", "#2"},
		},
		{"malformed first", "{\n" + `{"a":2}`, "", []string{"line 1: malformed JSON: unexpected end of JSON input", "#2"}},
		{"twice", `{"a":1,"a":2}`, "", []string{`line 1: key "a" is given twice`}},
		{"no row", "[1]\n3\n", "c1", []string{"#1", "line 2: got 3: an object or a list is due"}},
		{"nested", `{"a":{"b":1}}`, "", []string{`line 1: column "a": got an object: a value or a list of numbers is due`}},
		{"texts in a list", `{"a":[1,"x"]}`, "", []string{`line 1: column "a": got a list with "x"]: a list of numbers is due`}},
		{"too large", `{"a":1e999}`, "", []string{`line 1: column "a": got 1e999: a number within ±1.8e+308 is due`}},
		{"too large in a list", `{"a":[1e39]}`, "", []string{`line 1: column "a": got a list with 1e39: a number within ±3.4e+38 is due`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, tt.text, dataset.Options{Format: dataset.JSONLines})
			got := rows(t, r)
			checkRows(t, got, tt.rows...)
			if got := columns(r); tt.columns != "" && got != tt.columns {
				t.Errorf("Columns() = %q, want %q", got, tt.columns)
			}
		})
	}
	_, err := dataset.NewReader(strings.NewReader(" \n"), dataset.Options{Name: "x.jsonl"})
	checkError(t, "NewReader()", err, "x.jsonl: the file is empty")
}
