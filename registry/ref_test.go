package registry_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/registry"
)

func TestParseRef(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want registry.Ref
		text string // of want, if it differs from in
		err  error
	}{
		{in: "iris", want: registry.Ref{Model: "iris", Alias: "champion"}},
		{in: "iris@champion", want: registry.Ref{Model: "iris", Alias: "champion"}, text: "iris"},
		{in: "iris@3", want: registry.Ref{Model: "iris", Version: 3}},
		{in: "iris@canary", want: registry.Ref{Model: "iris", Alias: "canary"}},
		{in: "A_b-9@a-b_9", want: registry.Ref{Model: "A_b-9", Alias: "a-b_9"}},
		{in: "iris@9007199254740992", want: registry.Ref{Model: "iris", Version: 1 << 53}},
		{in: "iris@9007199254740993", err: registry.ErrInvalid},
		{in: "iris@99999999999999999999999", err: registry.ErrInvalid},
		{in: "iris@0", err: registry.ErrInvalid},
		{in: "iris@03", err: registry.ErrInvalid},
		{in: "iris@3a", err: registry.ErrInvalid},
		{in: "iris@", err: registry.ErrInvalid},
		{in: "@3", err: registry.ErrInvalid},
		{in: "", err: registry.ErrInvalid},
		{in: "iris@latest", err: registry.ErrInvalid},
		{in: "iris@Canary", err: registry.ErrInvalid},
		{in: "iris@_canary", err: registry.ErrInvalid},
		{in: "iris@a@b", err: registry.ErrInvalid},
		{in: "my.iris", err: registry.ErrInvalid},
		{in: "iris\n", err: registry.ErrInvalid},
		{in: "i>", err: registry.ErrInvalid},
		{in: "schön", err: registry.ErrInvalid},
		{in: "a234567890123456789012345678901234567890123456789012345678901234", want: registry.Ref{
			Model: "a234567890123456789012345678901234567890123456789012345678901234", Alias: "champion",
		}},
		{in: "a2345678901234567890123456789012345678901234567890123456789012345", err: registry.ErrInvalid},
		{in: "iris@a2345678901234567890123456789012", want: registry.Ref{Model: "iris", Alias: "a2345678901234567890123456789012"}},
		{in: "iris@a23456789012345678901234567890123", err: registry.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := registry.ParseRef(tt.in)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Fatalf("ParseRef(%q) = %+v, %v, want %+v, %v", tt.in, got, err, tt.want, tt.err)
			}
			text := tt.text
			if text == "" {
				text = tt.in
			}
			if err == nil && got.String() != text {
				t.Errorf("ParseRef(%q).String() = %q, want %q", tt.in, got.String(), text)
			}
		})
	}
}

func TestRefRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := registry.Ref{Model: rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Draw(t, "model")}
		if rapid.Bool().Draw(t, "by version") {
			want.Version = rapid.Uint64Range(1, 1<<53).Draw(t, "version")
		} else {
			want.Alias = rapid.StringMatching(`[a-z][a-z0-9_-]{0,31}`).
				Filter(func(s string) bool { return s != "latest" }).Draw(t, "alias")
		}
		got, err := registry.ParseRef(want.String())
		if err != nil || got != want {
			t.Fatalf("ParseRef(%q) = %+v, %v, want %+v", want.String(), got, err, want)
		}
	})
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"iris", "iris@3", "iris@canary", "iris@latest", "iris@", "@", "a.b@1", "iris@00", "iris@1e3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := registry.ParseRef(s)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Fatalf("ParseRef(%q) = %v, want ErrInvalid", s, err)
			}
			return
		}
		if registry.CheckModel(ref.Model) != nil || (ref.Version == 0) == (ref.Alias == "") {
			t.Fatalf("ParseRef(%q) = %+v: want a model and either a version or an alias", s, ref)
		}
		again, err := registry.ParseRef(ref.String())
		if err != nil || again != ref {
			t.Fatalf("ParseRef(%q) = %+v, %v, want %+v", ref.String(), again, err, ref)
		}
	})
}
