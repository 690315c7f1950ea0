// Package tailaddr knows which addresses are a tailnet's, and what a tag is. It knows neither Talos nor a network.
package tailaddr
