package command

import (
	"errors"
	"strings"
)

// Split splits a line into words as a shell does: at blanks, with single quotes, double quotes and backslashes as in a
// shell. Nothing is expanded: $NAME, ~ and * are what they are. What a shell would act on, such as a pipe, is refused, since
// the words behind it would go to the wrong program. No error repeats any part of the line.
func Split(line string) ([]string, error) {
	var (
		words  []string
		word   strings.Builder
		inWord bool
	)

	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}

			inWord = false
		case '\n', '\r', 0:
			return nil, errors.New("the command has a line break or a null character: write it on one line")
		case '|', '&', ';', '<', '>', '`':
			return nil, errors.New("the command has a | & ; < > or ` outside of quotes, and no shell runs it: quote the character, or write sh -c '...'")
		case '\\':
			if i++; i == len(line) {
				return nil, errors.New("the command ends in a backslash")
			}

			inWord = true

			word.WriteByte(line[i])
		case '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return nil, errUnclosed
			}

			inWord = true

			word.WriteString(line[i+1 : i+1+end])
			i += end + 1
		case '"':
			n, err := doubleQuoted(&word, line[i+1:])
			if err != nil {
				return nil, err
			}

			inWord = true
			i += n
		default:
			inWord = true

			word.WriteByte(c)
		}
	}

	if inWord {
		words = append(words, word.String())
	}

	if len(words) == 0 {
		return nil, errors.New("the command is empty: write a program and its arguments")
	}

	return words, nil
}

var errUnclosed = errors.New("the command has a quotation mark that is not closed")

// doubleQuoted adds what stands between double quotes to a word, and returns how many bytes of text that is, with the quote
// at the end.
func doubleQuoted(word *strings.Builder, text string) (int, error) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1, nil
		case '\\':
			if i+1 < len(text) && strings.IndexByte("$`\"\\", text[i+1]) >= 0 {
				i++
			}
		}

		word.WriteByte(text[i])
	}

	return 0, errUnclosed
}
