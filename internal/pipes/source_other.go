//go:build !linux

package pipes

import (
	"fmt"
	"io"
	"os"
)

const repeatedReads = false

// pipe is a payload in a pipe.
type pipe struct {
	reader, writer *os.File
	text           []byte
}

func newSources(payloads []Payload) ([]source, error) {
	var sources []source

	for _, payload := range payloads {
		reader, writer, err := os.Pipe()
		if err != nil {
			closeAll(sources)

			return nil, fmt.Errorf("pipe: %w", err)
		}

		sources = append(sources, &pipe{reader: reader, writer: writer, text: payload.Text})
	}

	return sources, nil
}

func (p *pipe) file() *os.File { return p.reader }

// start writes the payload. A reader that ends before it has read all makes that fail, which is the reader's affair.
func (p *pipe) start() {
	go func() {
		_, _ = p.writer.Write(p.text)
		_ = p.writer.Close()
	}()
}

// use looks at what was left in the pipe, which this process keeps open.
func (p *pipe) use(use *Use) {
	if left, err := io.ReadAll(p.reader); err != nil || len(left) < len(p.text) {
		use.Readers = 1
	}
}

func (p *pipe) close() {
	_ = p.reader.Close()
	_ = p.writer.Close() // it may be closed already
}
