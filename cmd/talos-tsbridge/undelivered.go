package main

import (
	"slices"
	"sync"
)

// undelivered is what is said of keys that may be alive and that nobody has, should the process end at once.
type undelivered struct {
	guard sync.Mutex
	texts []string
}

// add adds a text, and returns what takes it back.
func (u *undelivered) add(text string) func() {
	u.guard.Lock()
	defer u.guard.Unlock()

	u.texts = append(u.texts, text)

	return sync.OnceFunc(func() { u.remove(text) })
}

func (u *undelivered) remove(text string) {
	u.guard.Lock()
	defer u.guard.Unlock()

	if i := slices.Index(u.texts, text); i >= 0 {
		u.texts = slices.Delete(u.texts, i, i+1)
	}
}

func (u *undelivered) list() []string {
	u.guard.Lock()
	defer u.guard.Unlock()

	return slices.Clone(u.texts)
}
