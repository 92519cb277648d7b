package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model"
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
		if m.Alias == registry.Champion || m.Alias == registry.Canary || m.Alias == registry.Shadow {
			if info, err := c.Model(cmd.Context(), name, false); err == nil { // else it is gone by now
				a.noteMoved(info, m)
			}
		}
		if a.json {
			return a.printJSON(m)
		}
		if m.From == 0 || m.From == m.To {
			return a.printf("%s: %s is version %d%s\n", name, m.Alias, m.To, splitNote(m))
		}
		return a.printf("%s: %s moved from version %d to version %d%s\n", name, m.Alias, m.From, m.To, splitNote(m))
	})
}

// noteMoved says what may surprise of a move that was made.
func (a *app) noteMoved(info *wire.ModelInfo, m registry.Move) {
	name := info.Model.Name
	switch champion := info.Aliases[registry.Champion].To; {
	case m.Alias == registry.Canary && m.To == champion:
		a.notef("version %d is the champion too: the canary answers as the champion does", m.To)
	case m.Alias == registry.Canary && m.Share == 0:
		a.notef("it has no share of the predictions, which --share gives it: only %s@canary asks it", name)
	case m.Alias == registry.Shadow && m.To == champion:
		a.notef("version %d is the champion too: the shadow answers as the champion does", m.To)
	}
	spec, err := model.ParseSpec(info.Model.Spec)
	if err != nil || m.Alias != registry.Champion || info.Model.Paused {
		return
	}
	if r := spec.Retrain; r != nil && r.Gate == nil && (r.Online() || r.Scheduled()) {
		a.notef("%s trains by itself: its next version may take the place of version %d; `modelbus pause %s` stops that", name, m.To, name)
	}
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
				t := a.newTable("", "Alias", "Version", "Share", "Since", "Who", "Why")
				for _, alias := range slices.Sorted(maps.Keys(info.Aliases)) {
					m := info.Aliases[alias]
					t.AppendRow([]any{alias, m.To, shareOf(m), stamp(m.When), m.Who, m.Why})
				}
				t.Render()
				return nil
			})
		},
	}
}

func (a *app) aliasSetCommand() *cobra.Command {
	var req wire.PromoteRequest
	var share, by string
	cmd := &cobra.Command{
		Use:   "set MODEL@N ALIAS",
		Short: "Make or move an alias: the same as promote MODEL@N --alias ALIAS",
		Long: "Make or move an alias. The version that the alias canary names answers a --share of the\n" +
			"predictions that name no version: of those with the header Modelbus-Id, or the header given by\n" +
			"--by, each value stays with one version; without such a header each connection does. The alias\n" +
			"shadow names a version that gets a copy of what the champion is asked, and answers nobody.",
		Example: "  modelbus alias set iris@4 canary --share 10%\n" +
			"  modelbus alias set iris@4 canary --share 50% --by Tenant\n" +
			"  modelbus alias set iris@5 shadow",
		Args: args(cobra.RangeArgs(2, 3)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 3 { // MODEL ALIAS N
				if _, err := strconv.ParseUint(args[2], 10, 64); err != nil {
					return usagef("alias set wants MODEL@N ALIAS, and %q is no version beside them", args[2])
				}
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
			if req.Share, err = parseShare(cmd, share); err != nil {
				return err
			}
			if cmd.Flags().Changed("by") {
				req.By = &by
			}
			req.Alias, req.Version, req.Who = args[1], ref.Version, who()
			return a.move(cmd, wire.VerbPromote, ref.Model, req)
		},
	}
	cmd.Flags().StringVar(&req.Why, "why", "", "reason, kept in the alias's history")
	cmd.Flags().StringVar(&share, "share", "", "share of the predictions that canary answers, such as 10% or 0.1, 0 for none (default: as it is)")
	cmd.Flags().StringVar(&by, "by", "", "request header that tells callers apart, \"\" for Modelbus-Id (default: as it is, at first Modelbus-Id)")
	return cmd
}

// parseShare reads a share, nil if the flag was not given.
func parseShare(cmd *cobra.Command, text string) (*float64, error) {
	if !cmd.Flags().Changed("share") {
		return nil, nil //nolint:nilnil // no share was asked for
	}
	digits, percent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(digits, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share <= 1) {
		return nil, usagef("--share is %q: want a share, such as 10%% or 0.1, up to 100%% or 1; 0 takes it away", text)
	}
	return &share, nil
}

// shareOf says which predictions an alias answers without being asked by its name.
func shareOf(m registry.Move) string {
	if m.Share == 0 {
		return "–"
	}
	share := strconv.FormatFloat(100*m.Share, 'g', 4, 64) + "%"
	if m.By != "" {
		share += " by " + m.By
	}
	return share
}

// splitNote adds the share to a line about a move, if there is one.
func splitNote(m registry.Move) string {
	if m.Share == 0 {
		return ""
	}
	return ", for " + shareOf(m) + " of the predictions"
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
					return err
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
