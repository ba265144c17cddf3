/* What becomes of secrets in a run: sent, asked about, and never kept. */
#include "agent_talk.h"
#include "run_row.h"

#include "scheduler/decide/job_arguments.h"
#include "support/scheduler/rig.h"
#include "json/json_text.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN "tok-0123456789"
#define USE   "use: {secrets: [token, mail, none]}\n"
#define SEND(body)                                                                                 \
    "{call: http, with: {method: post, endpoint: 'https://a.test/x', body: " body "}}"

/* --- the core ----------------------------------------------------------------------------------
 */

static json get_secret(str namespace, str name, void *context)
{
    const bool *is_away = context;
    json value          = json_invalid();
    if (!str_is(namespace, "test") || *is_away) return value;
    if (str_is(name, "token")) return json_text_from(TOKEN);
    if (str_is(name, "mail")) {
        value = json_object_new(2);
        json_object_put_text(&value, "user", json_text_from("ann@example.org"));
        json_object_put_text(&value, "password", json_text_from("passw0rd-of-ann"));
    }
    return value;
}

static const struct core_row {
    const char *name;
    const char *tasks;
    struct answer script[4];
    const char *result; /* one that ends in a comma is a beginning */
    const char *input;  /* of the first job, as it is stored; NULL: none */
} core_rows[] = {
    {"a text that is set is hidden",
     "do: [{a: {set: {x: '${ $secrets.token }'}}}]",
     {},
     "{\"x\":\"***\"}",
     NULL},
    {"a member of a map, too",
     "do: [{a: {set: {x: '${ $secrets.mail.password }'}}}]",
     {},
     "{\"x\":\"***\"}",
     NULL},
    {"and a map as a whole",
     "do: [{a: {set: {x: '${ $secrets.mail }'}}}]",
     {},
     "{\"x\":{\"user\":\"***\",\"password\":\"***\"}}",
     NULL},
    {"and all of them",
     "use: {secrets: [token]}\ndo: [{a: {set: {x: '${ $secrets }'}}}]",
     {},
     "{\"x\":{\"token\":\"***\"}}",
     NULL},
    {"what is computed of one",
     "do: [{a: {set: {x: '${ $secrets.token | @base64 }'}}}]",
     {},
     "{\"x\":\"Kioq\"}",
     NULL},
    {"what cannot be computed of its mask",
     "do: [{a: {set: {x: '${ $secrets.token[4:] | tonumber }', y: 1}}}]",
     {},
     "{\"x\":\"***\",\"y\":1}",
     NULL},
    {"a condition asks the secret itself",
     "do: [{a: {if: '$secrets.token == \"" TOKEN "\"', set: {x: 1}}}]",
     {},
     "{\"x\":1}",
     NULL},
    {"a switch, too",
     "do: [{a: {switch: [{yes: {when: '$secrets.token | endswith(\"789\")', then: b}},"
     " {no: {then: end}}]}}, {b: {set: {x: 1}}}]",
     {},
     "{\"x\":1}",
     NULL},
    {"a missing one is an error",
     "do: [{a: {set: {x: '${ $secrets.none }'}}}]",
     {},
     "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/authorization\","
     "\"status\":403,\"title\":\"Authorization error\",\"detail\":\"the "
     "secret `none` is not configured for the namespace `test`\",\"instance\":\"/do/0/a\"}",
     NULL},
    {"a missing one in a condition, too",
     "do: [{a: {if: $secrets.none, set: {x: 1}}}]",
     {},
     "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/authorization\","
     "\"status\":403,",
     NULL},
    {"a missing one in a job is found when it is queued",
     "do: [{a: " SEND("'${ $secrets.none }'") "}]",
     {},
     "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/authorization\","
     "\"status\":403,",
     NULL},
    {"and can be caught",
     "do: [{t: {try: [{a: " SEND(
         "'${ $secrets.none }'") "}], catch: {errors: {with: {status: 403}},"
                                 " do: [{b: {set: {x: caught}}}]}}}]",
     {},
     "{\"x\":\"caught\"}",
     NULL},
    {"the input of a job is stored without it",
     "do: [{a: " SEND("{t: '${ \"Bearer \\($secrets.token)\" }', n: 1}") "}]",
     {},
     "null",
     "{\"method\":\"post\",\"endpoint\":\"https://a.test/x\",\"body\":{\"t\":\"Bearer "
     "***\",\"n\":1}}"},
    {"also where it comes by input.from",
     "do: [{a: {call: http, input: {from: '{t: $secrets.token}'}, with: {method: get, endpoint: "
     "'https://a.test/{t}'}}}]",
     {},
     "null",
     "{\"method\":\"get\",\"endpoint\":\"https://a.test/%2A%2A%2A\"}"},
    {"an expression that fails on it says nothing of it",
     "do: [{a: " SEND("'${ $secrets.token | tonumber }'") "}]",
     {},
     "faulted "
     "{\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/expression\",\"status\":400,"
     "\"title\":\"Expression error\",\"detail\":\"the expression at 7:84 failed; why is not told, "
     "since it names secrets\",\"instance\":\"/do/0/a\"}",
     NULL},
    {"an answer that holds it is hidden",
     "do: [{a: " SEND("'${ $secrets.token }'") "}]",
     {{"a", 0, ANSWER_OK, "{\"echo\":\"got " TOKEN "\",\"basic\":\"dG9rLTAxMjM0NTY3ODk=\"}"}},
     "{\"echo\":\"got ***\",\"basic\":\"***k=\"}",
     NULL},
    {"an error that holds it, too",
     "do: [{a: " SEND("'${ $secrets.token }'") "}]",
     {{"a", 0, ANSWER_FAIL,
       "{\"type\":\"https://x\",\"status\":400,\"title\":\"t\",\"detail\":\"no " TOKEN "\"}"}},
     "faulted {\"type\":\"https://x\",\"status\":400,\"title\":\"t\",\"detail\":\"no ***\","
     "\"instance\":\"/do/0/a\"}",
     NULL},
    {"$authorization has its scheme and hides the rest",
     "do: [{a: {call: http, with: {method: get, endpoint: {uri: 'https://a.test', authentication: "
     "{bearer: {token: t0ken-in-clear}}}, headers: {X: '${ \"\\($authorization.scheme) "
     "\\($authorization.parameter)\" }'}}, output: {as: '$authorization'}}}]",
     {},
     "{\"scheme\":\"Bearer\",\"parameter\":\"***\"}",
     "{\"method\":\"get\",\"endpoint\":\"https://a.test\",\"headers\":{\"X\":\"Bearer "
     "***\"},\"authentication\":{\"bearer\":{\"token\":\"t0ken-in-clear\"}}}"},
};

static void check_core(void **state)
{
    const struct core_row *row        = *state;
    bool is_away                      = false;
    const struct secret_source source = {.get = get_secret, .context = &is_away};
    CLEANUP(buf_done) struct buf body = buf_init(8 << 10);
    (void)buf_printf(&body, "%s%s%c", strstr(row->tasks, "use:") ? "" : USE, row->tasks, '\0');
    struct world world;
    world_init(&world, body.ptr);
    world.env.secrets = &source;
    world.script      = row->script;
    world_start(&world, NULL);
    if (row->input) {
        assert_true(world.job_count == 1);
        CLEANUP(json_unrefp) json input = json_to_text_new(world.jobs[0].input);
        assert_string_equal(json_str(input).ptr, row->input);
    }
    world_play(&world);
    expect_result(&world, row->result);
    for (size_t i = 0; i < world.entry_count; i++) {
        assert_null(memmem(world.entries[i].ptr, world.entries[i].len, TOKEN, strlen(TOKEN)));
    }
    world_done(&world);
}

/* --- the engine --------------------------------------------------------------------------------
 */

struct sender {
    struct rig rig;
    json configured;
};

static char variable[]     = "TOKEN=" TOKEN;
static char *environment[] = {variable, NULL};

static int begin(void **state)
{
    struct sender *it = calloc(1, sizeof *it);
    assert_int_equal(json_parse(str_from("{\"default\":{\"token\":{\"env\":\"TOKEN\"}}}"), NULL,
                                &it->configured, NULL, NULL),
                     STATUS_OK);
    it->rig.secrets =
        (struct secrets_place){.configured = it->configured, .environment = environment};
    rig_init(&it->rig, 1, true);
    *state = it;
    return 0;
}

static int end(void **state)
{
    struct sender *it = *state;
    rig_done(&it->rig);
    json_unref(it->configured);
    free(it);
    return 0;
}

