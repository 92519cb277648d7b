package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// listed bounds how many names an error lists.
const listed = 20

// Instead adds to an error that wraps [ErrNotFound] what there is in place of what was
// looked for by ref: the model's versions and aliases, or, without such a model, the models. Any
// other error stays as it is, and so does one where that cannot be looked up.
func (r *Registry) Instead(ctx context.Context, ref Ref, err error) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	_, failed := r.Model(ctx, ref.Model)
	if errors.Is(failed, ErrNotFound) {
		return r.otherModels(ctx, ref.Model, err)
	}
	if failed != nil {
		return err
	}
	versions, failed := r.Versions(ctx, ref.Model)
	if failed != nil {
		return err
	}
	aliases, failed := r.Aliases(ctx, ref.Model)
	if failed != nil {
		return err
	}
	return InsteadOf(ref, versions, aliases, err)
}

// InsteadOf adds to an error about a version or alias that a model does not have which it
// has, as [Registry.Instead] does.
func InsteadOf(ref Ref, versions []Version, aliases map[string]Move, err error) error {
	then := "; it has"
	if near := Near(ref.Alias, aliases); ref.Version == 0 && near != "" && near != ref.Alias {
		then = fmt.Sprintf(", did you mean %s@%s? It has", ref.Model, near)
	}
	return fmt.Errorf("%w%s %s%s", err, then, Numbers(versions), named(aliases))
}

func (r *Registry) otherModels(ctx context.Context, model string, err error) error {
	models, failed := r.Models(ctx)
	if failed != nil && !errors.Is(failed, ErrCorrupt) {
		return err
	}
	all := map[string]bool{}
	for _, m := range models {
		all[m.Name] = true
	}
	names := slices.Sorted(maps.Keys(all))
	more := ""
	if n := len(names) - listed; n > 0 {
		names, more = names[:listed], fmt.Sprintf(" and %d more", n)
	}
	near := Near(model, all)
	switch {
	case len(all) == 0:
		return fmt.Errorf("%w; there is no model yet: create one", err)
	case near != "" && len(all) == 1:
		return fmt.Errorf("%w, did you mean %s?", err, near)
	case near != "":
		return fmt.Errorf("%w, did you mean %s? There are %s%s", err, near, strings.Join(names, ", "), more)
	case len(all) == 1:
		return fmt.Errorf("%w; there is %s", err, names[0])
	}
	return fmt.Errorf("%w; there are %s%s", err, strings.Join(names, ", "), more)
}

// Numbers says which versions there are, for people: "versions 1 to 7 and 9".
func Numbers(versions []Version) string {
	if len(versions) == 0 {
		return "no version yet: train it"
	}
	all := slices.SortedFunc(slices.Values(versions), func(a, b Version) int { return cmp.Compare(a.Number, b.Number) })
	var runs []string
	for lo := 0; lo < len(all); {
		hi := lo
		for hi+1 < len(all) && all[hi+1].Number == all[hi].Number+1 {
			hi++
		}
		switch hi - lo {
		case 0:
			runs = append(runs, fmt.Sprint(all[lo].Number))
		case 1:
			runs = append(runs, fmt.Sprint(all[lo].Number), fmt.Sprint(all[hi].Number))
		default:
			runs = append(runs, fmt.Sprintf("%d to %d", all[lo].Number, all[hi].Number))
		}
		lo = hi + 1
	}
	noun := "versions"
	if len(all) == 1 {
		noun = "version"
	}
	if n := len(runs) - listed; n > 0 { // the newest tell more
		return fmt.Sprintf("%d %s, the last ones %s", len(all), noun, strings.Join(runs[n:], ", "))
	}
	last := len(runs) - 1
	if last == 0 {
		return noun + " " + runs[0]
	}
	return fmt.Sprintf("%s %s and %s", noun, strings.Join(runs[:last], ", "), runs[last])
}

// named says which versions the aliases name.
func named(aliases map[string]Move) string {
	var text strings.Builder
	for i, alias := range slices.Sorted(maps.Keys(aliases)) {
		fmt.Fprintf(&text, "%s%s is version %d", [2]string{"; ", ", "}[min(i, 1)], alias, aliases[alias].To)
	}
	return text.String()
}
