/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	rust/uapi/homing.yaml */
/* YNL-GEN kernel header */
/* YNL-ARG --function-prefix homing */
/* To regenerate run: rust/uapi/regen.sh */

#ifndef _LINUX_HOMING_GEN_H
#define _LINUX_HOMING_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/homing.h>

/* Common nested types */
extern const struct nla_policy homing_belief_nl_policy[HOMING_A_BELIEF_CLEAR + 1];

int homing_device_get_start(struct netlink_callback *cb);
int homing_member_get_start(struct netlink_callback *cb);
int homing_service_get_start(struct netlink_callback *cb);
int homing_session_get_start(struct netlink_callback *cb);
int homing_flow_get_start(struct netlink_callback *cb);
int homing_key_get_start(struct netlink_callback *cb);
int homing_device_get_done(struct netlink_callback *cb);
int homing_member_get_done(struct netlink_callback *cb);
int homing_service_get_done(struct netlink_callback *cb);
int homing_session_get_done(struct netlink_callback *cb);
int homing_flow_get_done(struct netlink_callback *cb);
int homing_key_get_done(struct netlink_callback *cb);

int homing_device_attach_doit(struct sk_buff *skb, struct genl_info *info);
int homing_device_detach_doit(struct sk_buff *skb, struct genl_info *info);
int homing_device_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int homing_member_set_doit(struct sk_buff *skb, struct genl_info *info);
int homing_member_del_doit(struct sk_buff *skb, struct genl_info *info);
int homing_member_get_doit(struct sk_buff *skb, struct genl_info *info);
int homing_member_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int homing_service_set_doit(struct sk_buff *skb, struct genl_info *info);
int homing_service_del_doit(struct sk_buff *skb, struct genl_info *info);
int homing_service_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int homing_session_get_doit(struct sk_buff *skb, struct genl_info *info);
int homing_session_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int homing_session_set_doit(struct sk_buff *skb, struct genl_info *info);
int homing_session_move_doit(struct sk_buff *skb, struct genl_info *info);
int homing_session_end_doit(struct sk_buff *skb, struct genl_info *info);
int homing_flow_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int homing_stats_get_doit(struct sk_buff *skb, struct genl_info *info);
int homing_farm_set_doit(struct sk_buff *skb, struct genl_info *info);
int homing_key_set_doit(struct sk_buff *skb, struct genl_info *info);
int homing_debug_set_doit(struct sk_buff *skb, struct genl_info *info);
int homing_status_get_doit(struct sk_buff *skb, struct genl_info *info);
int homing_explain_doit(struct sk_buff *skb, struct genl_info *info);
int homing_key_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);

enum {
	HOMING_NLGRP_CONFIG,
	HOMING_NLGRP_SESSION,
	HOMING_NLGRP_MEMBER,
};

extern struct genl_family homing_nl_family;

#endif /* _LINUX_HOMING_GEN_H */
