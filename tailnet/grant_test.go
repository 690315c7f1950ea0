package tailnet_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// What a client may do comes with its access token, which the calls after it use.
func TestGrant(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)
	credential := server.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:k8s", "tag:edge"}, Scopes: []string{"auth_keys", "devices:core"}})
	client := newClient(t, server, credential)

	grant, err := client.Grant(t.Context())
	require.NoError(t, err)
	assert.Equal(t, tailnet.Grant{Scopes: []string{"auth_keys", "devices:core"}, Tags: []string{"tag:k8s", "tag:edge"}}, grant)

	_, err = client.Devices(t.Context())
	require.NoError(t, err)
	assert.Len(t, server.Requests(tailnettest.OAuthToken), 1)

	grant, err = newClient(t, server, server.AddAPIToken()).Grant(t.Context())
	require.NoError(t, err)
	assert.Zero(t, grant, "a user's credential has none")

	server.BehaveAsHeadscale()

	grant, err = newClient(t, server, credential).Grant(t.Context())
	require.NoError(t, err)
	assert.Nil(t, grant.Tags)

	server.Fail(tailnettest.Fault{On: tailnettest.OAuthToken, Status: http.StatusUnauthorized})

	_, err = newClient(t, server, credential).Grant(t.Context())
	require.True(t, tailnet.Is(err, tailnet.ReasonCredentialRefused), err)
}

func TestGrantUnowned(t *testing.T) {
	t.Parallel()

	policy := &tailnet.Policy{TagOwners: map[string][]string{
		"tag:k8s": {"autogroup:admin"}, "tag:edge": {"autogroup:admin", "tag:k8s"}, "tag:self": {"tag:self"},
	}}

	for name, test := range map[string]struct {
		grant   tailnet.Grant
		policy  *tailnet.Policy
		tags    []string
		unowned []string
		known   bool
	}{
		"nothing is known":        {tags: []string{"tag:k8s"}},
		"its own tags":            {grant: tailnet.Grant{Tags: []string{"tag:a", "tag:b"}}, tags: []string{"tag:b", "tag:a"}, known: true},
		"some of its own":         {grant: tailnet.Grant{Tags: []string{"tag:k8s", "tag:edge"}}, policy: policy, tags: []string{"tag:k8s"}, unowned: []string{"tag:k8s"}, known: true},
		"some that own each":      {grant: tailnet.Grant{Tags: []string{"tag:self", "tag:k8s"}}, policy: policy, tags: []string{"tag:self", "tag:edge"}, known: true},
		"owned by one of its own": {grant: tailnet.Grant{Tags: []string{"tag:a", "tag:k8s"}}, policy: policy, tags: []string{"tag:edge"}, known: true},
		"owned by a user":         {grant: tailnet.Grant{Tags: []string{"tag:a"}}, policy: policy, tags: []string{"tag:k8s", "tag:edge"}, unowned: []string{"tag:k8s", "tag:edge"}, known: true},
		"no policy":               {grant: tailnet.Grant{Tags: []string{"tag:a"}}, tags: []string{"tag:k8s"}},
		"a client of everything":  {grant: tailnet.Grant{Scopes: []string{"all"}, Tags: []string{"tag:a"}}, policy: policy, tags: []string{"tag:k8s"}, known: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			unowned, known := test.grant.Unowned(test.policy, test.tags...)
			assert.Equal(t, test.known, known)
			assert.ElementsMatch(t, test.unowned, unowned)
		})
	}
}

func TestGrantMakesKeys(t *testing.T) {
	t.Parallel()

	for scope, makes := range map[string]bool{"auth_keys": true, "all": true, "devices": true, "auth_keys:read": false, "devices:core": false, "all:read": false} {
		assert.Equal(t, makes, tailnet.Grant{Scopes: []string{"dns", scope}}.MakesKeys(), scope)
	}

	assert.True(t, tailnet.Grant{}.MakesKeys(), "not known")
}
