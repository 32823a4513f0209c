/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	rust/uapi/homing.yaml */
/* YNL-GEN uapi header */
/* YNL-ARG --function-prefix homing */
/* To regenerate run: rust/uapi/regen.sh */

#ifndef _UAPI_LINUX_HOMING_H
#define _UAPI_LINUX_HOMING_H

#define HOMING_FAMILY_NAME	"homing"
#define HOMING_FAMILY_VERSION	1

#define HOMING_MEMBER_ID_MAX	1023
#define HOMING_NAME_MAX		31
#define HOMING_WEIGHT_MAX	1000
#define HOMING_ADDR_LEN		16
#define HOMING_COOKIE_MAX	64
#define HOMING_DOMAIN_MAX	253
#define HOMING_SID_LEN		32
#define HOMING_SESSION_KEY_LEN	16
#define HOMING_FARM_KEY_LEN	32
#define HOMING_SESSIONS_MAX	16777216
#define HOMING_IFNAME_MAX	15
#define HOMING_FARM_ID_MAX	16777215

/**
 * enum homing_member_state - What this member believes of a member.
 * @HOMING_MEMBER_STATE_UP: Heard lately; gets new sessions.
 * @HOMING_MEMBER_STATE_SUSPECT: Two state messages missed; gets no new
 *   sessions.
 * @HOMING_MEMBER_STATE_DOWN: Not heard by enough members for long enough, or
 *   set down by its operator.
 * @HOMING_MEMBER_STATE_JOINING: Started lately; gets no new sessions until it
 *   has the associations.
 * @HOMING_MEMBER_STATE_DRAINING: Keeps its sessions, gets no new ones.
 */
enum homing_member_state {
	HOMING_MEMBER_STATE_UP,
	HOMING_MEMBER_STATE_SUSPECT,
	HOMING_MEMBER_STATE_DOWN,
	HOMING_MEMBER_STATE_JOINING,
	HOMING_MEMBER_STATE_DRAINING,
};

/**
 * enum homing_admin_state - What the operator wants of a member.
 * @HOMING_ADMIN_STATE_UP: Takes part.
 * @HOMING_ADMIN_STATE_DRAINING: Keeps its sessions, gets no new ones.
 * @HOMING_ADMIN_STATE_DOWN: Gets nothing; its sessions are selected anew.
 */
enum homing_admin_state {
	HOMING_ADMIN_STATE_UP,
	HOMING_ADMIN_STATE_DRAINING,
	HOMING_ADMIN_STATE_DOWN,
};

/**
 * enum homing_drain_mode - What happens to the sessions of a member that
 *   drains.
 * @HOMING_DRAIN_MODE_FINISH: They stay until they end.
 * @HOMING_DRAIN_MODE_MOVE: Each gets a new home at its next connection.
 */
enum homing_drain_mode {
	HOMING_DRAIN_MODE_FINISH,
	HOMING_DRAIN_MODE_MOVE,
};

/**
 * enum homing_policy - How the home of a new session is selected.
 * @HOMING_POLICY_P2C: Two drawn by weight, the less loaded one wins.
 * @HOMING_POLICY_RR: In turn, each as often as its weight says.
 * @HOMING_POLICY_WRR: The one that is furthest behind its share of what was
 *   given so far.
 * @HOMING_POLICY_LEAST_SESSIONS: The one with the fewest sessions for its
 *   weight.
 * @HOMING_POLICY_MAGLEV: By the client's address, out of a table that members
 *   fill by weight.
 */
enum homing_policy {
	HOMING_POLICY_P2C,
	HOMING_POLICY_RR,
	HOMING_POLICY_WRR,
	HOMING_POLICY_LEAST_SESSIONS,
	HOMING_POLICY_MAGLEV,
};

