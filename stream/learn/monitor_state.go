package learn

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A state is all that a monitor knows. Its size does not grow with the examples.
type state struct {
	Seq  uint64    `json:"seq"`  // of the last example counted
	Time time.Time `json:"time"` // when that was stored
	Made time.Time `json:"stream_created,omitzero"`

	Form     int               `json:"form"`             // [stateForm]
	Served   *tally            `json:"served,omitempty"` // of who was the champion
	Learner  *tally            `json:"learner,omitempty"`
	Versions map[uint64]*tally `json:"versions,omitempty"`
	Guesses  *guesses          `json:"guesses,omitempty"` // on what is in Served, before that on what is in Learner
	Since    *wire.LivePlace   `json:"since,omitempty"`

	Champion   uint64 `json:"champion,omitempty"`
	Move       uint64 `json:"move,omitempty"` // number of the champion's last move that was noticed
	Challenger uint64 `json:"challenger,omitempty"`
	Newest     uint64 `json:"newest,omitempty"` // version

	Detector json.RawMessage `json:"detector,omitempty"`
	Method   string          `json:"method,omitempty"` // of the detector
	Scale    scale           `json:"scale,omitzero"`   // of the detector's losses
	Calm     int64           `json:"calm,omitempty"`   // examples until the detector sees errors again
	Fresh    int64           `json:"fresh,omitempty"`  // examples since the champion, or the newest version, or the last trigger by a score

	Trial *trial `json:"trial,omitempty"`
	Watch *watch `json:"watch,omitempty"`

	Drift     *wire.ScoreDrift  `json:"drift,omitempty"`
	Announced bool              `json:"announced,omitempty"` // the drift was
	Seen      string            `json:"seen,omitempty"`      // id of the last drift event that was looked at
	Trigger   *wire.LiveTrigger `json:"trigger,omitempty"`
	Trail     trail             `json:"trail,omitzero"`    // where the errors are from that the detector saw
	Cut       *wire.LivePlace   `json:"cut,omitempty"`     // where a window begins at the earliest
	Relearn   uint64            `json:"relearn,omitempty"` // online: what came since that message is learned again when a version is cut for a drift
	Again     int64             `json:"again,omitempty"`   // examples until a model is trained once more after a drift
	Pace      int64             `json:"pace,omitempty"`    // online how many Again was; of mode window how many there are since the change then
	Below     map[string]bool   `json:"below,omitempty"`   // scores that a training was begun for
}

// at returns where the examples were counted to.
func (s *state) at() position { return position{seq: s.Seq, stored: s.Time, made: s.Made} }

// stateForm is the form of states: in one of form 0 what was served is the learner's.
const stateForm = 1

// A liveRecord is what is stored: what others read, and the state.
type liveRecord struct {
	Created time.Time       `json:"model_created"`
	Live    *wire.Live      `json:"live"`
	State   json.RawMessage `json:"state"`
}

// ReadLive returns the part for readers of the live record of a model, nil if there is
// none.
func ReadLive(ctx context.Context, reg *registry.Registry, m registry.Model) (*wire.Live, error) {
	data, _, err := reg.Live(ctx, m.Name)
	if err != nil || data == nil {
		return nil, err
	}
	created, live, err := wire.DecodeLive(data)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	if !created.Equal(m.Created) {
		return nil, nil //nolint:nilnil // of another model that had the name
	}
	return live, nil
}

// restore reads the state. One of an earlier model of the name, or that cannot be read,
// is begun anew.
func (m *monitor) restore(ctx context.Context) error {
	data, revision, err := m.reg.Live(ctx, m.name)
	if err != nil {
		return err
	}
	m.revision = revision
	var r liveRecord
	if data != nil {
		err := json.Unmarshal(data, &r)
		if err == nil && r.Created.Equal(m.created) {
			err = m.adopt(ctx, r.State)
		}
		if err != nil {
			m.log.Warn().Err(err).Msg("the live record cannot be read: scores begin anew")
		}
		if err == nil && r.Created.Equal(m.created) {
			return nil
		}
	}
	m.detector.Reset()
	m.state = state{Versions: map[uint64]*tally{}}
	champion, err := m.reg.Aliases(ctx, m.name)
	if err != nil {
		return err
	}
	if to := champion[registry.Champion].To; to != 0 { // what it was trained on is not scored
		c, err := m.reg.Resolve(ctx, registry.Ref{Model: m.name, Version: to})
		if err != nil {
			return err
		}
		p, err := m.locate(ctx, m.ground, behind(&c), c.Created)
		if err != nil {
			return err
		}
		m.state.Seq, m.state.Time = p.seq, p.stored
	}
	m.state.Made = m.ground.made
	return nil
}

