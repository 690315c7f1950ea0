package nodes

import "slices"

// Question is one of the things that a node is asked.
type Question string

// The questions.
const (
	QuestionMachineType    Question = "machine-type"
	QuestionNodename       Question = "nodename"
	QuestionExtensions     Question = "extensions"
	QuestionConfigStatus   Question = "extension-config-status"
	QuestionConfig         Question = "extension-config"
	QuestionServices       Question = "services"
	QuestionAddresses      Question = "addresses"
	QuestionNodeIP         Question = "node-ip"
	QuestionNodeIPSubnets  Question = "node-ip-subnets"
	QuestionEtcdAddresses  Question = "etcd-addresses"
	QuestionEtcdSubnets    Question = "etcd-subnets"
	QuestionInstalledImage Question = "installed-image"
	QuestionVersion        Question = "version"
)

// about says in words what a question is about.
func (q Question) about() string {
	switch q {
	case QuestionMachineType:
		return "the machine type"
	case QuestionNodename:
		return "the node's name"
	case QuestionExtensions:
		return "the extensions"
	case QuestionConfigStatus:
		return "whether the extension has a document"
	case QuestionConfig:
		return "the document of the extension"
	case QuestionServices:
		return "the services"
	case QuestionAddresses:
		return "the addresses"
	case QuestionNodeIP:
		return "the node IP"
	case QuestionNodeIPSubnets:
		return "the subnets of the node IP"
	case QuestionEtcdAddresses:
		return "the addresses that etcd advertises"
	case QuestionEtcdSubnets:
		return "the subnets of etcd's addresses"
	case QuestionInstalledImage:
		return "the image that the config installs"
	case QuestionVersion:
		return "the version of Talos"
	default:
		return string(q)
	}
}

// Reason is why a question has no answer.
type Reason string

// The reasons.
const (
	// ReasonRole: the role of the client may not read it.
	ReasonRole Reason = "role"
	// ReasonFailed: the node failed to tell, or what it told cannot be read.
	ReasonFailed Reason = "failed"
)

// Unread is a question that a node did not answer.
type Unread struct {
	Question Question `json:"question"`
	Reason   Reason   `json:"reason"`
	// Detail is the node's error, in one line; empty for [ReasonRole].
	Detail string `json:"detail,omitempty"`
}

// unread reports whether a question has no answer.
func (n Node) unread(question Question) bool {
	return slices.ContainsFunc(n.Unread, func(unread Unread) bool { return unread.Question == question })
}
