/* What the llm-proxy is asked for embeddings: under which key, for whom, and who pays. */
#include "tool-adapter/embedding/llm_embedder.h"

#include "base/attr.h"
#include "base/clock.h"
#include "cmocka.h"
#include "llm.pb-c.h"
#include "rpc/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_MAX = 256, CALLS_MAX = 8, ASK_MS = 60'000, ERA_BITS = 32 };

struct opened {
    char key[KEY_MAX], namespace[KEY_MAX], key_id[KEY_MAX];
    bool is_reported;
};

/* An llm-proxy that embeds everything as [1, 2]. Calls come one after the other. */
struct world {
    struct rpc_server *server;
    struct llm_embedder *embedder;
    struct opened opened[CALLS_MAX];
    size_t count;
    uint32_t http; /* it answers */
    bool is_replayed;
    uint64_t era;  /* of its subscriber: another one after a rest, or in another process */
    uint64_t call; /* the last one */
    bool restarts; /* before a call is answered */
};

/* --- the llm-proxy ------------------------------------------------------------------------------
 */

static status open_call(struct rpc_call *call, struct error *)
{
    struct world *world     = call->context;
    const Pb__LlmOpen *open = call->request;
    Pb__LlmOpened *to       = call->response;
    struct opened *opened   = &world->opened[world->count++ % CALLS_MAX];
    (void)snprintf(opened->key, sizeof opened->key, "%s", open->idempotency_key);
    (void)snprintf(opened->namespace, sizeof opened->namespace, "%s", open->namespace_);
    (void)snprintf(opened->key_id, sizeof opened->key_id, "%s", open->key_id);
    opened->is_reported = open->usage_reported;
    world->call         = world->era << ERA_BITS | world->count;
    to->call            = world->call;
    if (world->restarts) world->era++;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static status pull(struct rpc_call *call, struct error *reterr)
{
    static const char body[]    = "{\"model\":\"m\",\"data\":[{\"embedding\":[1,2]}]}";
    static const char refused[] = "{\"error\":{\"message\":\"no\"}}";
    struct world *world         = call->context;
    const Pb__LlmPull *asked    = call->request;
    Pb__LlmPulled *to           = call->response;
    Pb__LlmHeader replayed      = PB__LLM_HEADER__INIT;
    Pb__LlmHeader *headers[]    = {&replayed};
    Pb__Usage usage             = PB__USAGE__INIT;
    Pb__LlmItem items[3];
    Pb__LlmItem *list[] = {&items[0], &items[1], &items[2]};
    const char *text    = world->http == 200 ? body : refused;
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        pb__llm_item__init(&items[i]);
        items[i].call = world->call;
    }
    replayed.name        = "Idempotent-Replayed";
    replayed.value       = "true";
    usage.calls          = 1;
    usage.cost_usd_nanos = 7;
    items[0].kind        = PB__LLM_ITEM_KIND__LLM_ITEM_KIND_HEAD;
    items[0].http_status = world->http;
    items[0].headers     = headers;
    items[0].n_headers   = world->is_replayed ? 1 : 0;
    items[1].kind        = PB__LLM_ITEM_KIND__LLM_ITEM_KIND_DATA;
    items[1].data.data   = (uint8_t *)(uintptr_t)text;
    items[1].data.len    = strlen(text);
    items[2].kind        = PB__LLM_ITEM_KIND__LLM_ITEM_KIND_END;
    items[2].usage       = &usage;
    to->reply            = world->era << ERA_BITS | world->count;
    to->items            = list;
    to->n_items          = world->call >> ERA_BITS == world->era ? ARRAY_LEN(items) : 0;
    if (asked->last_reply > 0 && asked->last_reply >> ERA_BITS != world->era) {
        return fail(reterr, STATUS_NOT_FOUND, "those calls are gone");
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static const struct rpc_method methods[] = {
    {.name = "Open", .handle = open_call}, {.name = "Pull", .handle = pull}, {}};

static int begin(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct error error  = {};
    char url[RPC_ENDPOINT_MAX];
    char endpoints[2 * RPC_ENDPOINT_MAX];
    const struct rpc_tls tls            = {};
    const struct rpc_identity identity  = {.service = str_from("tool-adapter")};
    const struct rpc_service services[] = {{&pb__llm__descriptor, methods, world}, {}};
    (void)snprintf(url, sizeof url, "inproc://llm_embedder_test_%d", (int)getpid());
    const struct rpc_server_options server = {
        .url = url, .services = services, .identity = {.service = str_from("llm-proxy")}};
    world->http = 200;
    world->era  = 1;
    if (rpc_server_start(&server, &world->server, &error) != STATUS_OK) fail_msg("%s", error.text);
    (void)snprintf(endpoints, sizeof endpoints, "%s %s", rpc_server_url(world->server),
                   rpc_server_long_url(world->server));
    if (llm_embedder_open(endpoints, &identity, &tls, &world->embedder, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    llm_embedder_closep(&world->embedder);
    rpc_server_stopp(&world->server);
    free(world);
    return 0;
}

/* --- asking -------------------------------------------------------------------------------------
 */

static status ask(struct world *world, const char *model, const struct engine_payer *payer,
                  Pb__Usage *usage)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct embedder embedder           = llm_embedder_of(world->embedder);
    const atomic_bool is_cancelled           = false;
    const str text                           = str_from("words");
    struct embed_answer answer               = {};
    struct error error                       = {};
    const struct embed_ask question          = {.model           = str_from(model),
                                                .tenant          = str_from("acme"),
                                                .payer           = *payer,
                                                .texts           = &text,
                                                .count           = 1,
                                                .idempotency_key = str_from("run/task"),
                                                .arena           = arena,
                                                .is_cancelled    = &is_cancelled,
                                                .deadline_ms     = clock_mono_ms() + ASK_MS};
    pb__usage__init(usage);
    status code     = embedder.embed(embedder.self, &question, &answer, usage, &error);
    usage->provider = usage->model = ""; /* they were the arena's */
    if (code == STATUS_OK) assert_int_equal(answer.dimensions, 2);
    return code;
}

/* A namespace that is being embedded anew has two questions in one call. */
static void one_key_stands_for_one_question(void **state)
{
    struct world *world              = *state;
    const struct engine_payer payer  = {.is_reported = true};
    static const char *const asked[] = {"old", "new", "old"};
    Pb__Usage usage;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        assert_int_equal(ask(world, asked[i], &payer, &usage), STATUS_OK);
        assert_memory_equal(world->opened[i].key, "run/task\x1f", 9);
    }
    assert_string_not_equal(world->opened[0].key, world->opened[1].key);
    assert_string_equal(world->opened[0].key, world->opened[2].key);
}

static void says_who_pays(void **state)
{
    struct world *world            = *state;
    const struct engine_payer job  = {.is_reported = true};
    const struct engine_payer them = {.key_id = str_from("k1")};
    Pb__Usage usage;
    assert_int_equal(ask(world, "m", &job, &usage), STATUS_OK);
    assert_int_equal(ask(world, "m", &them, &usage), STATUS_OK);
    for (size_t i = 0; i < 2; i++) assert_string_equal(world->opened[i].namespace, "acme");
    assert_true(world->opened[0].is_reported);
    assert_string_equal(world->opened[0].key_id, "");
    assert_false(world->opened[1].is_reported);
    assert_string_equal(world->opened[1].key_id, "k1");
}

static void an_answer_from_before_is_paid_once(void **state)
{
    struct world *world = *state;
    Pb__Usage usage;
    static const struct {
        bool is_replayed, is_owed;
        int64_t nanos;
    } rows[] = {{false, false, 7}, {true, false, 0}, {true, true, 7}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct engine_payer payer = {.is_reported = true, .is_owed = rows[i].is_owed};
        world->is_replayed              = rows[i].is_replayed;
        assert_int_equal(ask(world, "m", &payer, &usage), STATUS_OK);
        assert_int_equal(usage.cost_usd_nanos, rows[i].nanos);
    }
}

static void says_what_may_be_tried_again(void **state)
{
    struct world *world             = *state;
    const struct engine_payer payer = {.is_reported = true};
    Pb__Usage usage;
    static const struct {
        uint32_t http;
        status code;
    } rows[] = {{400, STATUS_INVALID_ARGUMENT}, {402, STATUS_FAILED_PRECONDITION},
                {409, STATUS_UNAVAILABLE},      {422, STATUS_INVALID_ARGUMENT},
                {429, STATUS_UNAVAILABLE},      {503, STATUS_UNAVAILABLE}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world->http = rows[i].http;
        assert_int_equal(ask(world, "m", &payer, &usage), rows[i].code);
    }
}

static void goes_on_with_another_process(void **state)
{
    struct world *world             = *state;
    const struct engine_payer payer = {.is_reported = true};
    static const struct {
        bool rests, restarts;
        status code;
    } rows[] = {
        {.restarts = true, .code = STATUS_UNAVAILABLE}, /* of the first question */
        {.code = STATUS_OK},
        {.rests = true, .code = STATUS_OK},
        {.restarts = true,
         .code     = STATUS_UNAVAILABLE}, /* of one whose subscriber was used before */
        {.code = STATUS_OK},
    };
    Pb__Usage usage;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].rests) world->era++;
        world->restarts = rows[i].restarts;
        assert_int_equal(ask(world, "m", &payer, &usage), rows[i].code);
    }
}

