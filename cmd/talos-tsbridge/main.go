// Command talos-tsbridge makes the Talos machine config patch that puts a node on a tailnet and keeps Kubernetes on its
// LAN. Everything it does is done by the packages of the module: it turns flags into their options.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
