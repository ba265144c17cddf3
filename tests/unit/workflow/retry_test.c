/* retry_delay_us(): the waits of A2 to A5, and both ends of every range. */
#include "cmocka.h"
#include "workflow/retry.h"
#include "workflow/workflow.h"

#define SECOND  INT64_C(1'000'000)
#define CENTURY (INT64_C(36'525) * 86'400 * SECOND)

static const struct {
    const char *name;
    struct retry_plan plan;
    uint32_t n;
    uint64_t random;
    int64_t delay_us;
} rows[] = {
    {"constant, first", {BACKOFF_CONSTANT, SECOND, .retries_max = 9}, 1, 0, SECOND},
    {"constant, later", {BACKOFF_CONSTANT, SECOND, .retries_max = 9}, 9, 0, SECOND},
    {"linear without increment", {BACKOFF_LINEAR, SECOND, .retries_max = 9}, 3, 0, 3 * SECOND},
    {"linear, first", {BACKOFF_LINEAR, SECOND, 2 * SECOND, .retries_max = 9}, 1, 0, SECOND},
    {"linear with increment",
     {BACKOFF_LINEAR, SECOND, 2 * SECOND, .retries_max = 9},
     3,
     0,
     5 * SECOND},
    {"exponential, first",
     {BACKOFF_EXPONENTIAL, SECOND, .multiplier_percent = 200, .retries_max = 9},
     1,
     0,
     SECOND},
    {"exponential, fourth",
     {BACKOFF_EXPONENTIAL, SECOND, .multiplier_percent = 200, .retries_max = 9},
     4,
     0,
     8 * SECOND},
    {"exponential by 1.5",
     {BACKOFF_EXPONENTIAL, SECOND, .multiplier_percent = 150, .retries_max = 9},
     3,
     0,
     2'250'000},
    {"at most delay_max",
     {BACKOFF_EXPONENTIAL, SECOND, 0, 5 * SECOND, 200, .retries_max = 9},
     4,
     0,
     5 * SECOND},
    {"just below delay_max",
     {BACKOFF_EXPONENTIAL, SECOND, 0, 5 * SECOND, 200, .retries_max = 9},
     3,
     0,
     4 * SECOND},
    {"what grows for ever",
     {BACKOFF_EXPONENTIAL, SECOND, 0, 0, 200, .retries_max = UINT32_MAX},
     UINT32_MAX,
     0,
     CENTURY},
    {"a line that grows for ever",
     {BACKOFF_LINEAR, SECOND, CENTURY, .retries_max = UINT32_MAX},
     UINT32_MAX,
     0,
     CENTURY},
    {"the last retry", {BACKOFF_CONSTANT, SECOND, .retries_max = 3}, 3, 0, SECOND},
    {"one too many", {BACKOFF_CONSTANT, SECOND, .retries_max = 3}, 4, 0, RETRY_NEVER},
    {"none at all", {BACKOFF_CONSTANT, SECOND, .retries_max = 0}, 1, 0, RETRY_NEVER},
    {"no delay", {BACKOFF_EXPONENTIAL, 0, .multiplier_percent = 200, .retries_max = 9}, 5, 0, 0},
    {"the least jitter",
     {BACKOFF_CONSTANT, SECOND, .retries_max = 1, .jitter_from_us = 10, .jitter_to_us = 20},
     1,
     0,
     SECOND + 10},
    {"the most jitter",
     {BACKOFF_CONSTANT, SECOND, .retries_max = 1, .jitter_from_us = 10, .jitter_to_us = 20},
     1,
     10,
     SECOND + 20},
    {"jitter wraps",
     {BACKOFF_CONSTANT, SECOND, .retries_max = 1, .jitter_from_us = 10, .jitter_to_us = 20},
     1,
     11,
     SECOND + 10},
    {"a fixed jitter",
     {BACKOFF_CONSTANT, SECOND, .retries_max = 1, .jitter_from_us = 10, .jitter_to_us = 10},
     1,
     UINT64_MAX,
     SECOND + 10},
};

static void waits(void **state)
{
    const __typeof__(rows[0]) *row = *state;
    assert_int_equal(retry_delay_us(&row->plan, row->n, row->random), row->delay_us);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, waits, &rows[i]);
    }
    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
