// Package launch runs the trials of a sweep: in processes of this machine, each
// on its own cores, or as jobs of a cluster.
//
//	shares := launch.Share(launch.Cores(), 2)
//	err := launch.Process{Program: exe, Args: args, Cores: shares[0], Output: log}.Run(ctx)
//
// It knows nothing of what the programs do, but that they write a checkpoint and
// end when they get SIGTERM.
package launch
