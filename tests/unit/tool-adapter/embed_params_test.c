/* Vectors that a call leaves out are made of their texts: where they belong, in one question, and
 * for nobody who has gone. */
#include "tool-adapter/embedding/embed_params.h"

#include "json/json_text.h"

#include "support/cmocka.h"

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

enum { DIMENSIONS = 2, TEXT_MAX = 64 << 10 };

static const char schema[] =
    "{\"properties\":{\"query\":{},\"vector\":{\"embed\":\"query\"},"
    "\"items\":{\"items\":{\"properties\":{\"content\":{},\"vector\":{\"embed\":\"content\"}}}}}}";

/* A model that makes [bytes of the text, a third] of a text. */
struct model {
    sem_t *gate;       /* it waits for it; NULL: does not */
    atomic_uint asked; /* questions that have come */
    size_t bytes;      /* of their texts */
    status code;
    unsigned questions;
    size_t texts;
};

static status model_embed(void *self, const struct embed_ask *ask, struct embed_answer *ret_answer,
                          Pb__Usage *usage, struct error *reterr)
{
    struct model *model = self;
    atomic_fetch_add(&model->asked, 1);
    if (model->gate) (void)sem_wait(model->gate);
    for (size_t i = 0; i < ask->count; i++) model->bytes += strnlen(ask->texts[i].ptr, TEXT_MAX);
    model->questions++;
    model->texts += ask->count;
    if (model->code != STATUS_OK) return fail(reterr, model->code, "the model is not well");
    float *vectors = arena_alloc(ask->arena, ask->count * DIMENSIONS * sizeof *vectors);
    for (size_t i = 0; i < ask->count; i++) {
        vectors[i * DIMENSIONS]     = (float)ask->texts[i].len;
        vectors[i * DIMENSIONS + 1] = 1.0F / 3;
    }
    usage->calls = 1;
    *ret_answer  = (struct embed_answer){
         .model = str_from("letters"), .dimensions = DIMENSIONS, .vectors = vectors};
    return STATUS_OK;
}

struct desk {
    struct loop *loop;
    struct work_pool *pool;
    struct model model;
    struct embed_desk embed;
    json schema;
    struct manifest_action action;
    /* What came of a call. */
    int told;
    status code;
    json params;
    int64_t calls;
};

