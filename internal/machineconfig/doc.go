// Package machineconfig edits YAML by its bytes: what an edit does not name keeps its indentation, comments, quotes, block
// scalars, line ends and key order.
//
// [Parse] reads a text once, into documents with node trees. An [Edit] collects what is to be set, removed and added; its
// [Edit.Bytes] writes that as splices at the places the parser reported. Nothing is encoded again, because an encoder
// changes what it only passes through: folded scalars, for one, gain blank lines. [Prove] compares two files and fails
// where something else than the named fields differs.
//
// A tree knows where a node begins. Where it ends follows from its style: place.go and scalar.go read a text the way the
// scanner of go.yaml.in/yaml/v4 does, from a place that the scanner reported. Prove reads the result with the scanner
// itself, so a mistake there is an error and never a damaged file.
//
// Values that more than one place shares, by an anchor or a merge key, are never changed for one of them: the edit fails
// with the line of the anchor. No error of the package repeats a value, but keys, names of anchors, and lines.
package machineconfig