/**
 * enum homing_reply - Which way the answers to SYNs, and other answers before
 *   a connection has a socket, go out.
 * @HOMING_REPLY_SWAP: By the device that the packet came by, to the link
 *   address that it came from.
 * @HOMING_REPLY_ROUTE: By the routing table.
 */
enum homing_reply {
	HOMING_REPLY_SWAP,
	HOMING_REPLY_ROUTE,
};

/**
 * enum homing_home_lost - What a request gets whose session's home is dead.
 * @HOMING_HOME_LOST_REPICK: A new home, for good.
 * @HOMING_HOME_LOST_STRICT: A response 503 with Retry-After.
 * @HOMING_HOME_LOST_WAIT: Nothing until the home is back or was silent for so
 *   long; then as strict.
 */
enum homing_home_lost {
	HOMING_HOME_LOST_REPICK,
	HOMING_HOME_LOST_STRICT,
	HOMING_HOME_LOST_WAIT,
};

/**
 * enum homing_same_site - SameSite attribute of the cookie (RFC 6265bis).
 * @HOMING_SAME_SITE_LAX: SameSite=Lax.
 * @HOMING_SAME_SITE_STRICT: SameSite=Strict.
 * @HOMING_SAME_SITE_NONE: SameSite=None; browsers accept it with Secure only.
 * @HOMING_SAME_SITE_UNSET: No SameSite attribute.
 */
enum homing_same_site {
	HOMING_SAME_SITE_LAX,
	HOMING_SAME_SITE_STRICT,
	HOMING_SAME_SITE_NONE,
	HOMING_SAME_SITE_UNSET,
};

/**
 * enum homing_session_state - State of an association.
 * @HOMING_SESSION_STATE_TENTATIVE: The client has not shown the session id
 *   yet; the first to be dropped.
 * @HOMING_SESSION_STATE_CONFIRMED: The client has shown the session id.
 * @HOMING_SESSION_STATE_ENDED: Tombstone; the session id routes nowhere any
 *   more.
 */
enum homing_session_state {
	HOMING_SESSION_STATE_TENTATIVE,
	HOMING_SESSION_STATE_CONFIRMED,
	HOMING_SESSION_STATE_ENDED,
};

/**
 * enum homing_session_cause - Why a session notification was sent.
 * @HOMING_SESSION_CAUSE_NEW: A home was selected, here or at another member.
 * @HOMING_SESSION_CAUSE_CONFIRM: The client showed the session id for the
 *   first time.
 * @HOMING_SESSION_CAUSE_MOVE: The session has another home.
 * @HOMING_SESSION_CAUSE_END: The session was ended by an operator.
 * @HOMING_SESSION_CAUSE_EXPIRE: The idle or the absolute timeout has passed.
 */
enum homing_session_cause {
	HOMING_SESSION_CAUSE_NEW,
	HOMING_SESSION_CAUSE_CONFIRM,
	HOMING_SESSION_CAUSE_MOVE,
	HOMING_SESSION_CAUSE_END,
	HOMING_SESSION_CAUSE_EXPIRE,
};

/**
 * enum homing_flow_role - What this member is for a connection.
 * @HOMING_FLOW_ROLE_ENTRY: The client's packets arrive here and are relayed to
 *   the owner.
 * @HOMING_FLOW_ROLE_OWNER: The socket is here, the client's packets arrive
 *   through another member.
 * @HOMING_FLOW_ROLE_BOTH: The client's packets arrive here and the socket is
 *   here.
 */
enum homing_flow_role {
	HOMING_FLOW_ROLE_ENTRY,
	HOMING_FLOW_ROLE_OWNER,
	HOMING_FLOW_ROLE_BOTH,
};

/**
 * enum homing_flow_state - State of a connection as this member sees it.
 * @HOMING_FLOW_STATE_DECIDING: Packets are held until the request head can be
 *   read.
 * @HOMING_FLOW_STATE_DECIDED: An owner is chosen; its socket has not been seen
 *   yet.
 * @HOMING_FLOW_STATE_LIVE: The owner has a socket.
 * @HOMING_FLOW_STATE_CLOSED: Over; kept so that a late duplicate does not run
 *   the request again.
 */
