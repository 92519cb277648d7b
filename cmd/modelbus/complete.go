package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

// completeTimeout bounds what a shell waits for: no suggestion is better than a
// prompt that hangs.
const completeTimeout = time.Second

// completeArguments has the shell complete the models and versions that commands
// take, as their lines of usage say.
func (a *app) completeArguments(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		a.completeArguments(sub)
	}
	_, arguments, _ := strings.Cut(cmd.Use, " ")
	switch arguments = strings.TrimPrefix(arguments, "["); {
	case strings.HasPrefix(arguments, "MODEL@"), strings.HasPrefix(arguments, "MODEL[@"):
		cmd.ValidArgsFunction = a.completeRef
	case strings.HasPrefix(arguments, "MODEL"):
		cmd.ValidArgsFunction = a.completeModel
	}
}

// completeModel suggests the model that is a command's first argument.
func (a *app) completeModel(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, word, false)
}

// completeRef suggests a model, and after an @ its aliases and versions.
func (a *app) completeRef(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, word, true)
}

// complete says nothing where something fails: the command itself will.
func (a *app) complete(cmd *cobra.Command, args []string, word string, refs bool) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault // a file, or values
	}
	if readEnvironment(cmd.Flags()) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	a.conn.timeout = min(a.conn.timeout, completeTimeout)
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	var models []wire.ModelInfo
	err := a.withClient(func(c *client.Client, _ *bus) (err error) {
		models, err = c.Models(ctx)
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []cobra.Completion
	for i := range models {
		all = append(all, suggestions(&models[i], word, refs)...)
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// suggestions are what word may become with a model.
func suggestions(m *wire.ModelInfo, word string, refs bool) []cobra.Completion {
	name := m.Model.Name
	if !refs || !strings.Contains(word, "@") {
		if !strings.HasPrefix(name, word) {
			return nil
		}
		what := "no version yet"
		if len(m.Versions) > 0 {
			what = "no champion"
		}
		if v := champion(*m); v != nil {
			what = fmt.Sprintf("version %d, %s", v.Number, scoreLine(v.Metrics))
		}
		return []cobra.Completion{cobra.CompletionWithDesc(name, what)}
	}
	var all []cobra.Completion
	add := func(ref, what string) {
		if ref = name + "@" + ref; strings.HasPrefix(ref, word) {
			all = append(all, cobra.CompletionWithDesc(ref, what))
		}
	}
	for alias, move := range m.Aliases {
		add(alias, fmt.Sprintf("version %d", move.To))
	}
	for _, v := range m.Versions {
		add(fmt.Sprint(v.Number), scoreLine(v.Metrics))
	}
	slices.Sort(all)
	return all
}
