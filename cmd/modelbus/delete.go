package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func (a *app) deleteCommand() *cobra.Command {
	var req wire.DeleteRequest
	cmd := &cobra.Command{
		Use:   "delete MODEL[@N]",
		Short: "Delete a model with its versions, aliases and examples, or one version that no alias names",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := registry.ParseRef(args[0])
			if err != nil {
				return err
			}
			if ref.Version == 0 && strings.Contains(args[0], "@") {
				return usagef("delete wants a model, or a version such as %s@3, received %q; `modelbus alias rm` removes an alias", ref.Model, args[0])
			}
			req.Version, req.Who = ref.Version, who()
			return a.withClient(func(c *client.Client, _ *bus) error {
				if err := c.Control(cmd.Context(), wire.VerbDelete, ref.Model, req, nil); err != nil {
					return err
				}
				if a.json {
					return a.printJSON(map[string]string{"deleted": args[0]})
				}
				return a.printf("%s deleted\n", args[0])
			})
		},
	}
	cmd.Flags().StringVar(&req.Why, "why", "", "reason, kept with the announcement")
	cmd.Flags().BoolVar(&req.KeepExamples, "keep-examples", false, "leave the training examples in their stream")
	return cmd
}
