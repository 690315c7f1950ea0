package machineconfig

import (
	"bytes"
	"strings"
)

// removeDocument removes a document's part of the text.
func (w *writer) removeDocument(d *Document) {
	w.splice(d.start, d.end, "")
}

// addDocuments puts documents behind the others, or before the last where that ends in a block scalar that a further line
// would change.
func (w *writer) addDocuments(documents []string) {
	if len(documents) == 0 {
		return
	}

	eol := "\n"
	if len(w.text) > 0 {
		eol = w.lines().eol(0)
	}

	var text strings.Builder

	for _, document := range documents {
		text.WriteString("---\n" + strings.TrimSuffix(document, "\n") + "\n")
	}

	added := strings.ReplaceAll(text.String(), "\n", eol)

	if last := w.lastDocument(); last != nil && w.isOpenEnded(w.place(last.Root, w.at(last.Root), scope{})) {
		w.addBefore(last, added, eol)

		return
	}

	end := len(w.text)
	if len(bytes.TrimPrefix(w.text, utf8BOM)) > 0 && w.lines().start(end) != end {
		added = w.lines().eol(end) + added
	}

	w.splice(end, end, added)
}

func (w *writer) lastDocument() *Document {
	if len(w.documents) == 0 {
		return nil
	}

	return w.documents[len(w.documents)-1]
}

// addBefore puts documents before one that is there. The first of a text begins it, with the comments before it.
func (w *writer) addBefore(d *Document, added, eol string) {
	if d != w.documents[0] || bytes.HasPrefix(w.text[d.start:], []byte("---")) {
		w.splice(d.start, d.start, added)

		return
	}

	begin := w.lines().starts[0]
	w.splice(begin, begin, added+"---"+eol)
}
