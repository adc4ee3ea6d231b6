#!/bin/sh
# A private Slurm cluster on this machine, for the tests of sweeps: its own munge
# key and socket, one controller and several nodes on loopback, everything in one
# folder; neither systemd nor control groups are needed.
#
#   scripts/slurm.sh install      Debian's packages, where they may be installed
#   scripts/slurm.sh start DIR    starts a cluster in an empty folder
#   scripts/slurm.sh stop DIR     ends it
#
# Programs reach the cluster with SLURM_CONF=DIR/slurm.conf. It has the nodes n1
# to n3 with one core each, the partition low (the default) on all of them, and
# high, whose jobs preempt those of low by requeueing them.
set -eu

PATH=$PATH:/usr/sbin:/sbin

missing() {
	for name in munged slurmctld slurmd sbatch; do
		command -v "$name" >/dev/null || return 0
	done
	return 1
}

install() {
	missing || return 0
	if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
		apt-get update -q
		apt-get install -q -y --no-install-recommends slurmctld slurmd slurm-client munge || true
	fi
	if missing; then
		echo "no Slurm here: the tests on a cluster will be skipped; install the packages slurmctld, slurmd, slurm-client and munge to run them" >&2
	fi
}

# free_ports prints four TCP ports that nothing listens on.
free_ports() {
	python3 -c 'import socket
s = [socket.socket() for _ in range(4)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])'
}

start() {
	mkdir -p "$1"
	dir=$(cd "$1" && pwd)
	if missing; then
		echo "Slurm or munge is not installed (scripts/slurm.sh install)" >&2
		exit 3
	fi
	chmod 755 "$dir"
	mkdir -m 700 "$dir/munge" "$dir/state"
	mkdir -m 755 "$dir/socket"
	user=$(id -un)
	host=$(hostname -s)
	head -c 128 /dev/urandom >"$dir/munge/key"
	chmod 600 "$dir/munge/key"
	munged --force --key-file="$dir/munge/key" --socket="$dir/socket/munge" --pid-file="$dir/munge/pid" \
		--log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
	# shellcheck disable=SC2046
	set -- $(free_ports)
	cat >"$dir/slurm.conf" <<END
ClusterName=patchlab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$1
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
# A requeued job waits until its old credential has expired: two minutes by default.
AuthInfo=socket=$dir/socket/munge,cred_expire=5
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=2,batch_sched_delay=1,bf_interval=2,requeue_delay=1
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=60
MinJobAge=7200
MaxArraySize=5
KillWait=20
MailProg=/bin/true
NodeName=n1 NodeAddr=127.0.0.1 Port=$2 CPUs=1 State=UNKNOWN
NodeName=n2 NodeAddr=127.0.0.1 Port=$3 CPUs=1 State=UNKNOWN
NodeName=n3 NodeAddr=127.0.0.1 Port=$4 CPUs=1 State=UNKNOWN
PartitionName=low Nodes=n1,n2,n3 Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=high Nodes=n1,n2,n3 MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
END
	export SLURM_CONF="$dir/slurm.conf"
	slurmctld -f "$SLURM_CONF"
	for node in n1 n2 n3; do
		slurmd -f "$SLURM_CONF" -N "$node"
	done
	for _ in $(seq 60); do
		[ "$(sinfo -h -N -p low -t idle -o %N 2>/dev/null | wc -l)" -eq 3 ] && return
		sleep 1
	done
	echo "the cluster did not come up; its logs are in $dir" >&2
	exit 1
}

stop() {
	dir=$(cd "$1" && pwd)
	export SLURM_CONF="$dir/slurm.conf"
	scancel --user="$(id -un)" 2>/dev/null || true
	for file in "$dir"/slurmd-*.pid "$dir/slurmctld.pid" "$dir/munge/pid"; do
		[ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
	done
}

case ${1:-} in
install) install ;;
start | stop) "$1" "${2:?the folder of the cluster}" ;;
*)
	sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
