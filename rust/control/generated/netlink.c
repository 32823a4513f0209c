// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	rust/uapi/homing.yaml */
/* YNL-GEN kernel source */
/* YNL-ARG --function-prefix homing */
/* To regenerate run: rust/uapi/regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink.h"

#include <uapi/linux/homing.h>

/* Integer value ranges */
static const struct netlink_range_validation homing_a_device_ifindex_range = {
	.min	= 1ULL,
	.max	= S32_MAX,
};

static const struct netlink_range_validation homing_a_member_deadline_range = {
	.max	= 31536000ULL,
};

static const struct netlink_range_validation homing_a_service_idle_timeout_range = {
	.min	= 1ULL,
	.max	= 31536000ULL,
};

static const struct netlink_range_validation homing_a_service_absolute_timeout_range = {
	.min	= 1ULL,
	.max	= 31536000ULL,
};

static const struct netlink_range_validation homing_a_service_max_age_range = {
	.max	= 31536000ULL,
};

static const struct netlink_range_validation homing_a_farm_state_interval_range = {
	.min	= 10ULL,
	.max	= 60000ULL,
};

static const struct netlink_range_validation homing_a_farm_id_range = {
	.max	= HOMING_FARM_ID_MAX,
};

static const struct netlink_range_validation homing_a_farm_sessions_max_range = {
	.min	= 1024ULL,
	.max	= HOMING_SESSIONS_MAX,
};

static const struct netlink_range_validation homing_a_debug_fill_range = {
	.max	= HOMING_SESSIONS_MAX,
};

/* Common nested types */
const struct nla_policy homing_belief_nl_policy[HOMING_A_BELIEF_CLEAR + 1] = {
	[HOMING_A_BELIEF_ID] = NLA_POLICY_RANGE(NLA_U32, 1, HOMING_MEMBER_ID_MAX),
	[HOMING_A_BELIEF_SESSIONS] = { .type = NLA_U32, },
	[HOMING_A_BELIEF_FLOWS] = { .type = NLA_U32, },
	[HOMING_A_BELIEF_REQUESTS] = { .type = NLA_U32, },
	[HOMING_A_BELIEF_CPU] = NLA_POLICY_MAX(NLA_U32, 1000),
	[HOMING_A_BELIEF_WEIGHT] = NLA_POLICY_MAX(NLA_U32, HOMING_WEIGHT_MAX),
	[HOMING_A_BELIEF_STATE] = NLA_POLICY_MAX(NLA_U32, 4),
	[HOMING_A_BELIEF_LISTENER] = NLA_POLICY_MAX(NLA_U8, 1),
	[HOMING_A_BELIEF_CLEAR] = { .type = NLA_FLAG, },
};

/* HOMING_CMD_DEVICE_ATTACH - do */
static const struct nla_policy homing_device_attach_nl_policy[HOMING_A_DEVICE_IFNAME + 1] = {
	[HOMING_A_DEVICE_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &homing_a_device_ifindex_range),
	[HOMING_A_DEVICE_IFNAME] = { .type = NLA_NUL_STRING, .len = HOMING_IFNAME_MAX, },
};

/* HOMING_CMD_DEVICE_DETACH - do */
static const struct nla_policy homing_device_detach_nl_policy[HOMING_A_DEVICE_FORCE + 1] = {
	[HOMING_A_DEVICE_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &homing_a_device_ifindex_range),
	[HOMING_A_DEVICE_IFNAME] = { .type = NLA_NUL_STRING, .len = HOMING_IFNAME_MAX, },
	[HOMING_A_DEVICE_FORCE] = { .type = NLA_FLAG, },
};

