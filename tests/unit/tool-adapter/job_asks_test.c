/* Questions that a call hands back with its job, and a scheduler that knows of none. */
#include "cmocka.h"

#include "tool-adapter/http/job_asks.h"
#include "tool-adapter/peers/mcp_inquiry.h"
#include "json/json_text.h"

#include <string.h>

static const char asked[] =
    "{\"requests\":{\"who\":{\"method\":\"elicitation/create\",\"params\":{\"message\":\"Hi\","
    "\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}}}}}";

static status put(struct job_asks *asks, const Pb__LeasedJob *leased, struct error *ret_why)
{
    const struct mcp_asker asker  = {.server = str_from("crm.test"), .tool = str_from("greet")};
    CLEANUP(json_unrefp) json raw = json_invalid();
    assert_int_equal(json_parse(str_from(asked), NULL, &raw, NULL, NULL), STATUS_OK);
    job_asks_init(asks, leased);
    assert_non_null(job_asks_respondent(asks));
    return mcp_inquiry_put(job_asks_respondent(asks), raw, &asker, ret_why);
}

static void test_a_question_is_noted_for_a_scheduler_that_takes_it(void **)
{
    Pb__LeasedJob leased   = PB__LEASED_JOB__INIT;
    struct job_asks asks   = {};
    leased.takes_questions = true;
    assert_int_equal(put(&asks, &leased, NULL), STATUS_OK);
    assert_true(json_is(asks.question, JSON_OBJECT));
    job_asks_done(&asks);
}

/* It would lease the job again at once, and the server would be asked again, for ever. */
static void test_an_older_scheduler_gets_no_question(void **)
{
    const Pb__LeasedJob leased = PB__LEASED_JOB__INIT;
    struct job_asks asks       = {};
    struct error why           = {};
    assert_int_equal(put(&asks, &leased, &why), STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(why.text, "the scheduler is older than this tool-adapter"));
    assert_false(job_asks_report(&asks, json_null(), NULL, NULL));
    job_asks_done(&asks);
}

static void test_what_undoes_or_finds_out_asks_nobody(void **)
{
    Pb__LeasedJob leased = PB__LEASED_JOB__INIT;
    for (unsigned i = 0; i < 2; i++) {
        struct job_asks asks   = {};
        leased.takes_questions = true;
        leased.undoes          = i == 0;
        leased.settles         = i == 1;
        job_asks_init(&asks, &leased);
        assert_null(job_asks_respondent(&asks));
        job_asks_done(&asks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question_is_noted_for_a_scheduler_that_takes_it),
        cmocka_unit_test(test_an_older_scheduler_gets_no_question),
        cmocka_unit_test(test_what_undoes_or_finds_out_asks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
