package verify

import (
	"bytes"
	"crypto/tls"
	"errors"
)

// isNotTLS reports whether an error says that what answers does not speak TLS, and what it speaks, where that is known.
func isNotTLS(err error) (instead string, ok bool) {
	failure, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok {
		return "", false
	}

	return spokenBy(failure.RecordHeader), true
}

// spokenBy tells a protocol by the first bytes that its servers send.
func spokenBy(first [5]byte) string {
	for _, one := range []struct{ begins, name string }{
		{"HTTP/", "HTTP"}, {"SSH-", "SSH"}, {"220 ", "SMTP or FTP"}, {"220-", "SMTP or FTP"}, {"+OK", "POP3"}, {"* OK", "IMAP"},
		{"-ERR", "the protocol of Redis"}, {"RFB ", "VNC"}, {"E\x00\x00\x00", "the protocol of PostgreSQL"},
	} {
		if bytes.HasPrefix(first[:], []byte(one.begins)) {
			return one.name
		}
	}

	switch {
	case first[0] == 0 && first[1] == 0 && first[3] == 4 && first[4] == 0:
		return "HTTP/2" // a frame of settings
	case first[2] == 0 && first[3] == 0 && first[4] == 10:
		return "the protocol of MySQL"
	default:
		return ""
	}
}
