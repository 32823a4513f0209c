/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What Rust cannot name: macros, static inlines and structures that the
 * kernel's own Rust bindings do not carry. One call per packet and purpose.
 *
 * bindgen turns this file into the private module `kapi::ffi`; kernel types
 * stay the ones of the `bindings` crate. Every function says in which context
 * it may be called: "any" = softirq or process; "process" = may sleep.
 */
#ifndef _HOMING_SHIM_H
#define _HOMING_SHIM_H

#include <linux/types.h>

struct net;
struct net_device;
struct sk_buff;
struct sock;
struct homing_hook;
struct homing_table;
struct homing_walk;
struct homing_work;
struct homing_counters;
struct homing_keys;
struct homing_tunnel;
struct homing_lock;
struct homing_route;

#define HOMING_VERSION "0.1.0"

/* ---- time (any) ---- */
u64 homing_real_seconds(void);
u64 homing_coarse_real_ms(void);
u64 homing_boot_ms(void);
/* Without suspend, and cheap: the count of seconds, no clock is read. */
u64 homing_up_seconds(void);
/* As homing_boot_ms(), but only as fine as the timer tick. */
u64 homing_coarse_ms(void);
u64 homing_random_u64(void);
u64 homing_total_ram(void);

/* ---- memory (any) ---- */
void *homing_alloc(size_t size, bool atomic);
void homing_free(void *p);
void homing_free_rcu(void *rcu_head, void *p);

/* ---- bottom-half spin lock (any) ---- */
#define HOMING_LOCK_SIZE 64
void homing_lock_init(void *lock);
void homing_lock_bh(void *lock);
void homing_unlock_bh(void *lock);
void homing_bh_off(void);
void homing_bh_on(void);

/* ---- per network namespace state (process) ---- */
typedef int (*homing_net_init_t)(struct net *net, void **state);
typedef void (*homing_net_exit_t)(void *state);
int homing_pernet_register(homing_net_init_t init, homing_net_exit_t pre_exit,
			   homing_net_exit_t exit);
void homing_pernet_unregister(void);
void *homing_pernet(const struct net *net);		/* any */
bool homing_addr_is_local(struct net *net, const u8 addr[16]);	/* any */

/* ---- netfilter hooks (process) ---- */
enum homing_point {
	HOMING_INGRESS = 0,
	HOMING_PRE_ROUTING,
	HOMING_LOCAL_IN,
	HOMING_LOCAL_OUT,
};
/* @data: what is linear of the packet, @headlen bytes of @len. */
typedef unsigned int (*homing_hook_fn_t)(void *priv, struct sk_buff *skb,
					 const u8 *data, u32 headlen, u32 len);
/*
 * What lets a packet pass that is plainly none of ours, without a call into
 * Rust. All of it must live as long as the hook.
 */
struct homing_glance {
	const unsigned long *ports;	/* a bit for each port of a service */
	const u32 *shifted;		/* how many connections are shifted */
	struct homing_counters *counters;
	u32 packets, other, not_host;	/* which counters, at ingress */
};
struct homing_hook *homing_hook_register(struct net *net, int ifindex,
					 u32 point, bool ipv6,
					 const struct homing_glance *glance,
					 homing_hook_fn_t fn, void *priv,
					 int *err);
/* Waits until nobody is in it. */
void homing_hook_unregister(struct homing_hook *hook);
enum homing_dev_event {
	HOMING_DEV_GONE,	/* it goes, or leaves the namespace */
	HOMING_DEV_CHANGED,	/* it is up, or down */
	HOMING_DEV_ASKED,	/* is it attached? */
};
/* Under RTNL. */
typedef bool (*homing_dev_event_t)(struct net *net, int ifindex, u32 event);
int homing_notifier_register(homing_dev_event_t event);
void homing_notifier_unregister(void);
/*
 * Fills @name (IFNAMSIZ bytes); -ENODEV, -EBUSY with the upper's name, or
 * -EINVAL for a VRF.
 */
int homing_dev_check(struct net *net, int ifindex, u8 *name);
/* Takes RTNL. */
void homing_dev_prepare(struct net *net, int ifindex);
bool homing_dev_up(struct net *net, int ifindex);
int homing_dev_index(struct net *net, const u8 *name);

/* ---- packets (any; the caller owns @skb) ---- */
struct homing_view {
	const u8 *data;		/* network header */
	u32 headlen;		/* bytes readable at data */
	u32 len;		/* bytes in all */
	u16 protocol;		/* EtherType, host order */
	u8 pkt_type;
	bool gso;
	u32 ifindex;
};
bool homing_skb_view(struct sk_buff *skb, u32 want, struct homing_view *v);
bool homing_skb_tcp_csum_ok(struct sk_buff *skb, u32 l4off, bool ipv6);
bool homing_skb_copy(const struct sk_buff *skb, u32 off, u8 *to, u32 len);
/* Contiguous run of bytes at @off: linear part or one fragment. */
const u8 *homing_skb_chunk(const struct sk_buff *skb, u32 off, u32 *len);
/*
 * Adds a fragment of @len bytes to the kernel's reassembly (softirq). 0: @skb
 * is the whole packet now. Else, unless @gone, it is as it was; -EINPROGRESS
 * and @gone: it waits for the rest.
 */
