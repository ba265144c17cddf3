/**
 * call_cache: calls with `metadata.tutti.cache` (E16) as the state of a run knows them. Who asks is
 * decide/call_cache.h, who answers tables/call_cache.h; what goes between them is
 * docs/internals/call-cache.md.
 *
 * While a call waits for the cache, or makes the call for others, `items` of its activation is an
 * object, and while it waits `payload` are its arguments:
 *
 *   { "key": digest in hex, "maxAge": microseconds, "fresh": true, "job": id }
 *
 * `fresh` says that answers from before are not wanted, because one of them was refused. After a
 * hit it is { "stored": microseconds since 1970 }.
 */
#ifndef SCHEDULER_RUN_CALL_CACHE_H
#define SCHEDULER_RUN_CALL_CACHE_H

#include "scheduler/run/state.h"

/** Says whether the task waits for the cache, which is not to be taken for a job. */
bool call_cache_is_awaited(const struct run *run, const struct activation *activation);

/** What task.completed says of it: {"hit": true, "age": seconds}. Owned; JSON_INVALID: its task has
 * no `cache`. */
json call_cache_note_new(const struct activation *activation, const struct task *task,
                         int64_t now_us);

/** What the cache is to be told when the call ends, for event.cache: `output` JSON_INVALID: there
 * is none to keep. Owned; JSON_INVALID: nothing. */
json call_cache_end_new(const struct run *run, const struct activation *activation, json output);

#endif
