package talos

import (
	"errors"
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// settings are what our patches set, whichever documents carry it.
type settings struct {
	Environment []string
	ConfigFiles []configFile
	NodeIP      []string // subnets
	Etcd        []string // subnets
}

type configFile struct {
	Content   string `yaml:"content"`
	MountPath string `yaml:"mountPath"`
}

// document has the fields of all documents that are looked at.
type document struct {
	Kind   string `yaml:"kind"`
	Name   string `yaml:"name"`
	Delete string `yaml:"$patch"`

	Environment []string     `yaml:"environment"`
	ConfigFiles []configFile `yaml:"configFiles"`

	NodeIP nodeIP `yaml:"nodeIP"`

	Machine struct {
		Kubelet struct {
			NodeIP nodeIP `yaml:"nodeIP"`
		} `yaml:"kubelet"`
	} `yaml:"machine"`

	Cluster struct {
		Etcd struct {
			AdvertisedSubnets []string `yaml:"advertisedSubnets"`
		} `yaml:"etcd"`
	} `yaml:"cluster"`
}

type nodeIP struct {
	Delete       string   `yaml:"$patch"`
	ValidSubnets []string `yaml:"validSubnets"`
}

func documents(t *testing.T, stream string) []document {
	t.Helper()

	var all []document

	for decoder := yaml.NewDecoder(strings.NewReader(stream)); ; {
		// An environment is a list in our document and a mapping in others.
		var node yaml.Node

		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return all
		}

		if err != nil {
			t.Fatal(err)
		}

		var d document

		if err := node.Decode(&d); err != nil && d.Kind == "ExtensionServiceConfig" {
			t.Fatal(err)
		}

		all = append(all, d)
	}
}

func settingsOf(t *testing.T, stream string) settings {
	t.Helper()

	var s settings

	for _, d := range documents(t, stream) {
		switch {
		case d.Kind == "ExtensionServiceConfig" && d.Name == "tailscale":
			s.Environment = append(s.Environment, d.Environment...)
			s.ConfigFiles = append(s.ConfigFiles, d.ConfigFiles...)
		case d.Kind == "KubeNodeConfig":
			s.NodeIP = append(s.NodeIP, d.NodeIP.ValidSubnets...)
		case d.Kind == "":
			s.NodeIP = append(s.NodeIP, d.Machine.Kubelet.NodeIP.ValidSubnets...)
			s.Etcd = append(s.Etcd, d.Cluster.Etcd.AdvertisedSubnets...)
		}
	}

	return s
}
