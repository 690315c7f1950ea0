package tailnettest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Texts of the real API.
const (
	textTags         = "requested tags %s are invalid or not permitted"
	textUntagged     = "tailnet-owned auth key must have tags set"
	textUnauthorized = "API token invalid"
	textForbidden    = "calling actor does not have enough permissions to perform this function"
)

const (
	longestExpiry      = 90 * 24 * time.Hour
	longestDescription = 50
)

// Key is an auth key that the server made.
type Key struct {
	ID          string
	Description string
	Tags        []string
	// Reusable, Ephemeral and Preauthorized are as the request had them.
	Reusable, Ephemeral, Preauthorized bool
	// Created, Expires and Revoked are times of the server's clock; Revoked is zero for a key that was not.
	Created, Expires, Revoked time.Time
	// Uses counts the devices that it registered.
	Uses int
	// Creator is the ID of the credential that made it.
	Creator string
	// Secret is the key itself: tskey-auth-....
	Secret string
}

// usable reports whether the key can register a device.
func (k *Key) usable(now time.Time) bool {
	return k.Revoked.IsZero() && now.Before(k.Expires) && (k.Reusable || k.Uses == 0)
}

// Keys returns all keys that were ever made, the oldest first.
func (s *Server) Keys() []Key { return s.keysThat(func(*Key) bool { return true }) }

// LiveKeys returns the keys that can still register a device: not revoked, not expired, not used up.
func (s *Server) LiveKeys() []Key {
	return s.keysThat(func(k *Key) bool { return k.usable(s.now()) })
}

func (s *Server) keysThat(match func(*Key) bool) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()

	var keys []Key

	for _, key := range s.keys {
		if match(key) {
			copied := *key
			copied.Tags = slices.Clone(key.Tags)
			keys = append(keys, copied)
		}
	}

	return keys
}

// keyCapabilities is how the API nests what a key may do.
type keyCapabilities struct {
	Devices struct {
		Create struct {
			Reusable      bool     `json:"reusable"`
			Ephemeral     bool     `json:"ephemeral"`
			Preauthorized bool     `json:"preauthorized"`
			Tags          []string `json:"tags"`
		} `json:"create"`
	} `json:"devices"`
}

// keyAnswer is a key as the API shows it. Without anything but an ID it is an element of a list.
type keyAnswer struct {
	ID            string           `json:"id"`
	KeyType       string           `json:"keyType,omitempty"`
	Key           string           `json:"key,omitempty"`
	Description   string           `json:"description,omitempty"`
	ExpirySeconds int64            `json:"expirySeconds,omitempty"`
	Created       time.Time        `json:"created,omitzero"`
	Expires       time.Time        `json:"expires,omitzero"`
	Invalid       bool             `json:"invalid,omitempty"`
	Capabilities  *keyCapabilities `json:"capabilities,omitempty"`
}

func (k *Key) answer(now time.Time) keyAnswer {
	var capabilities keyCapabilities

	create := &capabilities.Devices.Create
	create.Reusable, create.Ephemeral, create.Preauthorized, create.Tags = k.Reusable, k.Ephemeral, k.Preauthorized, k.Tags

	return keyAnswer{
		ID: k.ID, KeyType: "auth", Description: k.Description, Created: k.Created, Expires: k.Expires,
		ExpirySeconds: int64(k.Expires.Sub(k.Created) / time.Second), Invalid: !k.usable(now), Capabilities: &capabilities,
	}
}

