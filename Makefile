# Everything a person or the CI types; "make help" lists it. The work is in qemu/ and selftests/.
# SPDX-License-Identifier: GPL-2.0

REPO    := $(CURDIR)
# HOMING_LINUX=7.2 chooses that series instead of the newest: with a cache and output of its own.
SERIES  := $(addprefix -,$(HOMING_LINUX))
CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/homing$(SERIES)
CURRENT := $(CACHE)/current
JOBS    := $(shell nproc)

# A kernel of one's own (KDIR=...) or the running one (HOST=1) is built for here, without the root.
ifneq ($(KDIR),)
HOST := 1
endif
# What it is built against: a tree of one's own is taken as it is, that of a release is made here.
TREE := $(if $(KDIR),$(KDIR),$(CACHE)/linux-$(shell uname -r)/.complete)
KDIR ?= $(CACHE)/linux-$(shell uname -r)

KERNEL  ?= stock
CHOICE  := $(CURRENT)/root/etc/homing-kernel
RELEASE  = $(shell cut -d' ' -f1 $(CHOICE))
SOURCES := Kbuild $(shell find rust -type f 2>/dev/null)
TOOLS   := $(shell find tools rust -name target -prune -o -type f \( -name '*.rs' -o -name 'Cargo.*' \
	-o -name '*.yaml' \) -print 2>/dev/null)

PREFIX ?= /usr/local
# Where each shell looks below share/; the first word of each is the shell's name.
COMPLETION := bash-completion/completions/homing zsh/site-functions/_homing fish/vendor_completions.d/homing.fish

# Two builds in one tree would write the same files: they wait for each other, and qemu/run waits for
# them before it packs the tree.
LOCKED := flock build/.lock
# M= names the sources, MO= the output: no two kernels share an object.
kbuild = M=$(REPO) MO=$(REPO)/build/$(1) -j$(JOBS) modules

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install and build what is needed, once (qemu/setup says what it does)
	@qemu/setup

setup-quiet:
	@qemu/setup --quiet

modules: $(if $(HOST),build/host/homing.ko,build/stock$(SERIES)/homing.ko) ## the module; HOST=1: for the running kernel
modules-debug: build/debug$(SERIES)/homing.ko ## the module for the debug kernel

build/stock$(SERIES)/homing.ko: $(SOURCES) $(CHOICE) | setup-quiet
	@mkdir -p $(@D)
	$(LOCKED) qemu/chroot make -C $(CURRENT)/linux/ CC=gcc-14 KERNELRELEASE=$(RELEASE) $(call kbuild,stock$(SERIES))
	@touch $@

build/debug$(SERIES)/homing.ko: $(SOURCES) $(CHOICE) | debug-kernel
	@mkdir -p $(@D)
	$(LOCKED) qemu/chroot make -C $(CURRENT)/linux-debug/ LLVM=-19 $(call kbuild,debug$(SERIES))
	@touch $@

# After an update of the set-up the kernel is another one.
$(CHOICE): | setup-quiet
	@:

build/host/homing.ko: $(SOURCES) build/host/tree | $(TREE)
	$(LOCKED) $(MAKE) -C $(KDIR) CC=gcc-14 $(if $(wildcard $(KDIR)/.release),KERNELRELEASE=$$(cat $(KDIR)/.release)) \
		$(call kbuild,host)
	@touch $@

# Another kernel than last time: all is built again.
build/host/tree: always
	@mkdir -p $(@D)
	@echo '$(KDIR)' | cmp -s - $@ || echo '$(KDIR)' >$@

$(CACHE)/linux-%/.complete:
	qemu/host $*

tools: build/tools/homing ## the user tools, with the root's cargo; manual pages and completions

