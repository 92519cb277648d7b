package serve_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/serve"
	"github.com/modelbus/modelbus/stream/wire"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// A made is a model for tests: its spec and its training rows.
type made struct {
	spec string
	rows []feature.Row
}

func number(x float64) feature.Value { return feature.Value{Kind: feature.KindNumber, Num: x} }

func text(s string) feature.Value { return feature.Value{Kind: feature.KindText, Text: s} }

// friedman has ten uniform features and Friedman's first function of them,
// computed by Dense(10, relu) and Dense(1).
func friedman() made { return friedmanSeed(0) }

// friedmanSeed trains friedman from another seed: another model.
func friedmanSeed(seed int) made {
	r := rand.New(rand.NewPCG(1, 2))
	m := made{spec: fmt.Sprintf(`
name: friedman
features: [{name: x, type: vector, size: 10}]
label: {name: y, type: number}
network: [{Dense: {units: 10, activation: relu}}]
training: {epochs: 1, seed: %d}
`, seed)}
	for range 64 {
		x := make([]float32, 10)
		for i := range x {
			x[i] = r.Float32()
		}
		m.rows = append(m.rows, feature.Row{
			Values: []feature.Value{{Kind: feature.KindVector, Vector: x}},
			Label:  number(float64(10*x[0]*x[1] + 20*(x[2]-0.5)*(x[2]-0.5) + 10*x[3] + 5*x[4])),
		})
	}
	return m
}

// island has a category that must be known, and two classes.
func island() made {
	m := made{spec: `
name: island
features: [{name: place, type: category}, {name: mass, type: number}]
label: {name: kind, type: category}
network: [{Dense: {units: 4, activation: relu}}]
training: {epochs: 5}
`}
	for i := range 64 {
		place, kind := "north", "auk"
		if i%2 == 1 {
			place, kind = "south", "penguin"
		}
		m.rows = append(m.rows, feature.Row{Values: []feature.Value{text(place), number(float64(i % 7))}, Label: text(kind)})
	}
	return m
}

