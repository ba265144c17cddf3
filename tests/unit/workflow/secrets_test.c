/* `use.secrets`, `$secrets`, and authentication: one row per finding, and what is compiled. */
#include "findings.h"
#include "json/json_text.h"

#define USE HEAD "use: { secrets: [ one, two ] }\ndo:\n- n: { set: { a: 1 }, if: $secrets }\n"
#define AUTH                                                                                       \
    TASKS "- a: { call: http, with: { method: GET, endpoint: { uri: 'https://x', authentication: "
#define END " } } }\n"

/* --- what is compiled ------------------------------------------------------------------------- */

/* What a worker would get of the task `a`, where `$secrets` is {one: "1", two: {token: "2"}}. */
static json secrets_get(enum variable variable, const struct scope_variable *, void *context)
{
    const json *secrets = context;
    return variable == VARIABLE_SECRETS ? *secrets : json_invalid();
}

static void check_with(const struct workflow *workflow, const char *expected)
{
    CLEANUP(json_unrefp) json secrets = json_invalid();
    CLEANUP(json_unrefp) json value   = json_invalid();
    assert_int_equal(json_parse(str_from("{\"one\":\"1\",\"two\":{\"token\":\"2\"}}"), NULL,
                                &secrets, NULL, NULL),
                     STATUS_OK);
    const struct variables variables = {.get = secrets_get, .context = &secrets};
    const struct task *task          = &workflow->tasks[workflow->task_count - 1];
    assert_int_equal(template_eval(task->call.with, json_null(), &variables, &value, NULL),
                     STATUS_OK);
    CLEANUP(json_unrefp) json text = json_to_text_new(value);
    assert_string_equal(json_str(text).ptr, expected);
}

#define CALL(authentication)                                                                       \
    HEAD "use: { secrets: [ one, two ], authentications: { p: { bearer: { use: two } } } }\n"      \
         "do:\n- n: { set: { a: 1 }, if: $secrets }\n- u: { call: http, with: { method: GET, "     \
         "endpoint: { uri: 'https://y', authentication: { use: p } } } }\n"                        \
         "- a: { call: http, with: { method: GET, endpoint: { uri: 'https://x', authentication: "  \
         "" authentication " } } }\n"

static const struct compiled {
    const char *name, *text, *kind, *with;
    bool sends_secrets;
} compiled[] = {
    {"basic", CALL("{ basic: { username: u, password: p } }"), "basic",
     "{\"method\":\"GET\",\"endpoint\":\"https://x\",\"authentication\":{\"basic\":{\"username\":"
     "\"u\",\"password\":\"p\"}}}",
     false},
    {"basic with a secret", CALL("{ basic: { username: u, password: '${ $secrets.one }' } }"),
     "basic",
     "{\"method\":\"GET\",\"endpoint\":\"https://x\",\"authentication\":{\"basic\":{\"username\":"
     "\"u\",\"password\":\"1\"}}}",
     true},
    {"bearer from a secret", CALL("{ bearer: { use: two } }"), "bearer",
     "{\"method\":\"GET\",\"endpoint\":\"https://x\",\"authentication\":{\"bearer\":{\"token\":"
     "\"2\"}}}",
     true},
    {"a named policy", CALL("{ use: p }"), "bearer",
     "{\"method\":\"GET\",\"endpoint\":\"https://x\",\"authentication\":{\"bearer\":{\"token\":"
     "\"2\"}}}",
     true},
    {"digest", CALL("{ digest: { username: u, password: '${ $secrets.one }' } }"), "digest",
     "{\"method\":\"GET\",\"endpoint\":\"https://x\",\"authentication\":{\"digest\":{\"username\":"
     "\"u\",\"password\":\"1\"}}}",
     true},
    {"oauth2 with everything",
     CALL("{ oauth2: { authority: 'https://i', endpoints: { token: /t, revocation: /r, "
          "introspection: /i }, grant: password, client: { id: c, secret: '${ $secrets.one }', "
          "assertion: a, authentication: client_secret_basic }, request: { encoding: "
          "application/json }, issuers: [ i ], scopes: [ s, '${ $secrets.one }' ], audiences: [ d "
          "], username: u, password: p, subject: { token: t, type: y }, actor: { token: t, type: "
          "y } } }"),
     "oauth2",
     "{\"method\":\"GET\",\"endpoint\":\"https://x\",\"authentication\":{\"oauth2\":{\"endpoints\":"
     "{\"token\":\"/t\",\"revocation\":\"/r\",\"introspection\":\"/i\"},\"authority\":\"https://"
     "i\",\"grant\":\"password\",\"client\":{\"id\":\"c\",\"secret\":\"1\",\"assertion\":\"a\","
     "\"authentication\":\"client_secret_basic\"},\"request\":{\"encoding\":\"application/json\"},"
     "\"issuers\":[\"i\"],\"scopes\":[\"s\",\"1\"],\"audiences\":[\"d\"],\"username\":\"u\","
     "\"password\":\"p\",\"subject\":{\"token\":\"t\",\"type\":\"y\"},\"actor\":{\"token\":\"t\","
     "\"type\":\"y\"}}}}",
     true},
    {"oidc", CALL("{ oidc: { authority: 'https://i', grant: client_credentials } }"), "oidc",
     "{\"method\":\"GET\",\"endpoint\":\"https://x\",\"authentication\":{\"oidc\":{\"authority\":"
     "\"https://i\",\"grant\":\"client_credentials\"}}}",
     false},
};

