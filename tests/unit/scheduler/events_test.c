/* listen, emit, signals, approvals: what reaches a run from outside, and when. */
#include "cmocka.h"
#include "support/scheduler/world.h"

#include "json/json_text.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define HOUR_US INT64_C(3'600'000'000)

struct signal {
    const char *name;
    const char *data;
};

/* Signals are sent one after the other; each reaches a run rebuilt from its journal. */
static const struct row {
    const char *name;
    const char *body;
    struct signal signals[6];
    const char *result;
} rows[] = {
    {
        .name    = "one: the event's data, in an array",
        .body    = "do: [{l: {listen: {to: {one: {with: {type: go}}}}}}]",
        .signals = {{"no", "1"}, {"go", "{\"a\": 1}"}},
        .result  = "[{\"a\":1}]",
    },
    {
        .name    = "any: whichever comes first",
        .body    = "do: [{l: {listen: {to: {any: [{with: {type: a}}, {with: {type: b}}]}}}}]",
        .signals = {{"b", "2"}, {"a", "1"}},
        .result  = "[2]",
    },
    {
        .name    = "an empty any takes every event",
        .body    = "do: [{l: {listen: {to: {any: []}}}}]",
        .signals = {{"whatever", "3"}},
        .result  = "[3]",
    },
    {
        .name    = "all: one event per filter, in the order of arrival",
        .body    = "do: [{l: {listen: {to: {all: [{with: {type: a}}, {with: {type: b}}]}}}}]",
        .signals = {{"b", "2"}, {"b", "3"}, {"a", "1"}},
        .result  = "[2,1]",
    },
    {
        .name    = "an event without data reads as null",
        .body    = "do: [{l: {listen: {to: {one: {with: {type: go}}}}}}]",
        .signals = {{"go", NULL}},
        .result  = "[null]",
    },
    {
        .name    = "read: envelope",
        .body    = "do: [{l: {listen: {to: {one: {with: {type: go}}}, read: envelope},"
                   " output: {as: '[.[0].type, .[0].subject == $workflow.id, .[0].data]'}}}]",
        .signals = {{"go", "1"}},
        .result  = "[\"go\",true,1]",
    },
    {
        .name    = "a literal is equal or an anchored regular expression (A25)",
        .body    = "do: [{l: {listen: {to: {one: {with: {type: 'order[.]x+'}}}}}}]",
        .signals = {{"my.order.xx", "1"}, {"order.xxx", "2"}},
        .result  = "[2]",
    },
    {
        .name    = "an expression that yields a boolean decides (A25)",
        .body    = "do: [{l: {listen: {to: {one: {with: {type: go, data: '${ .n > 2 }'}}}}}}]",
        .signals = {{"go", "{\"n\": 1}"}, {"go", "{\"n\": 3}"}},
        .result  = "[{\"n\":3}]",
    },
    {
        .name    = "correlate with expect",
        .body    = "do: [{l: {listen: {to: {one: {with: {type: go}, correlate: {k: {from: .data.k,"
                   " expect: '${ $workflow.input.k }'}}}}}}}]",
        .signals = {{"go", "{\"k\": 1}"}, {"go", "{\"k\": 7}"}},
        .result  = "[{\"k\":7}]",
    },
    {
        .name    = "correlate without expect: the first value seen (A26)",
        .body    = "do: [{l: {listen: {to: {all: [{with: {type: a}, correlate: {k: {from: .data}}},"
                   " {with: {type: b}}]}}}}]",
        .signals = {{"a", "5"}, {"a", "6"}, {"b", "7"}},
        .result  = "[5,7]",
    },
    {
        .name = "correlate without expect: one value for all correlations of a name",
        .body = "do: [{l: {listen: {to: {all: [{with: {type: a}, correlate: {k: {from: .data.k}}},"
                " {with: {type: b}, correlate: {k: {from: .data.key}}}]}}}}]",
        .signals = {{"b", "{\"n\": 0}"},
                    {"a", "{\"k\": 5}"},
                    {"b", "{\"key\": 6}"},
                    {"b", "{\"key\": 5}"}},
        .result  = "[{\"k\":5},{\"key\":5}]",
    },
    {
        .name    = "an expectation of null is one",
        .body    = "do: [{l: {listen: {to: {one: {with: {type: a}, correlate: {k: {from: .data.k,"
                   " expect: '${ .none }'}}}}}}}]",
        .signals = {{"a", "{\"k\": 5}"}, {"a", "{\"n\": 1}"}},
        .result  = "[{\"n\":1}]",
    },
    {
        .name    = "expressions inside a map and a list of a filter",
        .body    = "do: [{l: {listen: {to: {one: {with: {type: go, data: {id: '${ $workflow.input.k"
                   " }', list: [1, '${ . > 2 }'], x: {y: z}}}}}}}}]",
        .signals = {{"go", "{\"id\": 7, \"list\": [1, 2], \"x\": {\"y\": \"z\"}}"},
                    {"go", "{\"id\": 8, \"list\": [1, 3], \"x\": {\"y\": \"z\"}}"},
                    {"go", "{\"id\": 7, \"list\": [1, 3, 4], \"x\": {\"y\": \"z\"}}"},
                    {"go", "{\"id\": 7, \"list\": [1, 3], \"x\": {\"y\": 1}}"},
                    {"go", "{\"id\": 7, \"list\": [1, 3], \"x\": {\"y\": \"z\"}}"}},
        .result  = "[{\"id\":7,\"list\":[1,3],\"x\":{\"y\":\"z\"}}]",
    },
    {
        .name = "any until an expression over the events so far",
        .body = "do: [{l: {listen: {to: {any: [{with: {type: a}}], until: 'map(.n) | add > 4'}}}}]",
        .signals = {{"a", "{\"n\": 1}"}, {"b", "9"}, {"a", "{\"n\": 2}"}, {"a", "{\"n\": 3}"}},
        .result  = "[{\"n\":1},{\"n\":2},{\"n\":3}]",
    },
    {
        .name    = "any until another event, which is in no output",
        .body    = "do: [{l: {listen: {to: {any: [], until: {one: {with: {type: end}}}}}}}]",
        .signals = {{"a", "1"}, {"b", "2"}, {"end", "3"}},
        .result  = "[1,2]",
    },
    {
        .name    = "any until all of several events",
        .body    = "do: [{l: {listen: {to: {any: [{with: {type: a}}], until: {all: [{with: {type:"
                   " x}}, {with: {type: y}}]}}}}}]",
        .signals = {{"y", "0"}, {"a", "1"}, {"y", "0"}, {"x", "0"}},
        .result  = "[1]",
    },
    {
        .name    = "until at once: no event is an empty output",
        .body    = "do: [{l: {listen: {to: {any: [{with: {type: a}}], until: {any: [{with: {type:"
                   " x}}]}}}}}]",
        .signals = {{"x", "0"}},
        .result  = "[]",
    },
    {
        .name   = "all of nothing is over at once",
        .body   = "do: [{l: {listen: {to: {all: []}}}}]",
        .result = "[]",
    },
    {
        .name    = "an until that fails is an error of the task",
        .body    = "do: [{t: {try: [{l: {listen: {to: {any: [], until: '.[0] | keys'}}}}],"
                   " catch: {as: e, do: [{s: {set: '${ $e.status }'}}]}}}]",
        .signals = {{"a", "1"}},
        .result  = "400",
    },
    {
        .name = "correlation between the events and their end",
        .body = "do: [{l: {listen: {to: {any: [{with: {type: a}, correlate: {k: {from: .data}}}],"
                " until: {one: {with: {type: end}, correlate: {k: {from: .data}}}}}}}}]",
        .signals = {{"a", "5"}, {"a", "6"}, {"end", "6"}, {"a", "5"}, {"end", "5"}},
        .result  = "[5,5]",
    },
    {
        .name    = "foreach: the list gets the event, and its outputs are the output",
        .body    = "do: [{l: {listen: {to: {any: [{with: {type: a}}], until: 'length == 2'}},"
                   " foreach: {item: e, at: i, do: [{s: {set: {n: '${ .n }', i: '${ $i }',"
                   " e: '${ $e.n }'}}}]}}}]",
        .signals = {{"a", "{\"n\": 1}"}, {"a", "{\"n\": 2}"}},
        .result  = "[{\"n\":1,\"i\":0,\"e\":1},{\"n\":2,\"i\":1,\"e\":2}]",
    },
    {
        .name    = "foreach: output and export, with and without a list",
        .body    = "do: [{l: {listen: {to: {one: {with: {type: a}}}}, foreach: {output: {as: '.n +"
                   " $item.n'}, export: {as: '{ sum: . }'}}}}, {m: {listen: {to: {one: {with: {type:"
                   " b}}}}, foreach: {do: [{s: {set: {n: 1}}}], output: {as: '$steps.s.n +"
                   " $context.sum'}}}}]",
        .signals = {{"a", "{\"n\": 3}"}, {"b", "0"}},
        .result  = "[7]",
    },
    {
        .name = "foreach: what it exports may be what until asks for",
        .body = "do: [{l: {listen: {to: {any: [], until: '$context.sum > 4'}}, foreach: {do: [{s:"
                " {set: '${ . }'}}], export: {as: '{ sum: (($context.sum // 0) + .) }'}}}}]",
        .signals = {{"a", "2"}, {"a", "2"}, {"a", "1"}},
        .result  = "[2,2,1]",
    },
    {
        .name = "foreach: a list that faults is the task's fault",
        .body = "do: [{t: {try: [{l: {listen: {to: {any: [], until: 'false'}}, foreach: {do: [{r:"
                " {if: '. == 2', raise: {error: {type: 'https://x', status: 499}}}}]}}}],"
                " catch: {as: e, do: [{s: {set: '${ $e.status }'}}]}}}]",
        .signals = {{"a", "1"}, {"a", "2"}},
        .result  = "499",
    },
    {
        .name    = "foreach: a listen within a listen",
        .body    = "do: [{l: {listen: {to: {any: [{with: {type: a}}], until: 'length == 2'}},"
                   " foreach: {do: [{i: {listen: {to: {one: {with: {type: b}}}}}}]}}}]",
        .signals = {{"a", "1"}, {"a", "2"}, {"b", "3"}, {"b", "4"}},
        .result  = "[[3],[4]]",
    },
    {
        .name    = "foreach: `exit` leaves the list, `end` the run",
        .body    = "do: [{l: {listen: {to: {any: [], until: 'false'}}, foreach: {do: [{x: {if:"
                   " '. == 1', set: {n: 1}, then: exit}}, {y: {set: {n: 2}, then: end}}]}}}]",
        .signals = {{"a", "1"}, {"a", "2"}},
        .result  = "{\"n\":2}",
    },
    {
        .name    = "every task that listens gets the event",
        .body    = "do: [{f: {fork: {branches: [{a: {listen: {to: {one: {with: {type: go}}}}}},"
                   " {b: {listen: {to: {one: {with: {type: go}}}}}}]}}}]",
        .signals = {{"go", "1"}},
        .result  = "[[1],[1]]",
    },
    {
        .name    = "what comes early waits for its listen (A17)",
        .body    = "do: [{w: {listen: {to: {one: {with: {type: first}}}}}},"
                   " {l: {listen: {to: {one: {with: {type: second}}}}}}]",
        .signals = {{"second", "2"}, {"first", "1"}},
        .result  = "[2]",
    },
    {
        .name   = "emit has the event as output, and reaches who listens in this run",
        .body   = "do: [{e: {emit: {event: {with: {type: hi, data: {n: 1}}}}, output: {as: '{"
                  " t: .type, s: .source, v: .specversion }'}}},"
                  " {l: {listen: {to: {one: {with: {type: hi}}}}}}]",
        .result = "[{\"n\":1}]",
    },
    {
        .name = "emit of what nobody listens to does not fill the buffer",
        .body =
            "do: [{l: {for: {in: '[range(1100)]'}, do: [{e: {emit: {event: {with: {type: a}}}}}]}},"
            " {x: {set: {n: 1}}}, {y: {if: 'false', listen: {to: {one: {with: {type: b}}}}}}]",
        .result = "{\"n\":1}",
    },
    {
        .name   = "emit without a listen leaves nothing behind",
        .body   = "do: [{e: {emit: {event: {with: {type: hi}}}, output: {as: '{"
                  " t: .type, s: .source, v: .specversion }'}}}]",
        .result = "{\"t\":\"hi\",\"s\":\"/test/world/1.0.0\",\"v\":\"1.0\"}",
    },
};

