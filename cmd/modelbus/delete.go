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
		Short: "Delete a model with its versions, aliases, examples and dead letters, or one version that no alias names",
		Long: "Delete a model: at once its spec, all its versions and its aliases with their history, then its training\n" +
			"examples and its dead letters (the messages of the model in the streams <PREFIX>_TRAIN and <PREFIX>_DEAD;\n" +
			"--keep-examples leaves both). Asked again with examples left, it removes those. Or delete one version, MODEL@N,\n" +
			"that no alias names: that version alone goes.\n\n" +
			"Artifacts that no version of any model uses any more are removed by a server within two hours. The\n" +
			"announcements in <PREFIX>_EVENT stay, results in <PREFIX>_RESULT go when they are a day old, and a model made\n" +
			"again under the name goes on with the version numbers.",
		Args: args(cobra.ExactArgs(1)),
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
	cmd.Flags().BoolVar(&req.KeepExamples, "keep-examples", false, "leave the training examples and dead letters in their streams")
	return cmd
}
