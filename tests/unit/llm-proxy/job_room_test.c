/* How long an answer may be that a job's budgets pay for. */
#include "llm-proxy/jobs/job_room.h"

#include "cmocka.h"

static const struct row {
    const char *name;
    int64_t tokens, nanos; /* of the room; -2: there is none */
    int64_t input, input_picos, output_picos;
    int64_t room;
} rows[] = {
    {"no budget", -2, -2, 10, 1'000, 1'000, -1},
    {"nothing that ends", -1, -1, 10, 1'000, 1'000, -1},
    {"tokens", 100, -1, 10, 1'000, 1'000, 90},
    {"no tokens", 5, -1, 10, 1'000, 1'000, 0},
    {"money", -1, 100, 10, 1'000, 2'000, 45},
    {"not for a whole token", -1, 100, 10, 1'000, 60'000, 1},
    {"no money", -1, 100, 1'000, 1'000, 1'000, 0},
    {"money, and nobody knows the price", -1, 100, 10, -1, -1, -1},
    {"money, and it costs nothing", -1, 100, 10, 0, 0, -1},
    {"the lesser of both", 50, 100, 10, 1'000, 2'000, 40},
    {"does not wrap", INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, 1, 0},
};

static void is_right(void **state)
{
    const struct row *row = *state;
    Pb__BudgetRoom room   = PB__BUDGET_ROOM__INIT;
    Pb__ModelPrice price  = PB__MODEL_PRICE__INIT;
    room.tokens           = row->tokens;
    room.nanos            = row->nanos;
    price.input_picos     = row->input_picos;
    price.output_picos    = row->output_picos;
    int64_t found         = job_room_output(row->tokens > -2 ? &room : NULL, row->input,
                                    row->input_picos < 0 ? NULL : &price);
    assert_int_equal(found, row->room);
    assert_int_equal(job_room_is_tight(found, -1), found >= 0);
    assert_int_equal(job_room_is_tight(found, 41), found >= 0 && found < 41);
    assert_false(job_room_is_tight(found, 0));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, is_right, &rows[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
