#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Make the C tables, the uapi header and the Rust constants from homing.yaml with the kernel's YNL generator.
#
#   rust/uapi/regen.sh            write the generated files
#   rust/uapi/regen.sh --check    compare them with what would be written; exit 1 and show the difference
#
# KSRC names the kernel source tree whose tools/net/ynl is used; without it, the one that the set-up cached.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
rust=$(dirname "$here")
ksrc=${KSRC:-${XDG_CACHE_HOME:-$HOME/.cache}/homing/current/linux}
gen=tools/net/ynl/pyynl/ynl_gen_c.py
if [ ! -f "$ksrc/$gen" ]; then
	echo "regen.sh: no YNL generator in '$ksrc': run 'make setup', or set KSRC to a kernel source tree" >&2
	exit 2
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The generator searches the folders above the spec for MAINTAINERS without end, and wants the schemas one folder up.
mkdir -p "$scratch/Documentation/netlink/specs" "$scratch/tools/net"
touch "$scratch/MAINTAINERS"
cp "$ksrc"/Documentation/netlink/*.yaml "$scratch/Documentation/netlink/"
cp -r "$ksrc/tools/net/ynl" "$scratch/tools/net/"
cp "$here/homing.yaml" "$scratch/Documentation/netlink/specs/"

ynl() { # mode, --header|--source, output file
	(cd "$scratch" && PYTHONDONTWRITEBYTECODE=1 timeout 120 python3 "$gen" --mode "$1" "$2" \
		--spec Documentation/netlink/specs/homing.yaml --function-prefix homing -o "$3")
	sed -i -e 's,Documentation/netlink/specs/homing.yaml,rust/uapi/homing.yaml,' \
		-e 's,tools/net/ynl/ynl-regen.sh,rust/uapi/regen.sh,' "$scratch/$3"
}

mkdir -p "$scratch/uapi/linux" "$scratch/control/generated"
ynl uapi --header uapi/linux/homing.h
ynl kernel --header control/generated/netlink.h
ynl kernel --source control/generated/netlink.c
# The generator reads the flags of a multicast group and does not write them; without them any user could
# listen to session ids.
sed -i 's/^\(\t\[HOMING_NLGRP_SESSION\] = { "session", \)},$/\1.flags = GENL_MCAST_CAP_NET_ADMIN, },/' \
	"$scratch/control/generated/netlink.c"
grep -q 'NLGRP_SESSION.*MCAST_CAP_NET_ADMIN' "$scratch/control/generated/netlink.c"
python3 "$here/consts.py" "$here/homing.yaml" >"$scratch/uapi/consts.rs"

status=0
for file in uapi/linux/homing.h uapi/consts.rs control/generated/netlink.h control/generated/netlink.c; do
	if [ "${1-}" = --check ]; then
		diff -u "$rust/$file" "$scratch/$file" || status=1
	else
		cp "$scratch/$file" "$rust/$file"
	fi
done
[ "$status" = 0 ] || echo "regen.sh: generated files are stale: run rust/uapi/regen.sh" >&2
exit $status