// fitted returns the spec and the artifact of a model fitted to its rows.
func fitted(tb testing.TB, design func() made) product {
	tb.Helper()
	m := design()
	spec, err := model.ParseSpec([]byte(m.spec))
	if err != nil {
		tb.Fatal(err)
	}
	frame := feature.NewFrame(&spec.Schema, true)
	for _, r := range m.rows {
		if err := frame.Append(r); err != nil {
			tb.Fatal(err)
		}
	}
	mod, _, err := model.Fit(tb.Context(), spec, frame, model.FitOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	artifact, err := mod.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	canonical, err := spec.MarshalJSON()
	if err != nil {
		tb.Fatal(err)
	}
	return product{spec: canonical, artifact: artifact, model: mod}
}

// product is a fitted model.
type product struct {
	spec     []byte
	artifact []byte
	model    *model.Model
}

// publish makes the model if it is not there, and publishes p as its next
// version, which alias then names.
func publish(tb testing.TB, reg *registry.Registry, name, alias string, p product) registry.Version {
	tb.Helper()
	ctx := tb.Context()
	if _, err := reg.CreateModel(ctx, registry.Model{Name: name, Spec: p.spec}); err != nil && !errors.Is(err, registry.ErrConflict) {
		tb.Fatal(err)
	}
	digest, err := reg.PutArtifact(ctx, p.artifact)
	if err != nil {
		tb.Fatal(err)
	}
	aliases, err := reg.Aliases(ctx, name)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := reg.Publish(ctx, registry.Version{Model: name, Digest: digest, Size: int64(len(p.artifact))},
		&registry.Promotion{Alias: alias, If: aliases[alias].To}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// values returns p's own predictions for rows of one vector.
func (p product) values(tb testing.TB, rows [][]float32) []float64 {
	tb.Helper()
	f := feature.NewFrame(p.model.Schema(), false)
	for _, r := range rows {
		if err := f.Append(feature.Row{Values: []feature.Value{{Kind: feature.KindVector, Vector: r}}}); err != nil {
			tb.Fatal(err)
		}
	}
	out, err := p.model.NewPredictor().Predict(f)
	if err != nil {
		tb.Fatal(err)
	}
	var all []float64
	for _, v := range out.Values {
		all = append(all, float64(v))
	}
	return all
}

func instances(tb testing.TB, rows [][]float32) []byte {
	tb.Helper()
	var all [][][]float32
	for _, r := range rows {
		all = append(all, [][]float32{r})
	}
	b, err := json.Marshal(map[string]any{"instances": all})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// predict asks and decodes.
func predict(nc *nats.Conn, subject string, payload []byte) (*wire.Predictions, error) {
	m, err := nc.Request(subject, payload, patience)
	if err != nil {
		return nil, err
	}
	p, err := wire.DecodeReply(m)
	if err == nil && m.Header.Get(wire.HeaderVersion) != fmt.Sprint(p.Version) {
		err = fmt.Errorf("version %d in the body, %s in the header", p.Version, m.Header.Get(wire.HeaderVersion))
	}
	return p, err
}

// equal reports whether got are want as JSON carries float32.
func equal(got, want []float64) bool {
	return slices.EqualFunc(got, want, func(g, w float64) bool { return float32(g) == float32(w) })
}

// TestModelsSwapWhileRequestsFly has callers with rows of their own ask for the
// champion, by number and by alias while versions come: every answer is what the
// version it names computes alone for these rows.
func TestModelsSwapWhileRequestsFly(t *testing.T) {
	t.Parallel()
	const callers, versions = 20, 6
	srv := embeddedtest.Start(t)
	reg := openRegistry(t, srv)
	var products []product
	for v := range versions {
		products = append(products, fitted(t, func() made { return friedmanSeed(v) }))
	}
	publish(t, reg, "friedman", registry.Champion, products[0])
	run(t, srv, reg)

	var ended atomic.Bool
	var wg sync.WaitGroup
	var count, newest atomic.Int64
	r := rand.New(rand.NewPCG(3, 4))
	for c := range callers {
		rows := make([][]float32, 1+c%5)
		for i := range rows {
			rows[i] = make([]float32, 10)
			for j := range rows[i] {
				rows[i][j] = r.Float32()
			}
		}
		payload := instances(t, rows)
		var want [][]float64
		for _, p := range products {
			want = append(want, p.values(t, rows))
		}
		nc := embeddedtest.Join(t, srv)
		wg.Go(func() {
			for n := 0; !ended.Load(); n++ {
				subject := []string{"modelbus.predict.friedman", "modelbus.predict.friedman.champion", "modelbus.predict.friedman.1"}[n%3]
				got, err := predict(nc, subject, payload)
				switch {
				case err != nil:
					t.Errorf("%s: %v", subject, err)
					return
				case got.Version < 1 || got.Version > versions || n%3 == 2 && got.Version != 1:
					t.Errorf("%s: answered by version %d", subject, got.Version)
					return
				case !equal(got.Values, want[got.Version-1]):
					t.Errorf("version %d answers %v, want %v", got.Version, got.Values, want[got.Version-1])
					return
				}
				count.Add(1)
				if n%3 == 0 && int64(got.Version) > newest.Load() {
					newest.Store(int64(got.Version))
				}
			}
		})
	}
	for v := 1; v < versions; v++ {
		publish(t, reg, "friedman", registry.Champion, products[v])
		for end := time.Now().Add(patience); newest.Load() != int64(v+1); {
			if time.Now().After(end) {
				t.Fatalf("version %d never answers", v+1)
			}
			runtime.Gosched()
		}
	}
	ended.Store(true)
	wg.Wait()
	t.Logf("%d answers", count.Load())
}

// TestUnknownCategoryAmongOthers sends, at once, rows that can be predicted and
// one whose category was never seen: only that fails.
func TestUnknownCategoryAmongOthers(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.Start(t)
	reg := openRegistry(t, srv)
	publish(t, reg, "island", registry.Champion, fitted(t, island))
	run(t, srv, reg)
	nc := embeddedtest.Join(t, srv)
	var wg sync.WaitGroup
	for i := range 200 {
		place, want := "north", error(nil)
		if i%10 == 3 {
			place, want = "east", wire.ErrInvalid
		}
		wg.Go(func() {
			got, err := predict(nc, "modelbus.predict.island", fmt.Appendf(nil, `{"instances": [{"place": %q, "mass": 3}]}`, place))
			if !errors.Is(err, want) {
				t.Errorf("answer for %q = %v, %v, want error %v", place, got, err, want)
			}
			if want == nil && err == nil && (len(got.Labels) != 1 || got.Labels[0].Label != "auk") {
				t.Errorf("answer for %q = %+v, want auk", place, got.Labels)
			}
			if want != nil && err != nil && !strings.Contains(err.Error(), "east") {
				t.Errorf("error = %v, want it to name the value", err)
			}
		})
	}
	wg.Wait()
}

func TestServicesOfRealModels(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.Start(t)
	reg := openRegistry(t, srv)
	publish(t, reg, "island", registry.Champion, fitted(t, island))
	publish(t, reg, "friedman", "canary", fitted(t, friedman))
	s := run(t, srv, reg)
	got := s.Services()
	if len(got) != 2 || got[0].Name != "friedman" || got[1].Name != "island" {
		t.Fatalf("services = %+v, want friedman and island", got)
	}
	if got[0].Metadata["task"] != "regression" || got[1].Metadata["task"] != "classification" {
		t.Errorf("metadata = %v, %v, want their tasks", got[0].Metadata, got[1].Metadata)
	}
	e := got[1].Endpoints[0]
	if e.Name != serve.EndpointPredict || e.Subject != "modelbus.predict.island" || e.Queue != "modelbus" || !strings.Contains(e.Metadata["features"], "place") {
		t.Errorf("endpoint = %+v, want predict with its features", e)
	}
	st, ok := e.Data.(serve.Status)
	if !ok || st.Version != 1 || st.Problem != "" {
		t.Errorf("status = %+v, want version 1", e.Data)
	}
	if st, ok := got[0].Endpoints[0].Data.(serve.Status); !ok || st.Version != 0 || st.Aliases["canary"] != 1 {
		t.Errorf("status = %+v, want no champion and canary 1", got[0].Endpoints[0].Data)
	}
}
