package talosapi

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// What one call may answer. The largest answers that are wanted are machine configs, of less than a megabyte, and lists of
// addresses; an endpoint that is not what it says must not fill the memory.
const (
	maxMessage = 16 << 20
	maxStream  = 64 << 20
	maxCount   = 100_000
)

// bounded are the options of a connection whose calls end when they answer more than they may.
func bounded() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, description *grpc.StreamDesc, connection *grpc.ClientConn, method string, streamer grpc.Streamer,
			options ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			stream, err := streamer(ctx, description, connection, method, options...)
			if err != nil {
				return nil, err
			}

			return &boundedStream{ClientStream: stream}, nil
		}),
	}
}

// boundedStream counts what a stream answers.
type boundedStream struct {
	grpc.ClientStream

	bytes, messages atomic.Int64
}

// RecvMsg implements [grpc.ClientStream].
func (s *boundedStream) RecvMsg(into any) error {
	if err := s.ClientStream.RecvMsg(into); err != nil {
		return err
	}

	size := 0
	if message, ok := into.(proto.Message); ok {
		size = proto.Size(message)
	}

	if s.messages.Add(1) > maxCount || s.bytes.Add(int64(size)) > maxStream {
		return status.Error(codes.ResourceExhausted, "the answer is longer than any that a node gives")
	}

	return nil
}