static void check(void **state)
{
    const struct row *row = *state;
    struct world world;
    world_init(&world, row->body);
    world_start(&world, "{\"k\": 7}");
    world_play(&world);
    for (const struct signal *signal = row->signals; signal->name; signal++) {
        if (run_status_is_final(run_status(world.run))) break;
        world_crash(&world, false);
        world_signal(&world, signal->name, signal->data);
    }
    assert_string_equal(world_result(&world), row->result);
    world_done(&world);
}

/* --- foreach ------------------------------------------------------------------------------------
 */

/* The events queue while the first is worked on, in whatever order crashes and answers come. */
static void further_events_queue_while_one_is_worked_on(void **state)
{
    static const struct answer never[] = {{"j", 0, ANSWER_NEVER, NULL}, {}};
    bool is_from_snapshot              = *state != NULL;
    struct world world;
    world_init(&world, "do: [{l: {listen: {to: {any: [{with: {type: a}}], until: 'length == 3'}},"
                       " foreach: {do: [{j: {call: http, with: {method: get, endpoint:"
                       " 'https://a.test'}}}], output: {as: '$item'}}}}]");
    world.script = never;
    world_start(&world, "{}");
    world_signal(&world, "a", "1");
    world_signal(&world, "a", "2");
    world_crash(&world, is_from_snapshot);
    assert_int_equal(world.job_count, 1);
    world_signal(&world, "a", "3"); /* the last it wants */
    assert_non_null(strstr(world.history.ptr, "listen.closed /do/0/l\n"));
    world_crash(&world, is_from_snapshot);
    world_signal(&world, "a", "4"); /* which waits for another listener */
    world.script = NULL;
    world_play(&world);
    assert_string_equal(world_result(&world), "[1,2,3]");
    assert_int_equal(world.jobs_scheduled, 3);
    assert_non_null(strstr(world.history.ptr, "task.started /do/0/l/foreach/do/0/j [2]\n"));
    world_done(&world);
}

