package nn_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/nn"
)

func TestParseOptimizer(t *testing.T) {
	cosine := map[string]any{"initial_learning_rate": 0.0, "decay_steps": 1000, "warmup_target": 0.1, "warmup_steps": 100}
	tests := []struct {
		name string
		in   nn.Config
		want nn.Optimizer
	}{
		{"bare name", nn.Config{Name: "adam"}, nn.Adam{}},
		{"class name", nn.Config{Name: "RMSprop"}, nn.RMSprop{}},
		{"numbers of every kind", nn.Config{Name: "SGD", Args: map[string]any{
			"learning_rate": json.Number("0.5"), "momentum": 0.9, "nesterov": true,
		}}, nn.SGD{LearningRate: 0.5, Momentum: 0.9, Nesterov: true}},
		{"zero that means zero", nn.Config{Name: "Adam", Args: map[string]any{"beta_1": int64(0)}}, nn.Adam{Beta1: new(0.0)}},
		{"no decay", nn.Config{Name: "AdamW", Args: map[string]any{"weight_decay": 0}}, nn.AdamW{WeightDecay: new(0.0)}},
		{"zero accumulator", nn.Config{Name: "adagrad", Args: map[string]any{"initial_accumulator_value": 0.0}}, nn.Adagrad{InitialAccumulator: new(0.0)}},
		{"clipping", nn.Config{Name: "Lion", Args: map[string]any{"global_clipnorm": 1}}, nn.Lion{Clip: nn.Clip{GlobalNorm: 1}}},
		{
			"schedule in Keras's form",
			nn.Config{Name: "Nadam", Args: map[string]any{"learning_rate": map[string]any{
				"module": "keras.optimizers.schedules", "class_name": "CosineDecay", "config": cosine, "registered_name": nil,
			}}},
			nn.Nadam{Schedule: nn.CosineDecay{DecaySteps: 1000, WarmupTarget: new(0.1), WarmupSteps: 100}},
		},
		{
			"schedule in our form",
			nn.Config{Name: "Nadam", Args: map[string]any{"learning_rate": map[string]any{"CosineDecay": cosine}}},
			nn.Nadam{Schedule: nn.CosineDecay{DecaySteps: 1000, WarmupTarget: new(0.1), WarmupSteps: 100}},
		},
		{"all that Keras 3 saves", nn.Config{Name: "Adam", Args: map[string]any{
			"name": "adam", "learning_rate": 0.001, "weight_decay": nil, "clipnorm": nil, "global_clipnorm": nil,
			"clipvalue": nil, "use_ema": false, "ema_momentum": 0.99, "ema_overwrite_frequency": nil,
			"loss_scale_factor": nil, "gradient_accumulation_steps": nil, "beta_1": 0.9, "beta_2": 0.999,
			"epsilon": 1e-7, "amsgrad": false,
		}}, nn.Adam{LearningRate: 0.001}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := nn.ParseOptimizer(tt.in)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("ParseOptimizer(%v) = %#v, %v, want %#v", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestParseOptimizerRefuses(t *testing.T) {
	schedule := func(name string, args map[string]any) map[string]any {
		return map[string]any{"learning_rate": map[string]any{name: args}}
	}
	tests := []struct {
		name string
		in   nn.Config
		key  string // of the error
		says string // what its reader needs
	}{
		{"typo", nn.Config{Name: "Adamm"}, "", "Adam"},
		{"no name", nn.Config{}, "", "SGD"},
		{"unknown argument", nn.Config{Name: "Adam", Args: map[string]any{"learning_rat": 1.0}}, "learning_rat", "learning_rate"},
		{"another optimizer's argument", nn.Config{Name: "Lion", Args: map[string]any{"nesterov": true}}, "nesterov", "beta_1"},
		{"old name", nn.Config{Name: "SGD", Args: map[string]any{"lr": 0.1}}, "lr", "learning_rate"},
		{"old decay", nn.Config{Name: "SGD", Args: map[string]any{"decay": 0.1}}, "decay", "InverseTimeDecay"},
		{"zero rate", nn.Config{Name: "SGD", Args: map[string]any{"learning_rate": 0}}, "learning_rate", "0"},
		{"string for a rate", nn.Config{Name: "SGD", Args: map[string]any{"learning_rate": "fast"}}, "learning_rate", "fast"},
		{"momentum of one", nn.Config{Name: "SGD", Args: map[string]any{"momentum": 1}}, "momentum", "1"},
		{"two clips", nn.Config{Name: "SGD", Args: map[string]any{"clipnorm": 1, "clipvalue": 1}}, "clipnorm", "one of"},
		{"ema", nn.Config{Name: "Adam", Args: map[string]any{"use_ema": true}}, "use_ema", "true"},
		{"unknown schedule", nn.Config{Name: "Adam", Args: schedule("CosinDecay", nil)}, "learning_rate", "CosineDecay"},
		{"schedule without its steps", nn.Config{Name: "Adam", Args: schedule("CosineDecay", map[string]any{"initial_learning_rate": 0.1})}, "learning_rate", "decay_steps"},
		{"warm-up to nowhere", nn.Config{Name: "Adam", Args: schedule("CosineDecay", map[string]any{
			"initial_learning_rate": 0.1, "decay_steps": 10, "warmup_steps": 5,
		})}, "learning_rate", "warmup_target"},
		{"values without their boundaries", nn.Config{Name: "Adam", Args: schedule("PiecewiseConstantDecay", map[string]any{
			"boundaries": []any{10, 20}, "values": []any{0.1, 0.01},
		})}, "learning_rate", "one more"},
		{"boundaries that fall", nn.Config{Name: "Adam", Args: schedule("PiecewiseConstantDecay", map[string]any{
			"boundaries": []any{20, 10}, "values": []any{0.1, 0.01, 0.001},
		})}, "learning_rate", "ascending"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := nn.ParseOptimizer(tt.in)
			wrong, ok := errors.AsType[*nn.ConfigError](err)
			if !ok {
				t.Fatalf("ParseOptimizer(%v) = %v, %v, want a *ConfigError", tt.in, got, err)
			}
			if wrong.Key != tt.key || !strings.Contains(wrong.Msg, tt.says) {
				t.Errorf("error %+v, want key %q and a word about %q", wrong, tt.key, tt.says)
			}
		})
	}
}

// FuzzParseOptimizer reads any JSON as an optimizer: what is accepted reads back
// from its own config.
func FuzzParseOptimizer(f *testing.F) {
	f.Add("adam", `{}`)
	f.Add("SGD", `{"learning_rate": 0.1, "momentum": 0.9, "nesterov": true, "clipnorm": 1}`)
	f.Add("AdamW", `{"learning_rate": {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0, "decay_steps": 10, "warmup_target": 1, "warmup_steps": 2}}}`)
	f.Add("Nadam", `{"learning_rate": {"PiecewiseConstantDecay": {"boundaries": [1, 2], "values": [3, 2, 1]}}, "beta_1": 0}`)
	f.Add("RMSprop", `{"learning_rate": {"CosineDecayRestarts": {"initial_learning_rate": 1, "first_decay_steps": 3, "t_mul": 1.5}}}`)
	f.Add("Adagrad", `{"learning_rate": {"PolynomialDecay": {"initial_learning_rate": 1, "decay_steps": 3, "cycle": true}}}`)
	f.Fuzz(func(t *testing.T, name, args string) {
		c := nn.Config{Name: name}
		if json.Unmarshal([]byte(args), &c.Args) != nil {
			return
		}
		o, err := nn.ParseOptimizer(c)
		if err != nil {
			if _, ok := errors.AsType[*nn.ConfigError](err); !ok {
				t.Fatalf("error %v is no *ConfigError", err)
			}
			return
		}
		again, err := nn.ParseOptimizer(o.Config())
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Fatalf("%#v reads back as %#v, %v", o, again, err)
		}
	})
}
