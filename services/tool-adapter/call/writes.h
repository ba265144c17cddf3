/**
 * writes: the requests of a job, or of a call for somebody who waits, that may have changed
 * something outside, as the audit log has them (docs/guide/audit.md).
 *
 * A write is noted when its request has left, whatever became of it. Of an address it keeps host
 * and path. What is a secret of the connection, looks like one or like personal data is replaced by
 * `***`; where nobody knows the secrets of an address (`call: http`), so is every long segment.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_WRITES_H
#define TOOL_ADAPTER_WRITES_H

#include "audit.pb-c.h"
#include "base/arena.h"
#include "base/hash.h"
#include "worker/worker.h"
#include "json/json_mask.h"

enum {
    WRITES_MAX        = 100, /* of one job; what is behind is in the run's history only */
    WRITE_PATH_MAX    = 256, /* bytes */
    WRITE_SEGMENT_MAX = 20,  /* bytes; a longer one may be a secret */
};

/** Begin with {.arena}, which they live in. */
struct writes {
    struct arena *arena;
    Pb__AuditWrite **items; /* WRITES_MAX of them */
    size_t count;
};

/** A request that has left. Views. */
struct written {
    str method;                   /* empty: it was not HTTP */
    str url;                      /* likewise */
    str host;                     /* where there is no URL; may be empty */
    const struct json_mask *mask; /* of the connection; NULL: its secrets are not known */
    size_t bytes;                 /* of its body */
    int http_status;              /* 0: there was no answer */
    const char *class;            /* of outcome_class_name() */
    int64_t duration_ms;
};

/** Says whether HTTP means requests of this method to change something. */
bool writes_are_made_by(str method);

void writes_add(struct writes *writes, const struct written *written);

/** What all of them are part of. `params` empty: they were of no function. */
struct writes_of {
    const char *function;
    const char *connection;
    str params;         /* redacted; only its HMAC is kept */
    const uint8_t *key; /* SHA256_SIZE bytes, of the HMAC; NULL: none is kept */
};
void writes_name(struct writes *writes, const struct writes_of *of);

/** Sends them with the report of the job, which has to come before the arena goes. */
void writes_report(struct writes *writes, struct worker_job *job);

#endif
