package model_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

const fullSpec = `name: penguins
description: three species, measured
features:
  - {name: bill_length, type: number, missing: mean, indicator: true}
  - {name: mass, type: number, scale: [log1p, standardize], missing: constant, fill: 4000}
  - {name: island, type: category, encode: embedding, units: 2, unknown: zeros}
  - {name: code, type: category, missing: constant, fill: 0, vocabulary: [0, 1, "no"]}
  - {name: pixels, type: vector, size: 4, scale: rescale}
  - {name: male, type: boolean, missing: constant, fill: false}
label: {name: species, type: category, classes: [Adelie, Chinstrap, Gentoo]}
network:
  - Dense: {units: 16, activation: relu, kernel_regularizer: {L2: {l2: 1e-4}}}
  - BatchNormalization
  - Dropout: {rate: 0.1}
optimizer: {Adam: {learning_rate: {CosineDecay: {initial_learning_rate: 0.01, decay_steps: 100}}}}
loss: {sparse_categorical_crossentropy: {label_smoothing: 0.1}}
training:
  epochs: 50
  batch_size: 16
  seed: 18446744073709551615
  shuffle: false
  validation_split: 0.2
  early_stopping: {monitor: val_accuracy, patience: 3, restore_best_weights: false}
  target: {val_accuracy: 0.99}
  class_weight: balanced
  holdout: 0
  holdout_by: newest
  metric: log_loss
serving: {workers: 2, queue: 10, batch_limit: 64, drift: {off: true, window: 500, psi: 0.2, share: 0.05, fdr: 0.001}}
`

const fullCanonical = `{"name":"penguins","description":"three species, measured",` +
	`"features":[{"name":"bill_length","type":"number","missing":"mean","indicator":true},` +
	`{"name":"mass","type":"number","scale":["log1p","standardize"],"missing":"constant","fill":4000},` +
	`{"name":"island","type":"category","encode":"embedding","units":2,"unknown":"zeros"},` +
	`{"name":"code","type":"category","vocabulary":["0","1","no"],"missing":"constant","fill":"0"},` +
	`{"name":"pixels","type":"vector","size":4,"scale":["rescale"]},` +
	`{"name":"male","type":"boolean","missing":"constant","fill":false}],` +
	`"label":{"name":"species","type":"category","classes":["Adelie","Chinstrap","Gentoo"]},` +
	`"network":[{"Dense":{"activation":"relu","kernel_regularizer":{"L1L2":{"l2":0.0001}},"units":16}},` +
	`"BatchNormalization",{"Dropout":{"rate":0.1}}],` +
	`"optimizer":{"Adam":{"learning_rate":{"CosineDecay":{"decay_steps":100,"initial_learning_rate":0.01}}}},` +
	`"loss":{"sparse_categorical_crossentropy":{"label_smoothing":0.1}},` +
	`"training":{"epochs":50,"batch_size":16,"seed":18446744073709551615,"shuffle":false,"validation_split":0.2,` +
	`"early_stopping":{"monitor":"val_accuracy","patience":3,"restore_best_weights":false},` +
	`"target":{"val_accuracy":0.99},"class_weight":{"balanced":1},"holdout":0,"holdout_by":"newest","metric":"log_loss"},` +
	`"serving":{"batch_limit":64,"queue":10,"workers":2,"drift":{"off":true,"window":500,"psi":0.2,"share":0.05,"fdr":0.001}}}`

func TestSpecCanonicalForm(t *testing.T) {
	s := mustParse(t, fullSpec)
	got := mustJSON(t, s)
	if string(got) != fullCanonical {
		t.Errorf("MarshalJSON\n got %s\nwant %s", got, fullCanonical)
	}
	if s.Training.Seed != 1<<64-1 || s.Schema.Features[3].Fill != "0" || *s.Training.Shuffle {
		t.Errorf("seed, fill, shuffle = %d, %v, %v", s.Training.Seed, s.Schema.Features[3].Fill, *s.Training.Shuffle)
	}
	again := mustParse(t, string(got))
	if next := mustJSON(t, again); !bytes.Equal(next, got) {
		t.Errorf("parsed again\n got %s\nwant %s", next, got)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, got, "", "\t"); err != nil {
		t.Fatal(err)
	}
	var decoded model.Spec
	if err := json.Unmarshal(indented.Bytes(), &decoded); err != nil {
		t.Fatal(err)
	}
	if next := mustJSON(t, &decoded); !bytes.Equal(next, got) {
		t.Errorf("unmarshaled\n got %s\nwant %s", next, got)
	}
	if err := s.Validate(); err != nil {
		t.Errorf("Validate() = %v", err)
	}
}

