// SPDX-License-Identifier: GPL-2.0
/*
 * The only C of the module: what Rust cannot name (see shim.h).
 *
 * No policy lives here. Contexts are stated in shim.h.
 */
#include <linux/cpumask.h>
#include <linux/error-injection.h>
#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/inetdevice.h>
#include <linux/kernel_stat.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/netfilter_netdev.h>
#include <linux/random.h>
#include <linux/rhashtable.h>
#include <linux/siphash.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>
#include <crypto/aes.h>
#include <crypto/aes-cbc-macs.h>
#include <crypto/sha2.h>
#include <net/addrconf.h>
#include <net/dst_cache.h>
#include <net/genetlink.h>
#include <net/inet_hashtables.h>
#include <net/inet6_hashtables.h>
#include <net/ip_tunnels.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6_frag.h>
#include <net/l3mdev.h>
#include <net/mptcp.h>
#include <net/net_namespace.h>
#include <net/netfilter/ipv6/nf_defrag_ipv6.h>
#include <net/netns/generic.h>
#include <net/route.h>
#include <net/tcp.h>
#include <net/udp_tunnel.h>

#include "shim.h"

MODULE_VERSION(HOMING_VERSION);
/* Modules that this one uses: modprobe loads them first. */
MODULE_ALIAS_GENL_FAMILY("homing");
MODULE_SOFTDEP("pre: udp_tunnel ip6_udp_tunnel nf_defrag_ipv6");

/* ---- time ---- */

u64 homing_real_seconds(void)
{
	return ktime_get_real_seconds();
}

u64 homing_coarse_real_ms(void)
{
	return ktime_to_ms(ktime_get_coarse_real());
}

u64 homing_boot_ms(void)
{
	return ktime_to_ms(ktime_get_boottime());
}

u64 homing_up_seconds(void)
{
	return ktime_get_seconds();
}

u64 homing_coarse_ms(void)
{
	return ktime_to_ms(ktime_get_coarse_boottime());
}

u64 homing_random_u64(void)
{
	return get_random_u64();
}

u64 homing_total_ram(void)
{
	return (u64)totalram_pages() << PAGE_SHIFT;
}

/* ---- memory ---- */

void *homing_alloc(size_t size, bool atomic)
{
	return kzalloc(size, atomic ? GFP_ATOMIC | __GFP_NOWARN : GFP_KERNEL);
}

void homing_free(void *p)
{
	kfree(p);
}

void homing_free_rcu(void *rcu_head, void *p)
{
	kvfree_call_rcu(rcu_head, p);
}

/* ---- locks ---- */

static_assert(sizeof(spinlock_t) <= HOMING_LOCK_SIZE);

void homing_lock_init(void *lock)
{
	spin_lock_init((spinlock_t *)lock);
}

void homing_lock_bh(void *lock)
{
	spin_lock_bh((spinlock_t *)lock);
}

void homing_unlock_bh(void *lock)
{
	spin_unlock_bh((spinlock_t *)lock);
}

void homing_bh_off(void)
{
	local_bh_disable();
}

void homing_bh_on(void)
{
	local_bh_enable();
}

/* ---- network namespaces ---- */

struct homing_pernet {
	void *state;
	struct net_device __rcu *tap;
};

static unsigned int homing_net_id __read_mostly;
static homing_net_init_t net_init;
static homing_net_exit_t net_pre_exit, net_exit;

static int __net_init homing_net_init(struct net *net)
{
	struct homing_pernet *p = net_generic(net, homing_net_id);

	return net_init(net, &p->state);
}

static void __net_exit homing_net_pre_exit(struct net *net)
{
	struct homing_pernet *p = net_generic(net, homing_net_id);

	if (p->state)
		net_pre_exit(p->state);
}

static void __net_exit homing_net_exit(struct net *net)
{
	struct homing_pernet *p = net_generic(net, homing_net_id);

	if (p->state)
		net_exit(p->state);
	p->state = NULL;
}

static struct pernet_operations homing_net_ops = {
	.init = homing_net_init,
	.pre_exit = homing_net_pre_exit,
	.exit = homing_net_exit,
	.id = &homing_net_id,
	.size = sizeof(struct homing_pernet),
};

int homing_pernet_register(homing_net_init_t init, homing_net_exit_t pre_exit,
			   homing_net_exit_t exit)
{
	net_init = init;
	net_pre_exit = pre_exit;
	net_exit = exit;
	return register_pernet_subsys(&homing_net_ops);
}

void homing_pernet_unregister(void)
{
	unregister_pernet_subsys(&homing_net_ops);
}

void *homing_pernet(const struct net *net)
{
	struct homing_pernet *p = net_generic(net, homing_net_id);

	return p->state;
}

static bool is_v4(const u8 addr[16])
{
	return ipv6_addr_v4mapped((const struct in6_addr *)addr);
}

static __be32 v4(const u8 addr[16])
{
	return ((const struct in6_addr *)addr)->s6_addr32[3];
}

bool homing_addr_is_local(struct net *net, const u8 addr[16])
{
	if (is_v4(addr))
		return inet_addr_type(net, v4(addr)) == RTN_LOCAL;
	return ipv6_chk_addr(net, (const struct in6_addr *)addr, NULL, 0);
}

/* ---- counters ---- */

struct homing_counters {
	u64 __percpu *v;
};

struct homing_counters *homing_counters_new(u32 n)
{
	struct homing_counters *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return NULL;
	c->v = __alloc_percpu(n * sizeof(u64), sizeof(u64));
	if (!c->v) {
		kfree(c);
		return NULL;
	}
	return c;
}

void homing_counters_add(struct homing_counters *c, u32 index, u64 by)
{
	this_cpu_add(c->v[index], by);
}

u64 homing_counters_sum(const struct homing_counters *c, u32 index)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(c->v, cpu)[index]);
	return sum;
}

void homing_counters_free(struct homing_counters *c)
{
	free_percpu(c->v);
	kfree(c);
}

/* ---- netfilter hooks ---- */

struct homing_hook {
	struct nf_hook_ops ops;
	struct net *net;
	homing_hook_fn_t fn;
	void *priv;
	struct homing_glance glance;
};

/* What a glance at a packet says. */
enum glance {
	NOT_OURS,
	MAY_BE_OURS,
	ODD,		/* a closer look will say */
};

/* Extension headers of IPv6; each begins with what comes next. */
#define EXTENSIONS (BIT_ULL(NEXTHDR_HOP) | BIT_ULL(NEXTHDR_ROUTING) |	\
		    BIT_ULL(NEXTHDR_FRAGMENT) | BIT_ULL(NEXTHDR_AUTH) |	\
		    BIT_ULL(NEXTHDR_DEST))

/* Modulo 64: one too many, which costs less than asking, is looked at closer. */
static __always_inline bool is_one_of(u8 next, u64 those)
{
	return those >> (next % 64) & 1;
}

/*
 * Whether a packet, whose data starts at the network header, may be of a
 * service or an error about one; on the way @out or in. What is not plain
 * (fragments of TCP, headers in pages, another version than the link layer
 * says) may be. TCP is told by its port alone.
 */
static __always_inline enum glance glance(const struct homing_glance *g,
					  const struct sk_buff *skb, bool ipv6,
					  bool out)
{
	const u8 *p = skb->data;
	const __be16 *ports;

	if (!ipv6) {
		const struct iphdr *ip = (const struct iphdr *)p;

		if (skb_headlen(skb) < sizeof(*ip) + 4)
			return MAY_BE_OURS;
		if (unlikely(*p != 0x45))
			return *p < 0x45 || *p > 0x4f ||
			       ip->protocol == IPPROTO_TCP ||
			       ip->protocol == IPPROTO_ICMP ? ODD : NOT_OURS;
		if (ip->protocol == IPPROTO_ICMP)
			return p[sizeof(*ip)] == ICMP_DEST_UNREACH ?
			       MAY_BE_OURS : NOT_OURS;
		if (ip->protocol != IPPROTO_TCP)
			return NOT_OURS;
		if (ip->frag_off & htons(IP_MF | IP_OFFSET))
			return MAY_BE_OURS;
		ports = (const __be16 *)(p + sizeof(*ip));
	} else {
		const struct ipv6hdr *ip = (const struct ipv6hdr *)p;

		if (skb_headlen(skb) < sizeof(*ip) + 4 || *p >> 4 != 6)
			return MAY_BE_OURS;
		if (ip->nexthdr == IPPROTO_UDP)
			return NOT_OURS;
		if (ip->nexthdr == IPPROTO_ICMPV6)
			return p[sizeof(*ip)] & ICMPV6_INFOMSG_MASK ?
			       NOT_OURS : MAY_BE_OURS;
		if (unlikely(ip->nexthdr != IPPROTO_TCP))
			return is_one_of(ip->nexthdr, EXTENSIONS) &&
			       is_one_of(p[sizeof(*ip)], EXTENSIONS |
					 BIT_ULL(IPPROTO_TCP) |
					 BIT_ULL(IPPROTO_ICMPV6)) ? ODD :
								    NOT_OURS;
		ports = (const __be16 *)(p + sizeof(*ip));
	}
	return test_bit(ntohs(ports[out ? 0 : 1]), g->ports) ? MAY_BE_OURS :
							       NOT_OURS;
}

