/** outcome: what became of a case: the calls that were made, and what was not as expected. */
#ifndef CLI_TEST_OUTCOME_H
#define CLI_TEST_OUTCOME_H

#include "base/buf.h"
#include "cli/test/case_file.h"
#include "json/json.h"

enum { OUTCOME_FAILURES_MAX = 20, SHOWN_MAX = 2'000 /* bytes of a value in a message */ };

struct failure {
    char *pointer; /* in the file of cases; owned */
    char *text;    /* owned */
};

struct made_call {
    char *function, *task; /* owned */
    json input;            /* owned */
    bool is_undo;
};

struct outcome {
    const struct test_case *test;
    struct failure failures[OUTCOME_FAILURES_MAX];
    size_t failure_count; /* those beyond the maximum are counted only */
    struct made_call *calls;
    size_t call_count, call_capacity;
    int64_t virtual_us, real_us;
};
void outcome_done(struct outcome *outcome);

PRINTF_LIKE(3, 4)
void outcome_fail(struct outcome *outcome, const char *pointer, const char *format, ...);

/** Notes a call; copies the texts, shares the input. */
void outcome_call(struct outcome *outcome, const char *function, const char *task, json input,
                  bool is_undo);

/** Says whether `actual` has everything that `wanted` says: of maps the members given, of lists all
 * elements, in order. */
bool json_has(json actual, json wanted);

/** Adds a failure for each place where they differ; `is_partial`: as json_has(). `pointer`: of
 * `wanted` in the file. */
void outcome_compare(struct outcome *outcome, const char *pointer, json wanted, json actual,
                     bool is_partial);

/** A value on one line, cut where it is long. */
void value_put(struct buf *out, json value);

#endif
