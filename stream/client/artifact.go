package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// registry opens the deployment's registry.
func (c *Client) registry(ctx context.Context) (*registry.Registry, error) {
	reg, err := registry.Open(ctx, c.js, registry.Options{Prefix: c.opts.Subjects.Prefix})
	if err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	return reg, nil
}

// Export returns the artifact of ref with its record, verified.
func (c *Client) Export(ctx context.Context, ref registry.Ref) (registry.Version, []byte, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	reg, err := c.registry(ctx)
	if err != nil {
		return registry.Version{}, nil, err
	}
	v, err := reg.Resolve(ctx, ref)
	if err != nil {
		return registry.Version{}, nil, reg.Instead(ctx, ref, err)
	}
	artifact, err := reg.Artifact(ctx, v.Digest)
	if err != nil {
		return registry.Version{}, nil, fmt.Errorf("exporting %s: %w", ref, err)
	}
	return v, artifact, nil
}

// importAttempts bounds how often a promotion is tried whose alias moved meanwhile.
const importAttempts = 5

// columnsNamed bounds how many features an error lists.
const columnsNamed = 8

// Import stores an artifact as a new version of the model, which it makes if it
// is not there, after decoding it. promote moves the champion to it. If name is
// empty, it is the name in the artifact. An artifact that cannot be used is an
// error that wraps [model.ErrArtifact].
func (c *Client) Import(ctx context.Context, name string, artifact []byte, promote bool, who, why string) (registry.Version, error) {
	m, err := model.Decode(artifact)
	if err != nil {
		return registry.Version{}, fmt.Errorf("importing an artifact of %d bytes: %w", len(artifact), err)
	}
	spec := *m.Spec()
	spec.Name = cmp.Or(name, spec.Name)
	if err := registry.CheckModel(spec.Name); err != nil {
		return registry.Version{}, err
	}
	if err := spec.Validate(); err != nil {
		return registry.Version{}, fmt.Errorf("importing as %s: %w", spec.Name, err)
	}
	ctx, cancel := c.bound(ctx)
	defer cancel()
	reg, err := c.registry(ctx)
	if err != nil {
		return registry.Version{}, err
	}
	if err := ensureModel(ctx, reg, &spec); err != nil {
		return registry.Version{}, err
	}
	digest, err := reg.PutArtifact(ctx, artifact)
	if err != nil {
		return registry.Version{}, fmt.Errorf("importing %s: %w", spec.Name, err)
	}
	v := registry.Version{
		Model: spec.Name, Digest: digest, Size: int64(len(artifact)),
		Lineage: registry.Lineage{Seed: spec.Training.Seed, Imported: cmp.Or(why, "an artifact file")},
	}
	if !promote {
		return reg.Publish(ctx, v, nil, nil)
	}
	return promoted(ctx, reg, v, registry.Promotion{Alias: registry.Champion, Who: who, Why: cmp.Or(why, "imported")})
}

// ensureModel creates the model of spec unless there is one of its name. One
// that has other features or another label is refused: its callers' rows would
// not fit the version.
func ensureModel(ctx context.Context, reg *registry.Registry, spec *model.Spec) error {
	text, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("encoding the spec of %s: %w", spec.Name, err)
	}
	there, err := reg.Model(ctx, spec.Name)
	if err == nil {
		return sameRows(there, spec)
	}
	if !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	_, err = reg.CreateModel(ctx, registry.Model{Name: spec.Name, Spec: text})
	if errors.Is(err, registry.ErrConflict) {
		return nil // somebody else was first
	}
	return err
}

// sameRows returns an error unless the rows of spec are those of the model there.
func sameRows(there registry.Model, spec *model.Spec) error {
	has, err := model.ParseSpec(there.Spec)
	if err != nil {
		return fmt.Errorf("the spec of %s: %w", there.Name, err)
	}
	if reflect.DeepEqual(has.Schema, spec.Schema) {
		return nil
	}
	return fmt.Errorf("%w: the artifact has other features or another label than model %q (it has %s; the model has %s): "+
		"import it under another name, or update the model's spec first", wire.ErrConflict, there.Name, columns(&spec.Schema), columns(&has.Schema))
}

// columns lists the features and the label of a schema.
func columns(s *feature.Schema) string {
	var names []string
	for _, f := range s.Features {
		names = append(names, f.Name)
	}
	if more := len(names) - columnsNamed; more > 0 {
		names = append(names[:columnsNamed], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ") + " → " + s.Label.Name
}

// promoted publishes v and moves the alias to it, from wherever the alias is then.
func promoted(ctx context.Context, reg *registry.Registry, v registry.Version, p registry.Promotion) (registry.Version, error) {
	for range importAttempts {
		aliases, err := reg.Aliases(ctx, v.Model)
		if err != nil {
			return registry.Version{}, err
		}
		p.If = aliases[p.Alias].To
		stored, err := reg.Publish(ctx, v, &p, nil)
		if !errors.Is(err, registry.ErrConflict) {
			return stored, err
		}
	}
	return registry.Version{}, fmt.Errorf("importing %s: %w: alias %s moved during each of %d attempts",
		v.Model, wire.ErrConflict, p.Alias, importAttempts)
}
