package model

import (
	"math"
	"reflect"
	"strings"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
)

// decodeInto sets the struct, pointer, slice, map or scalar dst from n by the
// json tags of its fields. It refuses unknown keys, values of another type, and
// words that a named string type of package feature does not know. Null leaves
// the default.
func decodeInto(n *node, dst reflect.Value, what string) *SpecError {
	if n.isNull() {
		return nil
	}
	switch v := dst.Addr().Interface().(type) {
	case *Duration:
		return decodeDuration(n, v, what)
	case *Amount:
		return decodeAmount(n, v, what)
	case *Triggers:
		return decodeTriggers(n, v)
	case *Detector:
		return parseObject(&v.Method, n, "detector", drift.ParseMethod)
	}
	switch dst.Kind() {
	case reflect.Pointer:
		dst.Set(reflect.New(dst.Type().Elem()))
		return decodeInto(n, dst.Elem(), what)
	case reflect.Struct:
		return decodeStruct(n, dst, what)
	case reflect.Slice:
		return decodeSlice(n, dst, what)
	case reflect.Map:
		return decodeMap(n, dst, what)
	case reflect.Interface:
		return decodeScalar(n, dst, what)
	case reflect.String:
		return decodeString(n, dst, what)
	case reflect.Bool:
		return decodeBool(n, dst, what)
	case reflect.Float64:
		return decodeFloat(n, dst, what)
	default:
		return decodeInteger(n, dst, what)
	}
}

func decodeStruct(n *node, dst reflect.Value, what string) *SpecError {
	if n.fields == nil {
		return n.errorf("%s must be a mapping of keys to values, got %s", what, n)
	}
	names := map[string]int{}
	var known []string
	for i := range dst.NumField() {
		name, _, _ := strings.Cut(dst.Type().Field(i).Tag.Get("json"), ",")
		names[name] = i
		known = append(known, name)
	}
	for _, f := range n.fields {
		i, ok := names[f.key]
		if !ok {
			return f.errorf("%s in %s", unknownWord("key", f.key, known), what)
		}
		if err := decodeInto(f.value, dst.Field(i), f.key); err != nil {
			return err
		}
	}
	return nil
}

// decodeSlice sets a list. A single value stands for a list of one.
func decodeSlice(n *node, dst reflect.Value, what string) *SpecError {
	items := n.list
	if items == nil && n.fields == nil {
		items = []*node{n}
	}
	if items == nil {
		return n.errorf("%s must be a list, got %s", what, n)
	}
	out := reflect.MakeSlice(dst.Type(), len(items), len(items))
	for i, item := range items {
		if item.isNull() {
			return item.errorf("an entry of %s is empty", what)
		}
		if err := decodeInto(item, out.Index(i), what); err != nil {
			return err
		}
	}
	dst.Set(out)
	return nil
}

func decodeMap(n *node, dst reflect.Value, what string) *SpecError {
	if n.fields == nil {
		return n.errorf("%s must be a mapping of names to numbers, got %s", what, n)
	}
	out := reflect.MakeMap(dst.Type())
	for _, f := range n.fields {
		v := reflect.New(dst.Type().Elem()).Elem()
		if f.value.isNull() {
			return f.errorf("%s.%s has no value", what, shorten(f.key))
		}
		if err := decodeInto(f.value, v, what+"."+f.key); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(f.key), v)
	}
	dst.Set(out)
	return nil
}

// decodeScalar sets an interface to a float64, string or bool.
func decodeScalar(n *node, dst reflect.Value, what string) *SpecError {
	var f float64
	switch v := n.value.(type) {
	case string, bool:
		dst.Set(reflect.ValueOf(v))
		return nil
	case nil:
		return n.errorf("%s must be one value, got %s", what, n)
	}
	if err := decodeFloat(n, reflect.ValueOf(&f).Elem(), what); err != nil {
		return err
	}
	dst.Set(reflect.ValueOf(f))
	return nil
}

// decodeString sets a string. Numbers and truth values are taken as they are
// written, since categories such as 0 and 1 are common.
func decodeString(n *node, dst reflect.Value, what string) *SpecError {
	if n.value == nil {
		return n.errorf("%s must be a text, got %s", what, n)
	}
	known := words(dst.Type())
	for _, w := range known {
		if w == n.text {
			dst.SetString(w)
			return nil
		}
	}
	if known != nil {
		return n.errorf("%s", unknownWord(what, n.text, known))
	}
	dst.SetString(n.text)
	return nil
}

func decodeBool(n *node, dst reflect.Value, what string) *SpecError {
	b, ok := n.value.(bool)
	if !ok {
		return n.errorf("%s must be true or false, got %s", what, n)
	}
	dst.SetBool(b)
	return nil
}

func decodeFloat(n *node, dst reflect.Value, what string) *SpecError {
	switch v := n.value.(type) {
	case int64:
		dst.SetFloat(float64(v))
	case uint64:
		dst.SetFloat(float64(v))
	case float64:
		dst.SetFloat(v)
	default:
		return n.errorf("%s must be a number, got %s", what, n)
	}
	return nil
}

func decodeInteger(n *node, dst reflect.Value, what string) *SpecError {
	value := n.value
	if f, ok := value.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		value = int64(f) // 1e3, 10.0
	}
	switch v := value.(type) {
	case int64:
		if dst.CanInt() && !dst.OverflowInt(v) {
			dst.SetInt(v)
			return nil
		}
		if dst.CanUint() && v >= 0 {
			dst.SetUint(uint64(v))
			return nil
		}
		return n.errorf("%s is out of range, got %s", what, n)
	case uint64:
		if dst.CanUint() {
			dst.SetUint(v)
			return nil
		}
		return n.errorf("%s is out of range, got %s", what, n)
	}
	return n.errorf("%s must be a whole number, got %s", what, n)
}

// words returns the values of a named string type, nil if it is open.
func words(t reflect.Type) []string {
	switch t {
	case reflect.TypeFor[feature.Type]():
		return texts(feature.Number, feature.Category, feature.Boolean, feature.Vector)
	case reflect.TypeFor[feature.Scale]():
		return texts(feature.None, feature.Standardize, feature.MinMax, feature.Rescale, feature.Robust, feature.Log1p)
	case reflect.TypeFor[feature.Encoding]():
		return texts(feature.OneHot, feature.Hashing, feature.Embedding)
	case reflect.TypeFor[feature.Missing]():
		return texts(feature.MissingError, feature.MissingMean, feature.MissingMedian,
			feature.MissingConstant, feature.MissingCategory)
	case reflect.TypeFor[feature.Unknown]():
		return texts(feature.UnknownError, feature.UnknownZeros)
	}
	return nil
}

func texts[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
