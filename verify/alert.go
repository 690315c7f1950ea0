package verify

import (
	"errors"
	"net"
	"reflect"
	"strconv"
)

// Alert is the name that TLS gives to what the other side ended a handshake with, such as internal_error.
type Alert string

// The alerts that have a meaning of their own to [Diagnose].
const (
	AlertHandshakeFailure      Alert = "handshake_failure"
	AlertBadCertificate        Alert = "bad_certificate"
	AlertCertificateRequired   Alert = "certificate_required"
	AlertAccessDenied          Alert = "access_denied"
	AlertUnknownCA             Alert = "unknown_ca"
	AlertProtocolVersion       Alert = "protocol_version"
	AlertInsufficientSecurity  Alert = "insufficient_security"
	AlertInternalError         Alert = "internal_error"
	AlertUnrecognizedName      Alert = "unrecognized_name"
	AlertNoApplicationProtocol Alert = "no_application_protocol"
)

// alerts are their numbers, as RFC 8446 has them, and RFC 5246 those that it dropped.
var alerts = map[uint64]Alert{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
	30: "decompression_failure", 40: AlertHandshakeFailure, 41: "no_certificate", 42: AlertBadCertificate, 43: "unsupported_certificate",
	44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: AlertUnknownCA,
	49: AlertAccessDenied, 50: "decode_error", 51: "decrypt_error", 60: "export_restriction", 70: AlertProtocolVersion,
	71: AlertInsufficientSecurity, 80: AlertInternalError, 86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation",
	109: "missing_extension", 110: "unsupported_extension", 111: "certificate_unobtainable", 112: AlertUnrecognizedName,
	113: "bad_certificate_status_response", 114: "bad_certificate_hash_value", 115: "unknown_psk_identity",
	116: AlertCertificateRequired, 120: AlertNoApplicationProtocol, 121: "ech_required",
}

// alertOf returns the alert that the other side sent, if that is what an error is about. crypto/tls has it in an error of
// an unexported kind, a number, inside of one that says whose it was.
func alertOf(err error) (Alert, bool) {
	failure, ok := errors.AsType[*net.OpError](err)
	if !ok || failure.Op != "remote error" || failure.Err == nil {
		return "", false
	}

	number := reflect.ValueOf(failure.Err)
	if number.Kind() != reflect.Uint8 {
		return "", false
	}

	if name, ok := alerts[number.Uint()]; ok {
		return name, true
	}

	return Alert("alert_" + strconv.FormatUint(number.Uint(), 10)), true
}

// wantsCertificate reports whether an alert refuses a client that was asked for a certificate and had none. By then name,
// version and protocol are settled, so what else could be meant is a server that failed itself. GnuTLS says decode_error.
func (a Alert) wantsCertificate() bool {
	return a != AlertInternalError && a != "close_notify" && a != "user_canceled"
}
