# shellcheck shell=bash
# What the checks in bash share: where the repository is, TAP points, how a check ends.
# SPDX-License-Identifier: GPL-2.0

# shellcheck source=../../../qemu/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../../qemu/lib.sh"
cd "$REPO" || exit 1

POINTS=0 FAILED=0
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT

# comment: standard input as comment lines of TAP.
comment() { sed 's/^/# /'; }

# point STATUS "what": one TAP point; not ok unless STATUS is 0.
point() {
	local word=ok
	POINTS=$((POINTS + 1))
	if (($1)); then
		FAILED=$((FAILED + 1))
		word='not ok'
	fi
	echo "$word $POINTS $2"
}

# passes "what" COMMAND...: ok when the command succeeds; else its output is shown.
passes() {
	local what=$1 status=0
	shift
	"$@" >"$SCRATCH/output" 2>&1 || status=1
	point $status "$what"
	((status == 0)) || comment <"$SCRATCH/output"
	return $status
}

# fails "what" COMMAND...: ok when the command fails, which shows that it can.
fails() {
	local what=$1 status=0
	shift
	! "$@" >"$SCRATCH/output" 2>&1 || status=1
	point $status "$what"
	((status == 0)) || comment <"$SCRATCH/output"
	return $status
}

# finish: the plan; 0 when every point was ok.
finish() {
	echo "1..$POINTS"
	((FAILED == 0 && POINTS > 0))
}
