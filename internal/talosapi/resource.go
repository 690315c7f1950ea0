package talosapi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/protobuf"
	"github.com/cosi-project/runtime/pkg/state"
	"go.yaml.in/yaml/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// list visits the resources of a kind. A node that does not know the kind has none.
func (n *Node) list(ctx context.Context, kind resource.Metadata, visit func(resource.Resource) error) error {
	answers, err := n.machinery.COSI.List(n.in(ctx), kind, state.WithListUnmarshalOptions(state.WithSkipProtobufUnmarshal()))
	if IsAbsent(err) {
		return nil
	}

	if err != nil {
		return err
	}

	for _, answer := range answers.Items {
		if err := visit(answer); err != nil {
			return err
		}
	}

	return nil
}

// get reads a resource, which need not be there.
func (n *Node) get(ctx context.Context, metadata resource.Metadata, into any) error {
	answer, err := n.machinery.COSI.Get(n.in(ctx), metadata, state.WithGetUnmarshalOptions(state.WithSkipProtobufUnmarshal()))
	if IsAbsent(err) {
		return nil
	}

	if err != nil {
		return err
	}

	return ReadSpec(answer, into)
}

// ReadSpec reads what a resource holds, of the YAML that the node sends beside the typed form. Its error repeats nothing of it.
func ReadSpec(answer resource.Resource, into any) error {
	raw, ok := answer.(*protobuf.Resource)
	if !ok {
		return fmt.Errorf("the answer is a %T", answer)
	}

	message, err := raw.Marshal()
	if err == nil {
		err = yaml.Unmarshal([]byte(message.GetSpec().GetYamlSpec()), into)
	}

	if err != nil {
		return fmt.Errorf("its %s cannot be read", answer.Metadata().Type())
	}

	return nil
}

// IsAbsent reports whether an error says that there is no such thing on the node, or that its Talos does not know it.
func IsAbsent(err error) bool {
	if err == nil {
		return false
	}

	if state.IsNotFoundError(err) {
		return true
	}

	said := status.Convert(Unwrap(err))

	return said.Code() == codes.NotFound || said.Code() == codes.PermissionDenied && strings.Contains(said.Message(), "is not supported")
}

// Unwrap returns the gRPC error inside of err.
func Unwrap(err error) error {
	type grpcError interface {
		error
		GRPCStatus() *status.Status
	}

	if failure, ok := errors.AsType[grpcError](err); ok {
		return failure.GRPCStatus().Err()
	}

	return err
}
