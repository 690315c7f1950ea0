package tailnettest

import "net/http"

// getPolicy shows who owns which tag, once that is set.
func (s *Server) getPolicy(_ *http.Request, who actor) answer {
	switch {
	case !who.may("policy_file:read"):
		return failure(http.StatusForbidden, textForbidden)
	case s.owners == nil:
		return failure(http.StatusNotFound, "not found")
	}

	shown := success(map[string]any{"tagOwners": s.owners})

	// Headscale shows the file that somebody wrote, whatever it is asked for
	if s.headscale {
		shown.body = append([]byte("// who may\n"), shown.body[:len(shown.body)-1]...)
		shown.body = append(shown.body, ",}\n"...)
	}

	return shown
}
