/**
 * namespace: the boundary between tenants. Stored with every object, checked at every access.
 *
 * A caller's namespace comes from its key, never from a body; namespace_of_request() in role.h
 * gives the scope of a request: one name, or "*" for an admin's key that named none. What belongs
 * to another tenant does not exist: NOT_FOUND, never PERMISSION_DENIED.
 *
 * Pure functions: any thread. Views are of the texts that were given.
 */
#ifndef AUTH_NAMESPACE_H
#define AUTH_NAMESPACE_H

#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>

enum { NAMESPACE_MAX = 63 /* bytes: an RFC 1123 label */ };

/** Lower-case letters, digits and inner hyphens, 1..NAMESPACE_MAX. */
bool namespace_is_valid(str name);

/** Says whether an object of `owner` exists for a request in `scope`: what namespace_of_request()
 * (role.h) gave, "*" for all of them. */
bool namespace_reaches(str scope, str owner);

/** A reference to a workflow: `[namespace/]name[:version]`, as written; empty where left out. */
struct workflow_reference {
    str namespace;
    str name;
    str version;
};
bool workflow_reference_parse(str text, struct workflow_reference *ret_name);

/**
 * The namespace in which a start with this reference runs. With a scope of one it is that one, and
 * a reference into another is NOT_FOUND; with a scope of all it is the reference's, and "default"
 * for a bare name.
 */
status namespace_of_start(str scope, const struct workflow_reference *workflow, str *ret_namespace,
                          struct error *reterr);

/**
 * The namespace of a definition that says it belongs to `document_namespace`: must be the scope's,
 * else INVALID_ARGUMENT with code `namespace_mismatch`; with a scope of all the document decides.
 */
status namespace_of_document(str scope, str document_namespace, str *ret_namespace,
                             struct error *reterr);

#endif