func TestSpecYAML(t *testing.T) {
	s := mustParse(t, fullSpec)
	s.Description = "a: b # \"quoted\"\nand \u00e9\U0001F427 <tag>"
	text, err := s.YAML(map[string]string{"island": "3 values\n- {name: x}", "species": "to predict"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := mustJSON(t, mustParse(t, string(text))), mustJSON(t, s); !bytes.Equal(got, want) {
		t.Errorf("read back\n got %s\nwant %s\ntext %s", got, want, text)
	}
	for _, want := range []string{
		"  - {name: island, type: category, encode: embedding, units: 2, unknown: zeros}  # 3 values - {name: x}\n",
		"label: {name: species, type: category, classes: [Adelie, Chinstrap, Gentoo]}  # to predict\n",
		"  - Dense: {activation: relu, kernel_regularizer: {L1L2: {l2: 0.0001}}, units: 16}\n  - BatchNormalization\n",
		`vocabulary: ["0", "1", "no"]`,
		"\ntraining:\n  epochs: 50\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
}

// base is a right spec; the cases below replace one of its lines.
const base = `name: iris
features:
  - {name: length, type: number}
  - {name: colour, type: category}
label: {name: species, type: category, classes: [a, b, c]}
network:
  - Dense: {units: 16, activation: relu}
optimizer: {Adam: {learning_rate: 0.01}}
loss: sparse_categorical_crossentropy
training:
  epochs: 5
`

func TestSpecErrors(t *testing.T) {
	tests := []struct {
		name         string
		old, text    string // text replaces old in base; without old it is the whole spec
		line, column int
		want         []string
	}{
		{"empty", "", "", 1, 1, []string{"empty", "name: …"}},
		{"only comments", "", "# nothing\n", 1, 1, []string{"empty"}},
		{"no mapping", "", "- a\n- b\n", 1, 1, []string{"mapping", "a list of 2"}},
		{"bad YAML", "name: iris", "name: a: b", 1, 0, []string{"not valid YAML"}},
		{"tab", "  epochs: 5", "\tepochs: 5", 11, 0, []string{"tab"}},
		{"not UTF-8", "name: iris", "name: iris # \xff", 1, 14, []string{"UTF-8", "0xff"}},
		{"two documents", "name: iris\n", "a: 1\n---\nname: iris\n", 3, 0, []string{"second document"}},
		{"unknown section", "training:\n  epochs: 5", "trainin:\n  epochs: 5", 10, 1, []string{`"trainin"`, "did you mean training?"}},
		{"unknown key", "  epochs: 5", "  epoch: 5", 11, 3, []string{`"epoch"`, "did you mean epochs?"}},
		{"swapped letters", "  epochs: 5", "  batch_szie: 5", 11, 3, []string{"did you mean batch_size?"}},
		{"doubled key", "  epochs: 5", "  epochs: 5\n  epochs: 6", 12, 3, []string{"epochs", "11"}},
		{"doubled section", "name: iris", "name: iris\nname: rose", 2, 1, []string{"name"}},
		{"string for a number", "  epochs: 5", "  epochs: many", 11, 11, []string{"epochs", "whole number", `"many"`}},
		{"fraction for a count", "  epochs: 5", "  epochs: 5.5", 11, 11, []string{"whole number", "5.5"}},
		{"zero epochs", "  epochs: 5", "  epochs: 0", 11, 11, []string{"epochs", "from 1", "got 0"}},
		{"negative epochs", "  epochs: 5", "  epochs: -1", 11, 11, []string{"got -1"}},
		{"negative seed", "  epochs: 5", "  seed: -1", 11, 9, []string{"seed", "-1"}},
		{"huge number", "  epochs: 5", "  epochs: 99999999999999999999999", 11, 11, []string{"epochs"}},
		{"infinite", "  epochs: 5", "  validation_split: .inf", 11, 21, []string{"finite", ".inf"}},
		{"list for a mapping", "training:\n  epochs: 5", "training: [5]", 10, 11, []string{"training", "mapping", "a list of 1"}},
		{"number for a truth value", "  epochs: 5", "  shuffle: 1", 11, 12, []string{"true or false", "got 1"}},
		{"validation split", "  epochs: 5", "  validation_split: 20", 11, 21, []string{"from 0 to 0.9", "20"}},
		{"dot in name", "name: iris", "name: my.iris", 1, 7, []string{"dot", "my.iris"}},
		{"space in name", "name: iris", "name: my iris", 1, 7, []string{`contains " "`}},
		{"long name", "name: iris", "name: " + strings.Repeat("x", 65), 1, 7, []string{"65", "at most 64"}},
		{"no name", "name: iris\n", "", 1, 1, []string{`needs the key "name"`}},
		{"no label", "label: {name: species, type: category, classes: [a, b, c]}\n", "", 1, 1, []string{`"label"`}},
		{"unknown type", "type: number", "type: nunber", 3, 26, []string{`"nunber"`, "did you mean number?"}},
		{"feature key", "type: number", "type: number, scal: none", 3, 34, []string{"did you mean scale?"}},
		{"feature setting", "type: number", "type: number, size: 3", 3, 40, []string{"size"}},
		{"no type", ", type: number", "", 3, 5, []string{"type"}},
		{"doubled feature", "name: colour", "name: length", 4, 12, []string{"length"}},
		{"label is a feature", "name: colour", "name: species", 5, 15, []string{"species"}},
		{"vector label", "type: category, classes: [a, b, c]", "type: vector", 5, 30, []string{"vector"}},
		{"one class", "[a, b, c]", "[a]", 5, 49, []string{"two"}},
		{"unknown layer", "- Dense: {", "- Dens: {", 7, 5, []string{`"Dens"`, "Dense"}},
		{"unknown activation", "activation: relu", "activation: rellu", 7, 36, []string{`"rellu"`, "relu"}},
		{"unknown argument", "units: 16", "unit: 16", 7, 13, []string{`"unit"`, "units"}},
		{"wrong units", "units: 16", "units: many", 7, 20, []string{`"many"`, "units"}},
		{"two layers in one entry", "- Dense: {units: 16, activation: relu}", "- {Dense: {units: 1}, Dropout: {rate: 0.1}}", 7, 5, []string{"Name"}},
		{"empty entry", "- Dense: {units: 16, activation: relu}", "- ", 7, 0, []string{"empty"}},
		{"list of arguments", "{units: 16, activation: relu}", "[16]", 7, 12, []string{"Dense", "mapping"}},
		{"unknown optimizer", "Adam:", "Adamm:", 8, 13, []string{`"Adamm"`, "Adam"}},
		{"optimizer argument", "learning_rate: 0.01", "learning_rate: fast", 8, 35, []string{"learning_rate"}},
		{"schedule argument", "learning_rate: 0.01", "learning_rate: {CosineDecay: {initial_learning_rate: 0.1, decay_steps: none}}", 8, 91, []string{"decay_steps"}},
		{"unknown loss", "loss: sparse_categorical_crossentropy", "loss: hubber", 9, 7, []string{`"hubber"`, "huber"}},
		{"loss of numbers for classes", "loss: sparse_categorical_crossentropy", "loss: binary_crossentropy", 9, 7, []string{"binary_crossentropy", "3 classes", "sparse_categorical_crossentropy"}},
		{"softmax of another width", "activation: relu", "activation: softmax", 7, 5, []string{"softmax over 16", "3 classes"}},
		{"sigmoid for three classes", "units: 16, activation: relu", "units: 1, activation: sigmoid", 7, 5, []string{"sigmoid", "3"}},
		{"retrain without a time", "training:", "retrain: {min_gap: 1m}\ntraining:", 10, 10, []string{"every", "cron"}},
		{"retrain every nothing", "training:", "retrain: {every: 0}\ntraining:", 10, 18, []string{"every", "5000", "1h", "got 0"}},
		{"retrain every word", "training:", "retrain: {every: hourly}\ntraining:", 10, 18, []string{"every", `got "hourly"`}},
		{"retrain on all", "training:", "retrain: {every: all}\ntraining:", 10, 18, []string{"every", `got "all"`}},
		{"retrain cron", "training:", "retrain: {cron: 0 3 * *}\ntraining:", 10, 17, []string{"crontab", `got "0 3 * *"`}},
		{"cron with a zone", "training:", "retrain: {cron: TZ=UTC}\ntraining:", 10, 17, []string{"TZ=UTC", "UTC"}},
		{"cron with an interval", "training:", "retrain: {cron: '@every 1s'}\ntraining:", 10, 17, []string{"@every 1s", "write every"}},
		{"cron of no day", "training:", "retrain: {cron: 0 0 30 2 *}\ntraining:", 10, 17, []string{"no such day"}},
		{"retrain window", "training:", "retrain: {every: 1h, window: none}\ntraining:", 10, 30, []string{"window", "or all", `got "none"`}},
		{"retrain mode", "training:", "retrain: {every: 1h, mode: windw}\ntraining:", 10, 28, []string{"windw", "window"}},
		{"gate metric", "training:", "retrain: {gate: {thresholds: {mse: 0.7}}}\ntraining:", 10, 36, []string{"mse"}},
		{"gate slice", "training:", "retrain: {gate: {change: {accuracy: 0}, slices: [nothing]}}\ntraining:", 10, 0, []string{"nothing"}},
		{"gate kind", "training:", "retrain: {gate: {kind: live}}\ntraining:", 10, 24, []string{"live", "holdout"}},
		{"retrain gap", "training:", "retrain: {every: 1h, min_gap: 5}\ntraining:", 10, 31, []string{"min_gap", "90s", "got 5"}},
		{"capture", "training:", "capture: 24\ntraining:", 10, 10, []string{"capture", "1h30m", "got 24"}},
		{"capture in days", "training:", "capture: 30d\ntraining:", 10, 10, []string{"capture", `got "30d"; 30 days are 720h`}},
		{"every so many days", "training:", "retrain: {every: 7d}\ntraining:", 10, 18, []string{"every", `got "7d"; 7 days are 168h`}},
		{"retrain mode", "training:", "retrain: {mode: onlin, every: 5}\ntraining:", 10, 17, []string{"onlin", "online", "window"}},
		{"retraining without a time", "training:", "retrain: {mode: window}\ntraining:", 10, 10, []string{"every"}},
		{"fewer than no versions", "training:", "retrain: {every: 5, keep: -1}\ntraining:", 10, 27, []string{"keep", "from 0"}},
		{"online window", "training:", "retrain: {mode: online, every: 5, window: 10}\ntraining:", 10, 43, []string{"window", "mode window"}},
		{"online held out", "training:", "retrain: {mode: online, every: 5, gate: {kind: holdout}}\ntraining:", 10, 48, []string{"stream"}},
		{"batch of a window", "training:", "retrain: {every: 5, batch: 10}\ntraining:", 10, 28, []string{"batch", "mode online"}},
		{"replay of nothing", "training:", "retrain: {mode: online, every: 5, replay: {size: 8}}\ntraining:", 10, 43, []string{"rows"}},
		{"online batch", "training:", "retrain: {mode: online, every: 5, batch: 2000000000}\ntraining:", 10, 42, []string{"batch", "10000"}},
		{"fading of all", "training:", "retrain: {mode: online, every: 5, fading: 1}\ntraining:", 10, 43, []string{"fading", "less than 1"}},
		{"fading of a window", "training:", "retrain: {every: 5, fading: 0.1}\ntraining:", 10, 29, []string{"fading", "mode online"}},
		{"size of a replay", "training:", "retrain: {mode: online, every: 5, replay: {rows: 1, size: 2000000000}}\ntraining:", 10, 59, []string{"replay.size", "10000"}},
		{"batches of a replay", "training:", "retrain: {mode: online, every: 5, replay: {rows: 1, batches: 65536}}\ntraining:", 10, 62, []string{"replay.batches", "1000"}},
		{"share of an online replay", "training:", "retrain: {mode: online, every: 5, replay: {share: 0.1}}\ntraining:", 10, 51, []string{"replay.share", "mode window", "rows: 200"}},
		{"rows of a window's replay", "training:", "retrain: {every: 5, window: 10, replay: {rows: 200}}\ntraining:", 10, 48, []string{"replay.rows", "mode online", "share: 0.1"}},
		{"steps of a window's replay", "training:", "retrain: {every: 5, window: 10, replay: {share: 0.1, size: 8}}\ntraining:", 10, 60, []string{"replay.size", "mode online", "share: 0.1"}},
		{"share of more than all", "training:", "retrain: {every: 5, window: 10, replay: {share: 10}}\ntraining:", 10, 49, []string{"replay.share", "from 0 to 1", "got 10"}},
		{"share in words", "training:", "retrain: {every: 5, window: 10, replay: {share: all}}\ntraining:", 10, 49, []string{"share", "all"}},
		{"share of what is no older", "training:", "retrain: {every: 5, replay: {share: 0.1}}\ntraining:", 10, 37, []string{"replay.share", "set window", "warm"}},
		{"retrain on noise", "training:", "retrain: {on: [noise]}\ntraining:", 10, 16, []string{"drift", "score_below", `"noise"`}},
		{"score of numbers", "training:", "retrain: {on: [{score_below: {mse: 3}}]}\ntraining:", 10, 15, []string{"mse", "accuracy"}},
		{"score named twice", "training:", "retrain: {on: [{score_below: {accuracy: 0.8}}, {score_below: {accuracy: 0.9}}]}\ntraining:", 10, 0, []string{"accuracy", "twice"}},
		{"no score", "training:", "retrain: {on: [{score_below: {}}]}\ntraining:", 10, 0, []string{"score_below", "accuracy: 0.8"}},
		{"score that is always worse", "training:", "retrain: {on: [{score_below: {accuracy: 80}}]}\ntraining:", 10, 15, []string{"from 0 to 1", "got 80"}},
		{"detector", "training:", "retrain: {on: drift, detector: ADWINN}\ntraining:", 10, 32, []string{"ADWINN", "ADWIN"}},
		{"monitor without validation", "  epochs: 5", "  early_stopping: {monitor: val_loss}", 11, 29, []string{"val_loss", "validation_split"}},
		{"unknown monitor", "  epochs: 5", "  target: {acurracy: 0.9}\n  validation_split: 0.1", 11, 22, []string{`"acurracy"`, "did you mean val_accuracy?"}},
		{"two targets", "  epochs: 5", "  target: {loss: 1, val_loss: 2}", 11, 11, []string{"one"}},
		{"metric of numbers", "  epochs: 5", "  metric: mse", 11, 11, []string{`"mse"`, "accuracy"}},
		{"class weight", "  epochs: 5", "  class_weight: {d: 2}", 11, 21, []string{`"d"`, "a, b, c"}},
		{"negative class weight", "  epochs: 5", "  class_weight: {a: -2}", 11, 21, []string{"-2"}},
		{"plateau and schedule", "learning_rate: 0.01}}\nloss: sparse_categorical_crossentropy\ntraining:", "learning_rate: {ExponentialDecay: {initial_learning_rate: 0.1, decay_steps: 1, decay_rate: 0.5}}}}\ntraining:\n  reduce_lr_on_plateau: {factor: 0.5}", 10, 25, []string{"schedule"}},
		{"drift", "training:", "serving: {drift: {window: 0}}\ntraining:", 10, 27, []string{"window", "got 0", "100"}},
		{"serving", "training:", "serving: {queue: 0}\ntraining:", 10, 18, []string{"queue", "got 0"}},
		{"holdout_by", "  epochs: 5", "  holdout_by: time", 11, 15, []string{`"time"`, "newest"}},
		{"anchor", "name: iris", "name: &a iris", 1, 0, []string{"anchors"}},
		{"merge key", "  epochs: 5", "  <<: {epochs: 5}", 11, 3, []string{"<<"}},
		{"tag", "name: iris", "name: !!str iris", 1, 0, []string{"tags"}},
		{"lists in lists", "", strings.Repeat("- ", 1<<20), 1, 1, []string{"nested deeper than 64"}},
		{"brackets in brackets", "", strings.Repeat("[", 1<<20), 1, 1, []string{"nested deeper than 64"}},
		{"mappings in mappings", "", strings.Repeat("{a: ", 1<<18), 1, 1, []string{"nested deeper than 64"}},
		{"JSON in JSON", "", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), 1, 0, []string{"nested deeper than 64"}},
		{"too long", "", strings.Repeat("# comment\n", 1<<19), 0, 0, []string{"bytes"}},
		{"JSON doubled key", "", "{\"name\": \"a\",\n \"name\": \"b\"}", 2, 2, []string{"doubled", "line 1"}},
		{"JSON typo", "", "{\"name\": \"a\", \"label\": {\"name\": \"y\", \"type\": \"number\"}, \"features\": [\n  {\"nam\": \"x\"}]}", 2, 4, []string{`"nam"`, "did you mean name?"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := tt.text
			if tt.old != "" {
				if strings.Count(base, tt.old) == 0 {
					t.Fatalf("base has no %q", tt.old)
				}
				spec = strings.Replace(base, tt.old, tt.text, 1)
			}
			s, err := model.ParseSpec([]byte(spec))
			if err == nil {
				t.Fatalf("ParseSpec gave %s, want an error", mustJSON(t, s))
			}
			e, ok := errors.AsType[*model.SpecError](err)
			if !ok || !errors.Is(err, feature.ErrInvalid) {
				t.Fatalf("error is a %T: %v", err, err)
			}
			if e.Line != tt.line || tt.column != 0 && e.Column != tt.column {
				t.Errorf("place = %d:%d, want %d:%d (%v)", e.Line, e.Column, tt.line, tt.column, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}
