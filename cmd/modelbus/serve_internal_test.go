package main

import (
	"path/filepath"
	"testing"

	"github.com/adrg/xdg"
	"github.com/rs/zerolog"
)

func TestCacheFolder(t *testing.T) {
	t.Parallel()
	remote := connection{given: settings{URL: "nats://127.0.0.1:1"}}
	for _, tt := range []struct {
		name string
		conn connection
		opts serveOptions
		want string
	}{
		{"beside the data", connection{}, serveOptions{data: "store"}, filepath.Join("store", "cache")},
		{"beside the default data", connection{}, serveOptions{}, filepath.Join(xdg.DataHome, "modelbus", "cache")},
		{"another NATS system", remote, serveOptions{}, filepath.Join(xdg.CacheHome, "modelbus")},
		{"a context", connection{context: "prod"}, serveOptions{data: "store"}, filepath.Join(xdg.CacheHome, "modelbus")},
		{"given", remote, serveOptions{cache: "here", data: "store"}, "here"},
	} {
		a := &app{conn: tt.conn}
		if got := a.cacheFolder(tt.opts); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestCacheSize(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"0": true, "8GiB": true, "512mb": true, "1000000": true, "1.5 GB": true,
		"": false, "-1": false, "much": false, "9 EiB": false, "20 EiB": false,
	} {
		_, err := (&app{}).artifacts(serveOptions{cacheSize: text}, zerolog.Nop())
		if (err == nil) != ok {
			t.Errorf("--cache-size %q: error = %v", text, err)
		}
	}
}
