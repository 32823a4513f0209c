// SPDX-License-Identifier: GPL-2.0
/* What a measured run does in the guest: a server, a client, a sender of frames; between two markers.
 *
 *   load serve ADDRESS PORT [ADDRESS PORT]...     GET / answers 2 bytes, GET /N answers N bytes;
 *                                                 the body of a request is read, then answered
 *   load http ADDRESS PORT N WARM keep|each FILE LENGTH
 *                     N units: the request in FILE is sent, a response of LENGTH bytes of body is read;
 *                     on one connection, or on one for each unit
 *   load frames DEVICE N WARM FILE                N units: one frame each, from FILE in turn
 *   load netlink N WARM FILE                      N units: one generic netlink message each, from FILE in
 *                     turn, and its answer or acknowledgement is read
 *   load idle N                                   N units: a second of sleep each
 *
 * FILE for frames and messages: each with a 16-bit length before it, the host's byte order. WARM units come before the
 * first marker. Prints "units N ns T failed F", ns by the monotonic clock over all N; status 1 if one failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MARK(n) __asm__ volatile(".byte 0x0f,0x1f,0x80; .long %c0" : : "i"(0x4b454d00 + (n)) : "memory")
#define MOST 256		/* connections of the server */

static char buffer[1 << 21];
static uint64_t begun;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void begin(void)
{
	begun = now();
	MARK(1);
}

static int end(long units, long failed)
{
	uint64_t took;

	MARK(2);
	took = now() - begun;
	printf("units %ld ns %llu failed %ld\n", units, (unsigned long long)took, failed);
	return failed != 0;
}

static socklen_t address(const char *text, const char *port, struct sockaddr_storage *to)
{
	struct sockaddr_in6 *six = (void *)to;
	struct sockaddr_in *four = (void *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(atoi(port));
		return sizeof(*four);
	}
	if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1)
		die(text);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(atoi(port));
	return sizeof(*six);
}

static int all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= n) {
		n = write(fd, data, len);
		if (n <= 0)
			return -1;
	}
	return 0;
}

/* A connection of the server: what was read of a head that is not complete, or the rest of a body. */
struct connection {
	size_t have, body;
	long answer;
	char head[16384];
};
static struct connection *connections[MOST];

static int answer(int fd, long bytes)
{
	char head[128];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n", bytes);

	if (bytes <= 2) {
		memcpy(head + n, "ok", bytes);
		return all(fd, head, n + bytes);
	}
	return all(fd, head, n) || all(fd, buffer, bytes) ? -1 : 0;
}

/* Whatever a connection has to say now; -1 when it is over. */
static int serve_one(int fd, struct connection *c)
{
	static char data[1 << 16];
	const char *field;
	char *stop;
	ssize_t n;
	size_t rest;

	if (c->body) {
		n = read(fd, data, sizeof(data));
		if (n <= 0)
			return -1;
		c->body -= (size_t)n < c->body ? (size_t)n : c->body;
		return c->body ? 0 : answer(fd, c->answer);
	}
	n = read(fd, c->head + c->have, sizeof(c->head) - 1 - c->have);
	if (n <= 0)
		return -1;
	c->have += n;
	c->head[c->have] = 0;
	stop = strstr(c->head, "\r\n\r\n");
	if (!stop)
		return c->have < sizeof(c->head) - 1 ? 0 : -1;
	rest = c->have - (stop + 4 - c->head);
	c->have = 0;
	c->answer = 2;
	field = strchr(c->head, '/');
	if (field && field[1] >= '1' && field[1] <= '9')
		c->answer = atol(field + 1);
	if (c->answer > (long)sizeof(buffer))
		return -1;
	*stop = 0;
	field = strstr(c->head, "Content-Length: ");
	if (!field && c->head[0] == 'P')	/* HAProxy writes names in lower case */
		field = strstr(c->head, "content-length: ");
	c->body = field ? strtoul(field + 16, NULL, 10) : 0;
	c->body -= rest < c->body ? rest : c->body;
	return c->body ? 0 : answer(fd, c->answer);
}