static const char definition[] =
    "document: {dsl: '1.0.3', namespace: default, name: send, version: '1.0.0'}\n"
    "use: {secrets: [token]}\n"
    "do:\n"
    "  - a:\n"
    "      call: http\n"
    "      input: {from: '{t: $secrets.token}'}\n"
    "      with:\n"
    "        method: post\n"
    "        endpoint: {uri: 'https://a.test/{t}', authentication: {bearer: {token: '${ "
    "$secrets.token "
    "}'}}}\n"
    "        headers: {X: '${ $authorization.parameter }'}\n"
    "        body: '${ $secrets.token | @base64 }'\n";
static const char sent[] =
    "{\"method\":\"post\",\"endpoint\":\"https://a.test/" TOKEN "\",\"headers\":{\"X\":\"" TOKEN
    "\"},\"body\":\"dG9rLTAxMjM0NTY3ODk=\",\"authentication\":{\"bearer\":{\"token\":\"" TOKEN
    "\"}}}";

static void check_sent(const Pb__LeasedJob *job)
{
    assert_non_null(job);
    assert_int_equal(job->input_json.len, strlen(sent));
    assert_memory_equal(job->input_json.data, sent, strlen(sent));
}

static bool file_holds(const char *path, const char *needle)
{
    bool holds  = false;
    size_t size = 64 << 20;
    char *whole = malloc(size);
    FILE *file  = fopen(path, "re");
    if (file) {
        size_t read = fread(whole, 1, size, file);
        holds       = memmem(whole, read, needle, strlen(needle)) != NULL;
        (void)fclose(file);
    }
    free(whole);
    return holds;
}

static void check_folder(const char *path)
{
    DIR *folder = opendir(path);
    assert_non_null(folder);
    unsigned files = 0;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char name[1024];
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_type != DT_REG) continue;
        files++;
        if (file_holds(name, TOKEN) || file_holds(name, "dG9rLTAxMjM0NTY3ODk")) {
            fail_msg("%s holds the secret", name);
        }
    }
    (void)closedir(folder);
    assert_true(files > 0);
}

/* What is shown of it is `shown`. */
static void check_progress(struct rig *rig, const Pb__LeasedJob *job, const char *said,
                           const char *shown)
{
    Pb__Heartbeat made         = PB__HEARTBEAT__INIT;
    Pb__Heartbeat *list[]      = {&made};
    Pb__Heartbeats message     = PB__HEARTBEATS__INIT;
    Pb__GetJob get             = PB__GET_JOB__INIT;
    made.job                   = job->id;
    made.lease_token           = job->lease_token;
    made.progress_json         = rig_bytes(said);
    message.worker             = "w";
    message.jobs               = list;
    message.n_jobs             = 1;
    get.id                     = job->id;
    const struct question beat = {
        .service = &pb__jobs__descriptor, .method = "Heartbeat", .message = &message};
    const struct question asked = {
        .service = &pb__jobs__descriptor, .method = "Get", .message = &get};
    (void)rig_ask(rig, &beat);
    const Pb__JobView *view = rig_ask(rig, &asked);
    assert_int_equal(view->progress_json.len, strlen(shown));
    assert_memory_equal(view->progress_json.data, shown, strlen(shown));
}

