package serve

import "testing"

func TestScoreboard(t *testing.T) {
	t.Parallel()
	b := &scoreboard{}
	if got := b.of("iris"); got != nil {
		t.Errorf("of nothing = %+v, want nil", got)
	}
	b.put("iris", []byte(`{"model_created":"2026-11-24T06:30:00Z","live":{"metric":"accuracy","value":0.9,"majority":0.5,"no_change":0.4,"examples":12},"state":{}}`))
	got := b.of("iris")
	if got == nil || got.Metric != "accuracy" || *got.Value != 0.9 || *got.Majority != 0.5 || *got.NoChange != 0.4 || got.Examples != 12 || got.Mean != nil {
		t.Errorf("of = %+v, want what was put", got)
	}
	for name, record := range map[string][]byte{"gone": nil, "by hand": []byte("x"), "empty": []byte("{}")} {
		b.put("iris", record)
		if got := b.of("iris"); got != nil {
			t.Errorf("%s: of = %+v, want nil", name, got)
		}
	}
}
