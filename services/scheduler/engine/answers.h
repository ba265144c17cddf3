/**
 * answers: what was answered to requests with an Idempotency-Key, for a day and over restarts.
 *
 * The answer is written in the transaction of what the request did. Limits: 200,000 answers and
 * 256 MiB in a partition, 64 KiB each; beyond that the oldest go first, a larger one is not kept.
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_ANSWERS_H
#define SCHEDULER_ANSWERS_H

#include "record.pb-c.h"
#include "scheduler/engine/command.h"

struct engine;

/** Answers that are kept for a day, by what stands for their Idempotency-Key (answers.c). */
struct answer_memory {
    struct map *by_key;        /* key -> struct kept_answer, owned */
    struct kept_answer *first; /* oldest */
    struct kept_answer *last;
    uint64_t size_bytes; /* of the rows */
};

/** Says whether a request has one: its id is then 32 digits that stand for the key, `:`, and 32
 * that stand for what is asked. */
bool engine_is_keyed(const struct command *command);

/** Answers a command that was answered before, or whose key stands for another one (422,
 * `idempotency_key_reused`). False: neither. */
status engine_answer_recall(struct engine *engine, struct command *command, bool *ret_answered,
                            struct error *reterr);

/** Keeps what a command was answered in this turn, unless a repetition may be answered otherwise:
 * for 24 hours, over restarts. Of too many or too large answers the oldest go first. */
status engine_answer_keep(struct engine *engine, const struct command *command,
                          struct error *reterr);

/** A row of TABLE_REQUESTS that is an answer. */
void engine_answer_recover(struct engine *engine, uint64_t sequence, size_t size_bytes,
                           const Pb__RequestRecord *record);
status engine_answers_sweep(struct engine *engine, struct error *reterr);
void engine_answers_done(struct engine *engine);

#endif