build/tools/homing: $(TOOLS) | setup-quiet
	@mkdir -p $(@D)
	@$(LOCKED) sh -ec 'qemu/chroot env CARGO_TARGET_DIR=$(REPO)/build/cargo \
			cargo build --release --manifest-path tools/Cargo.toml; \
		find build/cargo/release -maxdepth 1 -type f -executable -exec install -t $(@D) {} +; \
		rm -rf $(@D)/share; mkdir -p $(dir $(addprefix $(@D)/share/,$(COMPLETION))); \
		qemu/chroot sh -ec "cd $(@D); ./homing man share/man/man1; $(foreach file,$(COMPLETION), \
			./homing completion $(firstword $(subst /, ,$(subst -, ,$(file)))) >share/$(file);)"; \
		touch $@'

debug-kernel: | setup-quiet ## the debug kernel (15 minutes and more, once)
	@qemu/debug-kernel

# What a guest run needs (qemu/run calls this); quick when nothing changed.
stale: build/$(KERNEL)$(SERIES)/homing.ko build/tools/homing
	@:

check: | setup-quiet ## checks without a guest: format, lints, layers, generated files, unit tests
	@qemu/check

fuzz: | setup-quiet ## fuzz what reads foreign bytes; TARGET=name for one, SECONDS=n for each (600)
	@rust/fuzz/run '$(TARGET)' $(SECONDS)

test: | setup-quiet ## the guest tests on the stock kernel; TEST=name for one
	@selftests/run

test-full: | setup-quiet ## the same on the debug kernel too (KASAN, lockdep, kmemleak, KUnit); resumes, FRESH=1 starts over
	@selftests/run --full $(if $(FRESH),--fresh)

soak: | setup-quiet ## half an hour of faults and work in one guest (selftests/soak); MINUTES=n, KERNEL=debug
	@qemu/run --kernel $(KERNEL) --icount --mem 1536M --timeout 14400 -- selftests/soak $(or $(MINUTES),30)

bench: | setup-quiet ## what each unit of work costs in instructions (docs/performance.md)
	@selftests/bench/run

bench-compare: ## what moved between two results: OLD=FILE NEW=FILE
	@selftests/bench/run --compare "$(OLD)" "$(NEW)"

demo: | setup-quiet ## a farm of three at work, and the proofs of what it does
	@qemu/run --cpus 1 --mem 1536M -- selftests/demo

shell: | setup-quiet ## a shell inside that farm
	@qemu/run --cpus 1 --mem 1536M --timeout 86400 --interactive -- selftests/demo --shell

install: install-module install-tool ## module for the running kernel (KDIR=DIR: for that one), and the tool if it is built

# With KDIR= the module is of another kernel than the one that runs: it says itself of which.
install-module: ## the module alone, where modprobe finds it
	$(MAKE) modules HOST=1
	release=$$(modinfo -F vermagic build/host/homing.ko | cut -d' ' -f1); [ -n "$$release" ] && \
	install -D -m 644 build/host/homing.ko $(DESTDIR)/lib/modules/$$release/updates/homing.ko \
		$(if $(DESTDIR),,&& depmod $$release)

install-tool: ## what 'make tools' has built, alone, and its unit: below PREFIX (/usr/local)
	@if [ ! -x build/tools/homing ]; then echo "the tool is not built, so it is not installed ('make tools' builds it)"; \
	else install -D -m 755 build/tools/homing $(DESTDIR)$(PREFIX)/sbin/homing && \
	install -D -m 644 tools/homing/homing.service $(DESTDIR)$(PREFIX)/lib/systemd/system/homing.service && \
		(cd build/tools && find share -type f) | while read -r f; do \
			install -D -m 644 "build/tools/$$f" "$(DESTDIR)$(PREFIX)/$$f" || exit; done; fi

clean: ## remove what was built here; the cache stays
	rm -rf build

SECONDS ?= 600

.PHONY: help setup setup-quiet modules modules-debug tools debug-kernel stale check fuzz test test-full \
	soak bench bench-compare demo shell install install-module install-tool clean always
.DELETE_ON_ERROR:
