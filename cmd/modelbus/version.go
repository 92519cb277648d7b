package main

import (
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model/kernel"
)

// version is set by the linker (see the Makefile).
var version = "dev"

// serviceVersion is the version as ADR-32 wants it: semantic.
func serviceVersion() string {
	v := strings.TrimPrefix(version, "v")
	if parts := strings.SplitN(v, ".", 3); len(parts) == 3 && !strings.ContainsAny(parts[0]+parts[1], "-+abcdefghijklmnopqrstuvwxyz") {
		return v
	}
	return "0.0.0+" + strings.Map(semverRune, v)
}

func semverRune(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' {
		return r
	}
	return '-'
}

// software is what a lineage says of who trained: version and kernel decide the bits.
func software() string {
	return "modelbus " + version + " " + runtime.GOOS + "/" + runtime.GOARCH + " " + kernel.Active()
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this binary is",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			info := map[string]string{
				"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
				"kernel": kernel.Active(), "kernels": strings.Join(kernel.Available(), " "),
			}
			if build, ok := debug.ReadBuildInfo(); ok {
				for _, dep := range build.Deps {
					switch dep.Path {
					case "github.com/nats-io/nats-server/v2":
						info["nats-server"] = dep.Version
					case "github.com/nats-io/nats.go":
						info["nats.go"] = dep.Version
					}
				}
			}
			if a.json {
				return a.printJSON(info)
			}
			return a.printf("modelbus %s\n%s %s\nnats-server %s, nats.go %s\nkernel %s (this machine has %s; %s chooses)\n",
				version, info["go"], info["platform"], info["nats-server"], info["nats.go"],
				info["kernel"], info["kernels"], kernel.Variable)
		},
	}
}
