package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func (a *app) createCommand() *cobra.Command {
	var update bool
	cmd := &cobra.Command{
		Use:   "create SPEC",
		Short: "Create a model from a spec (a YAML or JSON file, - for standard input)",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.readAll(args[0])
			if err != nil {
				return err
			}
			if _, err := model.ParseSpec(text); err != nil {
				return specError(args[0], err)
			}
			verb, did := wire.VerbCreate, "created"
			if update {
				verb, did = wire.VerbUpdate, "updated"
			}
			return a.withClient(func(c *client.Client, _ *bus) error {
				var info wire.ModelInfo
				if err := c.Control(cmd.Context(), verb, "", wire.CreateRequest{Spec: string(text), Who: who()}, &info); err != nil {
					return err
				}
				if a.json {
					return a.printJSON(info)
				}
				return a.printf("%s %s\n", info.Model.Name, did)
			})
		},
	}
	cmd.Flags().BoolVar(&update, "update", false, "replace the spec of a model that exists; its versions stay")
	return cmd
}

// specError names the file and line as compilers do.
func specError(file string, err error) error {
	se, ok := errors.AsType[*model.SpecError](err)
	switch {
	case !ok || se.Line == 0:
		return fmt.Errorf("%s: %w", file, err)
	case se.Column == 0:
		return &placedError{text: fmt.Sprintf("%s:%d: %s", file, se.Line, se.Msg), err: err}
	}
	return &placedError{text: fmt.Sprintf("%s:%d:%d: %s", file, se.Line, se.Column, se.Msg), err: err}
}

func (a *app) readAll(name string) (text []byte, err error) {
	in, err := a.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	return io.ReadAll(in)
}
