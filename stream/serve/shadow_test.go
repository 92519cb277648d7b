package serve_test

import (
	"math"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/serve"
)

func TestShadowComparesAndAnswersNobody(t *testing.T) {
	t.Parallel()
	srv, reg, server := two(t)
	if _, err := reg.Promote(t.Context(), "friedman", registry.Shadow, 2, "", ""); err != nil {
		t.Fatal(err)
	}
	await(t, server, func(st serve.Status) bool { return st.Shadow != nil })
	nc := embeddedtest.Join(t, srv)
	const n = 50
	for range n {
		if got, err := asked(nc, "modelbus.predict.friedman", nil); err != nil || got != "1" {
			t.Fatalf("version %q answers, %v, want the champion", got, err)
		}
	}
	if got, err := asked(nc, "modelbus.predict.friedman", nats.Header{"Modelbus-Observe": {"off"}}); err != nil || got != "1" { // nor of this one
		t.Fatalf("version %q answers, %v", got, err)
	}
	if got, err := asked(nc, "modelbus.predict.friedman.2", nil); err != nil || got != "2" { // gets no copy
		t.Fatalf("version %q answers, %v", got, err)
	}
	st := await(t, server, func(st serve.Status) bool { return st.Shadow.Requests+st.Shadow.Dropped == n }).Shadow
	one := func(version string) float64 {
		p, err := predict(nc, "modelbus.predict.friedman."+version, []byte(row))
		if err != nil {
			t.Fatal(err)
		}
		return p.Values[0]
	}
	want := math.Abs(one("1") - one("2"))
	if st.Version != 2 || st.Errors != 0 || st.Rows != st.Requests || st.Agreement != nil || st.Difference == nil || math.Abs(*st.Difference-want) > 1e-5 || st.Latency.Max <= 0 {
		t.Errorf("the shadow is %+v, want a difference of %v", st, want)
	}
}
