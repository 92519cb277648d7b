package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func (a *app) promoteCommand() *cobra.Command {
	var req wire.PromoteRequest
	cmd := &cobra.Command{
		Use:   "promote MODEL@N",
		Short: "Move the champion, or another alias, to a version",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := registry.ParseRef(args[0])
			if err != nil {
				return err
			}
			if ref.Version == 0 {
				return usagef("promote wants a version, such as %s@3, received %q", ref.Model, args[0])
			}
			req.Version, req.Who = ref.Version, who()
			return a.move(cmd, wire.VerbPromote, ref.Model, req)
		},
	}
	cmd.Flags().StringVar(&req.Alias, "alias", registry.Champion, "the alias to move")
	cmd.Flags().StringVar(&req.Why, "why", "", "reason, kept in the alias's history")
	return cmd
}

func (a *app) rollbackCommand() *cobra.Command {
	var req wire.RollbackRequest
	cmd := &cobra.Command{
		Use:   "rollback MODEL",
		Short: "Move the champion, or another alias, back to the version before",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Who = who()
			return a.move(cmd, wire.VerbRollback, args[0], req)
		},
	}
	cmd.Flags().StringVar(&req.Alias, "alias", registry.Champion, "the alias to move back")
	cmd.Flags().StringVar(&req.Why, "why", "", "reason, kept in the alias's history")
	return cmd
}

// move asks for an alias move and prints it.
func (a *app) move(cmd *cobra.Command, verb, name string, req any) error {
	if err := registry.CheckModel(name); err != nil {
		return err
	}
	return a.withClient(func(c *client.Client, _ *bus) error {
		var m registry.Move
		if err := c.Control(cmd.Context(), verb, name, req, &m); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(m)
		}
		if m.From == 0 {
			return a.printf("%s: %s is version %d\n", name, m.Alias, m.To)
		}
		return a.printf("%s: %s moved from version %d to version %d\n", name, m.Alias, m.From, m.To)
	})
}

func (a *app) aliasCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alias",
		Short: "List, set and remove aliases",
		Args:  args(cobra.NoArgs),
	}
	cmd.AddCommand(a.aliasListCommand(), a.aliasSetCommand(), a.aliasRemoveCommand())
	return cmd
}

func (a *app) aliasListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls MODEL",
		Short: "List a model's aliases",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(func(c *client.Client, _ *bus) error {
				info, err := c.Model(cmd.Context(), args[0], false)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(info.Aliases)
				}
				t := a.newTable("", "Alias", "Version", "Since", "Who", "Why")
				for _, alias := range slices.Sorted(maps.Keys(info.Aliases)) {
					m := info.Aliases[alias]
					t.AppendRow([]any{alias, m.To, stamp(m.When), m.Who, m.Why})
				}
				t.Render()
				return nil
			})
		},
	}
}

func (a *app) aliasSetCommand() *cobra.Command {
	var req wire.PromoteRequest
	cmd := &cobra.Command{
		Use:   "set MODEL@N ALIAS",
		Short: "Make or move an alias: the same as promote MODEL@N --alias ALIAS",
		Args:  args(cobra.RangeArgs(2, 3)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 3 { // MODEL ALIAS N
				args = []string{args[0] + "@" + args[2], args[1]}
			}
			ref, err := registry.ParseRef(args[0])
			if err != nil {
				return err
			}
			if ref.Version == 0 {
				return usagef("alias set wants a version, such as %s@3, received %q", ref.Model, args[0])
			}
			if err := registry.CheckAlias(args[1]); err != nil {
				return err
			}
			req.Alias, req.Version, req.Who = args[1], ref.Version, who()
			return a.move(cmd, wire.VerbPromote, ref.Model, req)
		},
	}
	cmd.Flags().StringVar(&req.Why, "why", "", "reason, kept in the alias's history")
	return cmd
}

func (a *app) aliasRemoveCommand() *cobra.Command {
	var req wire.RollbackRequest
	cmd := &cobra.Command{
		Use:   "rm MODEL ALIAS",
		Short: "Remove an alias other than champion",
		Args:  args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := registry.CheckAlias(args[1]); err != nil {
				return err
			}
			req.Alias, req.Who = args[1], who()
			return a.withClient(func(c *client.Client, _ *bus) error {
				if err := c.Control(cmd.Context(), wire.VerbUnalias, args[0], req, nil); err != nil {
					return fmt.Errorf("removing alias %q: %w", args[1], err)
				}
				if a.json {
					return a.printJSON(map[string]string{"model": args[0], "removed": args[1]})
				}
				return a.printf("%s: %s removed\n", args[0], args[1])
			})
		},
	}
	cmd.Flags().StringVar(&req.Why, "why", "", "reason, kept in the announcement")
	return cmd
}