int homing_skb_reassemble(struct net *net, struct sk_buff *skb, u32 len,
			  bool ipv6, bool *gone);
int homing_skb_trim(struct sk_buff *skb, u32 len);
void homing_skb_free(struct sk_buff *skb);
void homing_skb_consume(struct sk_buff *skb);
/* Makes the first @len bytes linear and writable; NULL when memory fails. */
u8 *homing_skb_writable(struct sk_buff *skb, u32 len);
/* Changes @n bytes (even) of the TCP header at @off, TCP checksum included. */
void homing_tcp_replace(struct sk_buff *skb, u32 l4off, u32 off,
			const u8 *to, u32 n);
/* The same for a word of the fixed header, made writable first; false: no memory. */
bool homing_tcp_replace4(struct sk_buff *skb, u32 l4off, u32 off, u32 to);
/* Writes a word at @off; the checksum at @check (no pseudo header) follows. */
void homing_skb_replace4(struct sk_buff *skb, u32 check, u32 off, u32 to);
/* Grows the packet by @n bytes at payload offset @at and makes TCP right. */
int homing_tcp_insert(struct sk_buff *skb, u32 l4off, u32 hlen, u32 at,
		      const u8 *bytes, u32 n, u32 client_mss, bool ipv6);
/* snd_una and end of the window of the socket behind an outgoing packet. */
bool homing_skb_sender(const struct sk_buff *skb, u32 *una, u32 *wnd_end);
/*
 * A new packet @bytes (from the network header) back where @to came from; by
 * the routing table with @route, or where there is no link header to go back by.
 */
int homing_reply(const struct sk_buff *to, const u8 *bytes, u32 len, u32 l4off,
		 bool ipv6, bool route);
/* The same; consumes @skb, and sends that one where it may. */
int homing_become_reply(struct sk_buff *skb, const u8 *bytes, u32 len, u32 l4off,
			bool ipv6, bool route);
/* What a packet's answer needs of its link layer. */
struct homing_link {
	u8 eth[14];
	u16 vlan_proto;		/* network order */
	u16 vlan_tci;
	bool ether;
	bool vlan;
};
void homing_link_of(const struct sk_buff *skb, struct homing_link *link);
/* The same when the packet is gone. */
int homing_reply_by(struct net *net, u32 ifindex, const struct homing_link *link,
		    const u8 *bytes, u32 len, u32 l4off, bool ipv6, bool route);
/* @len zero bytes from the network header on, as received by @link; or NULL. */
struct sk_buff *homing_skb_new(const struct homing_link *link, u32 len, bool ipv6);
/*
 * Gives a packet to the stack as if @ifindex had received it; consumes it.
 * Whether that device is there, and up.
 */
bool homing_reinject(struct net *net, struct sk_buff *skb, u32 ifindex,
		     bool later);

/* ---- TCP ---- */
struct homing_tuple {		/* as wire::addr::Tuple: ports in host order */
	u8 client[16];
	u8 vip[16];
	u16 client_port;
	u16 vip_port;
};
enum homing_sock {
	HOMING_SOCK_NONE = 0,
	HOMING_SOCK_FULL,
	HOMING_SOCK_REQUEST,
	HOMING_SOCK_TIMEWAIT,
};
u32 homing_tcp_lookup(struct net *net, const struct homing_tuple *t, u32 dif);
/* The same; @next and @sent are rcv_nxt and snd_nxt of a full socket. */
u32 homing_tcp_received(struct net *net, const struct homing_tuple *t, u32 dif,
			u32 *next, u32 *sent);
/* The kernel's rule for a port in TIME_WAIT; forgets the old one when asked. */
bool homing_timewait_may_reuse(struct net *net, const struct homing_tuple *t,
			       u32 dif, u32 seq, bool has_ts, u32 tsval,
			       bool forget);
struct homing_listener {
	u32 backlog;
	u32 backlog_max;
	bool present;
};
void homing_tcp_listener(struct net *net, const u8 addr[16], u16 port, u32 dif,
			 struct homing_listener *out);
struct homing_spawn {
	u32 ts_recent;
	u32 tsecr;
	u16 mss;
	u8 snd_wscale;
	u8 rcv_wscale;
	bool wscale_ok;
	bool tstamp_ok;
	bool sack_ok;
	bool ecn_ok;
};
int homing_tcp_spawn(struct net *net, struct sk_buff *skb,
		     const struct homing_tuple *t,
		     const struct homing_spawn *a);
u32 homing_tcp_syncookies(const struct net *net);
enum homing_offer {
	HOMING_OFFER_SACK = 1,
	HOMING_OFFER_TIMESTAMPS = 2,
	HOMING_OFFER_WSCALE = 4,
	HOMING_OFFER_ECN = 8,
};
u32 homing_tcp_offers(const struct net *net);
/* snd_una of a connection's full socket; false without one. Under RCU. */
bool homing_tcp_una(struct net *net, const struct homing_tuple *t, u32 dif,
		    u32 *una);