enum homing_flow_state {
	HOMING_FLOW_STATE_DECIDING,
	HOMING_FLOW_STATE_DECIDED,
	HOMING_FLOW_STATE_LIVE,
	HOMING_FLOW_STATE_CLOSED,
};

/**
 * enum homing_verdict - Why a request with a session id goes where it goes.
 * @HOMING_VERDICT_KNOWN: The stored association says the home.
 * @HOMING_VERDICT_ALONE: No association is stored here; the home that the id
 *   names decides.
 * @HOMING_VERDICT_EXPIRED: A timeout has passed; the request is treated as one
 *   without an id.
 * @HOMING_VERDICT_ENDED: The session was ended; the request is treated as one
 *   without an id.
 * @HOMING_VERDICT_FORGED: No key of the farm has made the id; the request is
 *   treated as one without.
 */
enum homing_verdict {
	HOMING_VERDICT_KNOWN,
	HOMING_VERDICT_ALONE,
	HOMING_VERDICT_EXPIRED,
	HOMING_VERDICT_ENDED,
	HOMING_VERDICT_FORGED,
};

/**
 * enum homing_home_standing - How the home of a session stands to the
 *   session's next connection.
 * @HOMING_HOME_STANDING_SERVES: It gets it.
 * @HOMING_HOME_STANDING_MOVES: It is drained by moving its sessions; another
 *   member is selected.
 * @HOMING_HOME_STANDING_GONE: It is down, or no member any more; another
 *   member is selected.
 * @HOMING_HOME_STANDING_UNAVAILABLE: It is down, and the service lets no other
 *   serve; the client gets a response 503.
 * @HOMING_HOME_STANDING_WAITS: The same, but it may come back; the client gets
 *   nothing yet.
 */
enum homing_home_standing {
	HOMING_HOME_STANDING_SERVES,
	HOMING_HOME_STANDING_MOVES,
	HOMING_HOME_STANDING_GONE,
	HOMING_HOME_STANDING_UNAVAILABLE,
	HOMING_HOME_STANDING_WAITS,
};

/**
 * enum homing_key_role - What a farm key may be used for.
 * @HOMING_KEY_ROLE_RECEIVE: Verifies what other members, cookies and session
 *   ids say.
 * @HOMING_KEY_ROLE_SEND: Also makes them. Only one key sends; the one before
 *   it goes on receiving.
 */
enum homing_key_role {
	HOMING_KEY_ROLE_RECEIVE,
	HOMING_KEY_ROLE_SEND,
};

/*
 * What a configuration notification is about.
 */
enum homing_config_what {
	HOMING_CONFIG_WHAT_MEMBER,
	HOMING_CONFIG_WHAT_SERVICE,
	HOMING_CONFIG_WHAT_DEVICE,
	HOMING_CONFIG_WHAT_FARM,
	HOMING_CONFIG_WHAT_KEY,
	HOMING_CONFIG_WHAT_DEBUG,
};

enum {
	HOMING_A_DEVICE_IFINDEX = 1,
	HOMING_A_DEVICE_IFNAME,
	HOMING_A_DEVICE_FORCE,

	__HOMING_A_DEVICE_MAX,
	HOMING_A_DEVICE_MAX = (__HOMING_A_DEVICE_MAX - 1)
};