static _Noreturn void serve(int count, char **words)
{
	struct pollfd polled[MOST];
	int listeners = 0, used, i, fd, one = 1;
	struct sockaddr_storage to;
	socklen_t len;

	memset(buffer, 'x', sizeof(buffer));
	for (; count >= 2; count -= 2, words += 2) {
		len = address(words[0], words[1], &to);
		fd = socket(to.ss_family, SOCK_STREAM, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, (void *)&to, len) || listen(fd, 4096))
			die("listen");
		polled[listeners++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	used = listeners;
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (poll(polled, used, -1) < 0)
			continue;
		for (i = used - 1; i >= listeners; i--) {
			if (!polled[i].revents || !serve_one(polled[i].fd, connections[i]))
				continue;
			close(polled[i].fd);
			used--;
			polled[i] = polled[used];
			free(connections[i]);
			connections[i] = connections[used];
		}
		for (i = 0; i < listeners; i++) {
			if (!polled[i].revents)
				continue;
			fd = accept(polled[i].fd, NULL, NULL);
			if (fd < 0)
				continue;
			if (used == MOST) {
				close(fd);
				continue;
			}
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			connections[used] = malloc(sizeof(struct connection));
			if (!connections[used])
				die("malloc");
			connections[used]->have = connections[used]->body = 0;
			polled[used++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		}
	}
}

static size_t slurp(const char *name, char *to, size_t most)
{
	FILE *file = fopen(name, "rb");
	size_t n;

	if (!file)
		die(name);
	n = fread(to, 1, most, file);
	fclose(file);
	if (!n || n == most)
		die(name);
	return n;
}

/* Reads one response; 0 when it is 200 and its body has `length` bytes. */
static int response(int fd, size_t length)
{
	static char data[1 << 16];
	size_t have = 0, body;
	char *stop = NULL;
	ssize_t n;

	while (!stop) {
		n = read(fd, data + have, sizeof(data) - 1 - have);
		if (n <= 0)
			return -1;
		have += n;
		data[have] = 0;
		stop = strstr(data, "\r\n\r\n");
	}
	if (strncmp(data, "HTTP/1.1 200 ", 13))
		return -1;
	for (body = have - (stop + 4 - data); body < length; body += n) {
		n = read(fd, data, sizeof(data));
		if (n <= 0)
			return -1;
	}
	return body == length ? 0 : -1;
}

static int http(char **words)
{
	long n = atol(words[2]), i, failed = 0;
	size_t length = strtoul(words[6], NULL, 10), len;
	int keep = !strcmp(words[4], "keep"), fd = -1, one = 1;
	struct timeval limit = { .tv_sec = 5 };
	struct sockaddr_storage to;
	socklen_t to_len = address(words[0], words[1], &to);

	len = slurp(words[5], buffer, sizeof(buffer));
	for (i = -atol(words[3]); i < n; i++) {
		if (i == 0)
			begin();
		if (fd < 0) {
			fd = socket(to.ss_family, SOCK_STREAM, 0);
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
			setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
			if (connect(fd, (void *)&to, to_len))
				die("connect");
		}
		if (all(fd, buffer, len) || response(fd, length)) {
			if (++failed > 5)
				die("exchange");
			close(fd);
			fd = -1;
		}
		if (!keep) {
			close(fd);
			fd = -1;
		}
	}
	return end(n, failed);
}

static int frames(char **words)
{
	size_t size = slurp(words[3], buffer, sizeof(buffer)), at = 0;
	long n = atol(words[1]), i, failed = 0;
	int fd = socket(AF_PACKET, SOCK_RAW, 0);	/* protocol 0: receives nothing */
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(words[0]) };
	uint16_t len;

	if (fd < 0 || bind(fd, (void *)&to, sizeof(to)))
		die(words[0]);
	for (i = -atol(words[2]); i < n; i++) {
		if (i == 0)
			begin();
		memcpy(&len, buffer + at, sizeof(len));
		if (send(fd, buffer + at + 2, len, 0) != len)
			failed++;
		at += 2 + len;
		if (at >= size)
			at = 0;
	}
	return end(n, failed);
}

static int netlink(char **words)
{
	size_t size = slurp(words[2], buffer, sizeof(buffer)), at = 0;
	long n = atol(words[0]), i, failed = 0;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	static union {
		struct nlmsghdr head;
		struct {
			struct nlmsghdr head;
			struct nlmsgerr said;
		} error;
		char bytes[1 << 13];
	} answer;
	uint16_t len;

	for (i = -atol(words[1]); i < n; i++) {
		if (i == 0)
			begin();
		memcpy(&len, buffer + at, sizeof(len));
		if (send(fd, buffer + at + 2, len, 0) != len ||
		    recv(fd, &answer, sizeof(answer), 0) <= 0 ||
		    (answer.head.nlmsg_type == NLMSG_ERROR && answer.error.said.error))
			failed++;
		at += 2 + len;
		if (at >= size)
			at = 0;
	}
	return end(n, failed);
}

static int idle(char **words)
{
	long n = atol(words[0]), i;

	begin();
	for (i = 0; i < n; i++)
		sleep(1);
	return end(n, 0);
}

int main(int count, char **words)
{
	signal(SIGPIPE, SIG_IGN);
	if (count >= 4 && !strcmp(words[1], "serve"))
		serve(count - 2, words + 2);
	if (count == 9 && !strcmp(words[1], "http"))
		return http(words + 2);
	if (count == 6 && !strcmp(words[1], "frames"))
		return frames(words + 2);
	if (count == 5 && !strcmp(words[1], "netlink"))
		return netlink(words + 2);
	if (count == 3 && !strcmp(words[1], "idle"))
		return idle(words + 2);
	fputs("usage: see the head of load.c\n", stderr);
	return 2;
}
