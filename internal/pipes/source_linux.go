package pipes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const repeatedReads = true

// memory is a payload in a sealed memfd.
type memory struct {
	memfd *os.File
	watch *watch
	// descriptor is the watch's own number for the memfd, or -1 where it is not watched.
	descriptor int
}

func newSources(payloads []Payload) ([]source, error) {
	var sources []source

	watch := newWatch()

	for _, payload := range payloads {
		memfd, err := newMemfd(payload.Text)
		if err != nil {
			closeAll(sources)

			return nil, err
		}

		sources = append(sources, &memory{memfd, watch, watch.add(memfd)})
	}

	return sources, nil
}

// newMemfd returns a file in memory that holds text, at its start, and that nobody can change.
func newMemfd(text []byte) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING

	fd, err := unix.MemfdCreate("patch", flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // Linux before 6.3
		fd, err = unix.MemfdCreate("patch", flags)
	}

	if err != nil {
		return nil, fmt.Errorf("memfd: %w", err)
	}

	memfd := os.NewFile(uintptr(fd), "memfd:patch")

	const (
		ownerReads = 0o400
		seals      = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	)

	_, err = memfd.Write(text)
	if err == nil {
		_, err = memfd.Seek(0, io.SeekStart)
	}

	if err == nil {
		err = memfd.Chmod(ownerReads)
	}

	if err == nil {
		_, err = unix.FcntlInt(memfd.Fd(), unix.F_ADD_SEALS, seals)
	}

	if err != nil {
		return nil, errors.Join(fmt.Errorf("memfd: %w", err), memfd.Close())
	}

	return memfd, nil
}

func (m *memory) file() *os.File { return m.memfd }

func (m *memory) start() {}

func (m *memory) use(use *Use) {
	use.Readers, use.Unknown = m.watch.opens(m.descriptor)

	// the command shares the place in the file with this process, where it reads the descriptor that it inherited
	if place, err := m.memfd.Seek(0, io.SeekCurrent); use.Readers == 0 && err == nil && place > 0 {
		use.Readers, use.Unknown = 1, false
	}
}

func (m *memory) close() {
	if m.watch != nil {
		m.watch.close()
	}

	_ = m.memfd.Close()
}

// watch counts how often files are opened. The nil watch knows nothing: a system may be out of inotify instances.
type watch struct {
	fd      int
	inotify *os.File
	ended   chan struct{}
	finish  func()
	close   func()

	// counts are the openings by the watch's number for the file. They are count's alone until ended is closed.
	counts map[int]int
}

func newWatch() *watch {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}

	w := &watch{fd: fd, inotify: os.NewFile(uintptr(fd), "inotify"), ended: make(chan struct{}), counts: map[int]int{}}
	w.finish = sync.OnceFunc(w.countRest)
	w.close = sync.OnceFunc(func() { _ = w.inotify.Close() })

	go w.count()

	return w
}

// add watches a file, and opens it once, to see whether this kernel tells: of a file whose first opening was not seen
// nothing is known.
func (w *watch) add(file *os.File) int {
	if w == nil {
		return -1
	}

	path := fmt.Sprintf("/proc/self/fd/%d", file.Fd())

	// closings keep two openings from becoming one event, as equal ones in a row do
	descriptor, err := unix.InotifyAddWatch(w.fd, path, unix.IN_OPEN|unix.IN_CLOSE)
	if err != nil {
		return -1
	}

	if first, err := os.Open(path); err == nil {
		_ = first.Close()
	}

	return descriptor
}

// count counts events as they come: the kernel's queue is not endless.
func (w *watch) count() {
	defer close(w.ended)

	events := make([]byte, eventsSize)

	for {
		n, err := w.inotify.Read(events)
		if err != nil {
			return
		}

		w.countIn(events[:n])
	}
}

// countRest counts what has happened by now, and ends the counting.
func (w *watch) countRest() {
	_ = w.inotify.SetReadDeadline(time.Now())
	<-w.ended

	events := make([]byte, eventsSize)

	for {
		n, err := unix.Read(w.fd, events)
		if err != nil || n <= 0 {
			return
		}

		w.countIn(events[:n])
	}
}

const eventsSize = 16 * 1024

// countIn counts the openings in what inotify wrote: records of a descriptor, a mask, a cookie, the length of a name, and
// the name.
func (w *watch) countIn(events []byte) {
	for len(events) >= unix.SizeofInotifyEvent {
		if mask := binary.NativeEndian.Uint32(events[4:]); mask&unix.IN_OPEN != 0 {
			w.counts[int(binary.NativeEndian.Uint32(events))]++
		}

		events = events[min(len(events), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(events[12:]))):]
	}
}

// opens returns how often a file was opened by others.
func (w *watch) opens(descriptor int) (count int, unknown bool) {
	if w == nil || descriptor < 0 {
		return 0, true
	}

	w.finish()

	count = w.counts[descriptor]

	return max(count-1, 0), count == 0
}
