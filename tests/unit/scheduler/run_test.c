/* The commands and views of run.h: what they refuse, what they say, where the limits are. */
#include "agent_talk.h"
#include "cmocka.h"
#include "support/scheduler/world.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

#define CALL "call: http, with: {method: get, endpoint: 'https://a.test/x'}"

static const struct answer never[] = {{"a", 0, ANSWER_NEVER, NULL}, {}};

/* --- refusals
 * --------------------------------------------------------------------------------------- */

static void an_input_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "input: {schema: {format: json, document: {type: object,"
                       " required: [who]}}}\ndo: []");
    const struct run_start command = {.priority = PRIORITY_INHERIT};
    struct error error             = {};
    assert_int_equal(run_start(world.run, &world.env, &command, &world.events, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.code, "input_invalid");
    assert_int_equal(world.events.count, 0);
    assert_int_equal(run_status(world.run), RUN_PENDING);
    world_start(&world, "{\"who\": 1}"); /* the same run may still start */
    assert_string_equal(world_result(&world), "{\"who\":1}");
    world_done(&world);
}

static void answers_to_closed_jobs_are_refused(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{a: {" CALL "}}]");
    world.script = never;
    world_start(&world, NULL);
    struct id id = world.jobs[0].id;
    world_cancel(&world);

    const struct job_completion completed = {.job = str_from(id.text)};
    const struct job_failure failed       = {.job = str_from(id.text)};
    const struct job_failure unknown      = {.job = str_from("nonsense")};
    assert_int_equal(run_job_completed(world.run, &world.env, &completed, &world.events, NULL),
                     STATUS_NOT_FOUND);
    assert_int_equal(run_job_failed(world.run, &world.env, &failed, &world.events, NULL),
                     STATUS_NOT_FOUND);
    assert_int_equal(run_job_failed(world.run, &world.env, &unknown, &world.events, NULL),
                     STATUS_NOT_FOUND);
    assert_int_equal(world.events.count, 0);
    world_done(&world);
}

static void an_ended_run_takes_no_signal_and_has_nothing_to_do(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: []");
    const struct run_signal signal = {.name = str_from("x")};
    struct error error             = {};
    struct id id                   = {};
    world_start(&world, NULL);
    assert_int_equal(run_signal(world.run, &world.env, &signal, &id, &world.events, &error),
                     STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.code, "run_finished");
    assert_int_equal(run_advance(world.run, &world.env, &world.events, &error), STATUS_OK);
    assert_int_equal(run_due(world.run, &world.env, &world.events, &error), STATUS_OK);
    assert_int_equal(world.events.count, 0);
    assert_int_equal(run_next_due(world.run), NO_DUE_US);
    assert_false(run_has_more(world.run));
    world_done(&world);
}

/* --- views
 * ------------------------------------------------------------------------------------------ */

