package main

import (
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func (a *app) deleteCommand() *cobra.Command {
	var req wire.DeleteRequest
	cmd := &cobra.Command{
		Use:   "delete MODEL",
		Short: "Delete a model with its versions, aliases and examples",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := registry.CheckModel(args[0]); err != nil {
				return err
			}
			req.Who = who()
			return a.withClient(func(c *client.Client, _ *nats.Conn) error {
				if err := c.Control(cmd.Context(), wire.VerbDelete, args[0], req, nil); err != nil {
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
