package nodes

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// LoginCause is why the extension's service does not get into the tailnet, as its log has it.
type LoginCause string

// The causes.
const (
	LoginKeyUsed     LoginCause = "key-used"
	LoginKeyExpired  LoginCause = "key-expired"
	LoginKeyInvalid  LoginCause = "key-invalid"
	LoginTagsRefused LoginCause = "tags-refused"
	LoginApproval    LoginCause = "approval"
	LoginFlags       LoginCause = "flags-refused"
	LoginStateDir    LoginCause = "state-dir"
	LoginClock       LoginCause = "clock"
	LoginServer      LoginCause = "server-unreachable"
	LoginOther       LoginCause = "other"
)

// Log is what the log of the service says about a login that failed.
type Log struct {
	Cause LoginCause `json:"cause"`
	// Line is the line that says so, without secrets.
	Line string `json:"line"`
}

// said is what the programs on the node write: containerboot, tailscale up, tailscaled, and through them the control
// server. There is nothing but their words to tell the causes apart. The first that is found counts: what follows from
// another stands behind it.
var said = sync.OnceValue(func() []saying {
	return []saying{
		{LoginTagsRefused, regexp.MustCompile(`(?i)requested tags .*(invalid|not permitted)|tags? .*not permitted|must have tags`)},
		{LoginKeyUsed, regexp.MustCompile(`(?i)auth ?key (is )?already used|key (was |has been )?already (been )?used|preauth.?key .*used`)},
		{LoginKeyExpired, regexp.MustCompile(`(?i)(auth|pre ?auth)[ -]?key (is |has )?expired|expired (auth|pre ?auth)[ -]?key`)},
		{LoginKeyInvalid, regexp.MustCompile(`(?i)invalid (pre ?auth |auth ?)?key|auth ?key (not found|does not exist|is invalid)|API key does not exist|unable to validate API key|key (was |has been )?revoked`)},
		{LoginFlags, regexp.MustCompile(`(?i)changing settings via 'tailscale up' requires|flag provided|invalid boolean value|flag needs an argument|invalid value .* for flag|unknown flag`)},
		{LoginStateDir, regexp.MustCompile(`(?i)(mkdir|open|create|state).*read-only file system|no such file or directory.*tailscaled\.state`)},
		{LoginApproval, regexp.MustCompile(`(?i)needs?[ -]?machine[ -]?auth|machine (is )?not (yet )?authorized|not approved|To approve your machine`)},
		{LoginClock, regexp.MustCompile(`(?i)certificate has expired or is not yet valid|not yet valid: current time`)},
		{LoginServer, regexp.MustCompile(`(?i)fetch control key|no such host|(dial tcp|lookup) .*(i/o timeout|connection refused|server misbehaving|unreachable)|x509:|TLS handshake|register request: http 5\d\d`)},
		{LoginOther, regexp.MustCompile(`(?i)backend error: |register request: |failed to auth tailscale|failed to start tailscaled`)},
	}
})

// saying is a form of words, and what it means.
type saying struct {
	cause LoginCause
	form  *regexp.Regexp
}

// begins is what containerboot writes at the start of each run.
const begins = "Starting tailscaled"

// ReadLog finds in the last lines of the service's log why a login failed, or returns nil. The latest run that says so counts:
// an earlier one may have had another document.
func ReadLog(lines []string) *Log {
	end := len(lines)

	for i, line := range slices.Backward(lines) {
		if i > 0 && !strings.HasSuffix(strings.TrimSpace(line), begins) {
			continue
		}

		if found := readRun(lines[i:end]); found != nil {
			return found
		}

		end = i
	}

	return nil
}

// readRun is [ReadLog] of one run of the service.
func readRun(lines []string) *Log {
	for _, one := range said() {
		for _, line := range slices.Backward(lines) {
			if one.form.MatchString(line) && (one.cause != LoginStateDir || !strings.Contains(line, kernelSettings)) {
				return &Log{Cause: one.cause, Line: withoutSecrets(line)}
			}
		}
	}

	return nil
}

// kernelSettings cannot be written in the extension, which tailscaled warns of at each start: they are none of its state.
const kernelSettings = "/proc/sys/"

// stamp is what programs of Go put before a line: the date and the time.
var stamp = lazyregexp.New(`^(boot: )?\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `)