enum {
	HOMING_A_MEMBER_ID = 1,
	HOMING_A_MEMBER_NAME,
	HOMING_A_MEMBER_ADDR,
	HOMING_A_MEMBER_WEIGHT,
	HOMING_A_MEMBER_ADMIN,
	HOMING_A_MEMBER_STATE,
	HOMING_A_MEMBER_LOCAL,
	HOMING_A_MEMBER_SESSIONS,
	HOMING_A_MEMBER_FLOWS,
	HOMING_A_MEMBER_REQUESTS,
	HOMING_A_MEMBER_CPU,
	HOMING_A_MEMBER_LAST_SEEN,
	HOMING_A_MEMBER_CLOCK_SKEW,
	HOMING_A_MEMBER_BOOT,
	HOMING_A_MEMBER_BATCHES_SENT,
	HOMING_A_MEMBER_BATCHES_SEEN,
	HOMING_A_MEMBER_LISTENERS,
	HOMING_A_MEMBER_CONFIG,
	HOMING_A_MEMBER_LATENCY,
	HOMING_A_MEMBER_DRAIN_MODE,
	HOMING_A_MEMBER_DEADLINE,
	HOMING_A_MEMBER_DRAIN_SINCE,
	HOMING_A_MEMBER_DRAIN_SESSIONS,
	HOMING_A_MEMBER_DRAIN_FLOWS,
	HOMING_A_MEMBER_TOLD,
	HOMING_A_MEMBER_OVERRIDDEN,
	HOMING_A_MEMBER_DEAF,
	HOMING_A_MEMBER_BATCHES_ACKED,
	HOMING_A_MEMBER_LAG,
	HOMING_A_MEMBER_REFUSED,
	HOMING_A_MEMBER_REFUSED_WHY,
	HOMING_A_MEMBER_FLAPPING,
	HOMING_A_MEMBER_MTU_FROM,
	HOMING_A_MEMBER_MTU_TO,

	__HOMING_A_MEMBER_MAX,
	HOMING_A_MEMBER_MAX = (__HOMING_A_MEMBER_MAX - 1)
};

enum {
	HOMING_A_SERVICE_VIP = 1,
	HOMING_A_SERVICE_PORT,
	HOMING_A_SERVICE_GROUP,
	HOMING_A_SERVICE_POLICY,
	HOMING_A_SERVICE_COOKIE,
	HOMING_A_SERVICE_SECURE,
	HOMING_A_SERVICE_INSERT,
	HOMING_A_SERVICE_IDLE_TIMEOUT,
	HOMING_A_SERVICE_ABSOLUTE_TIMEOUT,
	HOMING_A_SERVICE_DOMAIN,
	HOMING_A_SERVICE_MAX_AGE,
	HOMING_A_SERVICE_SAME_SITE,
	HOMING_A_SERVICE_LISTENERS,
	HOMING_A_SERVICE_LOCAL_LISTENER,
	HOMING_A_SERVICE_SESSIONS,
	HOMING_A_SERVICE_CONNECTIONS,
	HOMING_A_SERVICE_REPLY,
	HOMING_A_SERVICE_HOME_LOST,
	HOMING_A_SERVICE_HOME_WAIT,

	__HOMING_A_SERVICE_MAX,
	HOMING_A_SERVICE_MAX = (__HOMING_A_SERVICE_MAX - 1)
};

enum {
	HOMING_A_SESSION_SID = 1,
	HOMING_A_SESSION_KEY,
	HOMING_A_SESSION_HOME,
	HOMING_A_SESSION_ORIGIN,
	HOMING_A_SESSION_VERSION,
	HOMING_A_SESSION_STATE,
	HOMING_A_SESSION_GROUP,
	HOMING_A_SESSION_CREATED,
	HOMING_A_SESSION_IDLE,
	HOMING_A_SESSION_FLAGS,
	HOMING_A_SESSION_CAUSE,

	__HOMING_A_SESSION_MAX,
	HOMING_A_SESSION_MAX = (__HOMING_A_SESSION_MAX - 1)
};

enum {
	HOMING_A_FLOW_CLIENT = 1,
	HOMING_A_FLOW_CLIENT_PORT,
	HOMING_A_FLOW_VIP,
	HOMING_A_FLOW_PORT,
	HOMING_A_FLOW_OWNER,
	HOMING_A_FLOW_ENTRY,
	HOMING_A_FLOW_ROLE,
	HOMING_A_FLOW_STATE,
	HOMING_A_FLOW_SHIFT,
	HOMING_A_FLOW_KEY,
	HOMING_A_FLOW_IDLE,