static void a_run_says_what_it_waits_for(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{f: {fork: {branches: [{a: {" CALL "}}, {b: {wait: {seconds: 5}}},"
                       " {c: {listen: {to: {one: {with: {type: x}}}}}}]},"
                       " metadata: {tutti: {phase: Review}}}}]");
    world.script = never;
    world_start(&world, NULL);
    struct run_wait waits[4] = {};
    assert_int_equal(run_waits(world.run, waits, ARRAY_LEN(waits)), 3);
    assert_int_equal(waits[0].kind, WAIT_JOB);
    assert_string_equal(waits[0].task->name, "a");
    assert_true(str_is(waits[0].id, world.jobs[0].id.text));
    assert_int_equal(waits[1].kind, WAIT_TIMER);
    assert_int_equal(waits[1].due_us, world.env.now_us + 5'000'000);
    assert_int_equal(waits[2].kind, WAIT_EVENT);
    assert_int_equal(run_waits(world.run, waits, 1), 1);
    assert_int_equal(run_status(world.run), RUN_RUNNING); /* a job is open */
    assert_string_equal(run_phase(world.run), "Review");
    assert_int_equal(run_next_due(world.run), world.env.now_us + 5'000'000);
    assert_int_equal(run_jobs_open(world.run), 1);
    assert_true(run_memory_bytes(world.run) > 1000);
    world_done(&world);
}

static void only_timers_make_a_run_wait(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{b: {wait: {seconds: 5}}}]");
    world_start(&world, NULL);
    assert_int_equal(run_status(world.run), RUN_WAITING);
    world_pass(&world, 4'999'999);
    assert_int_equal(run_status(world.run), RUN_WAITING);
    world_pass(&world, 1);
    assert_int_equal(run_status(world.run), RUN_COMPLETED);
    assert_int_equal(run_progress_permille(world.run), 1000);
    world_done(&world);
}

static void progress_goes_by_weight(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{x: {set: {n: 1}, metadata: {tutti: {weight: 3}}}}, {d: {do: ["
                       " {y: {set: {n: 1}}}, {a: {" CALL "}}]}}]");
    world.script = never;
    world_start(&world, NULL);
    assert_in_range(run_progress_permille(world.run), 874, 875); /* 3/4 + 1/8 */
    world_done(&world);
}

/* --- keys, priorities, budgets
 * ------------------------------------------------------------------------ */

static const struct key_row {
    const char *name;
    const char *body;
    const char *key; /* of the last job; # stands for the run's id */
} key_rows[] = {
    {"outside of loops", "do: [{a: {" CALL "}}]", "#/do/0/a/-/1"},
    {"in a loop", "do: [{l: {for: {in: '[1]'}, do: [{a: {" CALL "}}]}}]", "#/do/0/l/do/0/a/0/1"},
    {"the second pass",
     "do: [{a: {" CALL ", output: {as: '{ n: 1 }'}}},"
     " {s: {if: '$context.again != 1', set: {n: 2}, export: {as: '{ again: 1 }'}, then: a}}]",
     "#/do/0/a/-/2"},
    {"the second pass of what is around",
     "do: [{d: {do: [{a: {" CALL "}}]}},"
     " {s: {if: '$context.again != 1', set: {n: 2}, export: {as: '{ again: 1 }'}, then: d}}]",
     "#/do/0/d/do/0/a/-/2.1"},
    {"an own key", "do: [{a: {" CALL ", metadata: {tutti: {idempotencyKey: '${ \"k\" }'}}}}]",
     "k/do/0/a"},
    {"an own key in a loop",
     "do: [{l: {for: {in: '[1]'}, do: [{a: {" CALL
     ", metadata: {tutti: {idempotencyKey: '${ \"k\" }'}}}}]}}]",
     "k/do/0/l/do/0/a/0"},
};

static void check_key(void **state)
{
    const struct key_row *row = *state;
    struct world world;
    world_init(&world, row->body);
    world_start(&world, "{}");
    char key[200] = "";
    while (!run_status_is_final(run_status(world.run))) {
        if (world.job_count > 0) {
            str text = json_str(world.jobs[0].key);
            (void)snprintf(key, sizeof key, STR_FMT, STR_ARG(text));
        }
        if (!world_step(&world)) break;
    }
    const char *expected = row->key;
    const char *got      = key;
    if (*expected == '#') {
        assert_memory_equal(got, run_id(world.run), ID_LEN);
        got += ID_LEN;
        expected++;
    }
    assert_string_equal(got, expected);
    world_done(&world);
}

static void a_spent_budget_refuses_the_next_job(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{a: {" CALL "}}, {t: {try: [{b: {" CALL "}}], catch: {errors: {with:"
                       " {status: 402}}, do: [{h: {set: {e: '${ $error.type }'}}}]}}}]");
    world.usage                    = (struct usage){.output_tokens = 60, .calls = 1};
    const struct run_start command = {.priority = 7, .budget_tokens = 60};
    assert_int_equal(run_start(world.run, &world.env, &command, &world.events, NULL), STATUS_OK);
    assert_int_equal(world.events.items[2].priority, 7);
    world_commit(&world);
    world_play(&world);
    assert_string_equal(world_result(&world), "{\"e\":\"https://tutti.dev/errors/budget\"}");
    assert_int_equal(world.jobs_scheduled, 1);
    world_done(&world);
}

#define CHILD "run: {workflow: {namespace: test, name: c, version: 1.0.0}}"

static void a_child_spends_the_budget_of_its_parent(void **)
{
    struct world world;
    world_init(&world, "do: [{a: {" CHILD "}}, {b: {" CHILD "}}, {c: {try: [{d: {" CHILD
                       "}}], catch: {as: e, do: [{f: {set: {e: '${ $e.type }'}}}]}}}]");
    world.usage = (struct usage){.input_tokens = 20, .output_tokens = 15, .calls = 1};
    const struct run_start command = {.budget_tokens = 60};
    struct error error             = {};
    assert_int_equal(run_start(world.run, &world.env, &command, &world.events, &error), STATUS_OK);
    assert_int_equal(world.events.items[world.events.count - 1].kind, EVENT_CHILD_SCHEDULED);
    assert_int_equal(world.events.items[world.events.count - 1].budget_tokens, 60);
    world_commit(&world);
    world_crash(&world, false);
    world_answer_child(&world, 0, CHILD_COMPLETED, "1");
    assert_int_equal(run_usage(world.run)->input_tokens, 20);
    world_crash(&world, true);
    assert_int_equal(run_usage(world.run)->output_tokens, 15);
    world_answer_child(&world, 0, CHILD_COMPLETED, "2");
    assert_int_equal(world.child_count, 0); /* a third one is not ordered: nothing is left */
    assert_string_equal(world_result(&world), "{\"e\":\"https://tutti.dev/errors/budget\"}");
    assert_int_equal(run_usage(world.run)->calls, 2);
    world_done(&world);
}

static void an_agent_pays_for_its_child_runs(void **)
{
    static const struct answer script[] = {
        {"model", 0, ANSWER_OK_ONCE, ASKS(CALL_OF("c1", "c", "{}"))},
        {"model", 0, ANSWER_OK, SAYS("done")},
        {},
    };
    struct world world;
    world_init(&world, "do: [{a: {call: agent.run, with: {model: smart, input: Go, tools: "
                       "[{workflow: {namespace: test, name: c, version: 1.0.0}}]}}}]");
    world.usage  = (struct usage){.input_tokens = 20, .output_tokens = 15, .calls = 1};
    world.script = script;
    world_start(&world, NULL);
    world_play(&world);
    world_answer_child(&world, 0, CHILD_FAULTED, NULL);
    world_play(&world);
    const char *result = world_result(&world);
    if (!strstr(result, "\"usage\":{\"input_tokens\":60,\"output_tokens\":45")) {
        assert_string_equal(result, "60 and 45");
    }
    world_done(&world);
}

static void a_job_event_has_all_that_a_job_table_needs(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{l: {for: {in: '[1, 2]'}, do: [{a: {call: llm.chat, with: {model: m,"
                       " prompt: Hi}, timeout: {after: {minutes: 1}},"
                       " metadata: {tutti: {priority: 2}}}}]}}]");
    const struct run_start command = {.priority = PRIORITY_INHERIT};
    assert_int_equal(run_start(world.run, &world.env, &command, &world.events, NULL), STATUS_OK);
    const struct event *job = &world.events.items[world.events.count - 1];
    assert_int_equal(job->kind, EVENT_JOB_SCHEDULED);
    assert_true(id_is_valid(str_from(job->id.text)));
    assert_string_equal(job->function, "llm.chat");
    assert_string_equal(job->queue, "llm");
    assert_int_equal(job->attempt, 1);
    assert_int_equal(job->attempts_max, 4);
    assert_int_equal(job->priority, 2);
    assert_int_equal(job->attempt_timeout_us, INT64_C(600'000'000));
    assert_int_equal(job->deadline_us, world.env.now_us + 60'000'000);
    assert_true(str_is(json_str(job->iteration), "0"));
    assert_true(json_is(json_get_text(job->value, "model"), JSON_TEXT));
    assert_string_equal(world.workflow->tasks[job->task].reference, "/do/0/l/do/0/a");
    world_commit(&world);
    world_done(&world);
}

/* --- limits
 * -------------------------------------------------------------------------------------------- */

static void an_endless_loop_gives_the_partition_back(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{a: {set: {n: 1}, then: a}}]");
    world_start(&world, NULL);
    assert_true(run_has_more(world.run));
    assert_int_equal(run_status(world.run), RUN_RUNNING);
    assert_int_equal(run_sequence(world.run), 1 + 2 * RUN_STEPS_PER_COMMAND);
    assert_true(world_step(&world));
    assert_int_equal(run_sequence(world.run), 1 + 4 * RUN_STEPS_PER_COMMAND);
    world_cancel(&world);
    assert_false(run_has_more(world.run));
    world_done(&world);
}

static void too_many_open_tasks_fault(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{l: {for: {in: '[1, 2, 3, 4, 5]'}, metadata: {tutti: {parallel: 5}},"
                       " do: [{a: {" CALL "}}]}}]");
    world.script                     = never;
    world.env.limits.activations_max = 5; /* the loop and four of them is one too many */
    world_start(&world, NULL);
    assert_non_null(strstr(world_result(&world), "too many tasks"));
    world_done(&world);

    world_init(&world, "do: [{l: {for: {in: '[1, 2, 3]'}, metadata: {tutti: {parallel: 5}},"
                       " do: [{a: {" CALL "}}]}}]");
    world.script                     = never;
    world.env.limits.activations_max = 5;
    world_start(&world, NULL);
    assert_string_equal(world_result(&world), "running");
    world_done(&world);
}

static void a_thousand_jobs_at_once(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{l: {for: {in: '.'}, metadata: {tutti: {parallel: 1000}},"
                       " do: [{a: {" CALL "}}]}}]");
    world.is_unchecked                 = true;
    CLEANUP(buf_done) struct buf input = buf_init(1 << 20);
    (void)buf_put_text(&input, "[0");
    for (int i = 1; i < 1000; i++) (void)buf_put_text(&input, ",0");
    (void)buf_put_text(&input, "]");
    world_start(&world, input.ptr);
    while (run_has_more(world.run)) (void)world_step(&world);
    assert_int_equal(run_jobs_open(world.run), 1000);
    world_cancel(&world);
    assert_int_equal(world.job_count, 0);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(an_input_that_does_not_fit_is_refused),
        cmocka_unit_test(answers_to_closed_jobs_are_refused),
        cmocka_unit_test(an_ended_run_takes_no_signal_and_has_nothing_to_do),
        cmocka_unit_test(a_run_says_what_it_waits_for),
        cmocka_unit_test(only_timers_make_a_run_wait),
        cmocka_unit_test(progress_goes_by_weight),
        cmocka_unit_test(a_spent_budget_refuses_the_next_job),
        cmocka_unit_test(a_child_spends_the_budget_of_its_parent),
        cmocka_unit_test(an_agent_pays_for_its_child_runs),
        cmocka_unit_test(a_job_event_has_all_that_a_job_table_needs),
        cmocka_unit_test(an_endless_loop_gives_the_partition_back),
        cmocka_unit_test(too_many_open_tasks_fault),
        cmocka_unit_test(a_thousand_jobs_at_once),
    };
    struct CMUnitTest tests[ARRAY_LEN(others) + ARRAY_LEN(key_rows)];
    memcpy(tests, others, sizeof others);
    for (size_t i = 0; i < ARRAY_LEN(key_rows); i++) {
        tests[ARRAY_LEN(others) + i] = row_test(key_rows[i].name, check_key, &key_rows[i]);
    }
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