static json parsed(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static void on_done(status code, const struct error *, json params, const Pb__Usage *usage,
                    void *context)
{
    struct desk *desk = context;
    desk->told++;
    desk->code   = code;
    desk->params = json_ref(params);
    desk->calls  = usage ? usage->calls : 0;
}

static void desk_open(struct desk *desk)
{
    *desk = (struct desk){.schema = parsed(schema)};
    assert_int_equal(loop_new(NULL, &desk->loop, NULL), STATUS_OK);
    assert_int_equal(work_pool_new(desk->loop, 1, &desk->pool, NULL), STATUS_OK);
    desk->embed.embedder = (struct embedder){.embed = model_embed, .self = &desk->model};
    desk->embed.pool     = desk->pool;
    desk->action         = (struct manifest_action){.name = "a", .params = desk->schema};
}

static void desk_close(struct desk *desk)
{
    work_pool_freep(&desk->pool);
    assert_int_equal(desk->embed.calls, 0);
    loop_freep(&desk->loop);
    json_unref(desk->schema);
}

static status start(struct desk *desk, json params, struct embed_params **ret_call)
{
    const struct embed_params_request request = {.action          = &desk->action,
                                                 .params          = params,
                                                 .model           = str_from("letters"),
                                                 .namespace       = str_from("default"),
                                                 .idempotency_key = str_from("k"),
                                                 .done            = on_done,
                                                 .context         = desk};
    return embed_params_start(&desk->embed, &request, ret_call, NULL);
}

static void wait(struct desk *desk)
{
    while (work_pool_busy(desk->pool) > 0) loop_turn(desk->loop, 100);
}

/* `wanted` NULL: there is nothing to embed. */
static void check(const char *given, const char *wanted)
{
    struct desk desk;
    struct embed_params *call        = NULL;
    CLEANUP(json_unrefp) json params = parsed(given);
    CLEANUP(buf_done) struct buf now = buf_init(TEXT_MAX);
    desk_open(&desk);
    assert_int_equal(embed_params_are_due(&desk.action, params), wanted != NULL);
    if (wanted) {
        CLEANUP(buf_done) struct buf out = buf_init(TEXT_MAX);
        assert_int_equal(start(&desk, params, &call), STATUS_OK);
        wait(&desk);
        assert_int_equal(desk.told, 1);
        assert_int_equal(desk.code, STATUS_OK);
        assert_true(json_print(desk.params, JSON_COMPACT, &out));
        assert_string_equal(out.ptr, wanted);
        assert_int_equal(desk.model.questions, 1);
        assert_int_equal(desk.calls, 1);
        json_unref(desk.params);
    }
    assert_true(json_print(params, JSON_COMPACT, &now));
    assert_string_equal(now.ptr, given); /* the caller's own stay as they are */
    desk_close(&desk);
}

static void test_what_is_left_out_is_filled(void **)
{
    check("{\"query\":\"tea\"}", "{\"query\":\"tea\",\"vector\":[3,0.333333343]}");
    check("{\"query\":\"tea\",\"vector\":null}", "{\"query\":\"tea\",\"vector\":[3,0.333333343]}");
    check("{\"items\":[{\"content\":\"a\"},{\"content\":\"b\",\"vector\":[1]},7,{\"content\":"
          "\"ccc\"}]}",
          "{\"items\":[{\"content\":\"a\",\"vector\":[1,0.333333343]},{\"content\":\"b\","
          "\"vector\":[1]"
          "},7,{\"content\":\"ccc\",\"vector\":[3,0.333333343]}]}");
}

static void test_what_is_there_needs_nobody(void **)
{
    check("{\"query\":\"tea\",\"vector\":[1,2]}", NULL);
    check("{\"query\":\"\"}", NULL);
    check("{\"query\":7}", NULL);
    check("{\"items\":[{\"content\":\"b\",\"vector\":[1]},{}]}", NULL);
    check("{}", NULL);
}

static void test_a_model_that_fails_is_told(void **)
{
    struct desk desk;
    struct embed_params *call        = NULL;
    CLEANUP(json_unrefp) json params = parsed("{\"query\":\"tea\"}");
    desk_open(&desk);
    desk.model.code = STATUS_FAILED_PRECONDITION;
    assert_int_equal(start(&desk, params, &call), STATUS_OK);
    wait(&desk);
    assert_int_equal(desk.told, 1);
    assert_int_equal(desk.code, STATUS_FAILED_PRECONDITION);
    json_unref(desk.params);
    desk_close(&desk);
}

static void test_who_has_gone_is_not_told(void **)
{
    struct desk desk;
    struct embed_params *calls[2]    = {};
    CLEANUP(json_unrefp) json params = parsed("{\"query\":\"tea\"}");
    sem_t gate;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    desk_open(&desk);
    desk.model.gate = &gate;
    assert_int_equal(start(&desk, params, &calls[0]), STATUS_OK);
    assert_int_equal(start(&desk, params, &calls[1]), STATUS_OK); /* behind it, or never asked */
    embed_params_cancel(calls[1]);
    embed_params_cancel(calls[0]);
    assert_int_equal(sem_post(&gate), 0);
    assert_int_equal(sem_post(&gate), 0);
    wait(&desk);
    assert_int_equal(desk.told, 0);
    desk_close(&desk);
    assert_int_equal(sem_destroy(&gate), 0);
}

/* Parameters hold constants of a configuration that goes when nobody calls with it any more. */
static void test_who_has_gone_takes_the_parameters_along(void **)
{
    struct desk desk;
    struct embed_params *call = NULL;
    json constants            = json_freeze(parsed("{\"query\":\"green tea\",\"tags\":[\"a\"]}"));
    json params               = json_object_new(2);
    sem_t gate;
    json_object_put_text(&params, "query", json_ref(json_get_text(constants, "query")));
    json_object_put_text(&params, "tags", json_ref(json_get_text(constants, "tags")));
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    desk_open(&desk);
    desk.model.gate = &gate;
    assert_int_equal(start(&desk, params, &call), STATUS_OK);
    while (desk.model.asked == 0) sched_yield(); /* a thread is at it: it cannot be taken back */
    embed_params_cancel(call);
    json_unref(params);
    json_thaw_and_free(constants);
    assert_int_equal(sem_post(&gate), 0);
    wait(&desk);
    assert_int_equal(desk.told, 0);
    desk_close(&desk);
    assert_int_equal(sem_destroy(&gate), 0);
}

static void test_texts_have_a_limit(void **)
{
    struct desk desk;
    desk_open(&desk);
    for (size_t more = 0; more < 2; more++) {
        CLEANUP(json_unrefp) json params = json_object_new(1);
        struct embed_params *call        = NULL;
        json items                       = json_array_new(EMBED_TEXTS_MAX);
        for (size_t i = 0; i < EMBED_TEXTS_MAX + more; i++) {
            json one = json_object_new(1);
            json_object_put_text(&one, "content", json_text_from("a"));
            json_array_push(&items, one);
        }
        json_object_put_text(&params, "items", items);
        status code = start(&desk, params, &call);
        assert_int_equal(code, more > 0 ? STATUS_INVALID_ARGUMENT : STATUS_OK);
        wait(&desk);
        json_unref(json_take(&desk.params));
    }
    assert_int_equal(desk.model.texts, EMBED_TEXTS_MAX);
    desk_close(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_left_out_is_filled),
        cmocka_unit_test(test_what_is_there_needs_nobody),
        cmocka_unit_test(test_a_model_that_fails_is_told),
        cmocka_unit_test(test_who_has_gone_is_not_told),
        cmocka_unit_test(test_who_has_gone_takes_the_parameters_along),
        cmocka_unit_test(test_texts_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
