package wire_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestDecodeOIP(t *testing.T) {
	iris := [][]any{row(1.0, 2.0, 3.0, 4.0), row(5.0, 6.0, 7.0, 8.0)}
	mixed := [][]any{row("Dream", 12.5, "[1 2 3]", true), row("é", -1.0, "[4 5 6]", false)}
	tests := []struct {
		name   string
		schema *feature.Schema
		body   string
		want   [][]any
	}{
		{"flat", irisSchema(), `{"inputs":[{"name":"input-0","shape":[2,4],"datatype":"FP32","data":[1,2,3,4,5,6,7,8]}]}`, iris},
		{"nested", irisSchema(), `{"inputs":[{"name":"x","shape":[2,4],"datatype":"INT64","data":[[1,2,3,4],[5,6,7,8]]}]}`, iris},
		{"data before shape", irisSchema(), `{"inputs":[{"data":[1,2,3,4,5,6,7,8],"parameters":{"a":1,"b":"x","c":true},"datatype":"FP64","shape":[2,4],"name":"x"}]}`, iris},
		{"an image", imageSchema(), `{"inputs":[{"name":"pixels","shape":[1,2,2],"datatype":"UINT8","data":[[[0,1],[2,255]]]}]}`, [][]any{row("[0 1 2 255]")}},
		{"wide integers", oneNumber(), `{"inputs":[{"name":"x","shape":[3],"datatype":"UINT64","data":[18446744073709551615,0,1e3]}]}`, [][]any{row(math.Ldexp(1, 64)), row(0.0), row(1000.0)}},
		{"FP32 rounds", oneNumber(), `{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[0.1]}]}`, [][]any{row(float64(float32(0.1)))}},
		{"FP64 does not", oneNumber(), `{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[0.1]}]}`, [][]any{row(0.1)}},
		{"an input a feature", mixedSchema(), `{"id":"7","parameters":{"priority":1},"inputs":[
			{"name":"male","shape":[2],"datatype":"BOOL","data":[true,false]},
			{"name":"shape","shape":[2,3],"datatype":"INT8","data":[1,2,3,4,5,6]},
			{"name":"island","shape":[2,1],"datatype":"BYTES","data":["Dream","\u00e9"]},
			{"name":"weight","shape":[2],"datatype":"FP64","data":[12.5,-1]}]}`, mixed},
		{"a missing input where allowed", mixedSchema(), `{"inputs":[
			{"name":"male","shape":[1],"datatype":"UINT8","data":[1]},
			{"name":"shape","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]}`, [][]any{row(nil, nil, "[1 2 3]", true)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := feature.NewFrame(tt.schema, false)
			var req wire.Request
			if err := wire.DecodeRequest(f, &req, nil, []byte(tt.body), 0); err != nil {
				t.Fatal(err)
			}
			if got := values(f); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if req.Form != wire.FormOIP || req.Rows != len(tt.want) {
				t.Errorf("request = %+v, want %d rows in OIP form", req, len(tt.want))
			}
		})
	}
}

