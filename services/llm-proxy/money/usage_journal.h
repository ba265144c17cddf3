/**
 * usage_journal: what calls that are no jobs have used, and what budgets are charged with them,
 * kept until the scheduler has counted it.
 *
 * Each call is added when it ends, and goes to a file before its client gets the last byte, with
 * those that end in the same turn of the loop (write(2): it outlives the process, not the machine).
 * The calls of one report are a
 * chapter: one file, named by a source drawn at the start and a number. A chapter that was handed
 * out never grows, so that a report which is said again, by this process or by the next one over
 * the same folder, is the same; the scheduler counts each number of a source once. Its file goes
 * when it was counted. What a dead process has left is reported under its source.
 *
 * A record that was torn by the death of the process ends its file. Without a folder all of it is
 * in memory.
 *
 * Threads: all on one loop, but usage_journal_size().
 */
#ifndef LLM_PROXY_USAGE_JOURNAL_H
#define LLM_PROXY_USAGE_JOURNAL_H

#include "base/status.h"
#include "common.pb-c.h"
#include "usage.pb-c.h"

enum {
    USAGE_CHAPTER_ROWS_MAX = 1'000,   /* a chapter with more is over; a call adds at most 49 */
    USAGE_CHAPTER_ENDS_MAX = 1'000,   /* likewise; a call adds one for each time it has drawn */
    USAGE_CHAPTER_SIZE_MAX = 4 << 20, /* bytes of its file, likewise */
    USAGE_NAME_MAX         = 255,     /* bytes; a longer name is counted as "(long name)" */
};

struct usage_journal;

/** `folder` is made if it is missing, and locked; NULL: none. FAILED_PRECONDITION: another process
 * has it. UNAVAILABLE: the file system. */
status usage_journal_open(const char *folder, struct usage_journal **ret_journal,
                          struct error *reterr);

/** Nothing is written any more. */
void usage_journal_freep(struct usage_journal **journal);

/** Whose call it was. Borrowed. */
struct usage_owner {
    const char *namespace_, *key;
    Pb__Label **labels;
    size_t label_count;
    const char *workflow, *run; /* that it is charged to; NULL: none */
    const char *call;           /* as that run's partition knows it (guard.h) */
    const Pb__CallEnd **ends;   /* what its budgets are told with it */
    size_t end_count;
};

/** A call has ended and used that; one that has used nothing is not kept, unless a run or a budget
 * waits for it. The file has it after usage_journal_write(), which belongs before what tells its
 * client the end. */
void usage_journal_add(struct usage_journal *journal, const struct usage_owner *owner,
                       const Pb__Usage *used, int64_t now_us);

/** The file gets what was added since. If it cannot, that is logged once. */
void usage_journal_write(struct usage_journal *journal);

/** The oldest report that is not counted, or NULL. Valid until usage_journal_counted(). */
const Pb__UsageReport *usage_journal_next(struct usage_journal *journal);

/** The scheduler has counted the report that usage_journal_next() has given. */
void usage_journal_counted(struct usage_journal *journal);

/** Says whether there is something that is not counted. */
bool usage_journal_is_pending(const struct usage_journal *journal);

/** Says whether it outlives the process. */
bool usage_journal_is_kept(const struct usage_journal *journal);

/** Bytes of its files, as of the last that was written or removed. Any thread. */
size_t usage_journal_size(const struct usage_journal *journal);

/** Says whether there is a whole report more: one that does not grow. */
bool usage_journal_is_left(const struct usage_journal *journal);

#endif