	__HOMING_A_FLOW_MAX,
	HOMING_A_FLOW_MAX = (__HOMING_A_FLOW_MAX - 1)
};

enum {
	HOMING_A_EXPLAIN_SID = 1,
	HOMING_A_EXPLAIN_CLIENT,
	HOMING_A_EXPLAIN_CLIENT_PORT,
	HOMING_A_EXPLAIN_VIP,
	HOMING_A_EXPLAIN_PORT,
	HOMING_A_EXPLAIN_VERDICT,
	HOMING_A_EXPLAIN_NAMED,
	HOMING_A_EXPLAIN_GROUP,
	HOMING_A_EXPLAIN_CREATED,
	HOMING_A_EXPLAIN_KEY,
	HOMING_A_EXPLAIN_TARGET,
	HOMING_A_EXPLAIN_SUCCESSOR,
	HOMING_A_EXPLAIN_OWNER,
	HOMING_A_EXPLAIN_DIRECTORY,
	HOMING_A_EXPLAIN_LISTED,
	HOMING_A_EXPLAIN_STANDING,
	HOMING_A_EXPLAIN_MINORITY,
	HOMING_A_EXPLAIN_SERVICE,
	HOMING_A_EXPLAIN_STATE,
	HOMING_A_EXPLAIN_ENTRY,
	HOMING_A_EXPLAIN_SOCKET,

	__HOMING_A_EXPLAIN_MAX,
	HOMING_A_EXPLAIN_MAX = (__HOMING_A_EXPLAIN_MAX - 1)
};

enum {
	HOMING_A_COUNTER_NAME = 1,
	HOMING_A_COUNTER_VALUE,

	__HOMING_A_COUNTER_MAX,
	HOMING_A_COUNTER_MAX = (__HOMING_A_COUNTER_MAX - 1)
};

enum {
	HOMING_A_STATS_COUNTER = 1,

	__HOMING_A_STATS_MAX,
	HOMING_A_STATS_MAX = (__HOMING_A_STATS_MAX - 1)
};

enum {
	HOMING_A_FARM_PORT = 1,
	HOMING_A_FARM_STATE_INTERVAL,
	HOMING_A_FARM_SCALE,
	HOMING_A_FARM_ID,
	HOMING_A_FARM_FABRIC_MTU,
	HOMING_A_FARM_EJECT_MAX,
	HOMING_A_FARM_SESSIONS_MAX,

	__HOMING_A_FARM_MAX,
	HOMING_A_FARM_MAX = (__HOMING_A_FARM_MAX - 1)
};

enum {
	HOMING_A_KEY_ID = 1,
	HOMING_A_KEY_SECRET,
	HOMING_A_KEY_ROLE,
	HOMING_A_KEY_FINGERPRINT,

	__HOMING_A_KEY_MAX,
	HOMING_A_KEY_MAX = (__HOMING_A_KEY_MAX - 1)
};

enum {
	HOMING_A_DEBUG_FREEZE = 1,
	HOMING_A_DEBUG_PUSH,
	HOMING_A_DEBUG_CLOCK_OFFSET,
	HOMING_A_DEBUG_SCALE,
	HOMING_A_DEBUG_MEMBER,
	HOMING_A_DEBUG_FILL,

	__HOMING_A_DEBUG_MAX,
	HOMING_A_DEBUG_MAX = (__HOMING_A_DEBUG_MAX - 1)
};

