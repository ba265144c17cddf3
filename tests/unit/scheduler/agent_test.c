/*
 * agent.run: a row is a conversation. `world` proves after each command that the journal alone, and
 * a snapshot, give the same run.
 */
#include "agent_talk.h"
#include "run_row.h"

#include "json/json_text.h"

#include <stdio.h>

enum { ANSWERS_MAX = 12 };

struct talk_row {
    const char *name;
    const char *with; /* of agent.run, besides model and input */
    const char *more; /* of the task */
    struct answer script[ANSWERS_MAX];
    const char *result;  /* a part of it */
    const char *history; /* NULL: does not matter */
    const char *asked;   /* a part of what the last turn is asked; NULL: does not matter */
    uint32_t jobs;       /* scheduled; 0: does not matter */
};

#define FETCH   "{function: http, name: fetch, with: {method: get}}"
#define GET     CALL_OF("c1", "fetch", "{\\\"endpoint\\\": \\\"https://a.test/\\\"}")
#define GET_TOO CALL_OF("c2", "fetch", "{\\\"endpoint\\\": \\\"https://b.test/\\\"}")

static const struct talk_row rows[] = {
    {
        .name   = "an answer without calls is the output",
        .with   = "instructions: Be brief",
        .script = {{"model", 0, ANSWER_OK, SAYS("hi")}},
        .result = "{\"content\":\"hi\",\"turns\":1,\"tool_calls\":[],\"usage\":{\"input_tokens\":0",
        .history = "run.started\n"
                   "task.started /do/0/a\n"
                   "agent.turn /do/0/a\n"
                   "task.started /do/0/a/turns/0/model\n"
                   "job.scheduled /do/0/a/turns/0/model\n"
                   "job.completed /do/0/a/turns/0/model\n"
                   "task.completed /do/0/a/turns/0/model\n"
                   "task.completed /do/0/a\n"
                   "run.completed\n",
        .asked   = "\"messages\":[{\"role\":\"system\",\"content\":\"Be brief\"},"
                   "{\"role\":\"user\",\"content\":\"Go\"}]",
        .jobs    = 1,
    },
    {
        .name    = "all calls of a turn are made at once, and results keep their order",
        .with    = "tools: [" FETCH "]",
        .script  = {{"model", 0, ANSWER_OK_ONCE, ASKS(GET "," GET_TOO)},
                    {"fetch", 0, ANSWER_OK_ONCE, "{\"a\": 1}"},
                    {"fetch", 0, ANSWER_OK_ONCE, "\"text\""},
                    {"model", 0, ANSWER_OK, SAYS("done")}},
        .result  = "{\"content\":\"done\",\"turns\":2,\"tool_calls\":["
                   "{\"name\":\"fetch\",\"arguments\":{\"endpoint\":\"https://a.test/\",\"method\":"
                   "\"get\"}},"
                   "{\"name\":\"fetch\",\"arguments\":{\"endpoint\":\"https://b.test/\",\"method\":"
                   "\"get\"}}]",
        .history = "run.started\n"
                   "task.started /do/0/a\n"
                   "agent.turn /do/0/a\n"
                   "task.started /do/0/a/turns/0/model\n"
                   "job.scheduled /do/0/a/turns/0/model\n"
                   "job.completed /do/0/a/turns/0/model\n"
                   "task.completed /do/0/a/turns/0/model\n"
                   "agent.calls /do/0/a\n"
                   "task.started /do/0/a/turns/0/tools/0\n"
                   "job.scheduled /do/0/a/turns/0/tools/0\n"
                   "task.started /do/0/a/turns/0/tools/1\n"
                   "job.scheduled /do/0/a/turns/0/tools/1\n"
                   "job.completed /do/0/a/turns/0/tools/0\n"
                   "task.completed /do/0/a/turns/0/tools/0\n"
                   "job.completed /do/0/a/turns/0/tools/1\n"
                   "task.completed /do/0/a/turns/0/tools/1\n"
                   "agent.turn /do/0/a\n"
                   "task.started /do/0/a/turns/1/model\n"
                   "job.scheduled /do/0/a/turns/1/model\n"
                   "job.completed /do/0/a/turns/1/model\n"
                   "task.completed /do/0/a/turns/1/model\n"
                   "task.completed /do/0/a\n"
                   "run.completed\n",
        .asked   = "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"{\\\"a\\\":1}\"},"
                   "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"text\"}]",
        .jobs    = 4,
    },
    {
        .name   = "a tool of another name is no job; the model is told",
        .with   = "tools: [" FETCH "]",
        .script = {{"model", 0, ANSWER_OK_ONCE, ASKS(CALL_OF("c1", "fly", "{}"))},
                   {"model", 0, ANSWER_OK, SAYS("ok")}},
        .result = "\"tool_calls\":[{\"name\":\"fly\",\"arguments\":{},\"error\":{\"type\":"
                  "\"https://serverlessworkflow.io/spec/1.0.0/errors/validation\"",
        .asked  = "there is no tool of that name",
        .jobs   = 2,
    },
    {
        .name   = "arguments that are no JSON",
        .with   = "tools: [" FETCH "]",
        .script = {{"model", 0, ANSWER_OK_ONCE, ASKS(CALL_OF("c1", "fetch", "{endpoint"))},
                   {"model", 0, ANSWER_OK, SAYS("ok")}},
        .result = "\"content\":\"ok\"",
        .asked  = "\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"{\\\"error\\\":",
        .jobs   = 2,
    },
    {
        .name   = "arguments that do not fit the schema; what is fixed is none of it",
        .with   = "tools: [" FETCH "]",
        .script = {{"model", 0, ANSWER_OK_ONCE,
                    ASKS(CALL_OF("c1", "fetch", "{\\\"method\\\": \\\"put\\\"}"))},
                   {"model", 0, ANSWER_OK, SAYS("ok")}},
        .result = "\"content\":\"ok\"",
        .asked  = "endpoint",
        .jobs   = 2,
    },
    {
        .name   = "a failing call is reported to the model after its retries",
        .with   = "tools: [" FETCH "]",
        .script = {{"model", 0, ANSWER_OK_ONCE, ASKS(GET)},
                   {"fetch", 0, ANSWER_TRANSIENT,
                    "{\"type\": \"urn:e\", \"status\": 503, \"title\": \"T\"}"},
                   {"model", 0, ANSWER_OK, SAYS("sorry")}},
        .result = "\"error\":{\"type\":\"urn:e\",\"title\":\"T\"}}]",
        .asked  = "{\\\"error\\\":{\\\"type\\\":\\\"urn:e\\\",\\\"title\\\":\\\"T\\\"}}",
        .jobs   = 3,
    },
    {
        .name   = "onError: fault ends the agent, and what is beside it",
        .with   = "tools: [{function: http, name: fetch, with: {method: get}, onError: fault}]",
        .script = {{"model", 0, ANSWER_OK_ONCE, ASKS(GET "," GET_TOO)},
                   {"fetch", 0, ANSWER_FAIL_ONCE,
                    "{\"type\": \"urn:e\", \"status\": 503, \"title\": \"T\"}"},
                   {"fetch", 0, ANSWER_NEVER, NULL}},
        .result = "faulted {\"type\":\"urn:e\",\"status\":503,\"title\":\"T\",\"instance\":"
                  "\"/do/0/a/turns/0/tools/0\"}",
    },
    {
        .name   = "a tool for a user's own worker",
        .with   = "tools: [{function: worker.find, parameters: {required: [q]}, with: {n: 1}}]",
        .script = {{"model", 0, ANSWER_OK_ONCE,
                    ASKS(CALL_OF("c1", "worker_find",
                                 "{\\\"q\\\": 2}") "," CALL_OF("c2", "worker_find", "{}"))},
                   {"worker_find", 0, ANSWER_OK, "\"found\""},
                   {"model", 0, ANSWER_OK, SAYS("done")}},
        .result = "\"arguments\":{\"q\":2,\"n\":1}},{\"name\":\"worker_find\",\"arguments\":{},"
                  "\"error\":",
        .asked  = "\"tool_call_id\":\"c1\",\"content\":\"found\"}",
        .jobs   = 3,
    },
    {
        .name   = "retry: of turns and calls",
        .with   = "retry: {delay: PT1S, limit: {attempt: {count: 1}}}",
        .script = {{"model", 1, ANSWER_FAIL, NULL}, {"model", 2, ANSWER_OK, SAYS("2")}},
        .result = "\"content\":\"2\"",
    },
    {
        .name   = "retry: none",
        .with   = "retry: none",
        .script = {{"model", 0, ANSWER_TRANSIENT, NULL}},
        .result = "\"instance\":\"/do/0/a/turns/0/model\"",
        .jobs   = 1,
    },
    {
        .name   = "turns are limited before a call is made in vain",
        .with   = "maxTurns: 1, tools: [" FETCH "]",
        .script = {{"model", 0, ANSWER_OK, ASKS(GET)}},
        .result = "faulted {\"type\":\"https://tutti.dev/errors/max-turns\",\"status\":422",
        .jobs   = 1,
    },
    {
        .name   = "a budget of tokens is reserved before the turn",
        .with   = "budget: {tokens: 1}, instructions: 'some words that have more than one token'",
        .result = "faulted {\"type\":\"https://tutti.dev/errors/budget\",\"status\":402",
    },
    {
        .name   = "what is left of the budget bounds the answer",
        .with   = "budget: {tokens: 100}",
        .script = {{"model", 0, ANSWER_OK, SAYS("hi")}},
        .result = "\"content\":\"hi\"",
        .asked  = "\"max_tokens\":100",
    },
    {
        .name   = "an answer with a shape",
        .with   = "schema: {type: object, required: [n]}",
        .script = {{"model", 0, ANSWER_OK, SAYS("here: {\\\"n\\\": 1}")}},
        .result = "{\"content\":{\"n\":1},\"turns\":1",
        .asked  = "\"response_format\":{\"type\":\"json_schema\"",
        .jobs   = 1,
    },
    {
        .name   = "one of the wrong shape gets one turn more",
        .with   = "schema: {type: object, required: [n]}",
        .script = {{"model", 0, ANSWER_OK_ONCE, SAYS("{}")},
                   {"model", 0, ANSWER_OK, SAYS("{\\\"n\\\": 1}")}},
        .result = "{\"content\":{\"n\":1},\"turns\":2",
        .asked =
            "{\"role\":\"assistant\",\"content\":\"{}\"},{\"role\":\"user\",\"content\":\"Your "
            "answer has not the shape",
    },
    {
        .name   = "and only one",
        .with   = "schema: {type: object, required: [n]}",
        .script = {{"model", 0, ANSWER_OK, SAYS("{}")}},
        .result =
            "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/validation\"",
        .jobs = 2,
    },
    {
        .name   = "the timeout of the task closes what is open",
        .with   = "tools: [" FETCH "]",
        .more   = ", timeout: {after: PT1M}",
        .script = {{"model", 0, ANSWER_OK_ONCE, ASKS(GET)}, {"fetch", 0, ANSWER_NEVER, NULL}},
        .result = "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/timeout\"",
    },
    {
        .name   = "output.as and $steps as of any task",
        .with   = "maxTurns: 2",
        .more   = ", output: {as: .content}",
        .script = {{"model", 0, ANSWER_OK, SAYS("hi")}},
        .result = "\"hi\"",
    },
    {
        .name = "metadata.tutti.retry enters the agent again; what was answered is not asked anew",
        .with = "tools: [{function: http, name: fetch, with: {method: get}, onError: fault}]",
        .more = ", metadata: {tutti: {retry: {delay: PT1S, limit: {attempt: {count: 1}}}}}",
        .script = {{"model", 0, ANSWER_OK_ONCE, ASKS(GET)},
                   {"fetch", 0, ANSWER_FAIL_ONCE, NULL},
                   {"fetch", 0, ANSWER_OK, "1"},
                   {"model", 0, ANSWER_OK, SAYS("done")}},
        .result = "{\"content\":\"done\",\"turns\":2",
        .jobs   = 4,
    },
    {
        .name   = "what was called beside the call that failed is neither made nor told again",
        .with   = "tools: [{function: http, name: fetch, with: {method: get}, onError: fault}]",
        .more   = ", metadata: {tutti: {retry: {delay: PT1S, limit: {attempt: {count: 1}}}}}",
        .script = {{"model", 0, ANSWER_OK_ONCE, ASKS(GET "," GET_TOO)},
                   {"fetch", 0, ANSWER_OK_ONCE, "1"},
                   {"fetch", 0, ANSWER_FAIL_ONCE, NULL},
                   {"fetch", 0, ANSWER_OK, "2"},
                   {"model", 0, ANSWER_OK, SAYS("done")}},
        .result = "{\"content\":\"done\",\"turns\":2",
        .asked  = "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"1\"},"
                  "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"2\"}]",
        .jobs   = 5,
    },
    {
        .name   = "an agent that is entered again has no more to spend",
        .with   = "budget: {tokens: 1}, instructions: 'some words that have more than one token'",
        .more   = ", metadata: {tutti: {retry: {delay: PT1S, limit: {attempt: {count: 1}}}}}",
        .script = {{"model", 0, ANSWER_OK, SAYS("for free")}},
        .result = "faulted {\"type\":\"https://tutti.dev/errors/budget\",\"status\":402",
    },
};

static void body_of(const struct talk_row *row, struct buf *out)
{
    (void)buf_printf(out, "do: [{a: {call: agent.run, with: {model: smart, input: Go, %s}%s}}]",
                     row->with, row->more ? row->more : "");
}

/* Each call that was asked for before is answered, once. */
static void check_told(json input)
{
    json messages = json_get_text(input, "messages");
    size_t asked  = 0;
    size_t told   = 0;
    for (size_t i = 0; i < json_count(messages); i++) {
        json message = json_at(messages, i);
        asked += json_count(json_get_text(message, "tool_calls"));
        told += str_is(json_str(json_get_text(message, "role")), "tool");
    }
    assert_int_equal(told, asked);
}

/* Plays to the end; what the last turn was asked is noted on the way. */
static void play(struct world *world, struct buf *asked)
{
    do {
        for (size_t i = 0; i < world->job_count; i++) {
            CLEANUP(json_unrefp)
            json input = run_turn_input(world->run, str_from(world->jobs[i].id.text));
            if (json_is(input, JSON_INVALID)) continue;
            check_told(input);
            buf_clear(asked);
            (void)json_print(input, JSON_COMPACT, asked);
        }
    } while (world_step(world));
}

static void a_talk_goes_as_its_row_says(void **state)
{
    const struct talk_row *row         = *state;
    CLEANUP(buf_done) struct buf body  = buf_init(1 << 16);
    CLEANUP(buf_done) struct buf asked = buf_init(1 << 20);
    struct world world;
    body_of(row, &body);
    world_init(&world, body.ptr);
    world.script = row->script;
    world_start(&world, NULL);
    play(&world, &asked);
    const char *result = world_result(&world);
    if (!strstr(result, row->result)) assert_string_equal(result, row->result);
    if (row->history) assert_string_equal(world.history.ptr, row->history);
    if (row->asked && !strstr(asked.ptr, row->asked)) assert_string_equal(asked.ptr, row->asked);
    if (row->jobs) assert_int_equal(world.jobs_scheduled, row->jobs);
    world_done(&world);
}

/* The same talks, and the run is rebuilt after every command. */
static void a_talk_survives_crashes(void **state)
{
    const struct talk_row *row        = *state;
    CLEANUP(buf_done) struct buf body = buf_init(1 << 16);
    struct world world;
    body_of(row, &body);
    world_init(&world, body.ptr);
    world.script = row->script;
    world_start(&world, NULL);
    bool is_from_snapshot = false;
    do {
        world_crash(&world, is_from_snapshot);
        is_from_snapshot = !is_from_snapshot;
    } while (world_step(&world));
    const char *result = world_result(&world);
    if (!strstr(result, row->result)) assert_string_equal(result, row->result);
    if (row->jobs) assert_int_equal(world.jobs_scheduled, row->jobs);
    world_done(&world);
}

/* --- approvals -------------------------------------------------------------------------------- */

static const char guarded[] =
    "do: [{a: {call: agent.run, with: {model: smart, input: Go, tools: ["
    "{function: http, name: fetch, with: {method: get}, approval: {title: 'Fetch it?', timeout: "
    "PT1H}}, {function: http, name: free, with: {method: get}}]}}}]";

static const struct answer guarded_script[] = {
    {"model", 0, ANSWER_OK_ONCE,
     ASKS(GET "," CALL_OF("c2", "free", "{\\\"endpoint\\\": \\\"https://b.test/\\\"}"))},
    {"model", 0, ANSWER_OK, SAYS("done")},
    {"fetch", 0, ANSWER_OK, "\"fetched\""},
    {"free", 0, ANSWER_OK, "\"freely\""},
    {},
};

static void guarded_start(struct world *world)
{
    world_init(world, guarded);
    world->script = guarded_script;
    world_start(world, NULL);
    for (int i = 0; i < 2; i++) {
        assert_true(world_step(world)); /* the model's turn, the free call */
        world_crash(world, i == 0);
    }
    /* The other call went on; nothing but the approval is open. */
    assert_int_equal(world->job_count, 0);
    assert_int_equal(run_status(world->run), RUN_WAITING);
    struct run_wait wait                   = {};
    CLEANUP(buf_done) struct buf reference = buf_init(1024);
    assert_int_equal(run_waits(world->run, &wait, 1), 1);
    assert_int_equal(wait.kind, WAIT_APPROVAL);
    run_wait_put(world->run, &wait, &reference);
    assert_string_equal(reference.ptr, "/do/0/a/turns/0/tools/0/approval");
}

static void an_approved_call_is_made(void **)
{
    struct world world;
    guarded_start(&world);
    assert_int_equal(world_decide(&world, true, NULL), STATUS_OK);
    assert_int_equal(world.job_count, 1);
    world_play(&world);
    assert_non_null(strstr(world_result(&world), "\"content\":\"done\",\"turns\":2"));
    assert_null(strstr(world_result(&world), "\"error\""));
    world_done(&world);
}

static void a_refused_call_is_told_to_the_model(void **)
{
    struct world world;
    guarded_start(&world);
    assert_int_equal(world_decide(&world, false, NULL), STATUS_OK);
    CLEANUP(json_unrefp)
    json input                     = run_turn_input(world.run, str_from(world.jobs[0].id.text));
    CLEANUP(json_unrefp) json text = json_to_text_new(input);
    assert_non_null(strstr(json_str(text).ptr, "\"content\":\"refused: seen\""));
    world_play(&world);
    assert_non_null(
        strstr(world_result(&world), "\"error\":{\"title\":\"Refused\",\"detail\":\"seen\"}"));
    world_done(&world);
}

static void an_edited_call_is_made_as_edited(void **)
{
    struct world world;
    guarded_start(&world);
    CLEANUP(json_unrefp) json payload = json_invalid();
    struct error error                = {};
    assert_int_equal(json_parse(str_from("{\"tool\": \"fetch\", \"arguments\": {\"endpoint\": "
                                         "\"https://c.test/\", \"method\": \"get\"}}"),
                                NULL, &payload, NULL, &error),
                     STATUS_OK);
    const struct approval_edit edit = {
        .approval = str_from(world.approval.text), .by = str_from("ann"), .payload = payload};
    assert_int_equal(run_approval_edit(world.run, &world.env, &edit, &world.events, &error),
                     STATUS_OK);
    world_commit(&world);
    world_crash(&world, true);
    assert_int_equal(world_decide(&world, true, NULL), STATUS_OK);
    CLEANUP(json_unrefp) json text = json_to_text_new(world.jobs[0].input);
    assert_string_equal(json_str(text).ptr,
                        "{\"endpoint\":\"https://c.test/\",\"method\":\"get\"}");
    world_play(&world);
    assert_non_null(strstr(world_result(&world), "https://c.test/"));
    world_done(&world);
}

static void an_approval_that_nobody_gives_is_a_refusal(void **)
{
    struct world world;
    guarded_start(&world);
    world_play(&world); /* an hour passes */
    assert_non_null(strstr(world_result(&world), "nobody decided in time"));
    assert_non_null(strstr(world_result(&world), "\"content\":\"done\""));
    world_done(&world);
}

static void a_cancelled_agent_closes_all(void **)
{
    struct world world;
    guarded_start(&world);
    world_cancel(&world);
    assert_non_null(
        strstr(world.history.ptr, "approval.cancelled /do/0/a/turns/0/tools/0/approval"));
    assert_non_null(strstr(world_result(&world), "cancelled"));
    world_done(&world);
}

/* --- growth ----------------------------------------------------------------------------------- */

static json value_of(const char *text)
{
    json value         = json_invalid();
    struct error error = {};
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, &error), STATUS_OK);
    return value;
}

enum { LONG_LINES = 400 /* 4 KiB: a payload of its own */ };

/* A text that no other turn has: a mark, and so many lines. */
static json text_of(const char *mark, uint32_t number, uint32_t lines)
{
    CLEANUP(buf_done) struct buf text = buf_init(1 << 16);
    (void)buf_printf(&text, "%s-%u.", mark, number);
    for (uint32_t i = 0; i < lines; i++) (void)buf_printf(&text, "text %4u ", number);
    return json_text_new(buf_str(&text));
}

/* {"page": text}: the model is told it as a text of its own. */
static json result_new(uint32_t number, uint32_t lines)
{
    json result = json_object_new(1);
    json_object_put_text(&result, "page", text_of("result", number, lines));
    return result;
}

/* An answer as the llm-proxy makes it, which says a text and one call. */
static json asks_new(uint32_t number, uint32_t lines)
{
    CLEANUP(json_unrefp) json text  = text_of("answer", number, lines);
    CLEANUP(json_unrefp) json calls = value_of("[" GET "]");
    json message                    = value_of("{\"role\": \"assistant\"}");
    json_object_put_text(&message, "content", json_ref(text));
    json_object_put_text(&message, "tool_calls", json_ref(calls));
    json asks = json_object_new(3);
    json_object_put_text(&asks, "content", json_ref(text));
    json_object_put_text(&asks, "message", message);
    json_object_put_text(&asks, "tool_calls", json_ref(calls));
    return asks;
}