// withoutSecrets returns a line for a message: without its time, short, and without any word that looks like a secret.
func withoutSecrets(line string) string {
	const longest = 200

	words := strings.Fields(stamp().ReplaceAllString(strings.TrimSpace(line), ""))
	for i, word := range words {
		bare := strings.Trim(word[strings.LastIndex(word, "=")+1:], `"'.,;:()[]{}`)
		if secret.Looks(word) || secret.Is(bare) || secret.IsHex(bare) || secret.IsJWT(bare) {
			words[i] = secret.Redacted
		}
	}

	return printable.Clip(printable.Line(strings.Join(words, " ")), longest)
}

const keepStateDir = "leave --state-dir out of the patch, or let it be a directory below /var/lib/tailscale"

// Explain says what the cause means at a node, and what to do about it.
func (l *Log) Explain(n Node) (cause string, next []string) {
	newKey := "give the node a new auth key (talos-tsbridge up, apply, or exec -- talosctl patch mc): a service that is started over and over keeps its old environment until the document changes"

	switch l.Cause {
	case LoginKeyUsed:
		cause = "the auth key was used already, by this node or another"
		next = []string{newKey}

		if lastValues(n.Environment)["TS_AUTH_ONCE"] == "false" {
			next = append(next, "set TS_AUTH_ONCE=true: without it the node logs in at every start, which a single-use key does not survive")
		} else {
			next = append(next, "a single-use key lets one node in: mint one for each (--auth-key mint), or a reusable one; a node that lost /var/lib/tailscale needs a new one too")
		}
	case LoginKeyExpired:
		cause = "the auth key has expired"
		next = []string{newKey, "give the key longer, where nodes take a while to boot: --key-expiry 24h"}
	case LoginKeyInvalid:
		cause = "the control server does not know the auth key: it was revoked or deleted, is of another tailnet, or was cut"
		next = []string{newKey, "see whether --login-server and the key belong together: a key of Tailscale's begins with tskey-auth-, one of Headscale's does not"}
	case LoginTagsRefused:
		cause = "the tailnet does not allow the tags that the node asks for"
		next = []string{
			"let the key have the same tags as --advertise-tags, or leave --advertise-tags out: the node then has the key's",
			"with Headscale leave it out, and give the tags to the key alone: --key-tags, in a bridge.yaml authKey: {tags: [...]}",
			"or make the tags known and owned in the tailnet's policy file (tagOwners)",
		}
	case LoginApproval:
		cause = "the node waits for approval"
		next = []string{"approve it (admin console, Machines), or use a key that is pre-authorized"}
	case LoginFlags:
		cause = "tailscale up refuses its arguments"
		next = []string{
			"correct TS_EXTRA_ARGS: a flag that was removed needs --reset beside it, for one start with TS_AUTH_ONCE=false and without TS_AUTHKEY; one that is unknown or there twice has to go",
		}
	case LoginStateDir:
		cause = "tailscaled cannot write its state where TS_STATE_DIR says: only /var/lib/tailscale is writable in the extension"
		next = []string{keepStateDir}
	case LoginClock:
		cause = "the node's clock is wrong, or the control server's certificate is out of its time"
		next = []string{"compare the clocks: talosctl time --nodes " + printable.Word(n.Address), "let the node reach a time server (machine.time.servers, udp 123)"}
	case LoginServer:
		cause = "the node does not reach the control server"
		next = []string{
			"see that the node has a nameserver and a way out to " + printable.Word(loginServer(n)) + ", tcp 443",
			"a Headscale with a certificate of its own authority needs that authority on the node (TrustedRootsConfig), a login server elsewhere --login-server",
		}
	default:
		cause = "the login fails"
		next = []string{"look at the lines around it: talosctl logs ext-tailscale --nodes " + printable.Word(n.Address)}
	}

	return cause + `: "` + l.Line + `"`, next
}

// loginServer returns the control server that a node asks.
func loginServer(n Node) string {
	for argument := range strings.FieldsSeq(lastValues(n.Environment)["TS_EXTRA_ARGS"]) {
		if server, ok := strings.CutPrefix(argument, "--login-server="); ok && server != "" {
			return server
		}
	}

	return "https://controlplane.tailscale.com"
}

// stateDirOutside returns the state directory of a node where it is one that tailscaled cannot write to.
func stateDirOutside(n Node) (string, bool) {
	const home = "/var/lib/tailscale"

	dir, set := lastValues(n.Environment)["TS_STATE_DIR"]

	return dir, set && dir != "" && dir != home && !strings.HasPrefix(dir, home+"/")
}
