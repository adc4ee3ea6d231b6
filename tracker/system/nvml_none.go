//go:build !(linux && cgo)

package system

type gpu struct{ utilization, memory, power float64 }

type nvml struct{}

func openNVML() *nvml { return nil }

func (*nvml) close() {}

func (*nvml) read() []gpu { return nil }
