/**
 * dead_letters: rows of jobs that were given up, as services and the engine look at them.
 *
 * There are few, and they are looked at by people: every question reads the whole table, in pieces.
 * Threads: whoever owns the transaction.
 */
#ifndef SCHEDULER_DEAD_LETTERS_H
#define SCHEDULER_DEAD_LETTERS_H

#include "record.pb-c.h"
#include "scheduler/tables/record.h"

enum { DEAD_LETTERS_MAX = 100'000 /* rows that a question reads */ };

/** Which are meant; empty: any. */
struct letter_filter {
    str namespace; /* "*": any */
    str queue, job, run, error_type, function;
};

bool letter_is_meant(const struct letter_filter *filter, const Pb__DeadLetterRecord *row,
                     struct arena *arena);

/** Called for each; `row` lives until it returns. Another status than OK ends the reading; the one
 * of that is returned. */
typedef status letter_visit(bytes key, const Pb__DeadLetterRecord *row, struct error *reterr,
                            void *context);

/** Calls `visit` for every row that the filter means, oldest first per queue. */
status letters_visit(struct txn *txn, const struct letter_filter *filter, letter_visit *visit,
                     void *context, struct error *reterr);

/** `type` of the error in a row, and nothing if it has none. Lives as long as `arena`. */
const char *letter_error_type(const Pb__DeadLetterRecord *row, struct arena *arena);

#endif