static void a_timeout_ends_what_foreach_works_on(void **state)
{
    (void)state;
    static const struct answer never[] = {{"j", 0, ANSWER_NEVER, NULL}, {}};
    struct world world;
    world_init(&world, "do: [{l: {listen: {to: {any: [], until: 'false'}}, timeout: {after: {hours:"
                       " 1}}, foreach: {do: [{j: {call: http, with: {method: get, endpoint:"
                       " 'https://a.test'}}}]}}}]");
    world.script = never;
    world_start(&world, "{}");
    world_signal(&world, "a", "1");
    world_pass(&world, HOUR_US);
    assert_non_null(strstr(world_result(&world), "errors/timeout"));
    assert_int_equal(world.job_count, 0);
    world_done(&world);
}

/* --- approvals -----------------------------------------------------------------------------------
 */

#define APPROVAL                                                                                   \
    "do: [{p: {listen: {to: {one: {with: {type: dev.tutti.approval.decided.v1}}}},"                \
    " timeout: {after: {hours: 24}}, output: {as: '.[0]'}, metadata: {tutti: {approval: {"         \
    "title: 'Publish?', approvers: ['team:leads'], payload: {copy: '${ .copy }'}, editable: true"  \
    "}}}}}]"

static void an_approval_waits_and_is_decided_once(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, APPROVAL);
    world_start(&world, "{\"copy\": \"text\"}");
    world_pass(&world, HOUR_US);
    assert_int_equal(run_status(world.run), RUN_WAITING);

    struct run_wait wait = {};
    assert_int_equal(run_waits(world.run, &wait, 1), 1);
    assert_int_equal(wait.kind, WAIT_APPROVAL);
    assert_string_equal(wait.task->name, "p");

    world_signal(&world, "dev.tutti.approval.decided.v1", "{\"approved\": true}");
    assert_int_equal(run_status(world.run), RUN_WAITING); /* nobody decides by a signal */

    world_crash(&world, true);
    assert_int_equal(world_decide(&world, true, "{\"x\": 1}"), STATUS_OK);
    assert_string_equal(world_result(&world),
                        "{\"approved\":true,\"comment\":\"seen\",\"data\":{\"x\":1},"
                        "\"payload\":{\"copy\":\"text\"},\"changed\":false,\"decided_by\":\"ann\","
                        "\"decided_at\":\"2026-11-22T11:00:00.000Z\"}");
    assert_int_equal(world_decide(&world, false, NULL), STATUS_FAILED_PRECONDITION);
    world_done(&world);
}