/* HOMING_CMD_MEMBER_SET - do */
static const struct nla_policy homing_member_set_nl_policy[HOMING_A_MEMBER_DEADLINE + 1] = {
	[HOMING_A_MEMBER_ID] = NLA_POLICY_RANGE(NLA_U32, 1, HOMING_MEMBER_ID_MAX),
	[HOMING_A_MEMBER_NAME] = { .type = NLA_NUL_STRING, .len = HOMING_NAME_MAX, },
	[HOMING_A_MEMBER_ADDR] = NLA_POLICY_EXACT_LEN(HOMING_ADDR_LEN),
	[HOMING_A_MEMBER_WEIGHT] = NLA_POLICY_MAX(NLA_U32, HOMING_WEIGHT_MAX),
	[HOMING_A_MEMBER_ADMIN] = NLA_POLICY_MAX(NLA_U32, 2),
	[HOMING_A_MEMBER_LOCAL] = NLA_POLICY_MAX(NLA_U8, 1),
	[HOMING_A_MEMBER_DRAIN_MODE] = NLA_POLICY_MAX(NLA_U32, 1),
	[HOMING_A_MEMBER_DEADLINE] = NLA_POLICY_FULL_RANGE(NLA_U32, &homing_a_member_deadline_range),
};

/* HOMING_CMD_MEMBER_DEL - do */
static const struct nla_policy homing_member_del_nl_policy[HOMING_A_MEMBER_ID + 1] = {
	[HOMING_A_MEMBER_ID] = NLA_POLICY_RANGE(NLA_U32, 1, HOMING_MEMBER_ID_MAX),
};

/* HOMING_CMD_MEMBER_GET - do */
static const struct nla_policy homing_member_get_nl_policy[HOMING_A_MEMBER_ID + 1] = {
	[HOMING_A_MEMBER_ID] = NLA_POLICY_RANGE(NLA_U32, 1, HOMING_MEMBER_ID_MAX),
};

/* HOMING_CMD_SERVICE_SET - do */
static const struct nla_policy homing_service_set_nl_policy[HOMING_A_SERVICE_HOME_WAIT + 1] = {
	[HOMING_A_SERVICE_VIP] = NLA_POLICY_EXACT_LEN(HOMING_ADDR_LEN),
	[HOMING_A_SERVICE_PORT] = NLA_POLICY_MIN(NLA_U16, 1),
	[HOMING_A_SERVICE_GROUP] = { .type = NLA_U16, },
	[HOMING_A_SERVICE_POLICY] = NLA_POLICY_MAX(NLA_U32, 4),
	[HOMING_A_SERVICE_COOKIE] = { .type = NLA_NUL_STRING, .len = HOMING_COOKIE_MAX, },
	[HOMING_A_SERVICE_SECURE] = NLA_POLICY_MAX(NLA_U8, 1),
	[HOMING_A_SERVICE_INSERT] = NLA_POLICY_MAX(NLA_U8, 1),
	[HOMING_A_SERVICE_IDLE_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &homing_a_service_idle_timeout_range),
	[HOMING_A_SERVICE_ABSOLUTE_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &homing_a_service_absolute_timeout_range),
	[HOMING_A_SERVICE_DOMAIN] = { .type = NLA_NUL_STRING, .len = HOMING_DOMAIN_MAX, },
	[HOMING_A_SERVICE_MAX_AGE] = NLA_POLICY_FULL_RANGE(NLA_U32, &homing_a_service_max_age_range),
	[HOMING_A_SERVICE_SAME_SITE] = NLA_POLICY_MAX(NLA_U32, 3),
	[HOMING_A_SERVICE_REPLY] = NLA_POLICY_MAX(NLA_U32, 1),
	[HOMING_A_SERVICE_HOME_LOST] = NLA_POLICY_MAX(NLA_U32, 2),
	[HOMING_A_SERVICE_HOME_WAIT] = NLA_POLICY_RANGE(NLA_U32, 1, 60),
};

