package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model/kernel"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// stdio is what a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// An app is one run of the command: its streams and global flags.
type app struct {
	stdio

	conn    connection
	prefix  string
	json    bool
	verbose bool
}

// run runs the command line and returns its exit code.
func run(ctx context.Context, args []string, std stdio) int {
	a := &app{stdio: std}
	root := a.root()
	root.SetArgs(guardNegatives(root, args))
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	err := root.ExecuteContext(ctx)
	if err == nil || errors.Is(err, errRejected) {
		return exitCode(err)
	}
	a.notef("modelbus: %v", err)
	if h := hint(err); h != "" {
		a.notef("%s", h)
	}
	return exitCode(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "modelbus",
		Short: "Model-as-a-Service on NATS",
		Long: "modelbus turns a NATS server into a place where services ask for predictions, publish\n" +
			"training examples, and models retrain themselves into immutable, announced versions.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused, 5 no server or\n" +
			"nobody behind it, 6 no answer in time, 7 trained but not better, or rebuilt differently.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
		Args:          cobra.ArbitraryArgs,
		RunE:          unknownCommand,
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := kernel.Check(); err != nil {
			return usagef("%v", err)
		}
		if err := readEnvironment(cmd.Flags()); err != nil {
			return err
		}
		return a.checkPrefix()
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usagef("%v; usage: %s", err, cmd.UseLine()) })
	root.SuggestionsMinimumDistance = 2
	flags := root.PersistentFlags()
	a.conn.bind(flags)
	flags.StringVar(&a.prefix, "prefix", "", "first token of all subjects (default modelbus) [MODELBUS_PREFIX]")
	flags.BoolVarP(&a.json, "json", "j", false, "print JSON")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log more, to standard error")
	root.AddCommand(
		a.demoCommand(), a.serveCommand(),
		a.initCommand(), a.createCommand(), a.deleteCommand(), a.lsCommand(), a.showCommand(),
		a.pushCommand(), a.trainCommand(), a.pauseCommand(), a.resumeCommand(), a.rebuildCommand(),
		a.predictCommand(), a.labelCommand(), a.driftCommand(), a.benchCommand(),
		a.promoteCommand(), a.rollbackCommand(), a.aliasCommand(),
		a.exportCommand(), a.importCommand(), a.watchCommand(), a.versionCommand(),
	)
	a.completeArguments(root)
	root.InitDefaultCompletionCmd()
	refuseUnknown(root)
	return root
}

// refuseUnknown has commands that only have commands of their own refuse other
// words, for which cobra would print help.
func refuseUnknown(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		if sub.HasSubCommands() && !sub.Runnable() {
			sub.Args, sub.RunE = cobra.ArbitraryArgs, unknownCommand
		}
		refuseUnknown(sub)
	}
}

// unknownCommand prints help when no command is given.
func unknownCommand(cmd *cobra.Command, words []string) error {
	if len(words) == 0 {
		return cmd.Help()
	}
	if near := cmd.SuggestionsFor(words[0]); len(near) > 0 {
		return usagef("no command %q: did you mean %s?", words[0], strings.Join(near, " or "))
	}
	return usagef("no command %q: `%s --help` lists them", words[0], cmd.CommandPath())
}

// args wraps cobra's argument checks so that they count as wrong usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("%v; usage: %s", err, cmd.UseLine())
		}
		return nil
	}
}

func (a *app) subjects() wire.Subjects { return wire.Subjects{Prefix: a.prefix} }

// checkPrefix refuses a prefix that no deployment can have.
func (a *app) checkPrefix() error {
	if a.subjects().Check() != nil || strings.ToLower(a.prefix) != a.prefix {
		return usagef("--prefix is %q: want one token, up to 32 of a-z, 0-9, _ and -", a.prefix)
	}
	return nil
}

func (a *app) registryOptions(replicas int) registry.Options {
	return registry.Options{Prefix: a.prefix, Replicas: replicas}
}

// logger returns the logger of a serving process.
func (a *app) logger() zerolog.Logger {
	level := zerolog.InfoLevel
	if a.verbose {
		level = zerolog.DebugLevel
	}
	w := zerolog.ConsoleWriter{Out: a.err, TimeFormat: time.TimeOnly, NoColor: !isTerminal(a.err)}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// notef writes one line to standard error.
func (a *app) notef(format string, args ...any) {
	_, _ = fmt.Fprintf(a.err, format+"\n", args...) //nolint:errcheck // nowhere left to report it
}

// who names the person for the history of an alias.
func who() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
