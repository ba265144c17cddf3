/* What a try takes of the limits of its provider and of its model, and gives back. */
#include "cmocka.h"

#include "llm-proxy/call/call_internal.h"
#include "support/llm-proxy/guard_world.h"
#include "workflow/token_estimate.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum { ARENA_MAX = 8 << 20, PLENTY = 100'000 /* tokens */ };

/* A proxy with one simulated model. */
struct proxy {
    struct world world;
    struct metrics *metrics;
    struct measures *measures;
    struct pipeline *pipeline;
    struct llm_route route;
    struct arena *arena;
    json body;
    struct chat_request *request;
    unsigned ended;
};

static void begin(struct proxy *proxy, const char *body, struct said said)
{
    *proxy = (struct proxy){};
    guard_world_begin(&proxy->world, said);
    proxy->world.catalog->providers[0].kind = &provider_simulated;
    proxy->metrics                          = metrics_new();
    proxy->measures                         = measures_new(proxy->metrics);
    const struct pipeline_options options   = {.loop     = proxy->world.loop,
                                               .catalog  = proxy->world.catalog,
                                               .measures = proxy->measures,
                                               .guard    = proxy->world.guard,
                                               .seed     = 1};
    proxy->pipeline                         = pipeline_new(&options);
    proxy->route = (struct llm_route){.targets = {{.provider = &proxy->world.catalog->providers[0],
                                                   .model    = str_from("m"),
                                                   .weight   = 1}},
                                      .target_count = 1,
                                      .retry        = {.attempts = 1},
                                      .timeouts     = {.total_ms = 60'000}};
    proxy->arena = arena_new(ARENA_MAX);
    assert_int_equal(json_parse(str_from(body), NULL, &proxy->body, NULL, NULL), STATUS_OK);
    assert_int_equal(chat_from_openai(proxy->body, proxy->arena, &proxy->request, NULL), STATUS_OK);
}

static void end(struct proxy *proxy)
{
    pipeline_freep(&proxy->pipeline);
    guard_world_end(&proxy->world);
    measures_freep(&proxy->measures);
    metrics_free(proxy->metrics);
    json_unref(proxy->body);
    arena_free(proxy->arena);
}

static void on_done(const struct llm_outcome *, void *context)
{
    struct proxy *proxy = context;
    proxy->ended++;
}

static struct llm_call *start(struct proxy *proxy)
{
    return llm_call_start(proxy->pipeline, proxy->request, &proxy->route, 0, on_done, proxy);
}

static struct said look(struct proxy *proxy)
{
    return guard_world_look(&proxy->world);
}

static const char short_question[] =
    "{\"model\":\"m\",\"max_tokens\":100,\"messages\":[{\"role\":\"user\",\"content\":"
    "\"how many tokens does a question take that nobody was asked?\"}]}";

/* Its provider's tokens are there, those of its model are asked for. */
static void a_call_that_is_not_sent_has_used_nothing(void **)
{
    struct proxy proxy;
    begin(&proxy, short_question,
          (struct said){.tokens_of_one = PLENTY, .tokens_max = PLENTY, .lets_wait = true});
    struct llm_call *call = start(&proxy);
    for (int i = 0; i < TURNS_MAX && look(&proxy).let_wait == 0; i++) {
        atomic_fetch_add(&proxy.world.now_ms, 1);
        loop_turn(proxy.world.loop, 1);
    }
    assert_int_equal(look(&proxy).let_wait, 1);
    assert_true(look(&proxy).one_granted > 100);
    llm_call_cancel(call);
    for (int i = 0; i < 100 && look(&proxy).one_unused == 0; i++) {
        guard_world_refresh(&proxy.world);
    }
    assert_int_equal(look(&proxy).one_unused, look(&proxy).one_granted);
    assert_int_equal(look(&proxy).one_spent, 0);
    assert_int_equal(proxy.ended, 0);
    end(&proxy);
}

/* Tokens of its provider that are set aside for a question, as it is read. */
static int64_t set_aside(const char *body, bool *ret_knows_ratio)
{
    struct proxy proxy;
    begin(&proxy, body, (struct said){.tokens_of_one = PLENTY});
    llm_call_guess(start(&proxy), token_estimate_of(proxy.body, false).input);
    for (int i = 0; i < TURNS_MAX && proxy.ended == 0; i++) {
        atomic_fetch_add(&proxy.world.now_ms, 1);
        loop_turn(proxy.world.loop, 1);
    }
    assert_int_equal(proxy.ended, 1);
    int64_t granted  = look(&proxy).one_granted;
    *ret_knows_ratio = token_ratios_knows(guard_ratios(proxy.world.guard), "one", str_from("m"));
    end(&proxy);
    return granted;
}

#define MANY "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" /* 50 bytes */
#define LOTS MANY MANY MANY MANY MANY MANY MANY MANY MANY MANY

/* As a budget sets them aside, and pictures. */
static void tools_shapes_and_pictures_are_set_aside(void **)
{
    enum { TEXT = 500, TOOLS = 2'000 }; /* bytes */
    static const struct {
        const char *members, *parts;
        int64_t least;    /* beside the text and the answer; and a few tokens more */
        bool knows_ratio; /* what its model says of the question is said of texts */
    } rows[] = {
        {"", "", 0, true},
        {"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":"
         "\"" LOTS LOTS LOTS LOTS "\"}}],",
         "", TOOLS / 4, false},
        {"\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":"
         "{\"const\":\"" LOTS LOTS LOTS LOTS "\"}}},",
         "", TOOLS / 4, false},
        {"", ",{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a.test/b.png\"}}", 1'000,
         false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char body[4'096];
        bool knows_ratio = false;
        (void)snprintf(body, sizeof body,
                       "{\"model\":\"m\",%s\"max_tokens\":100,\"messages\":[{\"role\":\"user\","
                       "\"content\":[{\"type\":\"text\",\"text\":\"" LOTS "\"}%s]}]}",
                       rows[i].members, rows[i].parts);
        int64_t others = set_aside(body, &knows_ratio) - TEXT / 4 - 100;
        assert_in_range(others, rows[i].least, rows[i].least + 50);
        assert_int_equal(knows_ratio, rows[i].knows_ratio);
    }
}

/* What budgets set aside is what limits do, in each protocol. */
static void budgets_count_what_limits_count(void **)
{
    enum { TEXT = 500 /* bytes */ };
    static const struct {
        bool is_gemini;
        const char *body;
        int64_t least; /* and a few tokens more */
    } rows[] = {
        {false,
         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
         "\"text\":\"" LOTS "\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
         "\"https://a.test/b.png\"}}]}]}",
         TEXT / 4 + CHAT_IMAGE_TOKENS},
        {true, "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"" LOTS "\"}]}]}",
         TEXT / 4},
        {true,
         "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"" LOTS "\"},{\"inlineData\":"
         "{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}}]}]}",
         TEXT / 4 + CHAT_IMAGE_TOKENS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct proxy proxy;
        begin(&proxy, short_question, (struct said){});
        CLEANUP(json_unrefp) json body = json_invalid();
        struct chat_request *request   = NULL;
        struct error error             = {};
        assert_int_equal(json_parse(str_from(rows[i].body), NULL, &body, NULL, NULL), STATUS_OK);
        status code = rows[i].is_gemini ? chat_from_gemini(body, str_from("m"), false, proxy.arena,
                                                           &request, &error)
                                        : chat_from_openai(body, proxy.arena, &request, &error);
        if (code != STATUS_OK) fail_msg("%zu: %s", i, error.text);
        int64_t guessed = token_estimate_of(body, false).input;
        int64_t tokens  = llm_question_tokens(proxy.world.guard, &proxy.route, request, guessed);
        assert_in_range(tokens, rows[i].least, rows[i].least + 50);
        chat_request_done(request);
        end(&proxy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_is_not_sent_has_used_nothing),
        cmocka_unit_test(tools_shapes_and_pictures_are_set_aside),
        cmocka_unit_test(budgets_count_what_limits_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