// adopt goes on from a stored state.
func (m *monitor) adopt(ctx context.Context, text json.RawMessage) error {
	st := state{}
	if err := json.Unmarshal(text, &st); err != nil {
		return err
	}
	if st.Versions == nil {
		st.Versions = map[uint64]*tally{}
	}
	if st.Form < stateForm && st.Learner != nil {
		st.Served, st.Guesses, st.Since = nil, nil, nil
	}
	if st.Method == m.method() && len(st.Detector) > 0 {
		if err := json.Unmarshal(st.Detector, m.detector); err != nil {
			return err
		}
	}
	at, err := m.locate(ctx, m.ground, st.at(), st.Time)
	if err != nil {
		return err
	}
	if at.seq == 0 && st.Seq > 0 { // the stream was made anew, and counts from the beginning
		st.Again, st.Pace = 0, 0
		st.Cut, st.Relearn = nil, 0
		if st.Drift != nil {
			st.Drift.SinceSeq = 0
		}
	}
	if at.seq != st.Seq {
		st.cutBack(at)
	}
	st.Made = at.made
	m.state = st
	return nil
}

// cutBack has a state go on from a place before the one that it has come to.
func (s *state) cutBack(to position) {
	s.Seq, s.Time, s.Trail = to.seq, to.stored, trail{}
	if s.Trigger != nil {
		s.Trigger.Seq = min(s.Trigger.Seq, to.seq) // else it would be due for as long as the stream is shorter
	}
	if s.Cut != nil {
		s.Cut.Seq = min(s.Cut.Seq, to.seq+1)
	}
	s.Relearn = min(s.Relearn, to.seq)
}

// method describes the detector, so that the state of another one is not taken on.
func (m *monitor) method() string {
	d := m.spec.Retrain.Detector
	if d.IsZero() {
		return ""
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// encode returns the record.
func (m *monitor) encode() ([]byte, error) {
	var err error
	if m.state.Detector, err = m.detector.MarshalJSON(); err != nil {
		return nil, fmt.Errorf("encoding the detector of %s: %w", m.name, err)
	}
	m.state.Form, m.state.Method = stateForm, m.method()
	text, err := json.Marshal(&m.state)
	if err != nil {
		return nil, fmt.Errorf("encoding the scores of %s: %w", m.name, err)
	}
	data, err := json.Marshal(liveRecord{Created: m.created, Live: m.report(), State: text})
	if err != nil {
		return nil, fmt.Errorf("encoding the scores of %s: %w", m.name, err)
	}
	return data, nil
}

// A duel is a comparison of two versions on the same examples, with its options.
type duel struct {
	options gate.StreamOptions
	stream  *gate.Stream
}

func newDuel(o gate.StreamOptions) (*duel, error) {
	s, err := gate.NewStream(o)
	return &duel{options: o, stream: s}, err
}

// storedDuel is a duel as it is stored.
type storedDuel struct {
	Options gate.StreamOptions `json:"options"`
	Stream  json.RawMessage    `json:"stream"`
}

// MarshalJSON implements [json.Marshaler].
func (d *duel) MarshalJSON() ([]byte, error) {
	text, err := d.stream.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return json.Marshal(storedDuel{Options: d.options, Stream: text})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (d *duel) UnmarshalJSON(text []byte) error {
	var s storedDuel
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	fresh, err := newDuel(s.Options)
	if err != nil {
		return err
	}
	*d = *fresh
	return d.stream.UnmarshalJSON(s.Stream)
}

// A board is a scoreboard that counts all examples alike.
type board struct{ *gate.Scoreboard }

func newBoard() *board {
	b, err := gate.NewScoreboard(1)
	if err != nil {
		panic("learn: " + err.Error()) // 1 is a fading
	}
	return &board{b}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (b *board) UnmarshalJSON(text []byte) error {
	*b = *newBoard()
	return b.Scoreboard.UnmarshalJSON(text)
}

// add counts a grade; what could not be predicted is a wrong class.
func (b *board) add(groups []string, g grade, l truth) {
	if l.isNumber {
		b.AddNumber(groups, g.value, l.number)
	} else {
		b.AddClass(groups, g.right, g.probability)
	}
}
