package tailnettest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// BehaveAsHeadscale makes the server answer as Headscale 0.30 does where that differs: IDs are numbers, keys begin with hskey-auth-, lists
// have whole keys, those too that are used up or revoked, and OAuth clients. An API access token belongs to no user: a key that
// it makes has tags, whichever they are. Each tag of an OAuth client's key has to be in the policy, and the client's or one that the
// client's own. A device has its name without a domain, and nothing tells that it is connected but that it was not seen last.
func (s *Server) BehaveAsHeadscale() { s.set(func() { s.wholeKeys, s.headscale = true, true }) }

// refuseTagsAsHeadscale returns the refusal of a key with such tags, nil for none.
func (s *Server) refuseTagsAsHeadscale(tags []string, who actor) *answer {
	refuse := func(status int, format string, args ...any) *answer {
		refusal := failure(status, fmt.Sprintf(format, args...))

		return &refusal
	}

	if who.client == nil {
		if len(tags) == 0 {
			return refuse(http.StatusBadRequest, "an auth key without tags must be created with a user-owned API key")
		}

		return nil
	}

	if len(tags) == 0 {
		return refuse(http.StatusForbidden, "an OAuth client must create tagged auth keys")
	}

	for _, tag := range tags {
		owners, defined := s.owners[tag]

		switch {
		case s.owners != nil && !defined:
			return refuse(http.StatusBadRequest, "tag %s is not defined in policy", tag)
		case !slices.Contains(who.client.Tags, tag) &&
			!slices.ContainsFunc(owners, func(owner string) bool { return slices.Contains(who.client.Tags, owner) }):
			return refuse(http.StatusForbidden, "token may not assign tag %s", tag)
		}
	}

	return nil
}

// listKeysAsHeadscale lists the keys, and the OAuth clients beside them: those that a client may read, and no refusal where there are none.
func (s *Server) listKeysAsHeadscale(who actor) []keyAnswer {
	list := []keyAnswer{}

	if who.may("auth_keys:read") {
		for _, key := range s.keys {
			list = append(list, key.answer(s.now()))
		}
	}

	if who.may("oauth_keys:read") {
		for _, client := range s.clients {
			list = append(list, keyAnswer{ID: client.id, KeyType: "client", Invalid: client.removed})
		}
	}

	return list
}

// deviceAnswerAsHeadscale is a device as Headscale shows it.
type deviceAnswerAsHeadscale struct {
	deviceAnswer

	// it has none of these
	ConnectedToControl *bool `json:"connectedToControl,omitempty"`
	IsExternal         *bool `json:"isExternal,omitempty"`
	// Tags are there also where there are none.
	Tags []string `json:"tags"`
}

func asHeadscale(shown deviceAnswer) deviceAnswerAsHeadscale {
	shown.Name, _, _ = strings.Cut(shown.Name, ".")

	return deviceAnswerAsHeadscale{deviceAnswer: shown, Tags: append([]string{}, shown.Tags...)}
}

// numberOf is an ID as Headscale gives them.
func numberOf(already int) string { return strconv.Itoa(already + 1) }
