package registry

import (
	"context"
	"io"

	"github.com/nats-io/nats.go/jetstream"
)

// Options are optional parameters of [Create] and [Open]. All users of one
// deployment must use the same Prefix.
type Options struct {
	// Prefix is the first token of subjects: "modelbus" if empty. Bucket and
	// stream names are its upper-case form.
	Prefix string

	// Replicas of what Create makes: 1 if 0.
	Replicas int
}

// A Registry is the store of one deployment.
type Registry struct{}

// Create makes buckets and streams that are missing, brings the configuration
// of those there to what is needed without touching their data, and opens them.
func Create(ctx context.Context, js jetstream.JetStream, opts Options) (*Registry, error) {
	panic("unbuilt")
}

// Open binds to what Create made and makes nothing: it returns
// [ErrNotInitialized] if something is missing.
func Open(ctx context.Context, js jetstream.JetStream, opts Options) (*Registry, error) {
	panic("unbuilt")
}

// CreateModel stores a new model and announces "created". It returns
// [ErrConflict] if there is one of that name.
func (r *Registry) CreateModel(ctx context.Context, m Model) (Model, error) { panic("unbuilt") }

// UpdateModel replaces a model's spec if its revision is still m.Revision, else
// it returns [ErrConflict].
func (r *Registry) UpdateModel(ctx context.Context, m Model) (Model, error) { panic("unbuilt") }

// DeleteModel removes a model with its versions and aliases and announces
// "deleted". Artifacts no version refers to are left to [Registry.Collect].
func (r *Registry) DeleteModel(ctx context.Context, name, who, why string) error { panic("unbuilt") }

// Model returns a model's record.
func (r *Registry) Model(ctx context.Context, name string) (Model, error) { panic("unbuilt") }

// Models returns all models, by name.
func (r *Registry) Models(ctx context.Context) ([]Model, error) { panic("unbuilt") }

// Versions returns a model's versions, oldest first.
func (r *Registry) Versions(ctx context.Context, model string) ([]Version, error) { panic("unbuilt") }

// Aliases returns the last move of each alias of a model, by alias.
func (r *Registry) Aliases(ctx context.Context, model string) (map[string]Move, error) {
	panic("unbuilt")
}

// History returns the kept moves of an alias, oldest first (the last 64).
func (r *Registry) History(ctx context.Context, model, alias string) ([]Move, error) {
	panic("unbuilt")
}

// Resolve returns the version that ref names.
func (r *Registry) Resolve(ctx context.Context, ref Ref) (Version, error) { panic("unbuilt") }

// PutArtifact stores artifact under its digest, reads it back, and returns the
// digest. An artifact that is there already is verified, not stored again.
func (r *Registry) PutArtifact(ctx context.Context, artifact []byte) (digest string, err error) {
	panic("unbuilt")
}

// Artifact returns the artifact of that digest, verified: [ErrCorrupt] if the
// bytes are not those of the digest.
func (r *Registry) Artifact(ctx context.Context, digest string) ([]byte, error) { panic("unbuilt") }

// A Promotion asks [Registry.Publish] to move an alias to the new version.
type Promotion struct {
	Alias    string
	Who, Why string

	// If is the version the alias must name at the commit (0: it must not
	// exist); otherwise Publish returns [ErrConflict] and nothing happens.
	If uint64
}

// Publish gives v the model's next version number and makes it, the promotion
// (nil for none) and the announcements visible in one atomic step: "version"
// and, with a promotion, "promoted"; with a verdict other than nil its event
// ("rejected") too. v.Digest must be stored. It returns the record as stored.
func (r *Registry) Publish(ctx context.Context, v Version, promote *Promotion, verdict *Event) (Version, error) {
	panic("unbuilt")
}

// Promote moves an alias to a version that exists, or makes the alias, and
// announces "promoted". Moving to where the alias is already changes nothing.
func (r *Registry) Promote(ctx context.Context, model, alias string, version uint64, who, why string) (Move, error) {
	panic("unbuilt")
}

// Rollback moves an alias to the version it named before the current one
// (before the moves that were rollbacks) and announces "promoted".
func (r *Registry) Rollback(ctx context.Context, model, alias, who, why string) (Move, error) {
	panic("unbuilt")
}

// RemoveAlias removes an alias other than [Champion].
func (r *Registry) RemoveAlias(ctx context.Context, model, alias, who, why string) error {
	panic("unbuilt")
}

// DeleteVersion removes a version that no alias names.
func (r *Registry) DeleteVersion(ctx context.Context, model string, number uint64, who, why string) error {
	panic("unbuilt")
}

// Announce stores an event that goes with no other record, such as "failed".
// An event of the same model, kind and id is stored once.
func (r *Registry) Announce(ctx context.Context, e Event) error { panic("unbuilt") }

// A Change says which model's record, versions or aliases may have changed.
// An empty Model means: look at everything again.
type Change struct {
	Model string
}

// Watch calls fn for every change until ctx is done, first with an empty
// Change, and again with an empty Change whenever changes may have been missed
// and at least once a minute. fn runs on Watch's goroutine. Watch survives
// reconnects and returns nil when ctx is done.
func (r *Registry) Watch(ctx context.Context, fn func(Change)) error { panic("unbuilt") }

// Events calls fn for announcements of model (all if empty), first the kept
// ones from sequence from on (1: all; 0: only new ones), then live ones, in
// order, until ctx is done or fn returns an error, which it returns.
func (r *Registry) Events(ctx context.Context, model string, from uint64, fn func(seq uint64, e Event) error) error {
	panic("unbuilt")
}

// Collect removes artifacts and leftovers of uploads that no version refers to
// and that are older than an hour. It returns the digests removed and the bytes freed.
func (r *Registry) Collect(ctx context.Context) (digests []string, bytes int64, err error) {
	panic("unbuilt")
}

// Export writes the artifact of v to w.
func (r *Registry) Export(ctx context.Context, v Version, w io.Writer) error { panic("unbuilt") }
