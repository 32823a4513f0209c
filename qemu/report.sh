# shellcheck shell=bash
# Finds in a kernel log what must fail a run: warnings, oopses, sanitizers, lockdep, stalls, leaks.
# SPDX-License-Identifier: GPL-2.0

# A message starts after the time stamp, and after the caller's name if the kernel prints one.
REPORT_START='^(<[0-9]+>)?(\[ *[0-9]+\.[0-9]+\] *)?(\[ *[CT][0-9]+\] *)?'
REPORT_WHAT='WARNING: |BUG: |BUG [^ ]+.*: |kernel BUG at |Oops|Internal error: |general protection fault'
REPORT_WHAT+='|KASAN: |KCSAN: |KMSAN: |UBSAN: |kmemleak: [0-9]+ new suspected|INFO: (task|rcu|possible|trying|lockdep)'
REPORT_WHAT+='|rcu: INFO: .*stall|watchdog: BUG|.*blocked for more than [0-9]+ seconds|Kernel panic'
REPORT_WHAT+='|.*DEBUG_LOCKS_WARN_ON|ODEBUG: |refcount_t: |list_(add|del) corruption|.*suspicious RCU usage'
REPORT_WHAT+='|unregister_netdevice: waiting|rust_kernel: panicked|Kernel memory .*attempt detected'
REPORT_WHAT+='|stack segment|divide error: |invalid opcode: |int3: |page_owner|Bad page state|=+\[ cut here|.*leaked reference'

# kernel_reports LOG: prints each report with what follows it; false if there is none. The kernel's
# own taint flags are looked at too, in case a report was lost: 5 bad page, 7 oops, 9 warning,
# 14 soft lockup.
kernel_reports() {
	local taint found=1
	if tr -d '\r' <"$1" | grep -aE -m 20 -A 40 "$REPORT_START($REPORT_WHAT)" | awk '!seen[$0]++' | head -n 400 | grep -a .; then
		found=0
	fi
	taint=$(sed -n 's/^homing-taint: \([0-9]*\).*/\1/p' "$1" | head -n 1)
	if ((${taint:-0} & (1 << 5 | 1 << 7 | 1 << 9 | 1 << 14))) && ((found)); then
		echo "the kernel is tainted: $taint"
		found=0
	fi
	return "$found"
}

# emulator_fault LOG: whether the first report is of an int3 where the memory holds none, the mark of
# QEMU's processors in parallel (TCG): one of them writes an int3 over an instruction and takes it
# away again, as the kernel changes its own text; another, that translates the page between QEMU's
# throwing away of what was translated and the write itself, keeps the int3 for good. A real int3
# leaves "cc" before the byte in brackets.
emulator_fault() {
	tr -d '\r' <"$1" | awk -v start="$REPORT_START" -v what="$REPORT_WHAT" '
		!seen && $0 ~ start "(" what ")" { if ($0 !~ /Oops: int3: /) exit; seen = 1 }
		seen && / Code: / { fault = match($0, /[0-9a-f][0-9a-f] <[0-9a-f][0-9a-f]>/) && substr($0, RSTART, 2) != "cc"; exit }
		END { exit !fault }'
}