/* The closer look at IPv4 with options. */
static bool odd4(const struct homing_glance *g, const struct sk_buff *skb,
		 bool out)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	u32 hlen = ip->ihl * 4;

	if (ip->version != 4 || hlen < sizeof(*ip) ||
	    skb_headlen(skb) < hlen + 4 || ip->protocol == IPPROTO_ICMP ||
	    ip->frag_off & htons(IP_MF | IP_OFFSET))
		return true;
	return ip->protocol == IPPROTO_TCP &&
	       test_bit(get_unaligned_be16(skb->data + hlen + (out ? 0 : 2)),
			g->ports);
}

/*
 * The closer look at IPv6 with extension headers. Of options those are walked
 * that begin in the first 64 bytes; what has more, a routing header or one for
 * authentication may be ours.
 */
static bool odd6(const struct homing_glance *g, const struct sk_buff *skb,
		 bool out)
{
	const u8 *p = skb->data + sizeof(struct ipv6hdr);
	/* Four bytes are there, and more is not read at a place. */
	const u8 *last = p + min(skb_headlen(skb) - sizeof(struct ipv6hdr) - 4,
				 64UL);
	u8 next = ((const struct ipv6hdr *)skb->data)->nexthdr;

	while (next == NEXTHDR_DEST || next == NEXTHDR_HOP) {
		next = p[0];
		p += (p[1] + 1) * 8;
		if (p > last)
			return true;
	}
	if (next == IPPROTO_TCP)
		return test_bit(get_unaligned_be16(p + (out ? 0 : 2)), g->ports);
	/* All fragments of a packet agree on what comes next. */
	if (next == NEXTHDR_FRAGMENT)
		return is_one_of(p[0], EXTENSIONS | BIT_ULL(IPPROTO_TCP));
	return is_one_of(next, EXTENSIONS | BIT_ULL(IPPROTO_ICMPV6));
}

static __always_inline unsigned int ask(const struct homing_hook *h,
					struct sk_buff *skb)
{
	return h->fn(h->priv, skb, skb->data, skb_headlen(skb), skb->len);
}

/* Apart from the hooks: what is not odd has no registers to save then. */
static noinline unsigned int odd_at_ingress(const struct homing_hook *h,
					    struct sk_buff *skb)
{
	const struct homing_glance *g = &h->glance;

	if (skb->protocol == htons(ETH_P_IP) ? odd4(g, skb, false) :
					       odd6(g, skb, false))
		return ask(h, skb);
	this_cpu_inc(g->counters->v[g->other]);
	return NF_ACCEPT;
}

static noinline unsigned int odd_elsewhere(const struct homing_hook *h,
					   struct sk_buff *skb, bool ipv6,
					   bool out)
{
	if (ipv6 ? odd6(&h->glance, skb, out) : odd4(&h->glance, skb, out))
		return ask(h, skb);
	return NF_ACCEPT;
}

static __always_inline unsigned int ask_if_ours(const struct homing_hook *h,
						struct sk_buff *skb, bool ipv6,
						bool out)
{
	switch (glance(&h->glance, skb, ipv6, out)) {
	case MAY_BE_OURS:
		return ask(h, skb);
	case ODD:
		return odd_elsewhere(h, skb, ipv6, out);
	case NOT_OURS:
		break;
	}
	return NF_ACCEPT;
}

/* The rest of hooks that have looked at something else first. Apart, as above. */
static noinline unsigned int ask_if_ours4(const struct homing_hook *h,
					  struct sk_buff *skb)
{
	return ask_if_ours(h, skb, false, false);
}

static noinline unsigned int ask_if_ours6(const struct homing_hook *h,
					  struct sk_buff *skb)
{
	return ask_if_ours(h, skb, true, false);
}

static unsigned int at_ingress(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	const struct homing_hook *h = priv;
	const struct homing_glance *g = &h->glance;
	enum glance what = NOT_OURS;
	u32 why = g->other;

	this_cpu_inc(g->counters->v[g->packets]);
	if (unlikely(skb->pkt_type != PACKET_HOST))
		why = g->not_host;
	/* Of a VLAN device above this one, which can be attached itself. */
	else if (unlikely(skb_vlan_tag_present(skb) &&
			  skb_vlan_tag_get_id(skb)))
		why = g->other;
	else if (skb->protocol == htons(ETH_P_IP))
		what = glance(g, skb, false, false);
	else if (skb->protocol == htons(ETH_P_IPV6))
		what = glance(g, skb, true, false);
	if (what == MAY_BE_OURS)
		return ask(h, skb);
	if (unlikely(what == ODD))
		return odd_at_ingress(h, skb);
	this_cpu_inc(g->counters->v[why]);
	return NF_ACCEPT;
}

static unsigned int at_pre_routing4(void *priv, struct sk_buff *skb,
				    const struct nf_hook_state *state)
{
	const struct homing_hook *h = priv;

	return READ_ONCE(*h->glance.shifted) ? ask_if_ours4(h, skb) : NF_ACCEPT;
}

static unsigned int at_pre_routing6(void *priv, struct sk_buff *skb,
				    const struct nf_hook_state *state)
{
	const struct homing_hook *h = priv;

	return READ_ONCE(*h->glance.shifted) ? ask_if_ours6(h, skb) : NF_ACCEPT;
}

/*
 * A segment without data or an end, for a socket that early demux has found,
 * says nothing that is not known.
 */
static __always_inline bool says_nothing(const struct sk_buff *skb, bool ipv6)
{
	const u32 at = ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	const struct tcphdr *th = (const struct tcphdr *)(skb->data + at);

	if (!skb->sk)
		return false;
	switch (skb->sk->sk_state) {
	case TCP_LISTEN:
	case TCP_TIME_WAIT:
	case TCP_NEW_SYN_RECV:
	case TCP_CLOSE:
		return false;
	}
	if (skb_headlen(skb) < at + sizeof(*th) ||
	    (ipv6 ? ((struct ipv6hdr *)skb->data)->nexthdr != IPPROTO_TCP :
		    *skb->data != 0x45 ||
		    ((struct iphdr *)skb->data)->protocol != IPPROTO_TCP))
		return false;
	return !(tcp_flag_word(th) & (TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST)) &&
	       skb->len <= at + th->doff * 4;
}

static unsigned int at_local_in4(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	return says_nothing(skb, false) ? NF_ACCEPT : ask_if_ours4(priv, skb);
}

static unsigned int at_local_in6(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	return says_nothing(skb, true) ? NF_ACCEPT : ask_if_ours6(priv, skb);
}

static unsigned int at_local_out4(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	return ask_if_ours(priv, skb, false, true);
}

static unsigned int at_local_out6(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	return ask_if_ours(priv, skb, true, true);
}

struct homing_hook *homing_hook_register(struct net *net, int ifindex,
					 u32 point, bool ipv6,
					 const struct homing_glance *glance,
					 homing_hook_fn_t fn, void *priv,
					 int *err)
{
	static const struct {
		nf_hookfn *hook[2];	/* by family */
		unsigned int hooknum;
		int priority;
	} where[] = {
		[HOMING_INGRESS] = { { at_ingress, at_ingress },
				     NF_NETDEV_INGRESS, INT_MIN },
		[HOMING_PRE_ROUTING] = { { at_pre_routing4, at_pre_routing6 },
					 NF_INET_PRE_ROUTING,
					 NF_IP_PRI_FIRST + 1 },
		[HOMING_LOCAL_IN] = { { at_local_in4, at_local_in6 },
				      NF_INET_LOCAL_IN, NF_IP_PRI_LAST - 1 },
		[HOMING_LOCAL_OUT] = { { at_local_out4, at_local_out6 },
				       NF_INET_LOCAL_OUT, NF_IP_PRI_LAST },
	};
	struct net_device *dev = NULL;
	struct homing_hook *h;

	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h) {
		*err = -ENOMEM;
		return NULL;
	}
	h->net = net;
	h->fn = fn;
	h->priv = priv;
	h->glance = *glance;
	h->ops.hook = where[point].hook[ipv6];
	h->ops.hooknum = where[point].hooknum;
	h->ops.priority = where[point].priority;
	h->ops.priv = h;
	h->ops.pf = ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	if (point == HOMING_INGRESS) {
		dev = dev_get_by_index(net, ifindex);
		if (!dev) {
			kfree(h);
			*err = -ENODEV;
			return NULL;
		}
		h->ops.pf = NFPROTO_NETDEV;
		h->ops.dev = dev;
	}
	*err = nf_register_net_hook(net, &h->ops);
	/* The notifier unregisters before the device goes: no reference kept. */
	dev_put(dev);
	if (*err) {
		kfree(h);
		return NULL;
	}
	return h;
}

void homing_hook_unregister(struct homing_hook *h)
{
	nf_unregister_net_hook(h->net, &h->ops);
	/* Packets may be in it until a grace period has passed. */
	synchronize_rcu();
	kfree(h);
}

static homing_dev_event_t dev_event;