static void reads_answers_of_models(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        status code;
    } rows[] = {
        {"{\"model\":\"m\",\"data\":[{\"embedding\":[1,2]},{\"embedding\":\"AACAPwAAAEA=\"}]}",
         STATUS_OK},
        {"{\"model\":\"m\",\"data\":[{\"embedding\":[1,2]},{\"embedding\":[1]}]}",
         STATUS_UNAVAILABLE},
        {"{\"model\":\"m\",\"data\":[{\"embedding\":[1,2]}]}", STATUS_UNAVAILABLE},
        {"{\"data\":[{\"embedding\":[1]},{\"embedding\":[1]}]}", STATUS_UNAVAILABLE},
        {"{\"model\":\"m\",\"data\":[{\"embedding\":[]},{\"embedding\":[]}]}", STATUS_UNAVAILABLE},
        {"{\"model\":\"m\",\"data\":[{\"embedding\":[\"x\"]},{\"embedding\":[1]}]}",
         STATUS_UNAVAILABLE},
        {"{\"model\":\"m\",\"data\":[{\"embedding\":\"!\"},{\"embedding\":[1]}]}",
         STATUS_UNAVAILABLE},
        {"[]", STATUS_UNAVAILABLE},
        {"no", STATUS_UNAVAILABLE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct embed_answer read                 = {};
        struct error error                       = {};
        assert_int_equal(llm_embedder_read(str_from(rows[i].body), 2, arena, &read, &error),
                         rows[i].code);
        if (rows[i].code != STATUS_OK) continue;
        assert_int_equal(read.dimensions, 2);
        assert_true(read.vectors[3] > 1.9F && read.vectors[3] < 2.1F);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_key_stands_for_one_question, begin, end),
        cmocka_unit_test_setup_teardown(says_who_pays, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_from_before_is_paid_once, begin, end),
        cmocka_unit_test_setup_teardown(says_what_may_be_tried_again, begin, end),
        cmocka_unit_test_setup_teardown(goes_on_with_another_process, begin, end),
        cmocka_unit_test(reads_answers_of_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
