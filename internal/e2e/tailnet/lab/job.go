package lab

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// RunJob runs the script of the Job of verify --manifest in the network of a pod: its command, or the words of shell before
// the script.
func RunJob(t testing.TB, pod *Namespace, shell []string, flags ...string) (string, error) {
	t.Helper()

	manifest, err := exec.Command(Programs.Bridge, slices.Concat([]string{"verify", "--manifest", "--quiet"}, flags)...).Output()
	if err != nil {
		t.Fatal(err)
	}

	var job struct {
		Kind string `yaml:"kind"`
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Command []string `yaml:"command"`
						Args    []string `yaml:"args"`
					} `yaml:"containers"`
				} `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}

	// a ConfigMap with certificates may be before it
	for documents := yaml.NewDecoder(bytes.NewReader(manifest)); job.Kind != "Job"; {
		if err := documents.Decode(&job); err != nil {
			t.Fatal(err)
		}
	}

	container := job.Spec.Template.Spec.Containers[0]
	if shell == nil {
		shell = container.Command
	}

	command := pod.Command(slices.Concat(shell, container.Args)...)
	command.Env = []string{"PATH=" + os.Getenv("PATH")}

	log, err := command.CombinedOutput()

	return string(log), err
}
