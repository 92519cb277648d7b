package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

func (a *app) exportCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "export MODEL[@REF] FILE",
		Short: "Write a version to a file (safetensors; - for standard output)",
		Args:  args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := registry.ParseRef(args[0])
			if err != nil {
				return err
			}
			return a.withClient(func(c *client.Client, _ *bus) error {
				v, artifact, err := c.Export(cmd.Context(), ref)
				if err != nil {
					return err
				}
				if args[1] == "-" {
					_, err = a.out.Write(artifact)
					return err
				}
				if err := writeFile(args[1], artifact, force); err != nil {
					return err
				}
				a.notef("%s version %d, sha256 %s", v.Model, v.Number, v.Digest)
				if a.json {
					return a.printJSON(v)
				}
				return a.printf("%s\n", args[1])
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "overwrite the file")
	return cmd
}

func (a *app) importCommand() *cobra.Command {
	var (
		promote bool
		why     string
	)
	cmd := &cobra.Command{
		Use:   "import MODEL FILE",
		Short: "Store an exported file as a new version of a model",
		Args:  args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := registry.CheckModel(args[0]); err != nil {
				return err
			}
			artifact, err := a.readAll(args[1])
			if err != nil {
				return err
			}
			return a.withClient(func(c *client.Client, _ *bus) error {
				v, err := c.Import(cmd.Context(), args[0], artifact, promote, who(), why)
				if err != nil {
					return fmt.Errorf("importing %s: %w", args[1], err)
				}
				if a.json {
					return a.printJSON(v)
				}
				if promote {
					return a.printf("%s version %d stored and promoted\n", v.Model, v.Number)
				}
				return a.printf("%s version %d stored\n", v.Model, v.Number)
			})
		},
	}
	cmd.Flags().BoolVar(&promote, "promote", false, "move the champion to it")
	cmd.Flags().StringVar(&why, "why", "", "reason, kept with the promotion")
	return cmd
}

// writeFile writes data to a new file, or over an old one if force.
func writeFile(name string, data []byte, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(name, flags, 0o644)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: %s is there already: choose another name, or overwrite it with --force", wire.ErrConflict, name)
	}
	if err != nil {
		return err
	}
	n, err := f.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	return errors.Join(err, f.Close())
}
