package containerboot

// Daemon are the flags of tailscaled on Linux.
var Daemon = Flags{
	program: "tailscaled",
	kinds: map[string]flagKind{
		"bird-socket":                stringFlag,
		"cleanup":                    boolFlag,
		"config":                     stringFlag,
		"debug":                      stringFlag,
		"encrypt-state":              boolFlag,
		"hardware-attestation":       boolFlag,
		"no-logs-no-support":         boolFlag,
		"outbound-http-proxy-listen": stringFlag,
		"port":                       portFlag,
		"socket":                     stringFlag,
		"socks5-server":              stringFlag,
		"state":                      stringFlag,
		"statedir":                   stringFlag,
		"syslog":                     boolFlag,
		"syspolicy-file":             stringFlag,
		"tun":                        stringFlag,
		"verbose":                    intFlag,
		"version":                    boolFlag,
	},
}

// reservedDaemonFlags say why a flag of tailscaled is not for users: containerboot or the system extension sets it, or it ends
// tailscaled at once.
var reservedDaemonFlags = map[string]string{
	"cleanup":                    "ends tailscaled at once",
	"config":                     "replaces the configuration by environment",
	"debug":                      "is set by the variable TS_DEBUG_ADDR_PORT",
	"outbound-http-proxy-listen": "is set by the variable TS_OUTBOUND_HTTP_PROXY_LISTEN",
	"socket":                     "is set by the system extension",
	"socks5-server":              "is set by the variable TS_SOCKS5_SERVER",
	"state":                      "is set by `state-dir`",
	"statedir":                   "is set by `state-dir`",
	"tun":                        "is set by `userspace`",
	"version":                    "ends tailscaled at once",
}