static int homing_netdev_event(struct notifier_block *nb, unsigned long event,
			       void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	const struct netdev_notifier_changeupper_info *upper = ptr;

	switch (event) {
	case NETDEV_UNREGISTER:
		dev_event(dev_net(dev), dev->ifindex, HOMING_DEV_GONE);
		break;
	case NETDEV_UP:
	case NETDEV_DOWN:
		dev_event(dev_net(dev), dev->ifindex, HOMING_DEV_CHANGED);
		break;
	case NETDEV_PRECHANGEUPPER:
		/* Its packets would be the upper device's. */
		if (!upper->master || !upper->linking ||
		    !dev_event(dev_net(dev), dev->ifindex, HOMING_DEV_ASKED))
			break;
		if (netif_is_l3_master(upper->upper_dev))
			NL_SET_ERR_MSG(upper->info.extack,
				       "homing is attached to the device, and cannot work in a VRF");
		else
			NL_SET_ERR_MSG(upper->info.extack,
				       "homing is attached to the device; detach it, and attach the upper one");
		return notifier_from_errno(-EBUSY);
	}
	return NOTIFY_DONE;
}

static struct notifier_block homing_netdev_nb = {
	.notifier_call = homing_netdev_event,
};

int homing_notifier_register(homing_dev_event_t event)
{
	dev_event = event;
	return register_netdevice_notifier(&homing_netdev_nb);
}

void homing_notifier_unregister(void)
{
	unregister_netdevice_notifier(&homing_netdev_nb);
}

int homing_dev_check(struct net *net, int ifindex, u8 *name)
{
	struct net_device *dev, *upper;
	int err = 0;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	if (!dev) {
		err = -ENODEV;
		goto out;
	}
	upper = netdev_master_upper_dev_get_rcu(dev);
	if (upper)
		err = -EBUSY;
	/* Packets reach it behind the place of an ingress hook. */
	else if (netif_is_l3_master(dev))
		err = -EINVAL;
	strscpy_pad((char *)name, upper ? upper->name : dev->name, IFNAMSIZ);
out:
	rcu_read_unlock();
	return err;
}

void homing_dev_prepare(struct net *net, int ifindex)
{
	struct net_device *dev;

	rtnl_lock();
	dev = __dev_get_by_index(net, ifindex);
	/* Relaying is forwarding: what was merged could not be cut again. */
	if (dev)
		dev_disable_lro(dev);
	rtnl_unlock();
}

bool homing_dev_up(struct net *net, int ifindex)
{
	struct net_device *dev;
	bool up;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	up = dev && dev->flags & IFF_UP;
	rcu_read_unlock();
	return up;
}

int homing_dev_index(struct net *net, const u8 *name)
{
	struct net_device *dev;
	int index = -ENODEV;

	rcu_read_lock();
	dev = dev_get_by_name_rcu(net, (const char *)name);
	if (dev)
		index = dev->ifindex;
	rcu_read_unlock();
	return index;
}

/* ---- packets ---- */

bool homing_skb_view(struct sk_buff *skb, u32 want, struct homing_view *v)
{
	want = min(want, skb->len);
	if (skb_headlen(skb) < want && !pskb_may_pull(skb, want))
		return false;
	v->data = skb->data;
	v->headlen = skb_headlen(skb);
	v->len = skb->len;
	v->protocol = ntohs(skb->protocol);
	v->pkt_type = skb->pkt_type;
	v->gso = skb_is_gso(skb);
	v->ifindex = skb->dev ? skb->dev->ifindex : 0;
	return true;
}

bool homing_skb_tcp_csum_ok(struct sk_buff *skb, u32 l4off, bool ipv6)
{
	const struct iphdr *iph = ip_hdr(skb);

	/* ip_rcv_core() comes later and drops what has a wrong header checksum. */
	if (!ipv6 && ip_fast_csum((const u8 *)iph, iph->ihl))
		return false;
	return !nf_checksum(skb, NF_INET_PRE_ROUTING, l4off, IPPROTO_TCP,
			    ipv6 ? AF_INET6 : AF_INET);
}

bool homing_skb_copy(const struct sk_buff *skb, u32 off, u8 *to, u32 len)
{
	return !skb_copy_bits(skb, off, to, len);
}

const u8 *homing_skb_chunk(const struct sk_buff *skb, u32 off, u32 *len)
{
	u32 start = skb_headlen(skb);
	int i;

	*len = 0;
	if (off < start) {
		*len = start - off;
		return skb->data + off;
	}
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *f = &skb_shinfo(skb)->frags[i];
		u32 size = skb_frag_size(f);

		if (off < start + size) {
			/* High memory and unreadable pages have no address. */
			if (!skb_frags_readable(skb) || !skb_frag_address_safe(f))
				return NULL;
			*len = start + size - off;
			return (u8 *)skb_frag_address(f) + (off - start);
		}
		start += size;
	}
	return NULL;	/* the rest, if any, is on the frag_list: copy it */
}

/*
 * As ip_check_defrag(), which is made for this place: nothing has been checked
 * yet. What the stack itself would drop (a wrong header checksum) is left to
 * it. The users are those of local delivery, so that fragments which come by
 * another device join these, and limits and time-outs are the host's own.
 */
int homing_skb_reassemble(struct net *net, struct sk_buff *skb, u32 len,
			  bool ipv6, bool *gone)
{
	int err;

	*gone = false;
	if (skb_shared(skb))
		return -EBUSY;
	if (!ipv6 && ip_fast_csum((u8 *)ip_hdr(skb), ip_hdr(skb)->ihl))
		return -EINVAL;
	if (pskb_trim_rcsum(skb, len))
		return -ENOMEM;
	if (ipv6) {
		memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
		IP6CB(skb)->iif = skb->dev->ifindex;
		err = nf_ct_frag6_gather(net, skb, IP6_DEFRAG_LOCAL_DELIVER);
		/* 0 also for what it does not take for a fragment. */
		if (!err && !(IP6CB(skb)->flags & IP6SKB_FRAGMENTED))
			return -EPROTO;
		if (err && err != -EINPROGRESS)
			kfree_skb(skb);
	} else {
		memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
		err = ip_defrag(net, skb, IP_DEFRAG_LOCAL_DELIVER);
	}
	*gone = err;
	if (!err)
		skb_clear_hash(skb);
	return err;
}

int homing_skb_trim(struct sk_buff *skb, u32 len)
{
	return pskb_trim_rcsum(skb, len);
}

void homing_skb_free(struct sk_buff *skb)
{
	kfree_skb_reason(skb, SKB_DROP_REASON_NETFILTER_DROP);
}

void homing_skb_consume(struct sk_buff *skb)
{
	consume_skb(skb);
}

u8 *homing_skb_writable(struct sk_buff *skb, u32 len)
{
	if (skb_ensure_writable(skb, len))
		return NULL;
	return skb->data;
}

void homing_tcp_replace(struct sk_buff *skb, u32 l4off, u32 off, const u8 *to,
			u32 n)
{
	u8 *tcp = skb->data + l4off;
	struct tcphdr *th = (struct tcphdr *)tcp;
	u32 first = off & ~1u, last = (off + n + 1) & ~1u, i;

	/* Options may lie at odd offsets; the checksum is over even words. */
	for (i = first; i < last; i += 2) {
		__be16 from, now;

		memcpy(&from, tcp + i, 2);
		if (i >= off && i < off + n)
			tcp[i] = to[i - off];
		if (i + 1 >= off && i + 1 < off + n)
			tcp[i + 1] = to[i + 1 - off];
		memcpy(&now, tcp + i, 2);
		if (from != now)
			inet_proto_csum_replace2(&th->check, skb, from, now, false);
	}
}

bool homing_tcp_replace4(struct sk_buff *skb, u32 l4off, u32 off, u32 to)
{
	__be32 from, now = htonl(to);
	struct tcphdr *th;

	if (off > sizeof(*th) - sizeof(now) ||
	    skb_ensure_writable(skb, l4off + sizeof(*th)))
		return false;
	th = (struct tcphdr *)(skb->data + l4off);
	memcpy(&from, (u8 *)th + off, sizeof(from));
	memcpy((u8 *)th + off, &now, sizeof(now));
	inet_proto_csum_replace4(&th->check, skb, from, now, false);
	return true;
}

void homing_skb_replace4(struct sk_buff *skb, u32 check, u32 off, u32 to)
{
	__be32 from, now = htonl(to);

	memcpy(&from, skb->data + off, sizeof(from));
	memcpy(skb->data + off, &now, sizeof(now));
	inet_proto_csum_replace4((__sum16 *)(skb->data + check), skb, from, now,
				 false);
}

static const struct tcp_sock *sender(const struct sk_buff *skb)
{
	const struct sock *sk = skb->sk;

	if (!sk || !sk_fullsock(sk) || !sk_is_tcp(sk))
		return NULL;
	return tcp_sk(sk);
}

bool homing_skb_sender(const struct sk_buff *skb, u32 *una, u32 *wnd_end)
{
	const struct tcp_sock *tp = sender(skb);

	if (!tp)
		return false;
	*una = READ_ONCE(tp->snd_una);
	*wnd_end = tcp_wnd_end(tp);
	return true;
}

/* Payload bytes that a segment of this packet may have, beside its @hlen. */
static u32 segment_max(const struct sk_buff *skb, u32 l4off, u32 hlen,
		       u32 client_mss)
{
	const struct tcp_sock *tp = sender(skb);
	u32 room;

	if (tp)
		room = READ_ONCE(tp->mss_cache) + tp->tcp_header_len;
	else if (skb_dst(skb))
		room = min(client_mss + (u32)sizeof(struct tcphdr),
			   dst_mtu(skb_dst(skb)) - l4off);
	else
		room = client_mss + sizeof(struct tcphdr);
	return room > hlen ? room - hlen : 1;
}

