package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
)

func TestModel(t *testing.T) {
	t.Parallel()
	r, _ := create(t)
	want := model("iris")
	want.Spec = json.RawMessage(`{"a":"<b>&","n":1.50}`)
	created, err := r.CreateModel(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Model(t.Context(), "iris")
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Spec) != string(want.Spec) || got.Source != want.Source || got.Created.IsZero() || got.Updated != got.Created {
		t.Errorf("Model = %+v", got)
	}
	if got.Revision != created.Revision {
		t.Errorf("Revision of CreateModel = %d, of Model = %d", created.Revision, got.Revision)
	}
	if _, err := r.CreateModel(t.Context(), want); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("second CreateModel = %v, want ErrConflict", err)
	}
	if _, err := r.Model(t.Context(), "wine"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Model of an unknown name = %v, want ErrNotFound", err)
	}
	addModel(t, r, "wine")
	addModel(t, r, "digits")
	all, err := r.Models(t.Context())
	if err != nil || len(all) != 3 || all[0].Name != "digits" || all[1].Name != "iris" || all[2].Name != "wine" {
		t.Errorf("Models = %+v, %v, want digits, iris, wine", all, err)
	}
}

func TestUpdateModel(t *testing.T) {
	t.Parallel()
	r, _ := create(t)
	m, err := r.CreateModel(t.Context(), model("iris"))
	if err != nil {
		t.Fatal(err)
	}
	m.Spec = json.RawMessage(`{"v":2}`)
	updated, err := r.UpdateModel(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Model(t.Context(), "iris"); err != nil || string(got.Spec) != `{"v":2}` ||
		got.Revision != updated.Revision || !got.Created.Equal(m.Created) || got.Updated.Before(m.Updated) {
		t.Errorf("Model after UpdateModel = %+v, %v", got, err)
	}
	if _, err := r.UpdateModel(t.Context(), m); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("UpdateModel of an old revision = %v, want ErrConflict", err)
	}
	if _, err := r.UpdateModel(t.Context(), model("wine")); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("UpdateModel of an unknown model = %v, want ErrNotFound", err)
	}
	if got := names(events(t, r, "iris", 2)); strings.Join(got, " ") != "created/1 updated/2" {
		t.Errorf("events = %v, want created/1 updated/2", got)
	}
}

