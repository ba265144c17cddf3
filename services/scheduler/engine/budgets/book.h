/**
 * book: which budgets there are and whose calls they are charged with, as a partition knows it.
 *
 * Every partition has one, from what the system partition tells. What is spent stands in the ledger
 * of that one alone (ledger.h).
 *
 * Threads: the engine thread only. Limits: BUDGETS_MAX; a call is charged to at most
 * BUDGET_PAYERS_MAX.
 */
#ifndef SCHEDULER_BUDGETS_BOOK_H
#define SCHEDULER_BUDGETS_BOOK_H

#include "base/buf.h"
#include "base/str.h"
#include "budget.pb-c.h"

#include <stddef.h>

enum {
    BUDGETS_MAX       = 10'000, /* of all namespaces */
    BUDGET_PAYERS_MAX = 64,
    RUN_PURSES_MAX    = 32,    /* of the runs around one */
    BUDGET_NAME_MAX   = 63,    /* bytes */
    BUDGET_SCOPE_MAX  = 1'024, /* bytes of its text */
};

struct book;

struct book *book_new(void); /* owned */
void book_free(struct book *book);

/** A new budget, or another spec of one. False: BUDGETS_MAX. */
bool book_put(struct book *book, const Pb__BudgetView *view);
void book_drop(struct book *book, str namespace, str name);
size_t book_count(const struct book *book);

/** The scope as a text, which is how a run says whom it belongs to: "key:ID", "label:KEY=VALUE",
 * "run:ID", "namespace". */
bool budget_scope_put(Pb__BudgetScope scope, const char *label, const char *value, struct buf *out);

/** Appends the names of the budgets with this scope; they live until the next book_put() or
 * book_drop(). False: more than BUDGET_PAYERS_MAX. */
struct payers {
    const char *names[BUDGET_PAYERS_MAX];
    size_t count;
    Pb__RunPurse *purses[RUN_PURSES_MAX]; /* of runs; the book has none */
    size_t purse_count;
};
bool book_add_payers(const struct book *book, str namespace, str scope, struct payers *payers);

#endif