static void answer(struct world *world, json output)
{
    struct error error                  = {};
    const struct job_completion command = {.job    = str_from(world->jobs[0].id.text),
                                           .output = output};
    assert_int_equal(run_job_completed(world->run, &world->env, &command, &world->events, &error),
                     STATUS_OK);
    world_commit(world);
    json_unref(output);
}

/* Plays `turns` turns, with a crash now and then. */
static void talk(struct world *world, uint32_t turns, uint32_t lines)
{
    CLEANUP(buf_done) struct buf body = buf_init(1 << 16);
    (void)buf_printf(&body,
                     "do: [{a: {call: agent.run, with: {model: m, input: Go, maxTurns: %u, tools: "
                     "[" FETCH "]}}}]",
                     turns + 1);
    world_init(world, body.ptr);
    world->is_unchecked = turns > 10;
    world_start(world, NULL);
    for (uint32_t i = 0; i < 2 * turns; i++) {
        assert_int_equal(world->job_count, 1);
        bool is_turn = strcmp(world->jobs[0].task->name, "model") == 0;
        answer(world, is_turn ? asks_new(i / 2, lines) : result_new(i / 2, lines));
        if (i % 32 == 0) world_crash(world, i % 64 == 0);
    }
}

/* What a run of `turns` turns keeps: entries, payloads, and a snapshot every 32 turns. */
static size_t bytes_kept(uint32_t turns)
{
    struct world world;
    talk(&world, turns, LONG_LINES);
    size_t size = world_journal_bytes(&world);
    for (size_t i = 0; i < world.payload_count; i++) size += strlen(world.payloads[i]);
    world_done(&world);
    return size;
}

