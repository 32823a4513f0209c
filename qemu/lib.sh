# shellcheck shell=bash
# What every script in qemu/ shares: where things are kept, how a step runs, how to enter the root.
# SPDX-License-Identifier: GPL-2.0

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# Another series or version of Linux than the newest has a cache of its own: nothing of the two mixes.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/homing${HOMING_LINUX:+-$HOMING_LINUX}
CURRENT=$CACHE/current
SUITE=trixie
export REPO CACHE CURRENT SUITE

# Under TMPDIR of a caller that is not visible in the root, tools there would fail.
export LC_ALL=C.UTF-8

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# A key is a hash over the arguments: names of files (their content counts) or plain words.
key() {
	local a
	for a; do
		if [[ -f $a ]]; then cat "$a"; else printf '%s\n' "$a"; fi
	done | sha256sum | cut -c1-16
}

# link NAME TARGET: current/NAME points to TARGET; replaced in one rename, so a reader never misses it.
link() {
	mkdir -p "$CURRENT"
	ln -sfn "$2" "$CURRENT/.$1.$$"
	mv -T "$CURRENT/.$1.$$" "$CURRENT/$1"
}

# fresh NAME KEY: the step was done with exactly these inputs.
fresh() { [[ -f $CACHE/stamp/$1 && $(<"$CACHE/stamp/$1") == "$2" ]]; }

STEP=0 STEPS=1
BACKGROUND='' # a step of its own that runs beside

# step NAME KEY "what" FUNCTION...: runs FUNCTION unless it is fresh. Its output goes to a log; when it
# fails, the command that failed, the log's path and its last lines are shown. The stamp is written
# last, so an interrupted step is done again.
step() {
	local name=$1 key=$2 what=$3 begin=$SECONDS log=$CACHE/log/$1.log pid
	shift 3
	STEP=$((STEP + 1))
	local tag="[$STEP/$STEPS]"
	if fresh "$name" "$key"; then
		say "$tag $what: up to date"
		return 0
	fi
	mkdir -p "$CACHE/log" "$CACHE/stamp"
	rm -f "$CACHE/stamp/$name"
	say "$tag $what ..."
	# Started as a job: errexit holds inside, which it would not do in a condition. In a process
	# group of its own, so that all of it can be ended. It keeps the lock: were this shell killed,
	# the next set-up would wait for what is still at work.
	set -m
	(
		set +m
		set -eE
		trap 'say "failed: $BASH_COMMAND"' ERR
		"$@"
	) >"$log" 2>&1 </dev/null &
	pid=$!
	set +m
	# shellcheck disable=SC2064 # these pids
	trap "kill -TERM -- -$pid $BACKGROUND 2>/dev/null; exit 143" INT TERM HUP
	if wait "$pid"; then
		printf '%s\n' "$key" >"$CACHE/stamp/$name"
		say "$tag $what: done in $((SECONDS - begin)) s"
	else
		say "$tag $what: FAILED after $((SECONDS - begin)) s"
		say "$(grep -a '^failed: ' "$log" | head -n 1)"
		say "log: $log; its last lines:"
		tail -n 20 "$log" | sed 's/^/    /' >&2
		return 1
	fi
}

# in_root COMMAND...: see qemu/chroot.
in_root() { "$REPO/qemu/chroot" "$@"; }
