// Package system samples how busy the machine is while a run goes on: CPU,
// memory, and NVIDIA GPUs where their driver's library is installed.
//
//	stop := system.Watch(run, nil, 10*time.Second)
//	defer stop()
//
// The metrics carry the names that MLflow gives them, such as
// system/cpu_utilization_percentage; the step is the number of the sample in the run.
package system
