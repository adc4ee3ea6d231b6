//go:build linux && cgo

package system

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// The few declarations of NVIDIA's management library that are needed; the
// library itself is looked for at run time.
typedef struct { unsigned int gpu, memory; } utilization;
typedef struct { unsigned long long total, free, used; } memory;

typedef struct {
	void *library;
	int (*shutdown)(void);
	int (*count)(unsigned int *);
	int (*handle)(unsigned int, void **);
	int (*utilization)(void *, utilization *);
	int (*memory)(void *, memory *);
	int (*power)(void *, unsigned int *);
} nvml;

static nvml *nvml_open(void) {
	void *library = dlopen("libnvidia-ml.so.1", RTLD_LAZY | RTLD_LOCAL);
	if (!library) return NULL;
	int (*init)(void) = dlsym(library, "nvmlInit_v2");
	nvml *n = calloc(1, sizeof *n);
	n->library = library;
	n->shutdown = dlsym(library, "nvmlShutdown");
	n->count = dlsym(library, "nvmlDeviceGetCount_v2");
	n->handle = dlsym(library, "nvmlDeviceGetHandleByIndex_v2");
	n->utilization = dlsym(library, "nvmlDeviceGetUtilizationRates");
	n->memory = dlsym(library, "nvmlDeviceGetMemoryInfo");
	n->power = dlsym(library, "nvmlDeviceGetPowerUsage");
	if (!init || !n->shutdown || !n->count || !n->handle || !n->utilization || !n->memory || !n->power || init() != 0) {
		free(n);
		dlclose(library);
		return NULL;
	}
	return n;
}

static void nvml_close(nvml *n) {
	n->shutdown();
	dlclose(n->library);
	free(n);
}

static unsigned int nvml_count(nvml *n) {
	unsigned int count = 0;
	return n->count(&count) == 0 ? count : 0;
}

static int nvml_read(nvml *n, unsigned int i, utilization *u, memory *m, unsigned int *milliwatts) {
	void *device = NULL;
	if (n->handle(i, &device) != 0 || n->utilization(device, u) != 0 || n->memory(device, m) != 0) return 1;
	if (n->power(device, milliwatts) != 0) *milliwatts = 0;
	return 0;
}
*/
import "C"

// gpu is one sample of one GPU.
type gpu struct {
	utilization float64 // percent
	memory      float64 // bytes in use
	power       float64 // watts
}

// nvml is NVIDIA's management library; nil where there is none.
type nvml struct{ library *C.nvml }

func openNVML() *nvml {
	if library := C.nvml_open(); library != nil {
		return &nvml{library}
	}
	return nil
}

func (n *nvml) close() {
	if n != nil {
		C.nvml_close(n.library)
	}
}

func (n *nvml) read() []gpu {
	if n == nil {
		return nil
	}
	var gpus []gpu
	for i := range C.nvml_count(n.library) {
		var u C.utilization
		var m C.memory
		var milliwatts C.uint
		if C.nvml_read(n.library, i, &u, &m, &milliwatts) == 0 {
			gpus = append(gpus, gpu{float64(u.gpu), float64(m.used), float64(milliwatts) / 1000})
		}
	}
	return gpus
}
