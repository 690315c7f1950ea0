package containerboot_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
)

// runc gives a variable that is there twice its last value.
func TestParseEnvironment(t *testing.T) {
	t.Parallel()

	environment := containerboot.ParseEnvironment([]string{"TS_HOSTNAME=a", "TS_ROUTES=", "TS_HOSTNAME=b=c", "TS_ALONE"})
	assert.Equal(t, []string{"TS_HOSTNAME=b=c", "TS_ROUTES=", "TS_ALONE"}, environment.Strings())
}

// A boolean that cannot be read is the default, but TS_USERSPACE, where it is there, means true.
func TestBool(t *testing.T) {
	t.Parallel()

	for value, want := range map[string]bool{"": true, "no": true, "T": true, "1": true, "0": false, "False": false, "f": false} {
		environment := containerboot.ParseEnvironment([]string{"TS_AUTH_ONCE=" + value, "TS_USERSPACE=" + value})
		assert.Equal(t, want, environment.Bool("TS_AUTH_ONCE", true), value)
		assert.Equal(t, want, environment.Userspace(), value)
	}

	assert.False(t, containerboot.Environment{}.Userspace())
}

func TestHasLogin(t *testing.T) {
	t.Parallel()

	for variable, want := range map[string]bool{
		"TS_AUTHKEY=EXAMPLE": true, "TS_AUTH_KEY=EXAMPLE": true, "TS_CLIENT_SECRET=file:/x": true, "TS_ID_TOKEN=file:/x": true, "TS_AUDIENCE=x": true,
		"TS_EXTRA_ARGS=--ssh --authkey=EXAMPLE": true, "TS_EXTRA_ARGS=--client-secret file:/x": true,
		"TS_AUTHKEY=": false, "TS_CLIENT_ID=x": false, "TS_EXTRA_ARGS=--client-id=x --auth-key=": false,
	} {
		assert.Equal(t, want, containerboot.ParseEnvironment([]string{variable}).HasLogin(), variable)
	}
}

// Arguments keep how they were written, and an alias is the flag that it stands for.
func TestParseKeepsTokens(t *testing.T) {
	t.Parallel()

	const text = "-operator ops --authkey=file:/x --ssh"

	arguments, err := containerboot.ParseEnvironment([]string{"TS_EXTRA_ARGS=" + text}).UpArguments()
	require.NoError(t, err)
	assert.Equal(t, text, containerboot.Join(arguments))

	key, ok := containerboot.Find(arguments, "auth-key")
	assert.True(t, ok)
	assert.Equal(t, "file:/x", key)
	assert.True(t, containerboot.IsTrue(arguments, "ssh"))
	assert.Equal(t, []string{"--a", "--ssh"}, containerboot.Without(containerboot.Up, []string{"--a", "-operator", "ops", "--ssh"}, "operator"))
}

// No error repeats a value that may be a secret.
func TestErrorsRepeatNoSecret(t *testing.T) {
	t.Parallel()

	const secret = "EXAMPLE-SECRET"

	for _, variable := range []containerboot.Variable{
		{Name: "TS_CLIENT_SECRET", Value: secret}, {Name: "TS_ID_TOKEN", Value: secret},
		{Name: "TS_EXTRA_ARGS", Value: "--auth-key=\"" + secret + "\""}, {Name: "TS_EXTRA_ARGS", Value: "--login-server=https://user:" + secret + "@example.com"},
	} {
		err := containerboot.CheckVariable(variable)
		require.Error(t, err, variable.Name)
		assert.NotContains(t, err.Error(), secret)
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()

	for url, good := range map[string]bool{
		"https://headscale.example.com": true, "http://10.0.0.1:8080/ts": true,
		"headscale.example.com": false, "ftp://example.com": false, "https://": false, "https://u@example.com": false, "https://example.com/?a=b": false,
		"https://example.com/a b": false,
	} {
		assert.Equal(t, good, containerboot.CheckURL(url) == "", "%s: %s", url, containerboot.CheckURL(url))
	}
}
