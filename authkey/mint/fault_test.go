package mint_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

const (
	api      = tailnet.CredentialAPIToken
	oauth    = tailnet.CredentialOAuthClient
	workload = tailnet.CredentialWorkloadIdentity

	create   = tailnettest.CreateKey
	list     = tailnettest.ListKeys
	remove   = tailnettest.DeleteKey
	token    = tailnettest.OAuthToken
	exchange = tailnettest.TokenExchange

	// again stands for more than one attempt, until the time is up.
	again = -1
)

type faults []tailnettest.Fault

type attempts map[tailnettest.Endpoint]int

// mintFault is something that goes wrong while a key is minted, and what has to come of it.
type mintFault struct {
	name string
	kind tailnet.CredentialKind
	// faults happen to a server that is otherwise well, setup changes it in other ways.
	faults faults
	setup  func(*tailnettest.Server)
	change func(*mint.Minter)
	// client are the client's tags, tags those of the key. Default: tag:k8s.
	client []string
	tags   string
	// reason is that of the error.
	reason tailnet.Reason
	// attempts are the requests that must have been made, and no others of these endpoints.
	attempts attempts
	// want is in the error; without any, a key is minted.
	want []string
	not  []string
	// left is how many keys are alive afterwards.
	left int
	// timeout is the minter's, for those that use it up. Default: a minute.
	timeout time.Duration
}

