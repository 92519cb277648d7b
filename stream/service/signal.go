package service

import "sync"

// A Signal tells whoever waits that something has changed. The zero Signal is
// ready for use, by several goroutines.
type Signal struct {
	mu   sync.Mutex // guards next
	next chan struct{}
}

// Changed returns a channel that is closed at the next Raise.
func (s *Signal) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

// Raise wakes all who wait. On a nil Signal it does nothing.
func (s *Signal) Raise() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}
