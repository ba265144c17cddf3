/**
 * dead_letters: rows of jobs that were given up, as services and the engine look at them.
 *
 * TABLE_LETTER_INDEX leads to those of a run and to that of a job:
 *
 *     1, run id, sequence (u64)    key in TABLE_DEAD_LETTERS
 *     2, job id, sequence (u64)    likewise
 *     3                            nothing: all rows are in the index
 *
 * The numbers are u8; the sequence is the letter's. A question for a run or a job costs what it
 * finds, one for a queue reads that queue, any other the whole table.
 *
 * Threads: whoever owns the transaction.
 */
#ifndef SCHEDULER_DEAD_LETTERS_H
#define SCHEDULER_DEAD_LETTERS_H

#include "record.pb-c.h"
#include "scheduler/tables/record.h"

enum { DEAD_LETTERS_MAX = 100'000 /* rows that a question without run and job reads */ };

/** Writes a letter, and deletes one, with what leads to it. `run` and `job` are those of the row.
 * The transaction is lost on failure. */
status letter_put(struct txn *txn, bytes key, const Pb__DeadLetterRecord *row,
                  struct error *reterr);
status letter_delete(struct txn *txn, bytes key, str run, str job, struct error *reterr);

/** Releases before kept no index. Says whether this store has one. */
status letters_are_indexed(struct txn *txn, bool *ret_indexed, struct error *reterr);

/** Puts the next rows into the index, so many that a transaction may take; begin with an empty
 * page. `*ret_done`: all are in it. Repeated from the start it does no harm. */
status letters_index_some(struct txn *txn, struct page *page, bool *ret_done, struct error *reterr);

/** The key of the letter of a run behind the one of sequence `*sequence`, which is moved on to it;
 * begin with 0. */
status letter_after(struct txn *txn, str run, uint64_t *sequence, struct key *ret_key,
                    bool *ret_found, struct error *reterr);

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
