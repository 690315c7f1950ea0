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

	return success(map[string]any{"tagOwners": s.owners})
}