func TestUpdateModelOneWins(t *testing.T) {
	t.Parallel()
	r, _ := create(t)
	m, err := r.CreateModel(t.Context(), model("iris"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 8 {
		wg.Go(func() {
			_, err := r.UpdateModel(t.Context(), m)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, registry.ErrConflict) {
				t.Errorf("UpdateModel = %v, want nil or ErrConflict", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d updates of one revision succeeded, want 1", won.Load())
	}
}

func TestWrongRecords(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	ctx := t.Context()
	tests := []struct {
		name string
		do   func() error
		want error
	}{
		{"a model name with a dot", func() error { _, err := r.CreateModel(ctx, model("my.iris")); return err }, registry.ErrInvalid},
		{"a spec that is not JSON", func() error {
			_, err := r.CreateModel(ctx, registry.Model{Name: "a", Spec: json.RawMessage(`{`)})
			return err
		}, registry.ErrInvalid},
		{"no spec", func() error { _, err := r.CreateModel(ctx, registry.Model{Name: "a"}); return err }, registry.ErrInvalid},
		{"a version of an unknown model", func() error {
			_, err := r.Publish(ctx, registry.Version{Model: "wine", Digest: digest}, nil, nil)
			return err
		}, registry.ErrNotFound},
		{"a version without its artifact", func() error {
			_, err := r.Publish(ctx, registry.Version{Model: "iris", Digest: strings.Repeat("0", 64)}, nil, nil)
			return err
		}, registry.ErrNotFound},
		{"a digest that is none", func() error {
			_, err := r.Publish(ctx, registry.Version{Model: "iris", Digest: strings.ToUpper(digest)}, nil, nil)
			return err
		}, registry.ErrInvalid},
		{"another size", func() error {
			_, err := r.Publish(ctx, registry.Version{Model: "iris", Digest: digest, Size: 1}, nil, nil)
			return err
		}, registry.ErrInvalid},
		{"a reserved alias", func() error { _, err := r.Promote(ctx, "iris", "latest", 1, "", ""); return err }, registry.ErrInvalid},
		{"an unknown version", func() error { _, err := r.Promote(ctx, "iris", "canary", 9, "", ""); return err }, registry.ErrNotFound},
		{"an unknown alias", func() error {
			_, err := r.Resolve(ctx, registry.Ref{Model: "iris", Alias: "canary"})
			return err
		}, registry.ErrNotFound},
		{"a ref to no model", func() error { _, err := r.Resolve(ctx, registry.Ref{Model: "wine"}); return err }, registry.ErrNotFound},
		{"rolling back what was never promoted", func() error { _, err := r.Rollback(ctx, "iris", "champion", "", ""); return err }, registry.ErrNotFound},
		{"removing the champion", func() error { return r.RemoveAlias(ctx, "iris", "champion", "", "") }, registry.ErrInvalid},
		{"deleting an unknown model", func() error { return r.DeleteModel(ctx, "wine", "", "") }, registry.ErrNotFound},
		{"deleting an unknown version", func() error { return r.DeleteVersion(ctx, "iris", 4, "", "") }, registry.ErrNotFound},
		{"versions of an unknown model", func() error { _, err := r.Versions(ctx, "wine"); return err }, registry.ErrNotFound},
		{"an event kind with a dot", func() error {
			return r.Announce(ctx, registry.Event{Model: "iris", Kind: "a.b", ID: "1"})
		}, registry.ErrInvalid},
		{"an event id with a wildcard", func() error {
			return r.Announce(ctx, registry.Event{Model: "iris", Kind: "failed", ID: "*"})
		}, registry.ErrInvalid},
		{"event data that is not JSON", func() error {
			return r.Announce(ctx, registry.Event{Model: "iris", Kind: "failed", ID: "1", Data: json.RawMessage("no")})
		}, registry.ErrInvalid},
		{"an empty artifact", func() error { _, err := r.PutArtifact(ctx, nil); return err }, registry.ErrInvalid},
		{"an artifact that is not there", func() error { _, err := r.Artifact(ctx, strings.Repeat("a", 64)); return err }, registry.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.do(); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if got := events(t, r, "", 1); len(got) != 1 || got[0].Kind != registry.KindCreated {
		t.Errorf("events = %v, want created alone", names(got))
	}
	if vs, err := r.Versions(ctx, "iris"); err != nil || len(vs) != 0 {
		t.Errorf("Versions = %+v, %v, want none", vs, err)
	}
}

func TestRecordLargerThanTheServerTakes(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.StartWith(t, embedded.Options{MaxPayload: 32 << 10})
	r := createOn(t, embeddedtest.Join(t, srv), registry.Options{})
	m := model("iris")
	m.Source = strings.Repeat("x", 32<<10)
	if _, err := r.CreateModel(t.Context(), m); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("CreateModel of 32 KiB = %v, want ErrInvalid", err)
	}
	addModel(t, r, "iris")
	artifact := blob(2, 300<<10)
	if got, err := r.Artifact(t.Context(), putArtifact(t, r, artifact)); err != nil || !bytes.Equal(got, artifact) {
		t.Errorf("Artifact in chunks below 32 KiB = %d bytes, %v", len(got), err)
	}
}

func TestDeleteModel(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	addModel(t, r, "wine")
	versions(t, r, "iris", digest, 3)
	versions(t, r, "wine", digest, 1)
	if err := r.DeleteModel(t.Context(), "iris", "ada", "no longer used"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Model(t.Context(), "iris"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Model = %v, want ErrNotFound", err)
	}
	for _, ref := range []registry.Ref{{Model: "iris"}, {Model: "iris", Version: 2}} {
		if _, err := r.Resolve(t.Context(), ref); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("Resolve(%v) = %v, want ErrNotFound", ref, err)
		}
	}
	if got := champion(t, r, "wine"); got != 1 {
		t.Errorf("champion of the other model = %d, want 1", got)
	}
	if _, err := r.Publish(t.Context(), registry.Version{Model: "iris", Digest: digest}, nil, nil); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Publish to a deleted model = %v, want ErrNotFound", err)
	}

	addModel(t, r, "iris")
	if vs, err := r.Versions(t.Context(), "iris"); err != nil || len(vs) != 0 {
		t.Errorf("Versions of the new model = %v, %v, want none", vs, err)
	}
	v := publish(t, r, "iris", digest, &registry.Promotion{Alias: registry.Champion})
	if v.Number != 4 {
		t.Errorf("first version of the new model = %d, want 4: numbers are never given twice", v.Number)
	}
	moves, err := r.History(t.Context(), "iris", registry.Champion)
	if err != nil || len(moves) != 1 || moves[0].Number != 4 || moves[0].From != 0 {
		t.Errorf("History of the new model = %+v, %v, want move 4 alone", moves, err)
	}
	if _, err := r.Rollback(t.Context(), "iris", registry.Champion, "", ""); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("Rollback into the deleted model = %v, want ErrInvalid", err)
	}
	want := "created/1 version/1 promoted/champion-1 version/2 promoted/champion-2 version/3 promoted/champion-3 " +
		"deleted/model-5 created/6 version/4 promoted/champion-4"
	got := events(t, r, "iris", 11)
	if strings.Join(names(got), " ") != want {
		t.Errorf("events = %v, want %s", names(got), want)
	}
	var gone registry.Removal
	if err := json.Unmarshal(got[7].Data, &gone); err != nil || gone.Who != "ada" || gone.Why != "no longer used" || gone.Model != "iris" {
		t.Errorf("data of deleted = %s, %v", got[7].Data, err)
	}
}

func TestDeleteModelOfManyVersions(t *testing.T) {
	t.Parallel()
	r, nc, digest := withIris(t)
	publish(t, r, "iris", digest, &registry.Promotion{Alias: registry.Champion})
	// Records by hand: publishing a thousand through the registry takes longer.
	js := jsOn(t, nc)
	for n := uint64(2); n <= 1020; n++ {
		v := `{"model":"iris","version":` + decimal(n) + `,"digest":"` + digest + `"}`
		if _, err := js.PublishAsync("$KV.MODELBUS.version.iris."+decimal(n), []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	if vs, err := r.Versions(t.Context(), "iris"); err != nil || len(vs) != 1020 || vs[1019].Number != 1020 {
		t.Fatalf("Versions = %d, %v, want 1020", len(vs), err)
	}
	if err := r.DeleteModel(t.Context(), "iris", "", ""); err != nil {
		t.Fatal(err)
	}
	addModel(t, r, "iris")
	if vs, err := r.Versions(t.Context(), "iris"); err != nil || len(vs) != 0 {
		t.Errorf("Versions after DeleteModel = %d, %v, want 0", len(vs), err)
	}
	if v := publish(t, r, "iris", digest, nil); v.Number != 1021 {
		t.Errorf("version = %d, want 1021", v.Number)
	}
}

// TestDeleteModelCutShort is a process that died after the first step.
func TestDeleteModelCutShort(t *testing.T) {
	t.Parallel()
	r, nc, digest := withIris(t)
	versions(t, r, "iris", digest, 3)
	deleteKey(t, nc, "model.iris")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if _, err := r.CreateModel(ctx, model("iris")); err != nil {
		t.Fatal(err)
	}
	vs, err := r.Versions(ctx, "iris")
	if err != nil || len(vs) != 0 {
		t.Errorf("Versions = %v, %v, want none", vs, err)
	}
	if aliases, err := r.Aliases(ctx, "iris"); err != nil || len(aliases) != 0 {
		t.Errorf("Aliases = %v, %v, want none", aliases, err)
	}
}

// TestUnreadableModel puts something under a model's key that is no record.
func TestUnreadableModel(t *testing.T) {
	t.Parallel()
	r, nc, _ := withIris(t)
	kv, err := jsOn(t, nc).KeyValue(t.Context(), "MODELBUS")
	if err != nil {
		t.Fatal(err)
	}
	for key, text := range map[string]string{"model.broken": "{", "model.posing": `{"name":"iris","spec":{}}`} {
		if _, err := kv.Put(t.Context(), key, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	models, err := r.Models(t.Context())
	if !errors.Is(err, registry.ErrCorrupt) || !strings.Contains(err.Error(), "model.broken") {
		t.Errorf("Models = %v, want ErrCorrupt that names model.broken", err)
	}
	var got []string
	for _, m := range models {
		got = append(got, m.Name)
	}
	if want := []string{"iris", "posing"}; !slices.Equal(got, want) {
		t.Errorf("models = %q, want %q: those that can be read, by their keys", got, want)
	}
	if _, err := r.Model(t.Context(), "broken"); !errors.Is(err, registry.ErrCorrupt) {
		t.Errorf("Model = %v, want ErrCorrupt", err)
	}
	if err := r.DeleteModel(t.Context(), "broken", "", ""); err != nil {
		t.Errorf("DeleteModel = %v, want nil: the way to be rid of it", err)
	}
	if _, err := r.Models(t.Context()); err != nil {
		t.Errorf("Models = %v after the broken one was deleted", err)
	}
}

// What was made for a model that was deleted is not one of another model of its name, however soon
// that is there.
func TestModelMadeAnew(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	ctx := t.Context()
	old, err := r.Model(ctx, "iris")
	if err != nil {
		t.Fatal(err)
	}
	v := registry.Version{Model: "iris", Digest: digest, ModelCreated: old.Created}
	if _, err := r.Publish(ctx, v, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteModel(ctx, "iris", "", ""); err != nil {
		t.Fatal(err)
	}
	made, err := r.CreateModel(ctx, model("iris"))
	if err != nil {
		t.Fatal(err)
	}
	if made.Earlier != 1 || old.Earlier != 0 {
		t.Errorf("there were %d versions before the first model, %d before the second, want 0 and 1", old.Earlier, made.Earlier)
	}
	if _, err := r.Publish(ctx, v, &registry.Promotion{Alias: registry.Champion}, nil); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Publish() of a version of the model before = %v, want %v", err, registry.ErrNotFound)
	}
	if m, err := r.UpdateModel(ctx, made); err != nil || m.Earlier != 1 {
		t.Errorf("UpdateModel() = %+v, %v, want 1 earlier version", m, err)
	}
	v.ModelCreated = made.Created
	if v, err := r.Publish(ctx, v, nil, nil); err != nil || v.Number != 2 {
		t.Errorf("Publish() = %+v, %v, want version 2", v, err)
	}
}
