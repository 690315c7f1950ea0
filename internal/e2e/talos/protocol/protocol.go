// Package protocol is what the tests and the probe say to each other, as JSON.
package protocol

// Request is what the probe reads on stdin.
type Request struct {
	Cases []Case `json:"cases"`
}

// Case is one patch stream and the config it is meant for.
type Case struct {
	Contract string `json:"contract"`         // of the generated config, for example "v1.13"
	Role     string `json:"role"`             // "controlplane" or "worker"
	Before   string `json:"before,omitempty"` // a patch that the config has seen already
	Patch    string `json:"patch"`
}

// Response is what the probe writes on stdout: one outcome for each case, in
// the order of the request.
type Response struct {
	Outcomes []Outcome `json:"outcomes"`
}

// Outcome is what became of a case. The fault of a step is empty where Talos
// accepted, and a step after a refused one is not tried.
type Outcome struct {
	Load   string `json:"load,omitempty"`
	First  Result `json:"first"`
	Second Result `json:"second"` // of the same patch once more, on First.Config
}

// Fault is the first refusal on the way to a valid config, empty if there was none.
func (o Outcome) Fault() string {
	switch {
	case o.Load != "":
		return "load: " + o.Load
	case o.First.Apply != "":
		return "apply: " + o.First.Apply
	case o.First.Validate != "":
		return "validate: " + o.First.Validate
	default:
		return ""
	}
}

// Result is a config after an application of the patch.
type Result struct {
	Apply    string `json:"apply,omitempty"`
	Validate string `json:"validate,omitempty"` // in metal mode
	Config   string `json:"config,omitempty"`   // as Talos encoded it, valid or not
}