static void edit(struct world *world, const char *payload, const char *approvers, int64_t due_us)
{
    CLEANUP(json_unrefp) json new_payload   = json_invalid();
    CLEANUP(json_unrefp) json new_approvers = json_invalid();
    if (payload) assert_int_equal(json_parse(str_from(payload), NULL, &new_payload, NULL, NULL), 0);
    if (approvers) {
        assert_int_equal(json_parse(str_from(approvers), NULL, &new_approvers, NULL, NULL), 0);
    }
    const struct approval_edit command = {
        .approval  = str_from(world->approval.text),
        .by        = str_from("bea"),
        .payload   = new_payload,
        .approvers = new_approvers,
        .has_due   = due_us != 0,
        .due_us    = due_us,
    };
    assert_int_equal(run_approval_edit(world->run, &world->env, &command, &world->events, NULL),
                     STATUS_OK);
    world_commit(world);
}

static void an_edited_approval_says_so(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, APPROVAL);
    world_start(&world, "{\"copy\": \"text\"}");
    edit(&world, "{\"copy\": \"better\"}", NULL, 0);
    world_crash(&world, true);
    edit(&world, NULL, "[\"key:ann\"]", world.env.now_us + 100 * HOUR_US);
    world_crash(&world, false);
    world_pass(&world, 48 * HOUR_US); /* it would have expired */
    assert_int_equal(run_status(world.run), RUN_WAITING);
    assert_int_equal(world_decide(&world, true, NULL), STATUS_OK);
    assert_non_null(strstr(world_result(&world), "\"payload\":{\"copy\":\"better\"},"
                                                 "\"changed\":true"));
    assert_non_null(strstr(world.history.ptr, "approval.edited /do/0/p\n"));
    world_done(&world);
}

