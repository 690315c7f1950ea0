package tailnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

func (e *environment) isGitHub() bool {
	address, _ := e.get(envGitHubURL)
	token, _ := e.get(envGitHubToken)

	return address != "" && token != ""
}

// githubToken returns what asks GitHub Actions for the identity token of the job.
func (e *environment) githubToken(clientID string) reader {
	address, _ := e.get(envGitHubURL)
	bearer, _ := e.get(envGitHubToken)

	audience, _ := e.get(EnvAudience)
	if audience == "" {
		audience = "api.tailscale.com/" + clientID
	}

	return func(ctx context.Context) (string, error) {
		asked, err := url.Parse(address)
		if err != nil || asked.Host == "" {
			return "", errors.New(envGitHubURL + " is not a URL")
		}

		query := asked.Query()
		query.Set("audience", audience)
		asked.RawQuery = query.Encode()

		request, err := http.NewRequestWithContext(ctx, http.MethodGet, asked.String(), nil)
		if err != nil {
			return "", errors.New(envGitHubURL + " does not make a request")
		}

		request.Header.Set("Authorization", "Bearer "+bearer)
		request.Header.Set("Accept", "application/json")

		answer, err := githubClient.Do(request)
		if err != nil {
			return "", errors.New("GitHub Actions was asked for an identity token: " + networkMessage(err, requestScrubber(request)))
		}

		defer answer.Body.Close() //nolint:errcheck // it is only read

		var said struct {
			Value string `json:"value"`
		}

		if answer.StatusCode != http.StatusOK {
			return "", fmt.Errorf("GitHub Actions was asked for an identity token and answered with status %d", answer.StatusCode)
		}

		if err := json.NewDecoder(io.LimitReader(answer.Body, maxSecret)).Decode(&said); err != nil {
			return "", errors.New("GitHub Actions was asked for an identity token, and the answer cannot be read")
		}

		return checkIdentityToken(said.Value)
	}
}

// githubClient follows no redirects: the token goes to nobody else.
var githubClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
