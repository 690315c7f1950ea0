package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// addVersions asks the Talos APIs that were reached for their versions, with the credentials that the nodes were asked with.
// One that does not tell has none: what is wrong with it is seen at the nodes.
func (f *verifyFlags) addVersions(ctx context.Context, results []verify.Result) {
	for i, result := range results {
		if result.Kind == verify.KindTalos && result.OK() {
			results[i].APIVersion = f.versionAt(ctx, netip.AddrPortFrom(result.Address, result.Port), f.timeout)
		}
	}
}

func (f *verifyFlags) versionAt(ctx context.Context, endpoint netip.AddrPort, timeout time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	talos, err := talosapi.Connect(ctx, talosapi.Connection{Talosconfig: f.talosconfig, Context: f.context, Endpoints: []string{endpoint.String()}})
	if err != nil {
		return ""
	}

	defer func() { _ = talos.Close() }() // nothing is lost with it

	answer, err := talos.Machinery().Version(ctx)
	if err != nil {
		return ""
	}

	for _, message := range answer.GetMessages() {
		return message.GetVersion().GetTag()
	}

	return ""
}