enum {
	HOMING_A_BELIEF_ID = 1,
	HOMING_A_BELIEF_SESSIONS,
	HOMING_A_BELIEF_FLOWS,
	HOMING_A_BELIEF_REQUESTS,
	HOMING_A_BELIEF_CPU,
	HOMING_A_BELIEF_WEIGHT,
	HOMING_A_BELIEF_STATE,
	HOMING_A_BELIEF_LISTENER,
	HOMING_A_BELIEF_CLEAR,

	__HOMING_A_BELIEF_MAX,
	HOMING_A_BELIEF_MAX = (__HOMING_A_BELIEF_MAX - 1)
};

enum {
	HOMING_A_STATUS_VERSION = 1,
	HOMING_A_STATUS_KERNEL,
	HOMING_A_STATUS_MEMBER_ID,
	HOMING_A_STATUS_MEMBER_NAME,
	HOMING_A_STATUS_GENERATION,
	HOMING_A_STATUS_ATTACHED,
	HOMING_A_STATUS_MEMBERS,
	HOMING_A_STATUS_SERVICES,
	HOMING_A_STATUS_SESSIONS,
	HOMING_A_STATUS_FLOWS,
	HOMING_A_STATUS_KEYS,
	HOMING_A_STATUS_FROZEN,
	HOMING_A_STATUS_PUSH,
	HOMING_A_STATUS_SCALE,
	HOMING_A_STATUS_CLOCK_OFFSET,
	HOMING_A_STATUS_BOOT,
	HOMING_A_STATUS_PORT,
	HOMING_A_STATUS_STATE_INTERVAL,
	HOMING_A_STATUS_FARM_ID,
	HOMING_A_STATUS_FABRIC_MTU,
	HOMING_A_STATUS_SESSIONS_MAX,
	HOMING_A_STATUS_EJECT_MAX,
	HOMING_A_STATUS_FLOWS_MAX,
	HOMING_A_STATUS_HELD,
	HOMING_A_STATUS_HELD_BYTES,
	HOMING_A_STATUS_FABRIC_MTU_SET,

	__HOMING_A_STATUS_MAX,
	HOMING_A_STATUS_MAX = (__HOMING_A_STATUS_MAX - 1)
};

enum {
	HOMING_A_CONFIG_GENERATION = 1,
	HOMING_A_CONFIG_WHAT,

	__HOMING_A_CONFIG_MAX,
	HOMING_A_CONFIG_MAX = (__HOMING_A_CONFIG_MAX - 1)
};

enum {
	HOMING_CMD_DEVICE_ATTACH = 1,
	HOMING_CMD_DEVICE_DETACH,
	HOMING_CMD_DEVICE_GET,
	HOMING_CMD_MEMBER_SET,
	HOMING_CMD_MEMBER_DEL,
	HOMING_CMD_MEMBER_GET,
	HOMING_CMD_MEMBER_NTF,
	HOMING_CMD_RESYNC_NTF,
	HOMING_CMD_SERVICE_SET,
	HOMING_CMD_SERVICE_DEL,
	HOMING_CMD_SERVICE_GET,
	HOMING_CMD_SESSION_GET,
	HOMING_CMD_SESSION_SET,
	HOMING_CMD_SESSION_MOVE,
	HOMING_CMD_SESSION_END,
	HOMING_CMD_SESSION_NTF,
	HOMING_CMD_FLOW_GET,
	HOMING_CMD_STATS_GET,
	HOMING_CMD_FARM_SET,
	HOMING_CMD_KEY_SET,
	HOMING_CMD_DEBUG_SET,
	HOMING_CMD_STATUS_GET,
	HOMING_CMD_CONFIG_NTF,
	HOMING_CMD_EXPLAIN,
	HOMING_CMD_KEY_GET,

	__HOMING_CMD_MAX,
	HOMING_CMD_MAX = (__HOMING_CMD_MAX - 1)
};

#define HOMING_MCGRP_CONFIG	"config"
#define HOMING_MCGRP_SESSION	"session"
#define HOMING_MCGRP_MEMBER	"member"

#endif /* _UAPI_LINUX_HOMING_H */
