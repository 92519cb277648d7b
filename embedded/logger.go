package embedded

import (
	"fmt"
	"sync"

	"github.com/rs/zerolog"
)

// lastError is a nats-server logger that passes warnings and errors on and
// remembers the last error for the message of a failed start.
type lastError struct {
	log zerolog.Logger

	mu    sync.Mutex // guards what follows
	last  string
	fatal bool
}

func (l *lastError) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l *lastError) Debugf(string, ...any)           {}
func (l *lastError) Tracef(string, ...any)           {}
func (l *lastError) Warnf(format string, v ...any)   { l.log.Warn().Msgf(format, v...) }

func (l *lastError) Errorf(format string, v ...any) {
	l.set(fmt.Sprintf(format, v...))
	l.log.Error().Msgf(format, v...)
}

// Fatalf does not end the process: Start notices and reports it.
func (l *lastError) Fatalf(format string, v ...any) {
	l.Errorf(format, v...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = true
}

func (l *lastError) isFatal() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

func (l *lastError) set(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = s
}

func (l *lastError) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" {
		return "it gave no reason"
	}
	return l.last
}