/*
 * TCP keeps the payload pages in its retransmit queue: they are never written.
 * The bytes before the insert are pulled into a private linear part, which is
 * then moved down by @n.
 *
 * A packet that outgrows the length field gets 0 there, as BIG TCP has it; a
 * device that cannot send so much gets it in segments.
 */
int homing_tcp_insert(struct sk_buff *skb, u32 l4off, u32 hlen, u32 at,
		      const u8 *bytes, u32 n, u32 client_mss, bool ipv6)
{
	u32 head = l4off + hlen + at, max, payload;
	struct tcphdr *th;
	u32 room = 0;

	if (skb->len < head)
		return -EINVAL;
	max = segment_max(skb, l4off, hlen, client_mss);
	if (skb_headroom(skb) < LL_MAX_HEADER + n)
		room = ALIGN(LL_MAX_HEADER + n - skb_headroom(skb), NET_SKB_PAD);
	if ((skb_cloned(skb) || room) &&
	    pskb_expand_head(skb, room, 0, GFP_ATOMIC))
		return -ENOMEM;
	if (skb_headlen(skb) < head && !__pskb_pull_tail(skb, head - skb_headlen(skb)))
		return -ENOMEM;

	skb_push(skb, n);
	memmove(skb->data, skb->data + n, head);
	memcpy(skb->data + head, bytes, n);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, l4off);

	th = tcp_hdr(skb);
	payload = skb->len - l4off - hlen;
	/* Whatever was there before (NFQUEUE fills it in): the device's again. */
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	if (ipv6) {
		struct ipv6hdr *ip6 = ipv6_hdr(skb);
		u32 len = skb->len - sizeof(*ip6);

		ip6->payload_len = len <= IPV6_MAXPLEN ? htons(len) : 0;
		th->check = ~tcp_v6_check(skb->len - l4off, &ip6->saddr,
					  &ip6->daddr, 0);
	} else {
		struct iphdr *ip = ip_hdr(skb);

		iph_set_totlen(ip, skb->len);
		ip_send_check(ip);
		th->check = ~tcp_v4_check(skb->len - l4off, ip->saddr,
					  ip->daddr, 0);
	}
	if (!skb_is_gso(skb) && payload > max) {
		skb_shinfo(skb)->gso_size = max;
		skb_shinfo(skb)->gso_type = ipv6 ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
		if (th->cwr)
			skb_shinfo(skb)->gso_type |= SKB_GSO_TCP_ECN;
	}
	if (skb_is_gso(skb))
		skb_shinfo(skb)->gso_segs =
			DIV_ROUND_UP(payload, skb_shinfo(skb)->gso_size);
	return 0;
}

/* Past LOCAL_OUT, whose hook of ours would take it for the stack's. */
static int reply_by_route(struct net *net, struct sk_buff *skb,
			  const struct net_device *from, bool ipv6)
{
	const struct tcphdr *th = (struct tcphdr *)skb_transport_header(skb);
	int oif = l3mdev_master_ifindex_rcu(from);
	struct dst_entry *dst;

	if (ipv6) {
		const struct ipv6hdr *h = ipv6_hdr(skb);
		struct flowi6 fl6 = {
			.flowi6_oif = oif,
			.flowi6_proto = IPPROTO_TCP,
			.daddr = h->daddr,
			.saddr = h->saddr,
			.fl6_dport = th->dest,
			.fl6_sport = th->source,
		};

		if (ipv6_addr_type(&h->daddr) & IPV6_ADDR_LINKLOCAL)
			fl6.flowi6_oif = from->ifindex;
		dst = ip6_dst_lookup_flow(net, NULL, &fl6, NULL);
	} else {
		const struct iphdr *h = ip_hdr(skb);
		struct rtable *rt;
		struct flowi4 fl4;

		flowi4_init_output(&fl4, oif, 0, h->tos, RT_SCOPE_UNIVERSE,
				   IPPROTO_TCP, FLOWI_FLAG_ANYSRC, h->daddr,
				   h->saddr, th->dest, th->source,
				   sock_net_uid(net, NULL));
		rt = ip_route_output_flow(net, &fl4, NULL);
		dst = IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
	}
	if (IS_ERR(dst)) {
		kfree_skb(skb);
		return PTR_ERR(dst);
	}
	skb_dst_set(skb, dst);
	skb->dev = dst->dev;
	return dst->output(net, NULL, skb);
}

void homing_link_of(const struct sk_buff *skb, struct homing_link *link)
{
	memset(link, 0, sizeof(*link));
	/* What came out of an IPsec tunnel is answered through it: by the routing table. */
	if (secpath_exists(skb))
		return;
	if (skb->dev && skb->dev->type == ARPHRD_ETHER &&
	    skb_mac_header_was_set(skb) && skb_mac_header_len(skb) >= ETH_HLEN) {
		memcpy(link->eth, eth_hdr(skb), sizeof(link->eth));
		link->ether = true;
	}
	if (skb_vlan_tag_present(skb)) {
		link->vlan_proto = (__force u16)skb->vlan_proto;
		link->vlan_tci = skb_vlan_tag_get(skb);
		link->vlan = true;
	}
}

static void link_vlan(struct sk_buff *skb, const struct homing_link *link)
{
	if (link->vlan)
		__vlan_hwaccel_put_tag(skb, (__force __be16)link->vlan_proto,
				       link->vlan_tci);
}

