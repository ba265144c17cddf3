/* The memory through the engine's interface, with a model that a test can count and change. */
#ifndef SUPPORT_MEMORY_FIXTURE_H
#define SUPPORT_MEMORY_FIXTURE_H

#include "base/attr.h"
#include "base/clock.h"
#include "tool-adapter/memory/memory.h"
#include "json/json_text.h"

#include "cmocka.h"

#include <stdio.h>
#include <stdlib.h>

enum { TURN_MS = 1'000, TURNS_MAX = 120, DIMENSIONS = 8, SIZE_MAX_BYTES = 64 << 20 };

struct fixture {
    struct loop *loop;
    struct work_pool *pool;
    struct memory memory;
    struct module module;
    char tenant[32];
    json config;

    /* The model: one number per letter, so that texts with the same letters are near. */
    atomic_uint asked;                     /* texts it was asked for */
    uint32_t dimensions;                   /* 0: it fails */
    const char *name;                      /* it answers as */
    void (*meanwhile)(struct fixture *it); /* on the model's thread */

    bool is_done;
    status code;
    int64_t calls; /* of the usage */
    json response;
};

/* --- the model ----------------------------------------------------------------------------------
 */

static inline status embed(void *self, const struct embed_ask *ask, struct embed_answer *ret_answer,
                           Pb__Usage *usage, struct error *reterr)
{
    struct fixture *it = self;
    if (it->dimensions == 0) return fail(reterr, STATUS_UNAVAILABLE, "the model is away");
    float *vectors = arena_alloc(ask->arena, ask->count * it->dimensions * sizeof *vectors);
    for (size_t i = 0; i < ask->count; i++) {
        vectors[i * it->dimensions] = 0.01F;
        for (size_t at = 0; at < ask->texts[i].len; at++) {
            vectors[i * it->dimensions + (unsigned char)ask->texts[i].ptr[at] % it->dimensions] +=
                1;
        }
    }
    atomic_fetch_add(&it->asked, (unsigned)ask->count);
    usage->calls++;
    if (it->meanwhile) it->meanwhile(it);
    const char *name = it->name ? it->name : "letters";
    *ret_answer      = (struct embed_answer){
             .model = str_from(name), .dimensions = it->dimensions, .vectors = vectors};
    return STATUS_OK;
}

static inline int memory_begin(void **state)
{
    struct fixture *it                        = calloc(1, sizeof *it);
    const struct memory_store_options options = {.size_max = SIZE_MAX_BYTES};
    assert_int_equal(loop_new(NULL, &it->loop, NULL), STATUS_OK);
    assert_int_equal(work_pool_new(it->loop, 2, &it->pool, NULL), STATUS_OK);
    assert_int_equal(memory_store_open(&options, &it->memory.store, NULL), STATUS_OK);
    it->memory.embedder   = (struct embedder){.embed = embed, .self = it};
    it->memory.now_us     = clock_unix_us;
    it->memory.slow_count = MEMORY_SLOW_COUNT;
    it->module =
        (struct module){.pool = it->pool, .functions = memory_functions, .context = &it->memory};
    it->dimensions = DIMENSIONS;
    (void)snprintf(it->tenant, sizeof it->tenant, "acme");
    it->config = json_object_new(0);
    *state     = it;
    return 0;
}

static inline int memory_end(void **state)
{
    struct fixture *it = *state;
    work_pool_freep(&it->pool);
    memory_store_closep(&it->memory.store);
    loop_free(it->loop);
    json_unref(it->response);
    json_unref(it->config);
    free(it);
    return 0;
}

/* --- asking -------------------------------------------------------------------------------------
 */

static inline void on_done(const struct engine_result *result, void *context)
{
    struct fixture *it = context;
    it->is_done        = true;
    it->code           = result->code;
    it->calls          = result->usage ? result->usage->calls : 0;
    it->response       = json_ref(result->response);
}

/* What starting says; the answer is in the fixture. */
static inline status ask(struct fixture *it, const char *function, const char *settings)
{
    CLEANUP(json_unrefp) json value       = json_invalid();
    struct engine_call *call              = NULL;
    struct error error                    = {};
    const struct engine_handlers handlers = {.done = on_done, .context = it};
    assert_int_equal(json_parse(str_from(settings), NULL, &value, NULL, &error), STATUS_OK);
    const struct engine_request request = {.function  = function,
                                           .settings  = value,
                                           .config    = it->config,
                                           .namespace = str_from(it->tenant),
                                           .total_ms  = 60'000};
    json_unref(it->response);
    it->response = json_invalid();
    it->is_done  = false;
    status code  = module_start(&it->module, &request, &handlers, &call, &error);
    if (code != STATUS_OK) {
        print_message("%s\n", error.text);
        return code;
    }
    for (unsigned i = 0; !it->is_done && i < TURNS_MAX; i++) loop_turn(it->loop, TURN_MS);
    assert_true(it->is_done);
    return STATUS_OK;
}

/* The body of an answer, which must have this status. */
static inline json answer(struct fixture *it, int64_t http, const char *function,
                          const char *settings)
{
    int64_t given = 0;
    assert_int_equal(ask(it, function, settings), STATUS_OK);
    assert_int_equal(it->code, STATUS_OK);
    json body                         = json_get_text(it->response, "body");
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    (void)json_print(body, JSON_COMPACT, &text);
    assert_true(json_to_int(json_get_text(it->response, "status"), &given));
    if (given != http) print_message("%s: %s\n", function, text.ptr);
    assert_int_equal(given, http);
    return body;
}

static inline void assert_says(json body, const char *words)
{
    json error = json_get_text(body, "error");
    assert_true(json_is(error, JSON_TEXT));
    if (!strstr(json_str(error).ptr, words)) print_message("%s\n", json_str(error).ptr);
    assert_non_null(strstr(json_str(error).ptr, words));
}

static inline json member(json value, const char *name)
{
    return json_get_text(value, name);
}

static inline str text_at(json value, const char *name)
{
    json text = member(value, name);
    assert_true(json_is(text, JSON_TEXT));
    return json_str(text);
}

static inline int64_t int_at(json value, const char *name)
{
    int64_t number = -1;
    assert_true(json_to_int(member(value, name), &number));
    return number;
}

#define MEMORY_TEST(function) cmocka_unit_test_setup_teardown(function, memory_begin, memory_end)

#endif