/* Process context. */
int homing_tcp_reset(struct net *net, const struct homing_tuple *t, u32 dif);

/* ---- hash table (lookups under RCU) ---- */
/* Objects are laid out: rhash_head (8), key, then the rest. */
struct homing_table *homing_table_new(u32 key_len, u32 max, int *err);
void homing_table_destroy(struct homing_table *t, void (*free)(void *obj));
void *homing_table_get(struct homing_table *t, const void *key);
/* The object already there, NULL when inserted, or an ERR_PTR. */
void *homing_table_insert(struct homing_table *t, void *obj);
bool homing_table_remove(struct homing_table *t, void *obj);
u32 homing_table_len(const struct homing_table *t);
/* Any context. Entries beyond a lower ceiling stay. */
void homing_table_set_max(struct homing_table *t, u32 max);
struct homing_walk *homing_walk_new(struct homing_table *t);
void homing_walk_start(struct homing_walk *w);
void *homing_walk_next(struct homing_walk *w);	/* NULL at the end */
void homing_walk_stop(struct homing_walk *w);
void homing_walk_free(struct homing_walk *w);

/* ---- RCU ---- */
void homing_rcu_assign(void **slot, void *p);

/* ---- delayed work ---- */
/* Answers after how many ms it wants to run again; 0 for not. */
typedef u32 (*homing_work_fn_t)(void *priv);
struct homing_work *homing_work_new(homing_work_fn_t fn, void *priv);
void homing_work_queue(struct homing_work *w, u32 delay_ms);	/* any */
void homing_work_free(struct homing_work *w);			/* process */

/* ---- per-CPU counters ---- */
struct homing_counters *homing_counters_new(u32 n);
void homing_counters_add(struct homing_counters *c, u32 index, u64 by);
u64 homing_counters_sum(const struct homing_counters *c, u32 index);
void homing_counters_free(struct homing_counters *c);

/* ---- crypto ---- */
struct homing_keys *homing_keys_new(const u8 master[32]);	/* process */
void homing_keys_free(struct homing_keys *k);			/* after RCU */
enum homing_prf { HOMING_PRF_COOKIE = 0, HOMING_PRF_SID, HOMING_PRF_DATA, HOMING_PRF_MAX };
u64 homing_prf(const struct homing_keys *k, u32 which, const u8 *data, u32 len);
void homing_sid_encrypt(const struct homing_keys *k, u8 block[16]);
void homing_sid_decrypt(const struct homing_keys *k, u8 block[16]);
void homing_mac(const struct homing_keys *k, const u8 *data, u32 len, u8 out[16]);

/* ---- the device homing0 (process; takes RTNL) ---- */
int homing_tap_open(struct net *net);
void homing_tap_close(struct net *net);

/* ---- UDP tunnel ---- */
/* Owns @skb; its data is the UDP payload. @src is the sender's address. */
typedef void (*homing_tunnel_rcv_t)(void *priv, struct sk_buff *skb,
				    const u8 *src, u16 src_port);
struct homing_tunnel *homing_tunnel_new(struct net *net, u16 port,
					homing_tunnel_rcv_t rcv, void *priv,
					int *err);
void homing_tunnel_free(struct homing_tunnel *t);
struct homing_route *homing_route_new(void);
/* After a change of addresses: forgets what is cached (any). */
void homing_route_reset(struct homing_route *r);
void homing_route_free(struct homing_route *r);
/* Bytes of an IP packet that it carried at the last control message; 0: never used. */
u32 homing_route_mtu(const struct homing_route *r);
/*
 * Puts @hdr in front of the inner packet and sends it; consumes @skb. 1 when it
 * did not fit the path and went in fragments.
 */
int homing_tunnel_xmit(struct homing_tunnel *t, struct homing_route *r,
		       struct sk_buff *skb, u32 l4off, const u8 *hdr, u32 hlen,
		       const u8 src[16], const u8 dst[16], u16 sport, u16 dport);
/*
 * Sends a datagram of its own. With @fill it is filled up to so many bytes, and is
 * not sent at all where it would have to be cut.
 */
int homing_tunnel_send(struct homing_tunnel *t, struct homing_route *r,
		       const u8 *bytes, u32 len, u32 fill, const u8 src[16],
		       const u8 dst[16], u16 port);
/* After the header has been verified: leaves the inner packet. */
int homing_tunnel_pull(struct homing_tunnel *t, struct sk_buff *skb, u32 hlen,
		       bool ipv6);

/* ---- load ---- */
void homing_cpu_times(u64 *busy_ns, u64 *total_ns);

/* ---- generic netlink (any) ---- */
struct sock *homing_genl_sock(const struct net *net);

/* ---- module ---- */
bool homing_module_get(void);
void homing_module_put(void);

#endif