static void the_journal_grows_with_the_messages(void **)
{
    enum { TURN_MAX = 2 * 4096 + 768 /* two texts of 4 KiB, and the events of a turn */ };
    size_t first = bytes_kept(1);
    size_t some  = bytes_kept(26) - first;
    size_t many  = bytes_kept(101) - first;
    print_message("25 turns: %zu bytes, 100 turns: %zu bytes\n", some, many);
    assert_true(many < 100 * TURN_MAX);
    assert_in_range(many * 100 / some, 396, 404); /* as a line does; a square would be 1600 */
}

static size_t count_in(str text, const char *mark)
{
    size_t count = 0;
    str wanted   = str_from(mark);
    for (size_t i = 0; i + wanted.len <= text.len; i++) {
        count += memcmp(text.ptr + i, wanted.ptr, wanted.len) == 0;
    }
    return count;
}

/* How often a run keeps a text: in its entries, its payloads, and a snapshot if that counts. */
static size_t times_kept(struct world *world, const char *mark, bool with_snapshot)
{
    CLEANUP(buf_done) struct buf snapshot = buf_init(1 << 24);
    struct error error                    = {};
    size_t count                          = 0;
    if (with_snapshot) {
        assert_int_equal(run_snapshot_pack(world->run, &world->store, &snapshot, &error),
                         STATUS_OK);
        count += count_in(buf_str(&snapshot), mark);
    }
    for (size_t i = 0; i < world->entry_count; i++) {
        count += count_in(buf_str(&world->entries[i]), mark);
    }
    for (size_t i = 0; i < world->payload_count; i++) {
        count += count_in(str_from(world->payloads[i]), mark);
    }
    return count;
}