/* Sends @skb, which starts at its network header, back along @link or by the routing table. */
static int send_back(struct net_device *dev, struct sk_buff *skb,
		     const struct homing_link *link, u32 l4off, bool ipv6, bool route)
{
	const struct ethhdr *eth = (const struct ethhdr *)link->eth;
	int ret;

	skb_reset_network_header(skb);
	skb_set_transport_header(skb, l4off);
	skb->protocol = htons(ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	skb->ip_summed = CHECKSUM_NONE;
	skb->priority = TC_PRIO_CONTROL;
	if (route) {
		ret = reply_by_route(dev_net(dev), skb, dev, ipv6);
	} else {
		skb->dev = dev;
		link_vlan(skb, link);
		/* Back to whoever handed it to us; the source is this device. */
		if (dev_hard_header(skb, dev, ntohs(skb->protocol), eth->h_source,
				    eth->h_dest, skb->len) < 0) {
			kfree_skb(skb);
			return -EINVAL;
		}
		ret = dev_queue_xmit(skb);
	}
	return net_xmit_eval(ret);	/* a macro that names its argument twice */
}

static int reply(struct net_device *dev, const struct homing_link *link,
		 const u8 *bytes, u32 len, u32 l4off, bool ipv6, bool route)
{
	struct sk_buff *skb;

	/* What came through the tunnel has no link header: @dev is not its way. */
	route |= !link->ether;
	skb = alloc_skb(max_t(u32, LL_RESERVED_SPACE(dev), LL_MAX_HEADER) + len,
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return -ENOMEM;
	skb_reserve(skb, max_t(u32, LL_RESERVED_SPACE(dev), LL_MAX_HEADER));
	skb_put_data(skb, bytes, len);
	return send_back(dev, skb, link, l4off, ipv6, route);
}

/* Nobody else has a part in @skb, and it holds @len bytes and a link header. */
static bool may_become(const struct sk_buff *skb, u32 len)
{
	return !skb_shared(skb) && !skb_cloned(skb) &&
	       !skb_is_nonlinear(skb) && !skb_is_gso(skb) &&
	       skb_headroom(skb) >= LL_RESERVED_SPACE(skb->dev) &&
	       skb->len + skb_tailroom(skb) >= len;
}

int homing_reply(const struct sk_buff *to, const u8 *bytes, u32 len, u32 l4off,
		 bool ipv6, bool route)
{
	struct homing_link link;

	homing_link_of(to, &link);
	return reply(to->dev, &link, bytes, len, l4off, ipv6, route);
}

/*
 * A router sends on what it has received: what it rids a packet of, this is rid
 * of, too. No memory is taken and none is given back.
 */
int homing_become_reply(struct sk_buff *skb, const u8 *bytes, u32 len, u32 l4off,
			bool ipv6, bool route)
{
	struct homing_link link;
	int err;

	homing_link_of(skb, &link);
	if (route || !link.ether || !may_become(skb, len)) {
		err = reply(skb->dev, &link, bytes, len, l4off, ipv6, route);
		consume_skb(skb);
		return err;
	}
	skb_orphan(skb);
	skb_scrub_packet(skb, true);
	skb_reset_redirect(skb);
	skb->encapsulation = 0;
	skb_trim(skb, 0);
	skb_put_data(skb, bytes, len);
	return send_back(skb->dev, skb, &link, l4off, ipv6, route);
}

int homing_reply_by(struct net *net, u32 ifindex, const struct homing_link *link,
		    const u8 *bytes, u32 len, u32 l4off, bool ipv6, bool route)
{
	struct net_device *dev;
	int err = -ENODEV;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	if (dev && dev->flags & IFF_UP)
		err = reply(dev, link, bytes, len, l4off, ipv6, route);
	rcu_read_unlock();
	return err;
}

struct sk_buff *homing_skb_new(const struct homing_link *link, u32 len, bool ipv6)
{
	/* Room for the tunnel's headers too. */
	const u32 room = NET_SKB_PAD + LL_MAX_HEADER + 256;
	struct sk_buff *skb = alloc_skb(room + len, GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return NULL;
	skb_reserve(skb, room);
	skb_reset_mac_header(skb);
	if (link->ether) {
		memcpy(skb_push(skb, ETH_HLEN), link->eth, ETH_HLEN);
		skb_reset_mac_header(skb);
		__skb_pull(skb, ETH_HLEN);
	}
	skb_reset_network_header(skb);
	skb_reset_mac_len(skb);
	skb_put_zero(skb, len);
	skb->protocol = htons(ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	skb->ip_summed = CHECKSUM_NONE;
	link_vlan(skb, link);
	return skb;
}

bool homing_reinject(struct net *net, struct sk_buff *skb, u32 ifindex,
		     bool later)
{
	struct net_device *dev;
	bool up;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	up = dev && dev->flags & IFF_UP;
	if (!up) {
		kfree_skb(skb);
		goto out;
	}
	skb->dev = dev;
	skb->pkt_type = PACKET_HOST;
	skb_reset_network_header(skb);
	if (!skb_mac_header_was_set(skb))
		skb_reset_mac_header(skb);
	if (later)
		netif_rx(skb);
	else
		/* Not by receive steering: what follows must not overtake it. */
		netif_receive_skb_core(skb);
out:
	rcu_read_unlock();
	return up;
}

/* ---- TCP ---- */

static struct sock *lookup(struct net *net, const struct homing_tuple *t, u32 dif)
{
	if (is_v4(t->client))
		return __inet_lookup_established(net, v4(t->client),
						 htons(t->client_port), v4(t->vip),
						 t->vip_port, dif, 0);
	return __inet6_lookup_established(net, (const struct in6_addr *)t->client,
					  htons(t->client_port),
					  (const struct in6_addr *)t->vip,
					  t->vip_port, dif, 0);
}

u32 homing_tcp_received(struct net *net, const struct homing_tuple *t, u32 dif,
			u32 *next, u32 *sent)
{
	struct sock *sk = lookup(net, t, dif);
	u32 kind;

	*next = 0;
	*sent = 0;
	if (!sk)
		return HOMING_SOCK_NONE;
	if (sk->sk_state == TCP_TIME_WAIT) {
		kind = HOMING_SOCK_TIMEWAIT;
	} else if (sk->sk_state == TCP_NEW_SYN_RECV) {
		kind = HOMING_SOCK_REQUEST;
	} else {
		kind = HOMING_SOCK_FULL;
		*next = READ_ONCE(tcp_sk(sk)->rcv_nxt);
		*sent = READ_ONCE(tcp_sk(sk)->snd_nxt);
	}
	sock_gen_put(sk);
	return kind;
}

u32 homing_tcp_lookup(struct net *net, const struct homing_tuple *t, u32 dif)
{
	u32 next, sent;

	return homing_tcp_received(net, t, dif, &next, &sent);
}

bool homing_tcp_una(struct net *net, const struct homing_tuple *t, u32 dif,
		    u32 *una)
{
	struct sock *sk = lookup(net, t, dif);
	bool full;

	if (!sk)
		return false;
	full = sk_fullsock(sk);
	if (full)
		*una = READ_ONCE(tcp_sk(sk)->snd_una);
	sock_gen_put(sk);
	return full;
}

/* The condition of tcp_timewait_state_process() for a new connection. */
bool homing_timewait_may_reuse(struct net *net, const struct homing_tuple *t,
			       u32 dif, u32 seq, bool has_ts, u32 tsval,
			       bool forget)
{
	struct sock *sk = lookup(net, t, dif);
	struct tcp_timewait_sock *tcptw;
	u32 recent, stamp;
	bool ok;

	if (!sk)
		return true;
	if (sk->sk_state != TCP_TIME_WAIT) {
		sock_gen_put(sk);
		return false;
	}
	tcptw = tcp_twsk(sk);
	recent = READ_ONCE(tcptw->tw_ts_recent);
	stamp = READ_ONCE(tcptw->tw_ts_recent_stamp);
	has_ts &= !!stamp;
	/* FIN_WAIT2 without a socket looks the same, and is never taken over. */
	ok = READ_ONCE(inet_twsk(sk)->tw_substate) == TCP_TIME_WAIT;
	/* tcp_paws_reject(): an older timestamp, unless ours is 24 days old. */
	if (has_ts && recent && (s32)(recent - tsval) > 0 &&
	    time_before32(ktime_get_seconds(), stamp + TCP_PAWS_WRAP))
		ok = false;
	ok = ok && (after(seq, READ_ONCE(tcptw->tw_rcv_nxt)) ||
		    (has_ts && (s32)(recent - tsval) < 0));
	if (ok && forget) {
		/* What a queue of user space gives back comes in process context. */
		local_bh_disable();
		inet_twsk_deschedule_put(inet_twsk(sk));
		local_bh_enable();
	} else {
		sock_gen_put(sk);
	}
	return ok;
}

static struct sock *listener(struct net *net, const u8 saddr[16], u16 sport,
			     const u8 daddr[16], u16 dport, u32 dif, int sdif)
{
	/* No skb: the cBPF of a reuseport group expects data at TCP. */
	if (is_v4(daddr))
		return __inet_lookup_listener(net, NULL, 0, v4(saddr), htons(sport),
					      v4(daddr), dport, dif, sdif);
	return inet6_lookup_listener(net, NULL, 0, (const struct in6_addr *)saddr,
				     htons(sport), (const struct in6_addr *)daddr,
				     dport, dif, sdif);
}

void homing_tcp_listener(struct net *net, const u8 addr[16], u16 port, u32 dif,
			 struct homing_listener *out)
{
	struct sock *sk;

	memset(out, 0, sizeof(*out));
	rcu_read_lock();
	sk = listener(net, addr, 0, addr, port, dif, 0);
	if (sk) {
		out->present = true;
		out->backlog = READ_ONCE(sk->sk_ack_backlog);
		out->backlog_max = READ_ONCE(sk->sk_max_ack_backlog);
	}
	rcu_read_unlock();
}

u32 homing_tcp_syncookies(const struct net *net)
{
	return READ_ONCE(net->ipv4.sysctl_tcp_syncookies);
}

u32 homing_tcp_offers(const struct net *net)
{
	u32 bits = 0;

	if (READ_ONCE(net->ipv4.sysctl_tcp_sack))
		bits |= HOMING_OFFER_SACK;
	if (READ_ONCE(net->ipv4.sysctl_tcp_timestamps))
		bits |= HOMING_OFFER_TIMESTAMPS;
	if (READ_ONCE(net->ipv4.sysctl_tcp_window_scaling))
		bits |= HOMING_OFFER_WSCALE;
	/* As cookie_ecn_ok(), but for a route that has the feature. */
	if (READ_ONCE(net->ipv4.sysctl_tcp_ecn))
		bits |= HOMING_OFFER_ECN;
	return bits;
}

static struct request_sock *request_alloc(struct sock *sk, bool ipv6)
{
	const struct request_sock_ops *ops;
	struct inet_request_sock *ireq;
	struct request_sock *req;
	bool mptcp = false;

	/* The request follows the packet's family, not the listener's. */
	ops = ipv6 ? sk->sk_prot->rsk_prot : tcp_prot.rsk_prot;
#if IS_ENABLED(CONFIG_MPTCP)
	/* The kernel may pick another socket of the group, MPTCP or not. */
	mptcp = sk_is_mptcp(sk) || sk->sk_reuseport;
	if (mptcp) {
		req = mptcp_subflow_reqsk_alloc(ops, sk, false);
		if (!req)
			return NULL;
		/* Stale bytes here would be freed by the destructor. */
		memset((u8 *)req + sizeof(struct tcp_request_sock), 0,
		       req->rsk_ops->obj_size - sizeof(struct tcp_request_sock));
		return req;
	}
#endif
	/* As inet_reqsk_alloc(), which is not exported. */
	req = kmem_cache_alloc(ops->slab, GFP_ATOMIC | __GFP_NOWARN);
	if (!req)
		return NULL;
	req->rsk_listener = NULL;
	req->rsk_ops = ops;
	req_to_sk(req)->sk_prot = sk->sk_prot;
	sk_node_init(&req_to_sk(req)->sk_node);
	sk_tx_queue_clear(req_to_sk(req));
	req->saved_syn = NULL;
	req->syncookie = 0;
	req->num_timeout = 0;
	req->num_retrans = 0;
	req->sk = NULL;
	refcount_set(&req->rsk_refcnt, 0);
	ireq = inet_rsk(req);
	ireq->ireq_opt = NULL;
#if IS_ENABLED(CONFIG_IPV6)
	ireq->pktopts = NULL;
#endif
	atomic64_set(&ireq->ir_cookie, 0);
	ireq->ireq_state = TCP_NEW_SYN_RECV;
	write_pnet(&ireq->ireq_net, sock_net(sk));
	ireq->ireq_family = sk->sk_family;
	return req;
}

/* Called in LOCAL_IN: from here to tcp_v4_rcv() the path is synchronous. */
int homing_tcp_spawn(struct net *net, struct sk_buff *skb,
		     const struct homing_tuple *t, const struct homing_spawn *a)
{
	bool ipv6 = !is_v4(t->vip);
	struct inet_request_sock *ireq;
	struct tcp_request_sock *treq;
	struct request_sock *req;
	struct sock *sk;

	/*
	 * The checks of bpf_sk_assign_tcp_reqsk(), but for three sysctls: TCP
	 * looks at tcp_sack, tcp_timestamps and tcp_window_scaling when it reads
	 * a SYN, and never again. What the SYN-ACK has promised is kept here,
	 * whatever they say on this host.
	 */
	if (!READ_ONCE(net->ipv4.sysctl_tcp_syncookies))
		return -EOPNOTSUPP;
	if (a->mss < (ipv6 ? IPV6_MIN_MTU - 60 : 536))
		return -EINVAL;
	if (a->wscale_ok && (a->snd_wscale > TCP_MAX_WSCALE ||
			     a->rcv_wscale > TCP_MAX_WSCALE))
		return -EINVAL;

	sk = listener(net, t->client, t->client_port, t->vip, t->vip_port,
		      ipv6 ? inet6_iif(skb) : inet_iif(skb),
		      ipv6 ? inet6_sdif(skb) : inet_sdif(skb));
	if (!sk)
		return -ENOENT;
	if (sk->sk_type != SOCK_STREAM || sk->sk_state != TCP_LISTEN)
		return -EINVAL;
	req = request_alloc(sk, ipv6);
	if (!req)
		return -ENOMEM;
	ireq = inet_rsk(req);
	treq = tcp_rsk(req);
	req->rsk_listener = sk;
	req->syncookie = 1;
	req->mss = a->mss;
	req->ts_recent = a->ts_recent;
	ireq->snd_wscale = a->snd_wscale;
	ireq->rcv_wscale = a->rcv_wscale;
	ireq->tstamp_ok = a->tstamp_ok;
	ireq->sack_ok = a->sack_ok;
	ireq->wscale_ok = a->wscale_ok;
	/*
	 * cookie_v4_check() takes these bits for AccECN, which no SYN-ACK of
	 * ours agrees on.
	 */
	ireq->ecn_ok = a->ecn_ok && !tcp_hdr(skb)->cwr && !tcp_hdr(skb)->ae;
	treq->req_usec_ts = false;
	/*
	 * A delta of INT_MAX / 1000 ms or more makes tcp_rtt_tsopt_us() take
	 * no sample: the echoed time says nothing about this path's RTT. The
	 * jump forward is legal (RFC 7323, 5.2).
	 */
	treq->ts_off = a->tstamp_ok ?
		a->tsecr - tcp_ns_to_ts(false, tcp_clock_ns()) + 2147484 : 0;

	skb_orphan(skb);
	skb->sk = req_to_sk(req);
	skb->destructor = sock_pfree;
	return 0;
}

int homing_tcp_reset(struct net *net, const struct homing_tuple *t, u32 dif)
{
	struct sock *sk;
	int err = 0;

	/* A chain is walked without a lock; the reference holds the socket then. */
	rcu_read_lock();
	sk = lookup(net, t, dif);
	rcu_read_unlock();
	if (!sk)
		return -ENOENT;
	if (sk_fullsock(sk))
		err = tcp_abort(sk, ECONNRESET);
	sock_gen_put(sk);
	return err;
}

/* ---- hash table ---- */

#define OBJ_KEY 8	/* right behind the rhash_head */
#define KEY_MOST 36

/*
 * Clients choose their ports and some of their addresses, so the hash is keyed:
 * multilinear, the upper half of a sum of products with secret factors. Any two
 * keys that were chosen without knowing the factors are as unlikely to meet as
 * two random numbers (Lemire and Kaser, "Strongly universal string hashing is
 * fast", 2014), and nothing that a client sees depends on the hash.
 */
static u64 table_factors[KEY_MOST / 4 + 1] __read_mostly;

static __always_inline u32 table_hash(const void *data, u32 len, u32 seed)
{
	u64 sum = table_factors[0];
	u32 i;

#pragma GCC unroll 9
	for (i = 0; i < len / 4; i++)
		sum += table_factors[i + 1] * get_unaligned((const u32 *)data + i);
	/* Another seed, when the table asks for one, tells apart what met before. */
	return sum * (seed | 1) >> 32;
}

static __always_inline u32 hash16(const void *data, u32 len, u32 seed)
{
	return table_hash(data, 16, seed);
}

static __always_inline u32 hash36(const void *data, u32 len, u32 seed)
{
	return table_hash(data, 36, seed);
}

static __always_inline int differ(struct rhashtable_compare_arg *arg,
				  const void *obj, u32 len)
{
	const u64 *a = arg->key, *b = obj + OBJ_KEY;
	u64 d = get_unaligned(a) ^ get_unaligned(b);

	d |= get_unaligned(a + 1) ^ get_unaligned(b + 1);
	if (len == 36) {
		d |= get_unaligned(a + 2) ^ get_unaligned(b + 2);
		d |= get_unaligned(a + 3) ^ get_unaligned(b + 3);
		d |= get_unaligned((const u32 *)(a + 4)) ^
		     get_unaligned((const u32 *)(b + 4));
	}
	return d != 0;
}

static __always_inline int differ16(struct rhashtable_compare_arg *arg, const void *obj)
{
	return differ(arg, obj, 16);
}

static __always_inline int differ36(struct rhashtable_compare_arg *arg, const void *obj)
{
	return differ(arg, obj, 36);
}

static const struct rhashtable_params params16 = {
	.key_len = 16, .key_offset = OBJ_KEY, .hashfn = hash16,
	.obj_cmpfn = differ16, .automatic_shrinking = true,
};
static const struct rhashtable_params params36 = {
	.key_len = 36, .key_offset = OBJ_KEY, .hashfn = hash36,
	.obj_cmpfn = differ36, .automatic_shrinking = true,
};

struct homing_table {
	struct rhashtable ht;
	u32 key_len;
	u32 max;
};

void homing_table_set_max(struct homing_table *t, u32 max)
{
	WRITE_ONCE(t->max, max);
}

struct homing_table *homing_table_new(u32 key_len, u32 max, int *err)
{
	struct homing_table *t = kzalloc(sizeof(*t), GFP_KERNEL);

	BUILD_BUG_ON(sizeof(struct rhash_head) != OBJ_KEY);
	get_random_once(table_factors, sizeof(table_factors));
	*err = -ENOMEM;
	if (!t)
		return NULL;
	t->key_len = key_len;
	homing_table_set_max(t, max);
	*err = rhashtable_init(&t->ht, key_len == 16 ? &params16 : &params36);
	if (*err) {
		kfree(t);
		return NULL;
	}
	return t;
}

struct table_free {
	void (*fn)(void *obj);
};

static void table_free_one(void *obj, void *arg)
{
	struct table_free *f = arg;

	f->fn(obj);
}

void homing_table_destroy(struct homing_table *t, void (*fn)(void *obj))
{
	struct table_free f = { .fn = fn };

	rhashtable_free_and_destroy(&t->ht, table_free_one, &f);
	kfree(t);
}

void *homing_table_get(struct homing_table *t, const void *key)
{
	return t->key_len == 16 ? rhashtable_lookup(&t->ht, key, params16) :
				  rhashtable_lookup(&t->ht, key, params36);
}

void *homing_table_insert(struct homing_table *t, void *obj)
{
	if (atomic_read(&t->ht.nelems) >= READ_ONCE(t->max))
		return ERR_PTR(-ENOSPC);
	return t->key_len == 16 ?
		rhashtable_lookup_get_insert_fast(&t->ht, obj, params16) :
		rhashtable_lookup_get_insert_fast(&t->ht, obj, params36);
}

bool homing_table_remove(struct homing_table *t, void *obj)
{
	return !(t->key_len == 16 ?
		 rhashtable_remove_fast(&t->ht, obj, params16) :
		 rhashtable_remove_fast(&t->ht, obj, params36));
}

u32 homing_table_len(const struct homing_table *t)
{
	return atomic_read(&t->ht.nelems);
}

struct homing_walk {
	struct rhashtable_iter iter;
};

struct homing_walk *homing_walk_new(struct homing_table *t)
{
	struct homing_walk *w = kzalloc(sizeof(*w), GFP_KERNEL);

	if (w)
		rhashtable_walk_enter(&t->ht, &w->iter);
	return w;
}

void homing_walk_start(struct homing_walk *w)
{
	rhashtable_walk_start(&w->iter);
}

void *homing_walk_next(struct homing_walk *w)
{
	void *obj;

	/* -EAGAIN: the table was resized; the walk goes on, may repeat. */
	do {
		obj = rhashtable_walk_next(&w->iter);
	} while (obj == ERR_PTR(-EAGAIN));
	return IS_ERR(obj) ? NULL : obj;
}

void homing_walk_stop(struct homing_walk *w)
{
	rhashtable_walk_stop(&w->iter);
}

void homing_walk_free(struct homing_walk *w)
{
	rhashtable_walk_exit(&w->iter);
	kfree(w);
}

/* ---- RCU ---- */

void homing_rcu_assign(void **slot, void *p)
{
	rcu_assign_pointer(*(void __rcu **)slot, p);
}

/* ---- delayed work ---- */

struct homing_work {
	struct delayed_work work;
	homing_work_fn_t fn;
	void *priv;
	bool dying;
};

static void homing_work_run(struct work_struct *work)
{
	struct homing_work *w = container_of(work, struct homing_work, work.work);
	u32 again = w->fn(w->priv);

	if (again)
		homing_work_queue(w, again);
}

struct homing_work *homing_work_new(homing_work_fn_t fn, void *priv)
{
	struct homing_work *w = kzalloc(sizeof(*w), GFP_KERNEL);

	if (!w)
		return NULL;
	w->fn = fn;
	w->priv = priv;
	INIT_DELAYED_WORK(&w->work, homing_work_run);
	return w;
}

void homing_work_queue(struct homing_work *w, u32 delay_ms)
{
	/*
	 * Not bound to a CPU: going through a large table takes long, and
	 * would keep the CPU's other work waiting.
	 */
	if (!READ_ONCE(w->dying))
		mod_delayed_work(system_dfl_wq, &w->work,
				 msecs_to_jiffies(delay_ms));
}

void homing_work_free(struct homing_work *w)
{
	/* The flag first, so that a running work does not re-arm itself. */
	WRITE_ONCE(w->dying, true);
	disable_delayed_work_sync(&w->work);
	kfree(w);
}

/* ---- crypto ---- */

struct homing_keys {
	siphash_key_t prf[HOMING_PRF_MAX];
	struct aes_key sid;
	struct aes_cmac_key mac;
};

struct homing_keys *homing_keys_new(const u8 master[32])
{
	static const char label[] = "homing subkey ";
	struct homing_keys *k = kzalloc(sizeof(*k), GFP_KERNEL);
	u8 out[SHA256_DIGEST_SIZE], in[sizeof(label)];
	int i;

	if (!k)
		return NULL;
	memcpy(in, label, sizeof(in));
	/* One independent key for each use: HMAC-SHA256(master, label, number). */
	for (i = 0; i < HOMING_PRF_MAX + 2; i++) {
		in[sizeof(in) - 1] = i;
		hmac_sha256_usingrawkey(master, 32, in, sizeof(in), out);
		if (i < HOMING_PRF_MAX)
			memcpy(&k->prf[i], out, sizeof(k->prf[i]));
		else if (i == HOMING_PRF_MAX)
			aes_preparekey(&k->sid, out, AES_KEYSIZE_128);
		else
			aes_cmac_preparekey(&k->mac, out, AES_KEYSIZE_128);
	}
	memzero_explicit(out, sizeof(out));
	return k;
}

void homing_keys_free(struct homing_keys *k)
{
	kfree_sensitive(k);
}

u64 homing_prf(const struct homing_keys *k, u32 which, const u8 *data, u32 len)
{
	/* What is asked for most, cookies of IPv4. The same function. */
	if (len == 3 * sizeof(u64))
		return siphash_3u64(get_unaligned_le64(data),
				    get_unaligned_le64(data + 8),
				    get_unaligned_le64(data + 16), &k->prf[which]);
	return siphash(data, len, &k->prf[which]);
}

void homing_sid_encrypt(const struct homing_keys *k, u8 block[16])
{
	aes_encrypt(&k->sid, block, block);
}

void homing_sid_decrypt(const struct homing_keys *k, u8 block[16])
{
	aes_decrypt(&k->sid, block, block);
}

void homing_mac(const struct homing_keys *k, const u8 *data, u32 len, u8 out[16])
{
	struct aes_cmac_ctx ctx;

	aes_cmac_init(&ctx, &k->mac);
	aes_cmac_update(&ctx, data, len);
	aes_cmac_final(&ctx, out);
}

/* ---- the device homing0 ---- */

static netdev_tx_t tap_xmit(struct sk_buff *skb, struct net_device *dev)
{
	/* It is there to be looked at. What somebody routes into it ends here. */
	DEV_STATS_INC(dev, tx_dropped);
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops tap_ops = {
	.ndo_start_xmit = tap_xmit,
};

static void tap_setup(struct net_device *dev)
{
	dev->netdev_ops = &tap_ops;
	dev->needs_free_netdev = true;
	/* Packets without a link header, as of a tun device. */
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_NOARP;
	/* No address, hence no router solicitation, of its own accord. */
	dev->priv_flags |= IFF_NO_QUEUE | IFF_NO_ADDRCONF;
	dev->netns_immutable = true;
	dev->lltx = true;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->mtu = ETH_MAX_MTU;
	dev->max_mtu = ETH_MAX_MTU;
}

int homing_tap_open(struct net *net)
{
	struct homing_pernet *p = net_generic(net, homing_net_id);
	struct net_device *dev = alloc_netdev(0, "homing0", NET_NAME_PREDICTABLE,
					      tap_setup);
	int err;

	if (!dev)
		return -ENOMEM;
	dev_net_set(dev, net);
	rtnl_lock();
	err = register_netdevice(dev);
	if (!err) {
		/* A capture wants a device that is up; without it, it can wait. */
		dev_open(dev, NULL);
		rcu_assign_pointer(p->tap, dev);
	}
	rtnl_unlock();
	if (err)
		free_netdev(dev);
	return err;
}

/*
 * Nobody else takes the device away: it has no rtnl_link_ops, and it cannot
 * leave the namespace, which calls this before it unregisters what is left.
 */
void homing_tap_close(struct net *net)
{
	struct homing_pernet *p = net_generic(net, homing_net_id);
	struct net_device *dev = rcu_replace_pointer(p->tap, NULL, true);

	/* Waits for a grace period, then for captures to let it go. */
	if (dev)
		unregister_netdev(dev);
}

/*
 * Shows an inner packet to whoever captures on homing0, and counts it there.
 * Under RCU, with bottom halves off; the packet begins at its network header.
 */
static void tap(struct net *net, struct sk_buff *skb, bool out)
{
	struct homing_pernet *p = net_generic(net, homing_net_id);
	struct net_device *dev = rcu_dereference(p->tap), *was = skb->dev;

	if (!dev)
		return;
	if (out)
		dev_sw_netstats_tx_add(dev, 1, skb->len);
	else
		dev_sw_netstats_rx_add(dev, skb->len);
	if (!dev_nit_active_rcu(dev))
		return;
	skb->dev = dev;
	dev_queue_xmit_nit(skb, dev);
	skb->dev = was;
}

/* ---- UDP tunnel ---- */

/* One cache for each family: a member's address may change from one to the other. */
struct homing_route {
	struct dst_cache v4, v6;
	u32 mtu;
};

/* What goes through the tunnel. */
enum what {
	DATA,	/* An inner packet. */
	OWN,	/* A control message. */
	PROBE,	/* A control message that must not be cut. */
};

struct homing_tunnel {
	struct net *net;
	struct socket *sock4, *sock6;
	homing_tunnel_rcv_t rcv;
	void *priv;
};

static int homing_tunnel_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct homing_tunnel *t = rcu_dereference_sk_user_data(sk);
	struct in6_addr src;
	u16 port;

	if (!t || !pskb_may_pull(skb, sizeof(struct udphdr))) {
		kfree_skb(skb);
		return 0;
	}
	if (skb->protocol == htons(ETH_P_IPV6))
		src = ipv6_hdr(skb)->saddr;
	else
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, &src);
	port = ntohs(udp_hdr(skb)->source);
	skb_pull_rcsum(skb, sizeof(struct udphdr));
	t->rcv(t->priv, skb, src.s6_addr, port);
	return 0;
}

static int tunnel_sock(struct homing_tunnel *t, u16 port, bool ipv6,
		       struct socket **sock)
{
	struct udp_port_cfg cfg = {
		.family = ipv6 ? AF_INET6 : AF_INET,
		.local_udp_port = htons(port),
		.use_udp_checksums = 1,
		.use_udp6_tx_checksums = 1,
		.use_udp6_rx_checksums = 1,
		.ipv6_v6only = 1,
	};
	struct udp_tunnel_sock_cfg up = {
		.sk_user_data = t,
		.encap_type = 1,
		.encap_rcv = homing_tunnel_rcv,
	};
	int err = udp_sock_create(t->net, &cfg, sock);

	if (err)
		return err;
	(*sock)->sk->sk_allocation = GFP_ATOMIC;
	setup_udp_tunnel_sock(t->net, (*sock)->sk, &up);
	return 0;
}

struct homing_tunnel *homing_tunnel_new(struct net *net, u16 port,
					homing_tunnel_rcv_t rcv, void *priv,
					int *err)
{
	struct homing_tunnel *t = kzalloc(sizeof(*t), GFP_KERNEL);

	*err = -ENOMEM;
	if (!t)
		return NULL;
	t->net = net;
	t->rcv = rcv;
	t->priv = priv;
	*err = tunnel_sock(t, port, false, &t->sock4);
	if (!*err && IS_ENABLED(CONFIG_IPV6)) {
		*err = tunnel_sock(t, port, true, &t->sock6);
		/* A host booted with ipv6.disable=1 has farm traffic by IPv4. */
		if (*err == -EAFNOSUPPORT)
			*err = 0;
		if (*err)
			udp_tunnel_sock_release(t->sock4->sk);
	}
	if (*err) {
		kfree(t);
		return NULL;
	}
	return t;
}

void homing_tunnel_free(struct homing_tunnel *t)
{
	if (t->sock6)
		udp_tunnel_sock_release(t->sock6->sk);
	udp_tunnel_sock_release(t->sock4->sk);
	/*
	 * udp_tunnel_sock_release() clears sk_user_data but does not wait for a
	 * homing_tunnel_rcv() that has read it before.
	 */
	synchronize_net();
	kfree(t);
}

struct homing_route *homing_route_new(void)
{
	struct homing_route *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return NULL;
	if (dst_cache_init(&r->v4, GFP_KERNEL))
		goto free;
	if (dst_cache_init(&r->v6, GFP_KERNEL)) {
		dst_cache_destroy(&r->v4);
		goto free;
	}
	return r;
free:
	kfree(r);
	return NULL;
}

void homing_route_reset(struct homing_route *r)
{
	dst_cache_reset(&r->v4);
	dst_cache_reset(&r->v6);
}

void homing_route_free(struct homing_route *r)
{
	dst_cache_destroy(&r->v4);
	dst_cache_destroy(&r->v6);
	kfree(r);
}

u32 homing_route_mtu(const struct homing_route *r)
{
	return READ_ONCE(r->mtu);
}

/*
 * The header and payload are in place; adds UDP and IP and sends. What does not
 * fit the path is sent in IP fragments: 1 is answered then, and the receiving
 * stack puts it together. Nobody need be told, and nothing is lost for ever.
 */
static int tunnel_out(struct homing_tunnel *t, struct homing_route *r,
		      struct sk_buff *skb, const u8 src[16], const u8 dst[16],
		      u16 sport, u16 dport, u32 extra, const u8 *hdr,
		      enum what what)
{
	struct ip_tunnel_key key = {};
	struct dst_entry *d;
	bool v6 = !is_v4(dst);
	int err = -ENOMEM;
	bool whole;
	struct in6_addr s6;
	__be32 s4 = 0;
	u32 over, room, mtu;

	/* The cache is per CPU and used with bottom halves off. No device is
	 * named: one that clients and members share is no circle.
	 */
	local_bh_disable();
	if (v6) {
		if (!t->sock6) {
			err = -EAFNOSUPPORT;
			goto drop;
		}
		key.u.ipv6.dst = *(const struct in6_addr *)dst;
		key.u.ipv6.src = *(const struct in6_addr *)src;
		d = udp_tunnel6_dst_lookup(skb, NULL, t->net, t->sock6->sk, 0,
					   &s6, &key, htons(sport), htons(dport), 0,
					   &r->v6);
	} else {
		struct rtable *rt;

		key.u.ipv4.dst = v4(dst);
		key.u.ipv4.src = v4(src);
		rt = udp_tunnel_dst_lookup(skb, NULL, t->net, 0, &s4, &key,
					   htons(sport), htons(dport), 0, &r->v4);
		d = IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
	}
	if (IS_ERR(d)) {
		err = PTR_ERR(d);
		goto drop;
	}
	over = extra + sizeof(struct udphdr) +
	       (v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	room = LL_RESERVED_SPACE(d->dev) + d->header_len + over;
	err = skb_cow_head(skb, room);
	if (err)
		goto put;
	mtu = dst_mtu(d) - min(dst_mtu(d), over);
	/* Data is too often sent for a word that all processors share. */
	if (what != DATA)
		WRITE_ONCE(r->mtu, dst_mtu(d));
	err = -EMSGSIZE;
	if (skb_is_gso(skb)) {
		whole = skb_gso_validate_network_len(skb, mtu);
	} else {
		whole = skb->len <= mtu;
		if (skb->len > IP_MAX_MTU - over || (what == PROBE && !whole))
			goto put;
	}
	if (what == DATA) {
		__be16 inner = skb->protocol;

		tap(t->net, skb, true);
		err = udp_tunnel_handle_offloads(skb, v6);
		if (err)
			goto put;
		/*
		 * What GRO has only chained has room for our header in its first
		 * packet alone: it is cut as if it were one stream of bytes.
		 */
		if (skb_is_gso(skb) && skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST)
			skb_shinfo(skb)->gso_type |= SKB_GSO_DODGY;
		skb_set_inner_protocol(skb, inner);
		memcpy(__skb_push(skb, extra), hdr, extra);
	}
	skb_clear_tstamp(skb);
	/* No device: the helpers would count on one that is not a tunnel. */
	skb->dev = NULL;
	if (v6) {
		skb->ignore_df = !whole;
		udp_tunnel6_xmit_skb(d, t->sock6->sk, skb, NULL, &s6,
				     &key.u.ipv6.dst, 0, 64, 0, htons(sport),
				     htons(dport), false, 0);
	} else {
		udp_tunnel_xmit_skb(dst_rtable(d), t->sock4->sk, skb, s4,
				    key.u.ipv4.dst, 0, 64,
				    whole ? htons(IP_DF) : 0, htons(sport),
				    htons(dport), false, what == DATA, 0);
	}
	local_bh_enable();
	return !whole;
put:
	dst_release(d);
drop:
	local_bh_enable();
	kfree_skb(skb);
	return err;
}

int homing_tunnel_xmit(struct homing_tunnel *t, struct homing_route *r,
		       struct sk_buff *skb, u32 l4off, const u8 *hdr, u32 hlen,
		       const u8 src[16], const u8 dst[16], u16 sport, u16 dport)
{
	skb_orphan(skb);
	skb_dst_drop(skb);
	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, l4off);
	skb->mark = 0;
	/* The tag was the client's link's. */
	__vlan_hwaccel_clear_tag(skb);
	return tunnel_out(t, r, skb, src, dst, sport, dport, hlen, hdr, DATA);
}

int homing_tunnel_send(struct homing_tunnel *t, struct homing_route *r,
		       const u8 *bytes, u32 len, u32 fill, const u8 src[16],
		       const u8 dst[16], u16 port)
{
	struct sk_buff *skb = alloc_skb(MAX_HEADER + 128 + max(len, fill),
					GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return -ENOMEM;
	skb_reserve(skb, MAX_HEADER + 128);
	skb_put_data(skb, bytes, len);
	if (fill > len)
		skb_put_zero(skb, fill - len);
	/* No inner packet: what iptunnel_xmit() measures is all of it. */
	skb_reset_inner_headers(skb);
	return tunnel_out(t, r, skb, src, dst, port, port, 0, NULL,
			  fill ? PROBE : OWN);
}

int homing_tunnel_pull(struct homing_tunnel *t, struct sk_buff *skb, u32 hlen,
		       bool ipv6)
{
	int err = __iptunnel_pull_header(skb, hlen,
					 htons(ipv6 ? ETH_P_IPV6 : ETH_P_IP),
					 false, false);

	if (err)
		return err;
	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	skb_reset_network_header(skb);
	skb_dst_drop(skb);
	tap(t->net, skb, false);
	return 0;
}

/* ---- load ---- */

void homing_cpu_times(u64 *busy_ns, u64 *total_ns)
{
	u64 busy = 0, idle = 0;
	int cpu, i;

	for_each_online_cpu(cpu) {
		struct kernel_cpustat s;

		kcpustat_cpu_fetch(&s, cpu);
		for (i = CPUTIME_USER; i <= CPUTIME_STEAL; i++) {
			if (i == CPUTIME_IDLE || i == CPUTIME_IOWAIT)
				idle += s.cpustat[i];
			else
				busy += s.cpustat[i];
		}
	}
	*busy_ns = busy;
	*total_ns = busy + idle;
}

/* ---- generic netlink ---- */

struct sock *homing_genl_sock(const struct net *net)
{
	return net->genl_sock;
}

/* ---- module ---- */

bool homing_module_get(void)
{
	return try_module_get(THIS_MODULE);
}

void homing_module_put(void)
{
	module_put(THIS_MODULE);
}

/* ---- faults ---- */

/*
 * What may fail while packets pass, and then has done nothing and taken nothing
 * with it: a fault can be put in its place (fault-injection.rst, fail_function).
 */
ALLOW_ERROR_INJECTION(homing_skb_view, NULL);
ALLOW_ERROR_INJECTION(homing_skb_copy, NULL);
ALLOW_ERROR_INJECTION(homing_skb_trim, ERRNO);
ALLOW_ERROR_INJECTION(homing_skb_writable, NULL);
ALLOW_ERROR_INJECTION(homing_skb_new, NULL);
ALLOW_ERROR_INJECTION(homing_tcp_replace4, NULL);
ALLOW_ERROR_INJECTION(homing_tcp_insert, ERRNO);
ALLOW_ERROR_INJECTION(homing_tcp_spawn, ERRNO);
ALLOW_ERROR_INJECTION(homing_reply, ERRNO);
ALLOW_ERROR_INJECTION(homing_reply_by, ERRNO);
ALLOW_ERROR_INJECTION(homing_table_insert, ERRNO);
ALLOW_ERROR_INJECTION(homing_tunnel_send, ERRNO);
ALLOW_ERROR_INJECTION(homing_tunnel_pull, ERRNO);
