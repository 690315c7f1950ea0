// Package talosapi is a connection to the Talos API of a cluster, found and configured as talosctl does it, and the calls
// that the module makes over it. The whole client of Talos's machinery, whose methods change between its minor versions,
// is behind [Client.Machinery].
package talosapi
