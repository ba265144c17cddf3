/**
 * answers: what was answered to requests with an Idempotency-Key, for a day, and to those of others
 * that change settings, for 10 minutes; over restarts.
 *
 * A row of requests.h, written in the transaction of what the request did. An answer of more than
 * 64 KiB is not kept.
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_ANSWERS_H
#define SCHEDULER_ANSWERS_H

#include "scheduler/engine/commands/command.h"

struct engine;

/** Says whether a request has one: its id is then 32 digits that stand for the key, `:`, and 32
 * that stand for what is asked. */
bool engine_is_keyed(const struct command *command);

/** Says whether a command is answered once, and its answer kept. Others see by themselves that they
 * are repeated (engine_request_find()), or may be done twice. */
bool engine_is_answered_once(const struct command *command);

/** Answers a command that was answered before, or whose key stands for another one (422,
 * `idempotency_key_reused`). False: neither. */
status engine_answer_recall(struct engine *engine, struct command *command, bool *ret_answered,
                            struct error *reterr);

/** Keeps what a command was answered in this turn, unless a repetition may be answered otherwise.
 */
status engine_answer_keep(struct engine *engine, const struct command *command,
                          struct error *reterr);

#endif
