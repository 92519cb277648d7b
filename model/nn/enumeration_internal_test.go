package nn

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// typesWith returns the types of this package that have the methods named, from
// its sources: the sealed methods of an interface tell what implements it.
func typesWith(t *testing.T, methods ...string) []string {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][]string{}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil {
				continue
			}
			receiver := f.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			if name, ok := receiver.(*ast.Ident); ok {
				seen[name.Name] = append(seen[name.Name], f.Name.Name)
			}
		}
	}
	var names []string
	for name, has := range seen {
		if !slices.ContainsFunc(methods, func(m string) bool { return !slices.Contains(has, m) }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestEveryKindIsListed shows that the lists which other tests go through, for
// gradients and reference numbers, name every type that implements the
// interface: none can be added without.
func TestEveryKindIsListed(t *testing.T) {
	listed := map[string][]string{}
	for _, k := range layerKinds() {
		listed["layer"] = append(listed["layer"], k.name)
	}
	for _, k := range lossKinds() {
		l, err := ParseLoss(Config{Name: k.name})
		if err != nil {
			t.Fatal(err)
		}
		listed["loss"] = append(listed["loss"], reflect.TypeOf(l).Name())
	}
	for _, k := range optimizerKinds() {
		listed["optimizer"] = append(listed["optimizer"], k.name)
	}
	for _, k := range scheduleKinds() {
		listed["schedule"] = append(listed["schedule"], k.name)
	}
	for kind, methods := range map[string][]string{
		"layer":     {"Config", "check", "build"},
		"loss":      {"Config", "check", "gradient", "absorbs"},
		"optimizer": {"Config", "settings", "new"},
		"schedule":  {"Config", "Rate"},
	} {
		t.Run(kind, func(t *testing.T) {
			slices.Sort(listed[kind])
			if got := typesWith(t, methods...); !slices.Equal(got, listed[kind]) {
				t.Errorf("types = %v, listed are %v", got, listed[kind])
			}
		})
	}
}