static void check_compiled(void **state)
{
    const struct compiled *row                               = *state;
    CLEANUP(workflow_unrefp) const struct workflow *workflow = read_text(row->text);
    const struct task *task = &workflow->tasks[workflow->task_count - 1];
    assert_string_equal(task->call.authentication_kind, row->kind);
    assert_int_equal(task->sends_secrets, row->sends_secrets);
    assert_int_equal(workflow->secret_count, 2);
    assert_string_equal(workflow->secrets[0], "one");
    check_with(workflow, row->with);
}

static const struct sending {
    const char *name, *task;
    bool sends_secrets;
} sendings[] = {
    {"nothing", "call: http, with: { method: GET, endpoint: 'https://x' }", false},
    {"a secret in the body",
     "call: http, with: { method: GET, endpoint: 'https://x', body: { a: [ '${ $secrets.one }' ] } "
     "}",
     true},
    {"a secret in input.from",
     "call: http, input: { from: $secrets.one }, with: { method: GET, endpoint: 'https://x' }",
     true},
    {"a secret in the condition only",
     "call: http, if: '$secrets.one == 1', with: { method: GET, endpoint: 'https://x' }", false},
    {"a secret of a model", "call: llm.chat, with: { model: m, prompt: '${ $secrets.one }' }",
     true},
    {"$authorization",
     "call: http, with: { method: GET, endpoint: { uri: 'https://x', authentication: { bearer: { "
     "token: t } } }, headers: { A: '${ $authorization.parameter }' } }",
     true},
};

static void check_sending(void **state)
{
    const struct sending *row         = *state;
    CLEANUP(buf_done) struct buf text = buf_init(4 << 10);
    (void)buf_printf(&text,
                     HEAD
                     "use: { secrets: [ one ] }\ndo:\n- n: { set: { a: 1 }, if: $secrets }\n- a: "
                     "{ %s }\n%c",
                     row->task, '\0');
    CLEANUP(workflow_unrefp) const struct workflow *workflow = read_text(text.ptr);
    assert_int_equal(workflow->tasks[1].sends_secrets, row->sends_secrets);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(compiled) + ARRAY_LEN(sendings)];
    for (size_t i = 0; i < ARRAY_LEN(compiled); i++) {
        tests[i] = row_test(compiled[i].name, check_compiled, &compiled[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(sendings); i++) {
        tests[ARRAY_LEN(compiled) + i] = row_test(sendings[i].name, check_sending, &sendings[i]);
    }
    return _cmocka_run_group_tests("compiled", tests, ARRAY_LEN(tests), NULL, NULL);
}
