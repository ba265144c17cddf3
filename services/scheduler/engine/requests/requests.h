/**
 * requests: what was done for which request id, so that a repeated request is answered and not done
 * again: also after a restart.
 *
 * Rows of TABLE_REQUESTS, written in the transaction of what the request did and found there by
 * their keys: nothing of them is in memory, and nothing is read at start. There are two kinds: of
 * every request that changed something what it made or was answered, for 10 minutes; of one with an
 * Idempotency-Key what it was answered (answers.h), for 24 hours. Old ones are deleted a few at a
 * time.
 *
 * Limits in a partition: 500,000 rows of the first kind, and 16 MiB of what they were answered
 * since the start (what is older goes by its age); 200,000 and 256 MiB of answers of the second.
 * Beyond that rows of the oldest bucket go before their time. Rows of the first kind go a thousand
 * at a time: if each turn deleted what it adds, it would write a second path of the tree.
 *
 *     1, bucket (u32), request id            what it made, or was answered; a bucket is 10 minutes
 *     2, bucket (u32), stands for the key    what it was answered; a bucket is 12 hours
 *     3, run id, bucket (u32), the same      nothing: that answer may show something of the run
 *     4                                      RequestTotals
 *
 * The numbers are u8. A search looks into the buckets that an id may still be in: two, or three.
 * Request ids of the gateway begin with the time, so that rows of the first kind go in next to each
 * other: random keys cost 5 to 20 times as much (docs/internals/store.md).
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_REQUESTS_H
#define SCHEDULER_REQUESTS_H

#include "base/id.h"
#include "base/status.h"
#include "record.pb-c.h"

struct engine;

enum request_kind {
    REQUEST_DONE     = 1, /* what a request made, or was answered */
    REQUEST_ANSWERED = 2, /* what one with an Idempotency-Key was answered */
};

/** What the engine knows of the table without looking: how much is in it, and when to sweep. */
struct request_memory {
    uint64_t answers;                      /* rows of REQUEST_ANSWERED */
    uint64_t answer_runs;                  /* rows by run */
    uint64_t answer_bytes;                 /* of REQUEST_ANSWERED, about */
    uint64_t done_bytes;                   /* answers of REQUEST_DONE since the start, about */
    bool is_changed;                       /* the totals are to be written */
    int64_t due_us[REQUEST_ANSWERED + 1];  /* by kind: nothing is too old before that */
    uint32_t newest[REQUEST_ANSWERED + 1]; /* by kind: the bucket of the last rows at the start */
};

/** What a request has made. */
struct made_by_request {
    struct id run, event; /* empty: none */
};

/** `*ret_made` is NULL if nothing is known of the request id, or it is empty; else it lives as long
 * as the turn. */
status engine_request_find(struct engine *engine, str id, const struct made_by_request **ret_made,
                           struct error *reterr);
/** Nothing is kept of an empty id. */
status engine_request_keep(struct engine *engine, str id, str run, str event, struct error *reterr);

/** The row of a kind that has an id, and is not too old; `*ret_record` NULL: there is none. Lives
 * as long as the turn. */
status engine_request_row(struct engine *engine, enum request_kind kind, str id,
                          Pb__RequestRecord **ret_record, struct error *reterr);
/** Adds the row of an id that has none; its time is set. Texts of `record` are borrowed. */
status engine_request_add(struct engine *engine, enum request_kind kind, str id,
                          Pb__RequestRecord *record, struct error *reterr);

/** Takes what they show of a run out of answers, `count_max` of them; `*ret_count` less: none is
 * left. Who repeats such a request hears that the run was erased, and nothing is done. */
status engine_answers_erase(struct engine *engine, str run, size_t count_max, size_t *ret_count,
                            struct error *reterr);

/** Before the engine's first transaction: rows as releases before kept them, by their sequence, get
 * their keys, in transactions of their own. */
status engine_requests_upgrade(struct engine *engine, struct error *reterr);
status engine_requests_recover(struct engine *engine, struct error *reterr);

/** Deletes old requests and idempotency keys, a few at a time. */
status engine_sweep(struct engine *engine, struct error *reterr);

#endif
