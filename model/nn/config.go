package nn

import "fmt"

// A Config is the neutral form of a layer, optimizer, loss, initializer,
// regularizer or schedule: Keras's class name (or snake_case name of a loss)
// and its config dictionary. Numbers are float64, int64 or json.Number,
// lists []any, dictionaries map[string]any; a nested object is a Config in
// Keras's form {"class_name": …, "config": {…}}, our form {Name: {…}}, or a
// bare name.
type Config struct {
	Name string
	Args map[string]any
}

// A ConfigError reports what is wrong in a [Config].
type ConfigError struct {
	Name string // the object, such as "Dense"
	Key  string // the argument, empty if the object itself is at fault
	Msg  string // what was received and what would be right
}

// Error implements error.
func (e *ConfigError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s: %s", e.Name, e.Msg)
	}
	return fmt.Sprintf("%s.%s: %s", e.Name, e.Key, e.Msg)
}
