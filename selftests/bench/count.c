// SPDX-License-Identifier: GPL-2.0
/* QEMU plugin: how often each piece of kernel text was executed between two markers.
 *
 * A marker is the seven-byte no-op 0f 1f 80 with 0x4b454d01 (begin) or 0x4b454d02 (end) as its
 * operand, executed by a program in the guest (load.c). Valid with one TCG thread, as under -icount.
 *
 * QEMU's plugin interface of versions 7.2 to 8 (API version 1), whose header no package of these
 * versions carries: hence the prototypes. Later versions refuse this plugin.
 *
 * Output, one record a line: "BEGIN segment", "USER instructions", "P address instructions accesses"
 * for each word of kernel text that was executed (accesses to memory only where modules are loaded),
 * "END segment".
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API __attribute__((visibility("default")))
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
extern API void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern API void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned int, void *),
						       int flags, void *);
extern API void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int op, void *, uint64_t);
extern API void qemu_plugin_register_vcpu_mem_inline(struct qemu_plugin_insn *, int rw, int op, void *, uint64_t);
extern API size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern API struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern API const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern API size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
extern API uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
extern API void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
API int qemu_plugin_version = 1;

#define ADD_U64 0		/* QEMU_PLUGIN_INLINE_ADD_U64 */
#define MEM_RW 3		/* QEMU_PLUGIN_MEM_RW */
#define MARKER 0x4b454d00u
#define MODULES 0xffffffffc0000000ull	/* MODULES_VADDR of x86-64 */

/* Open addressing, one entry for each four bytes of kernel text that was ever translated. */
#define BITS 21
#define SIZE (1u << BITS)
struct entry {
	uint64_t key, count, count_then, access, access_then;
};
static struct entry *table;
static uint64_t user, user_then;
static unsigned int used, segment;
static FILE *out;

static struct entry *entry(uint64_t address)
{
	uint64_t key = (address >> 2) + 1, at = (key * 0x9e3779b97f4a7c15ull) >> (64 - BITS);

	while (table[at].key && table[at].key != key)
		at = (at + 1) % SIZE;
	if (!table[at].key && ++used > SIZE / 4 * 3) {
		fputs("FULL\n", out);
		fclose(out);
		abort();
	}
	table[at].key = key;
	return &table[at];
}

static void mark(unsigned int cpu, void *which)
{
	struct entry *e;

	(void)cpu;
	if ((uintptr_t)which == 1) {
		for (e = table; e < table + SIZE; e++) {
			e->count_then = e->count;
			e->access_then = e->access;
		}
		user_then = user;
		fprintf(out, "BEGIN %u\n", ++segment);
	} else if ((uintptr_t)which == 2) {
		fprintf(out, "USER %llu\n", (unsigned long long)(user - user_then));
		for (e = table; e < table + SIZE; e++)
			if (e->count != e->count_then)
				fprintf(out, "P %llx %llu %llu\n", (unsigned long long)((e->key - 1) << 2),
					(unsigned long long)(e->count - e->count_then),
					(unsigned long long)(e->access - e->access_then));
		fprintf(out, "END %u\n", segment);
		fflush(out);
	}
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		const unsigned char *bytes = qemu_plugin_insn_data(insn);
		struct entry *e;
		uint32_t operand;

		if (address >> 63) {
			e = entry(address);
			qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, &e->count, 1);
			if (address >= MODULES)
				qemu_plugin_register_vcpu_mem_inline(insn, MEM_RW, ADD_U64, &e->access, 1);
			continue;
		}
		qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, &user, 1);
		if (qemu_plugin_insn_size(insn) != 7 || memcmp(bytes, "\x0f\x1f\x80", 3))
			continue;
		memcpy(&operand, bytes + 3, sizeof(operand));
		if ((operand & ~0xffu) == MARKER)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, 0, (void *)(uintptr_t)(operand & 0xff));
	}
}

static void done(plugin_id id, void *unused)
{
	(void)id;
	(void)unused;
	fclose(out);
}

API int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	const char *name = NULL;
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			name = argv[i] + 4;
	out = name ? fopen(name, "w") : NULL;
	table = calloc(SIZE, sizeof(*table));
	if (!out || !table)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, done, NULL);
	return 0;
}
