/**
 * audit: what this gateway hands to the audit log (docs/guide/audit.md).
 *
 * Changes that the scheduler makes are recorded there, with their own commit: calls say what they
 * are (audit_deed()). What is refused, and what the scheduler has no hand in, is noted here when it
 * is answered, and handed over every half second, together; nobody waits for that. Notes that are
 * alike are one with a count. At most AUDIT_NOTES_MAX wait; from half of that on those of callers
 * without a valid key lose what they chose themselves, so that guesses fill no log. What does not
 * fit is counted, and the count noted. A gateway that is killed loses what it has not handed over.
 *
 * Threads: any; one mutex, held for memory work only. Timer and sending on the home loop.
 */
#ifndef GATEWAY_AUDIT_H
#define GATEWAY_AUDIT_H

#include "audit.pb-c.h"
#include "gateway/api/api.h"

enum {
    AUDIT_NOTES_MAX    = 500,
    AUDIT_EVERY_MS     = 500,
    AUDIT_RESOURCE_MAX = 256, /* bytes */
};

/** Owned. `is_on` false: nothing is recorded. */
struct audit *audit_new(struct api *api, bool is_on);
void audit_freep(struct audit **audit);

/** Both on the home loop. After the stop what is noted leaves at once. */
void audit_start(struct audit *audit);
void audit_stop(struct audit *audit);

/** Nothing waits any more. Any thread. */
bool audit_is_told(struct audit *audit);

/** The server's: the call has got its route. Makes the text of its resource. */
void audit_name(struct api_call *call);

/** What a question of this call is to the log. Texts live as long as the call. */
struct rpc_deed audit_deed(const struct api_call *call);

/** This call changes nothing, although its operation may: it is not noted. */
void audit_leave_out(struct api_call *call);

/** The call is being answered. */
void audit_answered(struct api_call *call, int http_status);

/** Writes to the outside that a tool-adapter made for the call. */
void audit_writes(struct api_call *call, Pb__AuditWrite *const *writes, size_t count);

#endif