/* HOMING_CMD_SERVICE_DEL - do */
static const struct nla_policy homing_service_del_nl_policy[HOMING_A_SERVICE_PORT + 1] = {
	[HOMING_A_SERVICE_VIP] = NLA_POLICY_EXACT_LEN(HOMING_ADDR_LEN),
	[HOMING_A_SERVICE_PORT] = NLA_POLICY_MIN(NLA_U16, 1),
};

/* HOMING_CMD_SESSION_GET - do */
static const struct nla_policy homing_session_get_do_nl_policy[HOMING_A_SESSION_KEY + 1] = {
	[HOMING_A_SESSION_SID] = { .type = NLA_NUL_STRING, .len = HOMING_SID_LEN, },
	[HOMING_A_SESSION_KEY] = NLA_POLICY_EXACT_LEN(HOMING_SESSION_KEY_LEN),
};

/* HOMING_CMD_SESSION_GET - dump */
static const struct nla_policy homing_session_get_dump_nl_policy[HOMING_A_SESSION_HOME + 1] = {
	[HOMING_A_SESSION_HOME] = NLA_POLICY_RANGE(NLA_U32, 1, HOMING_MEMBER_ID_MAX),
};

/* HOMING_CMD_SESSION_SET - do */
static const struct nla_policy homing_session_set_nl_policy[HOMING_A_SESSION_IDLE + 1] = {
	[HOMING_A_SESSION_SID] = { .type = NLA_NUL_STRING, .len = HOMING_SID_LEN, },
	[HOMING_A_SESSION_KEY] = NLA_POLICY_EXACT_LEN(HOMING_SESSION_KEY_LEN),
	[HOMING_A_SESSION_HOME] = NLA_POLICY_RANGE(NLA_U32, 1, HOMING_MEMBER_ID_MAX),
	[HOMING_A_SESSION_ORIGIN] = NLA_POLICY_RANGE(NLA_U32, 1, HOMING_MEMBER_ID_MAX),
	[HOMING_A_SESSION_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[HOMING_A_SESSION_STATE] = NLA_POLICY_MAX(NLA_U32, 2),
	[HOMING_A_SESSION_GROUP] = { .type = NLA_U16, },
	[HOMING_A_SESSION_CREATED] = { .type = NLA_UINT, },
	[HOMING_A_SESSION_IDLE] = { .type = NLA_UINT, },
};

/* HOMING_CMD_SESSION_MOVE - do */
static const struct nla_policy homing_session_move_nl_policy[HOMING_A_SESSION_HOME + 1] = {
	[HOMING_A_SESSION_SID] = { .type = NLA_NUL_STRING, .len = HOMING_SID_LEN, },
	[HOMING_A_SESSION_KEY] = NLA_POLICY_EXACT_LEN(HOMING_SESSION_KEY_LEN),
	[HOMING_A_SESSION_HOME] = NLA_POLICY_RANGE(NLA_U32, 1, HOMING_MEMBER_ID_MAX),
};

/* HOMING_CMD_SESSION_END - do */
static const struct nla_policy homing_session_end_nl_policy[HOMING_A_SESSION_KEY + 1] = {
	[HOMING_A_SESSION_SID] = { .type = NLA_NUL_STRING, .len = HOMING_SID_LEN, },
	[HOMING_A_SESSION_KEY] = NLA_POLICY_EXACT_LEN(HOMING_SESSION_KEY_LEN),
};

/* HOMING_CMD_FARM_SET - do */
static const struct nla_policy homing_farm_set_nl_policy[HOMING_A_FARM_SESSIONS_MAX + 1] = {
	[HOMING_A_FARM_PORT] = NLA_POLICY_MIN(NLA_U16, 1),
	[HOMING_A_FARM_STATE_INTERVAL] = NLA_POLICY_FULL_RANGE(NLA_U32, &homing_a_farm_state_interval_range),
	[HOMING_A_FARM_SCALE] = NLA_POLICY_RANGE(NLA_U16, 1, 1000),
	[HOMING_A_FARM_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &homing_a_farm_id_range),
	[HOMING_A_FARM_FABRIC_MTU] = NLA_POLICY_MAX(NLA_U16, 9216),
	[HOMING_A_FARM_EJECT_MAX] = NLA_POLICY_MAX(NLA_U8, 100),
	[HOMING_A_FARM_SESSIONS_MAX] = NLA_POLICY_FULL_RANGE(NLA_U32, &homing_a_farm_sessions_max_range),
};

/* HOMING_CMD_KEY_SET - do */
static const struct nla_policy homing_key_set_nl_policy[HOMING_A_KEY_ROLE + 1] = {
	[HOMING_A_KEY_ID] = { .type = NLA_U8, },
	[HOMING_A_KEY_SECRET] = NLA_POLICY_EXACT_LEN(HOMING_FARM_KEY_LEN),
	[HOMING_A_KEY_ROLE] = NLA_POLICY_MAX(NLA_U32, 1),
};

/* HOMING_CMD_DEBUG_SET - do */
static const struct nla_policy homing_debug_set_nl_policy[HOMING_A_DEBUG_FILL + 1] = {
	[HOMING_A_DEBUG_FREEZE] = NLA_POLICY_MAX(NLA_U8, 1),
	[HOMING_A_DEBUG_PUSH] = NLA_POLICY_MAX(NLA_U8, 1),
	[HOMING_A_DEBUG_CLOCK_OFFSET] = { .type = NLA_S32, },
	[HOMING_A_DEBUG_SCALE] = NLA_POLICY_RANGE(NLA_U16, 1, 1000),
	[HOMING_A_DEBUG_MEMBER] = NLA_POLICY_NESTED(homing_belief_nl_policy),
	[HOMING_A_DEBUG_FILL] = NLA_POLICY_FULL_RANGE(NLA_U32, &homing_a_debug_fill_range),
};

/* HOMING_CMD_EXPLAIN - do */
static const struct nla_policy homing_explain_nl_policy[HOMING_A_EXPLAIN_PORT + 1] = {
	[HOMING_A_EXPLAIN_SID] = { .type = NLA_NUL_STRING, .len = HOMING_SID_LEN, },
	[HOMING_A_EXPLAIN_CLIENT] = NLA_POLICY_EXACT_LEN(HOMING_ADDR_LEN),
	[HOMING_A_EXPLAIN_CLIENT_PORT] = { .type = NLA_U16, },
	[HOMING_A_EXPLAIN_VIP] = NLA_POLICY_EXACT_LEN(HOMING_ADDR_LEN),
	[HOMING_A_EXPLAIN_PORT] = { .type = NLA_U16, },
};

/* Ops table for homing */
static const struct genl_split_ops homing_nl_ops[] = {
	{
		.cmd		= HOMING_CMD_DEVICE_ATTACH,
		.doit		= homing_device_attach_doit,
		.policy		= homing_device_attach_nl_policy,
		.maxattr	= HOMING_A_DEVICE_IFNAME,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_DEVICE_DETACH,
		.doit		= homing_device_detach_doit,
		.policy		= homing_device_detach_nl_policy,
		.maxattr	= HOMING_A_DEVICE_FORCE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= HOMING_CMD_DEVICE_GET,
		.start	= homing_device_get_start,
		.dumpit	= homing_device_get_dumpit,
		.done	= homing_device_get_done,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= HOMING_CMD_MEMBER_SET,
		.doit		= homing_member_set_doit,
		.policy		= homing_member_set_nl_policy,
		.maxattr	= HOMING_A_MEMBER_DEADLINE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_MEMBER_DEL,
		.doit		= homing_member_del_doit,
		.policy		= homing_member_del_nl_policy,
		.maxattr	= HOMING_A_MEMBER_ID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_MEMBER_GET,
		.doit		= homing_member_get_doit,
		.policy		= homing_member_get_nl_policy,
		.maxattr	= HOMING_A_MEMBER_ID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= HOMING_CMD_MEMBER_GET,
		.start	= homing_member_get_start,
		.dumpit	= homing_member_get_dumpit,
		.done	= homing_member_get_done,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= HOMING_CMD_SERVICE_SET,
		.doit		= homing_service_set_doit,
		.policy		= homing_service_set_nl_policy,
		.maxattr	= HOMING_A_SERVICE_HOME_WAIT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_SERVICE_DEL,
		.doit		= homing_service_del_doit,
		.policy		= homing_service_del_nl_policy,
		.maxattr	= HOMING_A_SERVICE_PORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= HOMING_CMD_SERVICE_GET,
		.start	= homing_service_get_start,
		.dumpit	= homing_service_get_dumpit,
		.done	= homing_service_get_done,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= HOMING_CMD_SESSION_GET,
		.doit		= homing_session_get_doit,
		.policy		= homing_session_get_do_nl_policy,
		.maxattr	= HOMING_A_SESSION_KEY,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_SESSION_GET,
		.start		= homing_session_get_start,
		.dumpit		= homing_session_get_dumpit,
		.done		= homing_session_get_done,
		.policy		= homing_session_get_dump_nl_policy,
		.maxattr	= HOMING_A_SESSION_HOME,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= HOMING_CMD_SESSION_SET,
		.doit		= homing_session_set_doit,
		.policy		= homing_session_set_nl_policy,
		.maxattr	= HOMING_A_SESSION_IDLE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_SESSION_MOVE,
		.doit		= homing_session_move_doit,
		.policy		= homing_session_move_nl_policy,
		.maxattr	= HOMING_A_SESSION_HOME,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_SESSION_END,
		.doit		= homing_session_end_doit,
		.policy		= homing_session_end_nl_policy,
		.maxattr	= HOMING_A_SESSION_KEY,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= HOMING_CMD_FLOW_GET,
		.start	= homing_flow_get_start,
		.dumpit	= homing_flow_get_dumpit,
		.done	= homing_flow_get_done,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd	= HOMING_CMD_STATS_GET,
		.doit	= homing_stats_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_FARM_SET,
		.doit		= homing_farm_set_doit,
		.policy		= homing_farm_set_nl_policy,
		.maxattr	= HOMING_A_FARM_SESSIONS_MAX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_KEY_SET,
		.doit		= homing_key_set_doit,
		.policy		= homing_key_set_nl_policy,
		.maxattr	= HOMING_A_KEY_ROLE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_DEBUG_SET,
		.doit		= homing_debug_set_doit,
		.policy		= homing_debug_set_nl_policy,
		.maxattr	= HOMING_A_DEBUG_FILL,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= HOMING_CMD_STATUS_GET,
		.doit	= homing_status_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= HOMING_CMD_EXPLAIN,
		.doit		= homing_explain_doit,
		.policy		= homing_explain_nl_policy,
		.maxattr	= HOMING_A_EXPLAIN_PORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= HOMING_CMD_KEY_GET,
		.start	= homing_key_get_start,
		.dumpit	= homing_key_get_dumpit,
		.done	= homing_key_get_done,
		.flags	= GENL_CMD_CAP_DUMP,
	},
};

static const struct genl_multicast_group homing_nl_mcgrps[] = {
	[HOMING_NLGRP_CONFIG] = { "config", },
	[HOMING_NLGRP_SESSION] = { "session", .flags = GENL_MCAST_CAP_NET_ADMIN, },
	[HOMING_NLGRP_MEMBER] = { "member", },
};

struct genl_family homing_nl_family __ro_after_init = {
	.name		= HOMING_FAMILY_NAME,
	.version	= HOMING_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= homing_nl_ops,
	.n_split_ops	= ARRAY_SIZE(homing_nl_ops),
	.mcgrps		= homing_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(homing_nl_mcgrps),
};
