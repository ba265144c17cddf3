/**
 * role: what a key may do. A key has one or more roles; their rights add up.
 *
 *     V viewer        reads everything but keys, secrets and the audit log
 *     D developer     V, and starts, signals, cancels and retries runs; writes workflows
 *     O operator      D, and stops hard, pauses, resets; queues, breakers, partitions
 *     A approver      V, and decides approvals
 *     W worker        polls and reports jobs
 *     L model_client  the LLM endpoints
 *     X admin         everything
 */
#ifndef AUTH_ROLE_H
#define AUTH_ROLE_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

enum role {
    ROLE_VIEWER       = 1 << 0,
    ROLE_DEVELOPER    = 1 << 1,
    ROLE_OPERATOR     = 1 << 2,
    ROLE_APPROVER     = 1 << 3,
    ROLE_WORKER       = 1 << 4,
    ROLE_MODEL_CLIENT = 1 << 5,
    ROLE_ADMIN        = 1 << 6,
};

/** Reads "developer", ...; false if there is no such role. */
bool role_parse(str name, enum role *ret_role);

/** The name of one role; static. */
const char *role_name(enum role role);

/** Appends the names of a set, with commas between. */
void role_list(unsigned roles, struct buf *out);

/** All rights of a set of roles: a set with those included that its members include. */
unsigned role_rights(unsigned roles);

/** Whether one of `letters` ("D", "LD") is among the rights of `roles`. */
bool role_allows(unsigned roles, const char *letters);

/**
 * The namespace a request is made in. `of_key` is the key's ("*": all), `requested` the header
 * Tutti-Namespace ("" if not sent). False if the key may not go there or that is no name; else
 * `*ret_namespace` is one of the two.
 */
bool namespace_of_request(str of_key, str requested, str *ret_namespace);

#endif
