package main

import (
	"fmt"
	"strings"

	"github.com/modelbus/modelbus/model/dataset"
)

// ignoredColumns says which columns of a file are ignored, each once.
type ignoredColumns struct {
	app   *app
	model string
	said  map[string]bool
}

// ignoredShown bounds how many columns are named.
const ignoredShown = 10

// tell names those that were not yet.
func (c *ignoredColumns) tell(rows *dataset.Bound) {
	if c.said == nil {
		c.said = map[string]bool{}
	}
	var plain []string
	for _, column := range rows.Ignored() {
		if c.said[column.Column] {
			continue
		}
		c.said[column.Column] = true
		if column.Meant != "" {
			c.app.notef("column %q is ignored: did you mean %q?", column.Column, column.Meant)
			continue
		}
		plain = append(plain, fmt.Sprintf("%q", column.Column))
	}
	if len(plain) == 0 {
		return
	}
	text := strings.Join(plain[:min(len(plain), ignoredShown)], ", ")
	if more := len(plain) - ignoredShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	c.app.notef("ignored, as %s has no such features: %s", c.model, text)
}