static void an_edit_taken_back_is_none(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, APPROVAL);
    world_start(&world, "{\"copy\": \"text\"}");
    edit(&world, "{\"copy\": \"better\"}", NULL, 0);
    edit(&world, "{\"copy\": \"text\"}", NULL, 0);
    assert_int_equal(world_decide(&world, true, NULL), STATUS_OK);
    assert_non_null(strstr(world_result(&world), "\"changed\":false"));
    world_done(&world);
}

static void approvers_may_be_expressions(void **state)
{
    (void)state;
    static const char *const lists[][2] = {
        {"['key:boss', '${ .who }']", "\"approvers\":[\"key:boss\",\"team:a\"]"},
        {"'${ [.who] }'", "\"approvers\":[\"team:a\"]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        char body[512];
        (void)snprintf(body, sizeof body,
                       "do: [{p: {listen: {to: {one: {with: {type: dev.tutti.approval.decided.v1"
                       "}}}}, metadata: {tutti: {approval: {title: T, approvers: %s}}}}}]",
                       lists[i][0]);
        struct world world;
        world_init(&world, body);
        world_start(&world, "{\"who\": \"team:a\"}");
        const struct buf *entry = &world.entries[0];
        assert_non_null(memmem(entry->ptr, entry->len, lists[i][1], strlen(lists[i][1])));
        world_done(&world);
    }
}

static void approvers_that_are_no_texts_fault(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{p: {listen: {to: {one: {with: {type: dev.tutti.approval.decided.v1"
                       "}}}}, metadata: {tutti: {approval: {title: T, approvers: '${ .x }'}}}}}]");
    world_start(&world, "{}");
    assert_non_null(strstr(world_result(&world), "approval.approvers must yield a list"));
    world_done(&world);
}

static void an_approval_expires_with_its_timeout(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, APPROVAL);
    world_start(&world, "{}");
    world_play(&world);
    assert_non_null(strstr(world_result(&world), "errors/timeout"));
    assert_non_null(strstr(world.history.ptr, "approval.requested /do/0/p\n"
                                              "approval.expired /do/0/p\n"
                                              "task.faulted /do/0/p\n"));
    assert_int_equal(world_decide(&world, true, NULL), STATUS_FAILED_PRECONDITION);
    world_done(&world);
}

static void cancelling_closes_approvals_and_jobs(void **state)
{
    (void)state;
    static const struct answer script[] = {{"j", 0, ANSWER_NEVER, NULL}, {}};
    struct world world;
    world_init(&world,
               "do: [{f: {fork: {branches: [{p: {listen: {to: {one: {with: {type: "
               "dev.tutti.approval.decided.v1}}}},"
               " metadata: {tutti: {approval: {title: T}}}}}, {j: {call: http, with: {method: get,"
               " endpoint: 'https://a.test'}}}]}}}]");
    world.script = script;
    world_start(&world, "{}");
    world_cancel(&world);
    assert_string_equal(world_result(&world), "cancelled {\"reason\":\"why\",\"by\":\"ann\"}");
    assert_int_equal(world.job_count, 0);
    assert_non_null(strstr(world.history.ptr, "job.cancelled /do/0/f/fork/branches/1/j\n"
                                              "task.cancelled /do/0/f/fork/branches/1/j\n"
                                              "approval.cancelled /do/0/f/fork/branches/0/p\n"
                                              "task.cancelled /do/0/f/fork/branches/0/p\n"
                                              "task.cancelled /do/0/f\n"
                                              "run.cancelled\n"));

    struct error error = {};
    assert_int_equal(
        run_cancel(world.run, &world.env, str_from(""), str_from(""), &world.events, &error),
        STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.code, "run_finished");
    world_done(&world);
}

/* --- limits
 * --------------------------------------------------------------------------------------- */

static void a_full_buffer_refuses_the_sender(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{l: {listen: {to: {one: {with: {type: go}}}}}}]");
    world.env.limits.buffered_max = 2;
    world_start(&world, "{}");
    world_signal(&world, "other", "1");
    world_signal(&world, "other", "2");

    const struct run_signal other = {str_from("other"), json_invalid()};
    uint64_t sequence             = run_sequence(world.run);
    struct error error            = {};
    struct id id                  = {};
    assert_int_equal(run_signal(world.run, &world.env, &other, &id, &world.events, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.code, "rate_limited");
    assert_int_equal(run_sequence(world.run), sequence);
    world_signal(&world, "go", "3"); /* which nothing has to wait for */
    assert_string_equal(world_result(&world), "[3]");
    world_done(&world);
}

static void an_event_expires_after_seven_days(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{l: {listen: {to: {one: {with: {type: go}}}}}}]");
    world_start(&world, "{}");
    world_signal(&world, "other", "1");
    assert_int_equal(run_next_due(world.run), world.env.now_us + RUN_BUFFERED_AGE_US);
    world_pass(&world, RUN_BUFFERED_AGE_US);
    assert_non_null(strstr(world.history.ptr, "event.expired\n"));
    assert_int_equal(run_next_due(world.run), NO_DUE_US);
    world_done(&world);
}

int main(void)
{
    int from_snapshot = 1;
    struct CMUnitTest tests[ARRAY_LEN(rows) + 12];
    size_t count = 0;
    for (; count < ARRAY_LEN(rows); count++) {
        tests[count] = row_test(rows[count].name, check, &rows[count]);
    }
    const struct CMUnitTest others[] = {
        cmocka_unit_test(further_events_queue_while_one_is_worked_on),
        cmocka_unit_test_prestate(further_events_queue_while_one_is_worked_on, &from_snapshot),
        cmocka_unit_test(a_timeout_ends_what_foreach_works_on),
        cmocka_unit_test(an_approval_waits_and_is_decided_once),
        cmocka_unit_test(an_edited_approval_says_so),
        cmocka_unit_test(an_edit_taken_back_is_none),
        cmocka_unit_test(approvers_may_be_expressions),
        cmocka_unit_test(approvers_that_are_no_texts_fault),
        cmocka_unit_test(an_approval_expires_with_its_timeout),
        cmocka_unit_test(cancelling_closes_approvals_and_jobs),
        cmocka_unit_test(a_full_buffer_refuses_the_sender),
        cmocka_unit_test(an_event_expires_after_seven_days),
    };
    static_assert(ARRAY_LEN(others) == 12);
    memcpy(&tests[count], others, sizeof others);
    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
