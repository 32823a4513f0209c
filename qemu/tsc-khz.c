// SPDX-License-Identifier: GPL-2.0
/*
 * Prints how many kHz this host's time stamp counter runs at.
 *
 * An emulated guest sees that counter. It would calibrate it against an emulated timer, and on a
 * busy host it gets that wrong, once by a factor of thirty: all its time-outs are wrong then. So it
 * is told (tsc_early_khz=).
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct sample {
	uint64_t tsc, ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Both clocks at one moment: of many readings the one that was interrupted least. */
static struct sample sample(void)
{
	struct sample best = { 0, 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t before = __rdtsc(), ns = now_ns(), after = __rdtsc();

		if (after - before < least) {
			least = after - before;
			best.tsc = before + (after - before) / 2;
			best.ns = ns;
		}
	}
	return best;
}

int main(void)
{
	struct sample from = sample(), to;
	struct timespec pause = { .tv_nsec = 50000000 };

	nanosleep(&pause, NULL);
	to = sample();
	printf("%llu\n", (unsigned long long)((to.tsc - from.tsc) * 1000000 / (to.ns - from.ns)));
	return 0;
}