static void a_worker_gets_it_and_the_store_does_not(void **state)
{
    struct sender *it = *state;
    rig_put_text(&it->rig, definition);
    const char *run          = rig_start(&it->rig, "send", NULL)->run->id;
    const Pb__LeasedJob *job = rig_lease(&it->rig, "tools", 5'000);
    check_sent(job);
    check_progress(&it->rig, job, "{\"message\":\"got " TOKEN "\"}", "{\"message\":\"got ***\"}");
    check_progress(&it->rig, job, "\"has " TOKEN "\"", "\"has ***\"");
    check_progress(&it->rig, job, "{ " TOKEN, "\"has ***\""); /* no JSON */
    assert_int_equal(rig_complete(&it->rig, job, "{\"you\":\"" TOKEN "\"}"), STATUS_OK);
    rig_wait_for(&it->rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    const Pb__RunView *view = rig_get(&it->rig, run);
    assert_memory_equal(view->output_json.data, "{\"you\":\"***\"}", view->output_json.len);
    char data[128];
    (void)snprintf(data, sizeof data, "%s/p0", it->rig.folder);
    check_folder(data);
}

static void after_a_restart_it_is_made_again(void **state)
{
    struct sender *it = *state;
    rig_put_text(&it->rig, definition);
    const char *run = rig_start(&it->rig, "send", NULL)->run->id;
    rig_restart(&it->rig);
    const Pb__LeasedJob *job = rig_lease(&it->rig, "tools", 5'000);
    check_sent(job);
    assert_int_equal(rig_complete(&it->rig, job, "1"), STATUS_OK);
    rig_wait_for(&it->rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
}

static void one_that_has_gone_meanwhile_fails_the_job(void **state)
{
    struct sender *it = *state;
    rig_put_text(&it->rig, definition);
    const char *run = rig_start(&it->rig, "send", NULL)->run->id;
    rig_stop(&it->rig);
    it->rig.secrets = (struct secrets_place){};
    rig_resume(&it->rig);
    assert_null(rig_lease(&it->rig, "tools", 100));
    rig_wait_for(&it->rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    const Pb__RunView *view = rig_get(&it->rig, run);
    assert_non_null(memmem(view->error_json.data, view->error_json.len, "the secret `token`", 18));
    assert_non_null(memmem(view->error_json.data, view->error_json.len, "403", 3));
}

/* --- agents ------------------------------------------------------------------------------------
 */

static const char agent_definition[] =
    "document: {dsl: '1.0.3', namespace: default, name: send, version: '1.0.0'}\n"
    "use: {secrets: [token]}\n"
    "do: [{a: {call: agent.run, with: {model: m, instructions: '${ $secrets.token }', input: Go, "
    "tools: [{function: http, name: fetch, with: {method: get, headers: {X: '${ \"\\($input.v) "
    "\\($secrets.token)\" }'}}}]}, input: {from: '{v: \"key\"}'}}}]\n";

static void an_agent_adds_it_to_what_a_tool_gets(void **state)
{
    static const char asks[] =
        ASKS(CALL_OF("c1", "fetch", "{\\\"endpoint\\\": \\\"https://a.test/\\\"}"));
    static const char tool_gets[] =
        "{\"endpoint\":\"https://a.test/\",\"headers\":{\"X\":\"key " TOKEN
        "\"},\"method\":\"get\"}";
    struct sender *it = *state;
    rig_put_text(&it->rig, agent_definition);
    const char *run           = rig_start(&it->rig, "send", NULL)->run->id;
    const Pb__LeasedJob *turn = rig_lease(&it->rig, "llm", 5'000);
    assert_non_null(turn);
    assert_non_null(memmem(turn->input_json.data, turn->input_json.len, "\"***\"", 5));
    assert_int_equal(rig_complete(&it->rig, turn, asks), STATUS_OK);
    rig_restart(&it->rig);
    const Pb__LeasedJob *call = rig_lease(&it->rig, "tools", 5'000);
    assert_non_null(call);
    assert_int_equal(call->input_json.len, strlen(tool_gets));
    assert_memory_equal(call->input_json.data, tool_gets, strlen(tool_gets));
    assert_int_equal(rig_complete(&it->rig, call, "{\"you\":\"" TOKEN "\"}"), STATUS_OK);
    turn = rig_lease(&it->rig, "llm", 5'000);
    assert_non_null(turn);
    assert_null(memmem(turn->input_json.data, turn->input_json.len, TOKEN, strlen(TOKEN)));
    assert_int_equal(rig_complete(&it->rig, turn, SAYS("done")), STATUS_OK);
    rig_wait_for(&it->rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    char data[128];
    (void)snprintf(data, sizeof data, "%s/p0", it->rig.folder);
    check_folder(data);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(core_rows)];
    for (size_t i = 0; i < ARRAY_LEN(core_rows); i++) {
        tests[i] = row_test(core_rows[i].name, check_core, &core_rows[i]);
    }
    const struct CMUnitTest engine[] = {
        cmocka_unit_test_setup_teardown(a_worker_gets_it_and_the_store_does_not, begin, end),
        cmocka_unit_test_setup_teardown(after_a_restart_it_is_made_again, begin, end),
        cmocka_unit_test_setup_teardown(one_that_has_gone_meanwhile_fails_the_job, begin, end),
        cmocka_unit_test_setup_teardown(an_agent_adds_it_to_what_a_tool_gets, begin, end),
    };
    return _cmocka_run_group_tests("secrets in a run", tests, ARRAY_LEN(tests), NULL, NULL) +
           cmocka_run_group_tests_name("secrets in the engine", engine, NULL, NULL);
}