func TestDecodeOIPRefuses(t *testing.T) {
	in := func(tensor string) string { return `{"inputs":[` + tensor + `]}` }
	x := func(shape, datatype, data string) string {
		return in(`{"name":"x","shape":` + shape + `,"datatype":"` + datatype + `","data":` + data + `}`)
	}
	iris := irisSchema()
	tests := []struct {
		name   string
		schema *feature.Schema
		body   string
		say    []string
	}{
		{"no inputs", iris, in(``), []string{"at least one"}},
		{"columns of TensorFlow Serving", iris, `{"inputs":{"a":[1]}}`, []string{"want a list of tensors", "an object"}},
		{"no name", iris, in(`{"shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}`), []string{"inputs[0]", `"name"`}},
		{"no shape", iris, in(`{"name":"x","datatype":"FP32","data":[1,2,3,4]}`), []string{`"x"`, `"shape"`}},
		{"no datatype", iris, in(`{"name":"x","shape":[1,4],"data":[1,2,3,4]}`), []string{`"x"`, `"datatype"`}},
		{"no data", iris, in(`{"name":"x","shape":[1,4],"datatype":"FP32"}`), []string{`"x"`, `"data"`, `"binary_data_size"`}},
		{"both data and size", iris, in(`{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4],"parameters":{"binary_data_size":16}}`), []string{`"data"`, `"binary_data_size"`}},
		{"binary without header", iris, in(`{"name":"x","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}`), []string{wire.HeaderContentLength}},
		{"unknown key", iris, in(`{"name":"x","shapes":[1,4],"datatype":"FP32","data":[1,2,3,4]}`), []string{`"shapes"`, `"shape"`}},
		{"too few elements", iris, x(`[1,4]`, "FP32", `[1,2,3]`), []string{`"x"`, "want 4 elements, got 3"}},
		{"too many elements", iris, x(`[1,4]`, "FP32", `[1,2,3,4,5]`), []string{"want 4 elements, got 5"}},
		{"wrong nesting", iris, x(`[2,4]`, "FP32", `[[1,2,3,4],[1,2,3]]`), []string{"want 4 elements in dimension 1", "got 3"}},
		{"half nesting", iris, x(`[2,4]`, "FP32", `[[1,2,3,4],1]`), []string{"nested", "number 1"}},
		{"negative dimension", iris, x(`[-1,4]`, "FP32", `[1,2,3,4]`), []string{"dimension 0", "-1"}},
		{"broken dimension", iris, x(`[1.5,4]`, "FP32", `[1,2,3,4]`), []string{"1.5"}},
		{"dimension no number", iris, x(`["1",4]`, "FP32", `[1,2,3,4]`), []string{`"1"`}},
		{"overflowing shape", iris, x(`[1,2147483647,2147483647,2147483647]`, "FP32", `[1]`), []string{"elements"}},
		{"overflowing rows", iris, x(`[2147483647,4]`, "FP32", `[1]`), []string{"elements"}},
		{"no rows", iris, x(`[0,4]`, "FP32", `[]`), []string{"no elements"}},
		{"no dimensions", iris, x(`[]`, "FP32", `[1]`), []string{"[rows"}},
		{"wrong width", iris, x(`[1,3]`, "FP32", `[1,2,3]`), []string{"[rows, 4]", "[1 3]"}},
		{"unknown datatype", iris, x(`[1,4]`, "FLOAT", `[1,2,3,4]`), []string{`"FLOAT"`, `"FP32"`}},
		{"FP16 in JSON", iris, x(`[1,4]`, "FP16", `[1,2,3,4]`), []string{"FP16", "binary"}},
		{"BF16 in JSON", iris, x(`[1,4]`, "BF16", `[1,2,3,4]`), []string{"BF16", "binary"}},
		{"strings for numbers", iris, x(`[1,4]`, "FP32", `[1,2,"3",4]`), []string{"data[2]", `"3"`}},
		{"BYTES for numbers", iris, x(`[1,4]`, "BYTES", `["1","2","3","4"]`), []string{"numbers", "BYTES"}},
		{"BOOL for numbers", iris, x(`[1,4]`, "BOOL", `[true,true,true,true]`), []string{"BOOL"}},
		{"number for BOOL", iris, x(`[1,4]`, "BOOL", `[1,0,1,0]`), []string{"data[0]", "true or false", "number 1"}},
		{"null", iris, x(`[1,4]`, "FP32", `[1,null,3,4]`), []string{"data[1]", "null"}},
		{"UINT8 too large", iris, x(`[1,4]`, "UINT8", `[1,256,3,4]`), []string{"data[1]", "256", "UINT8"}},
		{"UINT8 negative", iris, x(`[1,4]`, "UINT8", `[1,-1,3,4]`), []string{"-1", "UINT8"}},
		{"INT8 too small", iris, x(`[1,4]`, "INT8", `[1,-129,3,4]`), []string{"-129", "INT8"}},
		{"INT32 too large", iris, x(`[1,4]`, "INT32", `[1,2147483648,3,4]`), []string{"INT32"}},
		{"INT64 too small", iris, x(`[1,4]`, "INT64", `[1,-9223372036854775809,3,4]`), []string{"INT64"}},
		{"UINT64 too large", iris, x(`[1,4]`, "UINT64", `[1,18446744073709551616,3,4]`), []string{"UINT64"}},
		{"a fraction for an integer", iris, x(`[1,4]`, "INT32", `[1,2.5,3,4]`), []string{"integer", "2.5"}},
		{"FP32 too large", iris, x(`[1,4]`, "FP32", `[1,3.5e38,3,4]`), []string{"3.5e38", "FP32"}},
		{"twice", iris, in(`{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]},{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}`), []string{`"x"`, "twice"}},
		{"unknown input", iris, in(`{"name":"x","shape":[1],"datatype":"FP32","data":[1]},{"name":"y","shape":[1],"datatype":"FP32","data":[1]}`), []string{`"x"`, `"sepal_length"`, "[rows, 4]"}},
		{"missing input", iris, in(`{"name":"sepal_length","shape":[1],"datatype":"FP32","data":[1]},{"name":"sepal_width","shape":[1],"datatype":"FP32","data":[1]}`), []string{"missing", `"petal_length"`, `"petal_width"`}},
		{"different rows", iris, in(`{"name":"sepal_length","shape":[1],"datatype":"FP32","data":[1]},{"name":"sepal_width","shape":[2],"datatype":"FP32","data":[1,2]}`), []string{"1 and 2 rows"}},
		{"unknown output", iris, `{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}],"outputs":[{"name":"logits"}]}`, []string{`"logits"`, `"probabilities"`}},
		{"doubled output", iris, `{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}],"outputs":[{"name":"label"},{"name":"label"}]}`, []string{"twice"}},
		{"classification", iris, `{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}],"outputs":[{"name":"label","parameters":{"classification":2}}]}`, []string{"classification"}},
		{"id no string", iris, `{"id":7,"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}`, []string{"string"}},
		{"signature", iris, `{"signature_name":"s","inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}`, []string{"signature_name"}},
		{"BYTES for a boolean", mixedSchema(), in(`{"name":"male","shape":[1],"datatype":"BYTES","data":["yes"]},{"name":"shape","shape":[1,3],"datatype":"FP32","data":[1,2,3]}`), []string{"BOOL", "BYTES"}},
		{"a wide column", mixedSchema(), in(`{"name":"male","shape":[1,2],"datatype":"BOOL","data":[true,true]}`), []string{`"male"`, "[rows, 1]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refuses(t, tt.schema, nil, []byte(tt.body), tt.say...) })
	}
}

// binaryMessage returns a message with its header.
func binaryMessage(doc string, tail ...byte) (nats.Header, []byte) {
	return nats.Header{wire.HeaderContentLength: {strconv.Itoa(len(doc))}}, append([]byte(doc), tail...)
}

func fp32(v ...float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func TestDecodeBinary(t *testing.T) {
	input := func(shape, datatype string, size int) string {
		return fmt.Sprintf(`{"inputs":[{"name":"x","shape":%s,"datatype":"%s","parameters":{"binary_data_size":%d}}]}`, shape, datatype, size)
	}
	iris := [][]any{row(1.5, -2.0, 3.0, 4.0)}
	tests := []struct {
		name string
		doc  string
		tail []byte
		want [][]any
	}{
		{"FP32", input("[1,4]", "FP32", 16), fp32(1.5, -2, 3, 4), iris},
		{"FP32 as published", input("[1,4]", "FP32", 16), []byte{0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40}, iris},
		{"FP16", input("[1,4]", "FP16", 8), []byte{0, 0x3e, 0, 0xc0, 0, 0x42, 0, 0x44}, iris},
		{"BF16", input("[1,4]", "BF16", 8), []byte{0xc0, 0x3f, 0, 0xc0, 0x40, 0x40, 0x80, 0x40}, iris},
		{"INT8", input("[1,4]", "INT8", 4), []byte{0x80, 0xff, 0, 0x7f}, [][]any{row(-128.0, -1.0, 0.0, 127.0)}},
		{"UINT16", input("[1,4]", "UINT16", 8), []byte{1, 0, 0, 1, 0xff, 0xff, 0, 0}, [][]any{row(1.0, 256.0, 65535.0, 0.0)}},
		{"INT16", input("[1,4]", "INT16", 8), []byte{1, 0, 0, 1, 0xff, 0xff, 0, 0x80}, [][]any{row(1.0, 256.0, -1.0, -32768.0)}},
		{"UINT32", input("[1,4]", "UINT32", 16), []byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, [][]any{row(1.0, 2.0, 3.0, 4294967295.0)}},
		{"INT32", input("[1,4]", "INT32", 16), []byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, [][]any{row(1.0, 2.0, 3.0, -1.0)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, body := binaryMessage(tt.doc, tt.tail...)
			f := feature.NewFrame(irisSchema(), false)
			var req wire.Request
			if err := wire.DecodeRequest(f, &req, h, body, 0); err != nil {
				t.Fatal(err)
			}
			if got := values(f); !reflect.DeepEqual(got, tt.want) || req.Form != wire.FormBinary {
				t.Errorf("got %v in form %d, want %v in binary form", got, req.Form, tt.want)
			}
		})
	}
	t.Run("wide", func(t *testing.T) {
		for datatype, bits := range map[string]uint64{"FP64": math.Float64bits(-3), "INT64": math.MaxUint64 - 2, "UINT64": 5} {
			want := -3.0
			if datatype == "UINT64" {
				want = 5
			}
			h, body := binaryMessage(input("[1,1]", datatype, 8), binary.LittleEndian.AppendUint64(nil, bits)...)
			f := feature.NewFrame(oneNumber(), false)
			if err := wire.DecodeRequest(f, &wire.Request{}, h, body, 0); err != nil || values(f)[0][0] != want {
				t.Errorf("%s: got %v, %v, want %v", datatype, values(f), err, want)
			}
		}
	})
	t.Run("mixed with JSON", func(t *testing.T) {
		h, body := binaryMessage(`{"id":"42","inputs":[`+
			`{"name":"island","shape":[3],"datatype":"BYTES","parameters":{"binary_data_size":17}},`+
			`{"name":"weight","shape":[3,1],"datatype":"INT16","data":[1,2,3]},`+
			`{"name":"male","shape":[3],"datatype":"BOOL","parameters":{"binary_data_size":3}},`+
			`{"name":"shape","shape":[3,3],"datatype":"UINT8","parameters":{"binary_data_size":9}}]}`,
			3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0, 2, 0, 0, 0, 0xc3, 0xa9, 1, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9)
		f := feature.NewFrame(mixedSchema(), false)
		var req wire.Request
		if err := wire.DecodeRequest(f, &req, h, body, 0); err != nil {
			t.Fatal(err)
		}
		want := [][]any{row("abc", 1.0, "[1 2 3]", true), row("", 2.0, "[4 5 6]", false), row("é", 3.0, "[7 8 9]", true)}
		if got := values(f); !reflect.DeepEqual(got, want) || string(req.ID) != "42" {
			t.Errorf("got %v, id %q, want %v, id 42", got, req.ID, want)
		}
	})
	t.Run("raw", func(t *testing.T) {
		f := feature.NewFrame(irisSchema(), false)
		var req wire.Request
		err := wire.DecodeRequest(f, &req, nats.Header{wire.HeaderContentLength: {"0"}}, fp32(1.5, -2, 3, 4), 0)
		if err != nil || !reflect.DeepEqual(values(f), iris) || !req.BinaryOutput || req.Form != wire.FormBinary {
			t.Errorf("got %v, %v, %+v, want %v with binary outputs", values(f), err, req, iris)
		}
	})
}

func TestDecodeBinaryRefuses(t *testing.T) {
	doc := `{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}]}`
	sixteen := string(fp32(1, 2, 3, 4))
	nan := string(fp32(1, float32(math.NaN()), 3, 4))
	length := strconv.Itoa(len(doc))
	text := `{"inputs":[{"name":"island","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":%d}},{"name":"male","shape":[1],"datatype":"BOOL","data":[true]},{"name":"shape","shape":[1,3],"datatype":"INT8","data":[1,2,3]}]}`
	flag := `{"inputs":[{"name":"male","shape":[1],"datatype":"BOOL","parameters":{"binary_data_size":1}},{"name":"shape","shape":[1,3],"datatype":"INT8","data":[1,2,3]}]}`
	tests := []struct {
		name   string
		schema *feature.Schema
		length string
		body   string
		say    []string
	}{
		{"header negative", irisSchema(), "-1", doc + sixteen, []string{wire.HeaderContentLength, "-1"}},
		{"header no number", irisSchema(), "x", doc + sixteen, []string{wire.HeaderContentLength, `"x"`}},
		{"header too large", irisSchema(), "1000", doc + sixteen, []string{"1000"}},
		{"header too small", irisSchema(), "10", doc + sixteen, []string{"the end"}},
		{"tail too short", irisSchema(), length, doc + sixteen[:15], []string{`"x"`, "16", "15"}},
		{"tail too long", irisSchema(), length, doc + sixteen + "!", []string{"1 of 17", "no input"}},
		{"NaN", irisSchema(), length, doc + nan, []string{`"x"`, "NaN"}},
		{"size against shape", irisSchema(), strconv.Itoa(len(doc) - 1), strings.Replace(doc, "16", "8", 1) + sixteen[:8], []string{"want 16 bytes", "8"}},
		{"rows form", irisSchema(), "34", `{"instances": [[5.1,3.5,1.4,0.2]]}`, []string{wire.HeaderContentLength}},
		{"raw of a wrong size", irisSchema(), "0", sixteen[:12], []string{"want 16 bytes", "got 12"}},
		{"raw for a mixed schema", mixedSchema(), "0", sixteen, []string{"numbers"}},
		{"BYTES length beyond the data", mixedSchema(), "", fmt.Sprintf(text, 7) + "\x04\x00\x00\x00abc", []string{"island", "want 4 bytes, got 3"}},
		{"BYTES without length", mixedSchema(), "", fmt.Sprintf(text, 3) + "abc", []string{"island", "length"}},
		{"BYTES left over", mixedSchema(), "", fmt.Sprintf(text, 6) + "\x01\x00\x00\x00ab", []string{"island", "1 bytes left over"}},
		{"BYTES not UTF-8", mixedSchema(), "", fmt.Sprintf(text, 5) + "\x01\x00\x00\x00\xff", []string{"island", "UTF-8"}},
		{"BOOL of 2", mixedSchema(), "", flag + "\x02", []string{"male", "0 or 1", "2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.length == "" {
				tt.length = strconv.Itoa(strings.LastIndex(tt.body, "}") + 1)
			}
			refuses(t, tt.schema, nats.Header{wire.HeaderContentLength: {tt.length}}, []byte(tt.body), tt.say...)
		})
	}
}