// No key was made, and the error says why; what may be asked again is.
func TestMintRefused(t *testing.T) {
	t.Parallel()

	testMintFaults(t, []mintFault{
		// Answers that say no: one attempt, no key, what to do.
		{
			name: "400 tags, OAuth client", reason: tailnet.ReasonTagsRefused, kind: oauth, tags: "other", attempts: attempts{token: 1, create: 1, list: 0},
			want: []string{
				"POST /api/v2/tailnet/-/keys", "status 400", "requested tags [tag:other] are invalid or not permitted",
				"exactly the client's tags, or tags that those own in the policy file", "this client's tags are tag:k8s",
			},
		},
		{
			name: "400 tags, a part of the client's", reason: tailnet.ReasonTagsRefused, kind: oauth, attempts: attempts{create: 1, list: 0},
			client: []string{"tag:k8s", "tag:k8s2", "tag:k8s3"}, tags: "k8s,k8s2",
			want: []string{"requested tags [tag:k8s tag:k8s2] are invalid or not permitted", "not even a part"},
		},
		{
			name: "400 tags, API access token", reason: tailnet.ReasonTagsRefused, kind: api, attempts: attempts{create: 1, list: 0},
			setup: func(s *tailnettest.Server) { s.SetTagOwners(map[string][]string{"tag:x": nil}) },
			want:  []string{"status 400", "are invalid or not permitted", "every tag needs an owner in the policy file"},
		},
		{
			name: "400 something else", reason: tailnet.ReasonRefused, kind: api, faults: faults{{On: create, Status: 400, Body: `{"message":"expiry too long"}`}},
			attempts: attempts{create: 1, list: 0}, want: []string{"status 400: expiry too long"},
		},
		{
			name: "401 API access token", reason: tailnet.ReasonCredentialRefused, kind: api, attempts: attempts{create: 1, list: 0},
			faults: faults{{On: create, Status: 401, Body: `{"message":"API token invalid"}`}},
			want:   []string{"status 401", "API token invalid", "wrong, expired or revoked: create another one"},
		},
		{
			name: "401 OAuth client", reason: tailnet.ReasonCredentialRefused, kind: oauth, attempts: attempts{token: 1, create: 0, list: 0},
			faults: faults{{On: token, Status: 401, Body: `{"message":"API token invalid"}`}},
			want:   []string{"POST /api/v2/oauth/token", "status 401", "ID or secret is wrong, or the client was revoked"},
		},
		{
			name: "401 OAuth client of Headscale", reason: tailnet.ReasonCredentialRefused, kind: oauth, attempts: attempts{token: 1, create: 0},
			faults: faults{{On: token, Status: 401, Body: `{"error":"invalid_client","error_description":"invalid client credentials"}`}},
			want:   []string{"invalid_client: invalid client credentials", "ID or secret is wrong"},
		},
		{
			name: "401 workload identity", reason: tailnet.ReasonCredentialRefused, kind: workload, faults: faults{{On: exchange, Status: 401}}, attempts: attempts{exchange: 1, create: 0},
			want: []string{"POST /api/v2/oauth/token-exchange", "issuer, subject or audience"}, not: []string{"machine's clock"},
		},
		{
			name: "401 with a new access token", reason: tailnet.ReasonCredentialRefused, kind: oauth, faults: faults{{On: create, Status: 401}}, attempts: attempts{token: 1, create: 1},
			want: []string{"refused although it is new"},
		},
		{
			name: "403 API access token", reason: tailnet.ReasonScopeMissing, kind: api, faults: faults{{On: create, Status: 403}}, attempts: attempts{create: 1, list: 0},
			want: []string{"status 403", "Owner, Admin, IT admin or Network admin"},
		},
		{
			name: "403 OAuth client", reason: tailnet.ReasonScopeMissing, kind: oauth, faults: faults{{On: create, Status: 403}}, attempts: attempts{create: 1, list: 0},
			want: []string{"status 403", "the OAuth client lacks a scope: it needs auth_keys, writable"},
		},
		{
			name: "403 access token", reason: tailnet.ReasonScopeMissing, kind: oauth, faults: faults{{On: token, Status: 403}}, attempts: attempts{token: 1, create: 0},
			want: []string{"lacks a scope"},
		},
		{
			name: "404 tailnet", reason: tailnet.ReasonTailnetUnknown, kind: api, change: func(m *mint.Minter) { m.Client.Tailnet = "other.org" }, attempts: attempts{create: 1, list: 0},
			want: []string{"POST /api/v2/tailnet/other.org/keys", "status 404", "no such tailnet"},
		},
		{
			name: "404 access token", reason: tailnet.ReasonNotSupported, kind: oauth, faults: faults{{On: token, Status: 404}}, attempts: attempts{token: 1},
			want: []string{"this server has no OAuth clients"},
		},
		{
			name: "407", reason: tailnet.ReasonNotTheAPI, kind: api, faults: faults{tailnettest.HTML(create, 407)}, attempts: attempts{create: 1, list: 3},
			want: []string{"the proxy wants a login"},
		},
		{
			name: "403 web page", reason: tailnet.ReasonNotTheAPI, kind: api, faults: faults{tailnettest.HTML(create, 403)}, attempts: attempts{create: 1, list: 3},
			want: []string{"a web page and not the API's", "check that the base URL"}, not: []string{"Owner"},
		},
		{
			name: "redirect", reason: tailnet.ReasonNotTheAPI, kind: api, attempts: attempts{create: 1, list: 3, tailnettest.Unknown: 0},
			faults: faults{{On: create, Status: 301, Header: http.Header{"Location": {"/elsewhere"}}}},
			want:   []string{"status 301", "give that address as the base URL"},
		},

		// Rate limits: most likely nothing was made, so it is tried again; whether it was is looked at.
		{
			name: "429 for a while", kind: oauth, faults: faults{tailnettest.RateLimit(create, 3, "")}, attempts: attempts{token: 1, create: 4, list: 1},
			left: 1,
		},
		{
			name: "429 with Retry-After", kind: api, faults: faults{tailnettest.RateLimit(create, 1, "1")}, attempts: attempts{create: 2, list: 1},
			left: 1,
		},
		{
			name: "429 with a Retry-After that is too long", reason: tailnet.ReasonRateLimited, kind: api, faults: faults{tailnettest.RateLimit(create, 0, "3600")},
			attempts: attempts{create: 1, list: 1}, want: []string{"status 429", "rate limit", "the server asks to wait 1h0m0s"},
		},
		{
			name: "429 for good", reason: tailnet.ReasonRateLimited, timeout: 3 * time.Second, kind: api, faults: faults{tailnettest.RateLimit(create, 0, "")}, attempts: attempts{create: again, list: 1},
			want: []string{"status 429", "rate limit", " attempts in "},
		},
		{
			name: "429 access token", kind: oauth, faults: faults{tailnettest.RateLimit(token, 2, "")}, attempts: attempts{token: 3, create: 1}, left: 1,
		},

		// The token may be fetched any number of times.
		{name: "500 access token", kind: oauth, faults: faults{{On: token, Status: 500, Times: 2}}, attempts: attempts{token: 3, create: 1}, left: 1},
		{name: "502 web page, access token", kind: oauth, faults: faults{func() tailnettest.Fault {
			f := tailnettest.HTML(token, 502)
			f.Times = 2

			return f
		}()}, attempts: attempts{token: 3, create: 1}, left: 1},
		{name: "reset, access token", kind: oauth, faults: faults{{On: token, Reset: true, Times: 2}}, attempts: attempts{token: 3, create: 1}, left: 1},
		{name: "truncated, access token", kind: oauth, faults: faults{{On: token, Truncate: true, Times: 1}, {On: token, CutJSON: true, Times: 1}}, attempts: attempts{token: 3, create: 1}, left: 1},
		{name: "slow, identity token", timeout: 6 * time.Second, kind: workload, faults: faults{{On: exchange, Delay: time.Hour, Times: 1}}, attempts: attempts{create: 1}, left: 1},
		{
			name: "web page, access token", reason: tailnet.ReasonNotTheAPI, kind: oauth, faults: faults{tailnettest.HTML(token, 200)}, attempts: attempts{token: 1, create: 0},
			want: []string{"POST /api/v2/oauth/token", "a web page and not the API's", "base URL"},
		},
		{
			name: "no token in the answer", reason: tailnet.ReasonAnswerInvalid, kind: oauth, faults: faults{{On: token, Status: 200, Body: `{}`}}, attempts: attempts{token: 1, create: 0},
			want: []string{"holds no access token"},
		},
		{
			name: "500 access token for good", reason: tailnet.ReasonServerFailed, timeout: 3 * time.Second, kind: oauth, faults: faults{{On: token, Status: 500}}, attempts: attempts{token: again, create: 0, list: 0},
			want: []string{"status 500", "the server failed", " attempts in "}, not: []string{"revoke"},
		},

		// Other tailnets.
		{
			name: "another tailnet", reason: tailnet.ReasonTailnetUnknown, kind: api, faults: faults{{On: create, Status: 403, Body: `{"message":"user tailnet does not match"}`}}, attempts: attempts{create: 1, list: 0},
			want: []string{"user tailnet does not match", "Settings > General"}, not: []string{"role"},
		},
		{
			name: "another tailnet, OAuth client", reason: tailnet.ReasonTailnetUnknown, kind: oauth, faults: faults{{On: create, Status: 403, Body: `{"message":"user tailnet does not match"}`}}, attempts: attempts{create: 1, list: 0},
			want: []string{"Settings > General"}, not: []string{"scope"},
		},
		{
			name: "suspended", reason: tailnet.ReasonTailnetSuspended, kind: api, faults: faults{{On: create, Status: 403, Body: `{"message":"tailnet is suspended"}`}}, attempts: attempts{create: 1, list: 0},
			want: []string{"another credential does not help"}, not: []string{"role"},
		},
	})
}

