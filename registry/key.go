package registry

import (
	"fmt"
	"strconv"
	"strings"
)

// DefaultPrefix is the first token of subjects where [Options] name none.
const DefaultPrefix = "modelbus"

const maxPrefix = 32

// layout names all that a deployment stores.
type layout struct {
	prefix string // first token of event subjects
	bucket string // KV bucket; its stream is KV_<bucket>
}

func newLayout(prefix string) (layout, error) {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	if len(prefix) > maxPrefix || !isToken(prefix) || strings.ToLower(prefix) != prefix {
		return layout{}, fmt.Errorf("%w: prefix %q: want up to %d of a-z, 0-9, _ and -", ErrInvalid, prefix, maxPrefix)
	}
	return layout{prefix: prefix, bucket: strings.ToUpper(prefix)}, nil
}

func (l layout) kvStream() string     { return "KV_" + l.bucket }
func (l layout) objectBucket() string { return l.bucket + "_ARTIFACTS" }
func (l layout) objectStream() string { return "OBJ_" + l.objectBucket() }
func (l layout) liveBucket() string   { return l.bucket + "_LIVE" }
func (l layout) liveStream() string   { return "KV_" + l.liveBucket() }
func (l layout) eventStream() string  { return l.bucket + "_EVENT" }

// subject returns the subject of a key, or of a pattern of keys, of the bucket.
func (l layout) subject(key string) string { return "$KV." + l.bucket + "." + key }

// liveSubject returns the subject of a model's live record, or of all.
func (l layout) liveSubject(model string) string { return "$KV." + l.liveBucket() + "." + model }

// key returns the key of a subject of the bucket.
func (l layout) key(subject string) string { return strings.TrimPrefix(subject, "$KV."+l.bucket+".") }

// event returns the subject, or pattern, that events are announced on.
func (l layout) event(rest string) string { return l.prefix + ".event." + rest }

// chunks returns the subject of the chunks of an upload.
func (l layout) chunks(upload string) string { return "$O." + l.objectBucket() + ".C." + upload }

// meta returns the subject of the metadata of the object of that encoded name.
func (l layout) meta(encoded string) string { return "$O." + l.objectBucket() + ".M." + encoded }

func modelKey(name string) string  { return "model." + name }
func ledgerKey(name string) string { return "number." + name }

func trainingKey(model string) string { return "training." + model }

func versionKey(model string, n uint64) string {
	return "version." + model + "." + strconv.FormatUint(n, 10)
}

func aliasKey(model, alias string) string { return "alias." + model + "." + alias }

func eventKey(model, kind, id string) string { return "event." + model + "." + kind + "." + id }