/* Long ones as payloads, which a snapshot names; short ones in the entries. */
static void each_answer_is_kept_once(void **)
{
    for (uint32_t lines = 0; lines <= LONG_LINES; lines += LONG_LINES) {
        struct world world;
        talk(&world, 8, lines);
        for (uint32_t i = 0; i < 8; i++) {
            char result[32];
            char said[32];
            (void)snprintf(result, sizeof result, "result-%u.", i);
            (void)snprintf(said, sizeof said, "answer-%u.", i);
            assert_int_equal(times_kept(&world, result, lines > 0), 1);
            assert_int_equal(times_kept(&world, said, lines > 0), 1);
        }
        answer(&world, value_of(SAYS("the end")));
        assert_non_null(strstr(world_result(&world), "{\"content\":\"the end\",\"turns\":9"));
        assert_int_equal(times_kept(&world, "the end", false), 1);
        world_done(&world);
    }
}

int main(void)
{
    enum { ROWS = 64 };
    struct CMUnitTest tests[ROWS] = {
        cmocka_unit_test(an_approved_call_is_made),
        cmocka_unit_test(a_refused_call_is_told_to_the_model),
        cmocka_unit_test(an_edited_call_is_made_as_edited),
        cmocka_unit_test(an_approval_that_nobody_gives_is_a_refusal),
        cmocka_unit_test(a_cancelled_agent_closes_all),
        cmocka_unit_test(the_journal_grows_with_the_messages),
        cmocka_unit_test(each_answer_is_kept_once),
    };
    size_t count = 7;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[count++] = row_test(rows[i].name, a_talk_goes_as_its_row_says, &rows[i]);
        tests[count++] = row_test(rows[i].name, a_talk_survives_crashes, &rows[i]);
    }
    return _cmocka_run_group_tests("agent", tests, count, NULL, NULL);
}
