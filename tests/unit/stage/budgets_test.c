/* Budgets in one turn of an engine. */
#include "cmocka.h"

#include "budget.pb-c.h"
#include "stage/stage.h"

static struct stage *stage_new(void)
{
    struct stage *stage                = NULL;
    const struct stage_options options = {
        .partitions = 1, .seed = 7, .now_us = INT64_C(1'795'341'600'000'000)};
    assert_int_equal(stage_open(&options, &stage, NULL), STATUS_OK);
    return stage;
}

static struct stage_call *post(struct stage *stage, enum command_kind kind, const void *request,
                               void *response)
{
    struct stage_call *call = stage_call_new(kind, 0);
    call->command.namespace = str_from("*");
    call->command.request   = request;
    call->command.response  = response;
    assert_int_equal(stage_post(stage, 0, call, NULL), STATUS_OK);
    return call;
}

static Pb__PutBudget put_of(Pb__BudgetSpec *spec)
{
    Pb__PutBudget put = PB__PUT_BUDGET__INIT;
    *spec             = (Pb__BudgetSpec)PB__BUDGET_SPEC__INIT;
    spec->scope       = PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE;
    spec->tokens      = 100;
    put.namespace_    = "default";
    put.name          = "b";
    put.spec          = spec;
    return put;
}

/* It has no row yet when it goes. */
static void one_that_comes_and_goes_in_a_turn_leaves_nothing(void **)
{
    struct stage *stage = stage_new();
    Pb__BudgetSpec spec;
    const Pb__PutBudget put       = put_of(&spec);
    Pb__DeleteBudget gone         = PB__DELETE_BUDGET__INIT;
    Pb__BudgetView view           = PB__BUDGET_VIEW__INIT;
    Pb__DeletedBudget deleted     = PB__DELETED_BUDGET__INIT;
    gone.namespace_               = put.namespace_;
    gone.name                     = put.name;
    struct stage_call *const made = post(stage, COMMAND_PUT_BUDGET, &put, &view);
    struct stage_call *const over = post(stage, COMMAND_DELETE_BUDGET, &gone, &deleted);
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_false(stage_has_failed(stage));
    assert_int_equal(made->command.code, STATUS_OK);
    assert_int_equal(over->command.code, STATUS_OK);
    struct stage_call *const again = post(stage, COMMAND_DELETE_BUDGET, &gone, &deleted);
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(again->command.code, STATUS_NOT_FOUND);
    stage_call_free(made);
    stage_call_free(over);
    stage_call_free(again);
    stage_close(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_comes_and_goes_in_a_turn_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
