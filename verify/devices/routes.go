package devices

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// routes says what is wrong with the subnets that a device routes to.
func routes(device tailnet.Device, node Expected) []verify.Finding {
	var findings []verify.Finding

	add := func(severity verify.Severity, code verify.Code, cause string, next ...string) {
		findings = append(findings, verify.Finding{Code: code, Severity: severity, Subjects: []string{node.Name}, Cause: cause, Next: next})
	}

	if pending := without(device.AdvertisedRoutes, device.EnabledRoutes); len(pending) > 0 {
		add(verify.SeverityFault, CodeRoutesPending, "the device offers to route to "+join(pending)+", and the tailnet does not use it for that",
			"enable the routes (admin console, Machines, Edit route settings), or let the policy do so: "+autoApprovers(pending, device.Tags),
			"let clients use them: "+grant(pending))
	}

	if node.Routes == nil {
		return findings
	}

	if missing := without(node.Routes, device.AdvertisedRoutes); len(missing) > 0 {
		add(verify.SeverityFault, CodeRoutesMissing, "the device does not offer to route to "+join(missing),
			"look at TS_ROUTES and the service on the node: talos-tsbridge verify --nodes NODE")
	}

	if more := without(slices.Concat(device.AdvertisedRoutes, without(device.EnabledRoutes, device.AdvertisedRoutes)), node.Routes); len(more) > 0 {
		add(verify.SeverityWarning, CodeRoutesUnexpected, "the device routes to "+join(more)+", which was not asked for",
			"withdraw it with an empty --advertise-routes: a node that joined keeps its routes when the flag is left out")
	}

	return findings
}

func without(all, these []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(all), func(route netip.Prefix) bool { return slices.Contains(these, route) })
}

func join(routes []netip.Prefix) string {
	texts := make([]string, 0, len(routes))
	for _, route := range routes {
		texts = append(texts, route.String())
	}

	return strings.Join(texts, ", ")
}

// autoApprovers is the part of a policy file that enables routes by itself for devices with a tag.
func autoApprovers(routes []netip.Prefix, tags []string) string {
	approved := `["autogroup:admin"]`
	if len(tags) > 0 {
		approved = list(tags)
	}

	var (
		parts []string
		exit  bool
	)

	for _, route := range routes {
		if route.Bits() == 0 {
			exit = true

			continue
		}

		parts = append(parts, `"`+route.String()+`": `+approved)
	}

	var approvers []string

	if len(parts) > 0 {
		approvers = append(approvers, `"routes": {`+strings.Join(parts, ", ")+`}`)
	}

	if exit {
		approvers = append(approvers, `"exitNode": `+approved)
	}

	return `"autoApprovers": {` + strings.Join(approvers, ", ") + `}`
}

// grant is the part of a policy file that lets the members of the tailnet use routes.
func grant(routes []netip.Prefix) string {
	to := make([]string, 0, len(routes))

	for _, route := range routes {
		destination := route.String()
		if route.Bits() == 0 {
			destination = "autogroup:internet"
		}

		if !slices.Contains(to, destination) {
			to = append(to, destination)
		}
	}

	return `"grants": [{"src": ["autogroup:member"], "dst": ` + list(to) + `, "ip": ["*"]}]`
}

// owners is the part of a policy file that lets admins, and the credentials that they make, use tags.
func owners(tags []string) string {
	parts := make([]string, 0, len(tags))
	for _, tag := range tags {
		parts = append(parts, `"`+tag+`": ["autogroup:admin"]`)
	}

	return `"tagOwners": {` + strings.Join(parts, ", ") + `}`
}

func list(texts []string) string { return `["` + strings.Join(texts, `", "`) + `"]` }
