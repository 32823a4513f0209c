# shellcheck shell=bash
# Steps of the set-up that make what a guest boots from: metadata tree, root image, initramfs.
# SPDX-License-Identifier: GPL-2.0

Q=$REPO/qemu
# A key holds the functions themselves: a change to one redoes its step and no other.
root_key() { key "$SUITE" "$(declare -f make_root root_files mirror)"; }
packages_key() { key "$(root_key)" "$Q/packages" "$(declare -f install_packages choose_kernel)"; }
kernel_choice() { cat "$CURRENT/root/etc/homing-kernel" 2>/dev/null || true; }
metadata_key() { key "$(kernel_choice)" "$Q/metadata"; }
image_key() { key "$(packages_key)" "$(kernel_choice)" "$Q/image.exclude" "$(declare -f make_image)"; }
boot_key() {
	local kvm=none
	[[ ! -e /dev/kvm ]] || kvm="kvm $(uname -r)"
	key "$(image_key)" "$(metadata_key)" "$kvm" "$(declare -f make_boot make_initramfs probe_kvm)"
}

everything_fresh() {
	[[ -z $(host_missing) ]] && fresh root "$(root_key)" && fresh packages "$(packages_key)" &&
		fresh metadata "$(metadata_key)" && fresh image "$(image_key)" && fresh boot "$(boot_key)"
}

make_metadata() {
	in_root "$Q/metadata" "$1" "$CACHE/linux-$1"
	link linux "$CACHE/linux-$1"
}

# The guest's root: read-only, uncompressed, mapped straight into the guest's memory (see qemu/run).
# Debian ships the modules as .ko.xz; unpacked, a busybox without xz can load them as well.
make_image() {
	local root=$1 release=$2 image stage
	image=$CACHE/image-$release
	stage=$image.stage
	rm -rf --one-file-system "$stage"
	mkdir -p "$stage" "$image"
	in_root rsync -aHX --exclude-from="$Q/image.exclude" "$root/" "$stage/"
	mkdir -p "$stage/usr/lib/modules"
	cp -a "$root/usr/lib/modules/$release" "$stage/usr/lib/modules/"
	rm -f "$stage/usr/lib/modules/$release"/{build,source,vmlinuz,System.map}
	find "$stage/usr/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -P "$(nproc)" -n 64 xz -d
	in_root depmod -b "$stage" "$release"
	in_root mkfs.erofs -T0 -U00000000-0000-0000-0000-000000000001 "$image/root.erofs.new" "$stage"
	# Persistent memory comes in units of 128 MiB, whatever the file system in it needs.
	truncate -s %128M "$image/root.erofs.new"
	mv "$image/root.erofs.new" "$image/root.erofs"
	mkdir -p "$image/modules"
	find "$stage/usr/lib/modules" \( -name libnvdimm.ko -o -name nfit.ko -o -name nd_pmem.ko \
		-o -name nd_btt.ko -o -name erofs.ko -o -name overlay.ko \) -exec cp -t "$image/modules/" {} +
	rm -rf --one-file-system "$stage"
	link image "$image"
}

# make_initramfs MODULES TARGET: busybox and the modules that reach the root image. /init itself and
# what to run are added by qemu/run, in a second archive.
make_initramfs() {
	local modules=$1 target=$2 dir=$2.d
	rm -rf "$dir"
	mkdir -p "$dir/bin" "$dir/lib" "$dir/dev" "$dir/proc" "$dir/sys" "$dir/new" "$dir/ro" "$dir/rw"
	cp "$CURRENT/root/usr/bin/busybox" "$dir/bin/"
	[[ -z $modules ]] || cp "$modules"/*.ko "$dir/lib/"
	# shellcheck disable=SC2016 # the inner shell expands these
	in_root sh -c 'cd "$1" && find . | sort | cpio --quiet -o -H newc --reproducible >"$2"' sh "$dir" "$target"
	rm -rf "$dir"
}

# /dev/kvm can exist and answer and still not run a guest: only a boot tells.
probe_kvm() {
	[[ -w /dev/kvm ]] || return 1
	[[ $(HOMING_ACCEL=kvm "$Q/run" --no-build --timeout 30 -- echo works) == works ]]
}

make_boot() {
	local release=$1 boot
	boot=$CACHE/boot-$release
	mkdir -p "$boot"
	# The unpacked kernel is entered directly: unpacking it would be emulated too.
	"$CACHE/linux-$release/scripts/extract-vmlinux" "$CURRENT/root/usr/lib/modules/$release/vmlinuz" \
		>"$boot/vmlinux.new"
	mv "$boot/vmlinux.new" "$boot/vmlinux"
	make_initramfs "$CURRENT/image/modules" "$boot/initramfs"
	printf '%s\n' "$release" >"$boot/release"
	link boot "$boot"
	if probe_kvm; then echo kvm >"$boot/accel"; else echo tcg >"$boot/accel"; fi
	echo "accelerator: $(<"$boot/accel")"
}
