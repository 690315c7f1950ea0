package fleet

import (
	"reflect"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// intersect returns the settings that both say alike.
func intersect(a, b patch.Settings) patch.Settings {
	return keepIf(a, b, true)
}

// without returns the settings that others do not say alike.
func without(settings, others patch.Settings) patch.Settings {
	return keepIf(settings, others, false)
}

// keepIf keeps the fields that are, or are not, as those of others.
func keepIf(settings, others patch.Settings, alike bool) patch.Settings {
	kept, other := reflect.ValueOf(&settings).Elem(), reflect.ValueOf(others)

	for i := range kept.NumField() {
		if reflect.DeepEqual(kept.Field(i).Interface(), other.Field(i).Interface()) != alike {
			kept.Field(i).SetZero()
		}
	}

	return settings
}