// testMintFaults holds what Mint does when things go wrong: how often it tries, which keys it leaves behind, and what it says.
func testMintFaults(t *testing.T, all []mintFault) {
	t.Helper()

	for _, test := range all {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			server := tailnettest.NewServer(t)
			minter := newMinter(t, server, test.kind)
			minter.Client.Timeout = time.Minute

			if test.timeout != 0 {
				minter.Client.Timeout = test.timeout
			}

			if test.client != nil {
				minter.Client.Credential = credential(t, server, test.kind, tailnettest.OAuthClient{Tags: test.client})
			}

			for _, fault := range test.faults {
				server.Fail(fault)
			}

			if test.setup != nil {
				test.setup(server)
			}

			if test.change != nil {
				test.change(minter)
			}

			tags := test.tags
			if tags == "" {
				tags = "k8s"
			}

			minted, err := minter.Lease(t.Context(), mint.Options{Tags: []string{tags}})

			if len(test.want) == 0 {
				require.NoError(t, err)
				require.False(t, minted.Key().IsZero())
			} else {
				require.Error(t, err)
				require.Nil(t, minted)

				if test.reason != "" {
					require.True(t, tailnet.Is(err, test.reason), err)
				}

				for _, want := range test.want {
					require.ErrorContains(t, err, want)
				}

				for _, not := range append(test.not, "CANARY") {
					require.NotContains(t, err.Error(), not)
				}

				for _, secret := range server.Secrets() {
					require.NotContains(t, err.Error(), secret)
				}
			}

			for endpoint, want := range test.attempts {
				got := len(server.Requests(endpoint))
				if want == again {
					require.Greater(t, got, 1, endpoint)
				} else {
					require.Equal(t, want, got, endpoint)
				}
			}

			live := server.LiveKeys()
			require.Len(t, live, test.left)

			if err != nil && len(live) > 0 {
				require.Contains(t, err.Error(), live[0].Description, "a key that is left behind is named")
			}
		})
	}
}
