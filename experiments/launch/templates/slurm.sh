#!/bin/bash
# A job of the sweep {{.Name}}. Each task of an array trains one trial; the job
# that depends on the array merges what they recorded and goes on.
#
# To change it: patchlab sweep template slurm > mine.sh, edit, and give it by
# --template mine.sh. Names in double braces are filled in for each job.
#SBATCH --job-name={{.Job}}
#SBATCH --output={{.Folder}}/jobs/{{.Job}}{{if .Array}}-%a{{end}}.out
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:TERM@{{.Grace}}
{{- with .Array}}
#SBATCH --array={{.}}
{{- end}}
{{- with .After}}
#SBATCH --dependency=afterany:{{.}}
{{- end}}
{{- with .Partition}}
#SBATCH --partition={{.}}
{{- end}}
{{- with .Time}}
#SBATCH --time={{.}}
{{- end}}
{{- with .Account}}
#SBATCH --account={{.}}
{{- end}}
{{- if .Array}}
#SBATCH --cpus-per-task={{.Cores}}
{{- with .Memory}}
#SBATCH --mem={{.}}
{{- end}}
{{- with .GPUs}}
#SBATCH --gpus={{.}}
{{- end}}
{{- end}}

# Modules that the program needs, such as:
#   module load cuda
# A container, such as:
#   run=(apptainer exec --nv --bind {{.Folder}} patchlab.sif)
run=()

# From here on nothing needs to be changed: checkpoints, requeueing, and waiting
# for a shared folder that is gone for a while.
folder={{.QuotedFolder}}
export GOMAXPROCS=${SLURM_CPUS_PER_TASK:-1} OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
cd / || exit 1
terminated=
trap 'terminated=1; kill -TERM "$child" 2>/dev/null' TERM

# Slurm requeues preempted jobs itself; one that a person cancels stays so.
again() {
	[ -e "$folder/stop" ] && exit 0
	job=$SLURM_JOB_ID
	scontrol show job --oneliner "$job" | grep -q ' JobState=RUNNING ' && scontrol requeue "$job"
	exit 0
}

for try in 1 2 3; do
	[ "$terminated" ] && again
	"${run[@]}" {{.Command}} &
	child=$!
	while kill -0 "$child" 2>/dev/null; do # a signal interrupts wait
		wait "$child"
		code=$?
	done
	[ "$code" -eq 0 ] && exit 0
	[ "$terminated" ] && again
	echo "try $try ended with status $code"
	until [ -e "$folder/sweep.json" ]; do
		echo "$(date): waiting for $folder"
		sleep 10 &
		child=$!
		wait "$child"
		[ "$terminated" ] && again
	done
	sleep 2
done
exit "$code"
