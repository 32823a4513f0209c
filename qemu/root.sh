# shellcheck shell=bash
# Steps of the set-up that make the build root: host packages, debootstrap, packages, kernel choice.
# SPDX-License-Identifier: GPL-2.0

HOST_PACKAGES=(debootstrap qemu-system-x86 shellcheck ca-certificates curl make util-linux bsdextrautils cpio python3 xz-utils)

host_missing() {
	local p
	for p in "${HOST_PACKAGES[@]}"; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q 'ok installed$' || printf '%s\n' "$p"
	done
}

host_packages() {
	local missing
	mapfile -t missing < <(host_missing)
	((${#missing[@]})) || return 0
	exec 9>&- # a service that starts must not inherit the lock
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update
	apt-get -q install -y --no-install-recommends "${missing[@]}"
}

# The archive the host itself uses. apt resolves both forms of sources.list for us; the security
# archive has a label of its own and holds no full suite, so it does not match.
mirror() {
	local uri
	uri=$(apt-get indextargets --format "\$(REPO_URI) \$(LABEL)" 'Identifier: Packages' |
		awk '$2 == "Debian" && $1 ~ /^https?:/ { print $1; exit }')
	printf '%s\n' "${uri%/}"
}

# Inside the root no service may start, whatever a package's scripts ask for; manuals stay out.
root_files() {
	local root=$1 uri=$2
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	printf 'path-exclude=/usr/share/%s/*\n' man doc info locale lintian >"$root/etc/dpkg/dpkg.cfg.d/homing"
	printf 'force-unsafe-io\n' >>"$root/etc/dpkg/dpkg.cfg.d/homing"
	printf 'deb %s %s main\ndeb %s %s-backports main\n' "$uri" "$SUITE" "$uri" "$SUITE" \
		>"$root/etc/apt/sources.list"
	# What the host tells apt about its way to the archive holds for the root as well.
	apt-config dump | grep -Ei '^Acquire::(https?::|Check-|Retries)' >"$root/etc/apt/apt.conf.d/80host" || true
	printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n' \
		>"$root/etc/apt/apt.conf.d/90homing"
	mkdir -p "$root/etc/ssl/certs"
	local ca=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
	if [[ -f $ca ]]; then cp -L "$ca" "$root/etc/ssl/certs/ca-certificates.crt"; fi
}

make_root() {
	local root=$1 uri tmp
	uri=$(mirror)
	tmp=$root.new
	rm -rf --one-file-system "$tmp"
	# With no mirror known, debootstrap's own default is used, and read back.
	# In a mount namespace of its own: an interrupted debootstrap leaves no mounts behind.
	unshare -m debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$tmp" ${uri:+"$uri"}
	[[ -n $uri ]] || uri=$(awk '$1 == "deb" { print $2; exit }' "$tmp/etc/apt/sources.list")
	root_files "$tmp" "$uri"
	rm -rf --one-file-system "$root"
	mv -T "$tmp" "$root"
	link root "$root"
}

# The newest 7.3 of backports whose image, modules, headers and source are all there, else 7.2:
# "RELEASE VERSION SERIES". apt's lists are a moving target, so the answer is recorded.
# HOMING_LINUX=7.2 asks for that series alone, 7.3-rt for its flavour with PREEMPT_RT.
choose_kernel() {
	local series flavour release version
	for series in ${HOMING_LINUX:-7.3 7.2}; do
		flavour=${series#"${series%%-*}"} series=${series%%-*}
		while read -r release; do
			version=$(in_root apt-cache show --no-all-versions "linux-headers-$release" |
				awk '$1 == "Version:" { print $2; exit }')
			[[ -n $version ]] || continue # apt-cache succeeds for what is not offered, too
			in_root apt-cache show "linux-source-$series=$version" >/dev/null 2>&1 || continue
			in_root apt-cache show "linux-modules-$release=$version" >/dev/null 2>&1 || continue
			printf '%s %s %s\n' "$release" "$version" "$series"
			return
		done < <(in_root apt-cache pkgnames linux-binary- | sed 's/^linux-binary-//' |
			grep -E "^${series//./\\.}\.[0-9]+\+deb13$flavour-amd64$" | sort -rV)
	done
	say "no linux-binary-${HOMING_LINUX:-7.3.* or 7.2}.* with its source in $SUITE-backports"
	return 1
}

install_packages() {
	local root=$1 release version series packages
	in_root apt-get -q update
	# A plain assignment, so that a failure counts.
	choice=$(choose_kernel)
	read -r release version series <<<"$choice"
	mapfile -t packages < <(sed 's/#.*//; /^[[:space:]]*$/d' "$REPO/qemu/packages")
	in_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
		"${packages[@]}" "linux-binary-$release" "linux-modules-$release" \
		"linux-headers-$release=$version" "linux-source-$series=$version"
	in_root apt-get -q clean
	rm -f "$root"/var/lib/apt/lists/*_* # 100 MB that every image would carry
	printf '%s\n' "$choice" >"$root/etc/homing-kernel"
}