func (s *Server) createKey(r *http.Request, who actor) answer {
	if !who.may("auth_keys") {
		return failure(http.StatusForbidden, textForbidden)
	}

	var request struct {
		Capabilities  keyCapabilities `json:"capabilities"`
		ExpirySeconds int64           `json:"expirySeconds"`
		Description   string          `json:"description"`
	}

	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return failure(http.StatusBadRequest, "the body is not a request for a key")
	}

	create := request.Capabilities.Devices.Create
	expiry := time.Duration(request.ExpirySeconds) * time.Second

	switch {
	case expiry == 0:
		expiry = longestExpiry
	case expiry < 0 || expiry > longestExpiry:
		return failure(http.StatusBadRequest, "expirySeconds must be between 1 second and 90 days")
	}

	if strings.ContainsFunc(request.Description, notDescription) || len(request.Description) > longestDescription {
		return failure(http.StatusBadRequest, "description must be at most 50 letters, digits, hyphens and spaces")
	}

	if s.headscale {
		if refusal := s.refuseTagsAsHeadscale(create.Tags, who); refusal != nil {
			return *refusal
		}
	} else if message := s.refuseTags(create.Tags, who); message != "" {
		return failure(http.StatusBadRequest, message)
	}

	key := &Key{
		ID: newID("k"), Description: request.Description, Tags: create.Tags,
		Reusable: create.Reusable, Ephemeral: create.Ephemeral, Preauthorized: create.Preauthorized,
		Created: s.now().Truncate(time.Second), Creator: who.name,
	}
	key.Expires = key.Created.Add(expiry)
	key.Secret = "tskey-auth-" + key.ID + "-" + random(24)

	if s.headscale {
		key.ID = numberOf(len(s.keys))
		key.Secret = "hskey-auth-" + random(12) + "-" + random(24)
	}

	s.keys = append(s.keys, key)

	shown := key.answer(s.now())
	shown.Key = key.Secret

	return success(shown)
}

// refuseTags returns the message with which the API refuses tags, or "".
func (s *Server) refuseTags(tags []string, who actor) string {
	refused := fmt.Sprintf(textTags, "["+strings.Join(tags, " ")+"]")

	for _, tag := range tags {
		if !isTag(tag) {
			return refused
		}
	}

	if who.client == nil {
		for _, tag := range tags {
			if _, owned := s.owners[tag]; s.owners != nil && !owned {
				return refused
			}
		}

		return ""
	}

	if len(tags) == 0 {
		return textUntagged
	}

	if sameSet(tags, who.client.Tags) {
		return ""
	}

	// Not exactly the client's: then the client's tags must own each, and owning is not being.
	for _, tag := range tags {
		if !slices.ContainsFunc(s.owners[tag], func(owner string) bool { return slices.Contains(who.client.Tags, owner) }) {
			return refused
		}
	}

	return ""
}

func isTag(tag string) bool {
	name, ok := strings.CutPrefix(tag, "tag:")

	return ok && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r == ' ' || notDescription(r) }) &&
		!strings.ContainsAny(name[:1], "-0123456789")
}

func sameSet(a, b []string) bool {
	sorted := func(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

	return slices.Equal(sorted(a), sorted(b))
}

func notDescription(r rune) bool {
	return r != ' ' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

func (s *Server) listKeys(_ *http.Request, who actor) answer {
	if s.headscale {
		return success(map[string]any{"keys": s.listKeysAsHeadscale(who)})
	}

	if !who.may("auth_keys:read") {
		return failure(http.StatusForbidden, textForbidden)
	}

	list := []keyAnswer{}

	for _, token := range s.apiTokens {
		entry := keyAnswer{ID: token.id}
		if s.wholeKeys {
			entry.KeyType = "api"
		}

		list = append(list, entry)
	}

	for _, key := range s.keys {
		switch {
		case !key.usable(s.now()):
		case s.wholeKeys:
			list = append(list, key.answer(s.now()))
		default:
			list = append(list, keyAnswer{ID: key.ID})
		}
	}

	return success(map[string]any{"keys": list})
}

func (s *Server) getKey(r *http.Request, who actor) answer {
	if !who.may("auth_keys:read") {
		return failure(http.StatusForbidden, textForbidden)
	}

	for _, token := range s.apiTokens {
		if token.id == r.PathValue("id") {
			return success(keyAnswer{ID: token.id, KeyType: "api"})
		}
	}

	key := s.key(r.PathValue("id"))
	if key == nil {
		return failure(http.StatusNotFound, "key not found")
	}

	return success(key.answer(s.now()))
}

func (s *Server) deleteKey(r *http.Request, who actor) answer {
	if !who.may("auth_keys") {
		return failure(http.StatusForbidden, textForbidden)
	}

	key := s.key(r.PathValue("id"))
	if key == nil {
		return failure(http.StatusNotFound, "key not found")
	}

	key.Revoked = s.now()

	return answer{status: http.StatusOK}
}

// key returns the key of this ID that was not revoked, or nil.
func (s *Server) key(id string) *Key {
	for _, key := range s.keys {
		if key.ID == id && key.Revoked.IsZero() {
			return key
		}
	}

	return nil
}
