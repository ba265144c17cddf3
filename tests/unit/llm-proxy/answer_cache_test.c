/* Answers that are kept, flights, and what of a request makes its key. */
#include "llm-proxy/call/answer_cache.h"

#include "base/mem.h"
#include "cmocka.h"
#include "llm-proxy/call/cache_wish.h"
#include "llm-proxy/stream/answer.h"
#include "llm-proxy/vault/vault.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct answer_key key_of(unsigned number)
{
    struct answer_key key = {};
    memcpy(key.digest, &number, sizeof number);
    return key;
}

static void put(struct answer_cache *cache, unsigned number, size_t size, int64_t born_ms)
{
    char *text                   = calloc(size + 1, 1);
    struct saved_answer *saved   = saved_answer_new();
    const struct llm_event event = {.kind = LLM_TEXT, .bytes = {text, size}};
    saved->key                   = key_of(number);
    saved->born_ms               = born_ms;
    event_log_take(&event, &saved->log);
    assert_false(saved->log.is_broken);
    answer_cache_put(cache, saved);
    saved_answer_unref(saved);
    free(text);
}

static bool has(struct answer_cache *cache, unsigned number, int64_t age_ms, int64_t now_ms)
{
    const struct answer_key key = key_of(number);
    struct saved_answer *saved  = answer_cache_find(cache, &key, age_ms, now_ms);
    saved_answer_unref(saved);
    return saved != NULL;
}

/* What the vault has forgotten cannot be said to the upstream on the next turn. */
static void ids_of_the_vault_are_as_old_as_that(void **)
{
    enum { HOUR_MS = 3'600'000 };
    static const char *const ids[] = {"tc-00000000002a-7", "call_7"};
    struct answer_cache *cache     = answer_cache_new(ANSWER_CACHE_SIZE_MAX);
    const int64_t long_ms          = INT64_C(30) * VAULT_HOURS * HOUR_MS;
    for (unsigned i = 0; i < 2; i++) {
        struct saved_answer *saved   = saved_answer_new();
        const struct llm_event event = {
            .kind = LLM_TOOL_START, .id = str_from(ids[i]), .name = str_from("look")};
        saved->key = key_of(i);
        event_log_take(&event, &saved->log);
        assert_false(saved->log.is_broken);
        answer_cache_put(cache, saved);
        saved_answer_unref(saved);
    }
    assert_true(has(cache, 0, long_ms, (int64_t)VAULT_HOURS * HOUR_MS));
    assert_false(has(cache, 0, long_ms, (int64_t)VAULT_HOURS * HOUR_MS + 1));
    assert_true(has(cache, 1, long_ms, long_ms));
    answer_cache_freep(&cache);
}

static void the_least_used_go_first(void **)
{
    enum { MAX = 150'000, SIZE = 20'000 };
    struct answer_cache *cache = answer_cache_new(MAX);
    for (unsigned i = 1; i <= 3; i++) put(cache, i, SIZE, 0);
    assert_true(has(cache, 1, 10, 10));
    assert_false(has(cache, 1, 9, 10)); /* too old for that one */
    for (unsigned i = 4; i <= 50; i++) {
        put(cache, i, SIZE, 0);
        assert_true(answer_cache_size(cache) <= MAX);
        assert_true(has(cache, 1, 0, 0));
    }
    assert_false(has(cache, 2, 10, 10));
    assert_true(has(cache, 50, 10, 10));
    put(cache, 50, SIZE / 2, 20); /* in its place */
    assert_true(has(cache, 50, 0, 20));
    put(cache, 99, MAX + 1, 0); /* more than all */
    assert_false(has(cache, 99, 10, 10));
    const struct answer_key known   = key_of(50);
    const struct answer_key unknown = key_of(99);
    size_t size                     = answer_cache_size(cache);
    answer_cache_forget(cache, &unknown);
    assert_int_equal(answer_cache_size(cache), size);
    answer_cache_forget(cache, &known);
    assert_false(has(cache, 50, 10, 20));
    assert_true(answer_cache_size(cache) < size);
    answer_cache_freep(&cache);
}

struct traveller {
    struct passenger passenger;
    struct saved_answer *got;
    int told;
};

static void on_landed(struct saved_answer *saved, void *context)
{
    struct traveller *traveller = context;
    traveller->got              = saved;
    traveller->told++;
}

static bool board(struct answer_cache *cache, struct traveller *traveller)
{
    const struct answer_key key = key_of(1);
    traveller->passenger        = (struct passenger){.landed = on_landed, .context = traveller};
    return answer_cache_board(cache, &key, &traveller->passenger);
}

static void flights_land_with_an_answer_or_go_on(void **)
{
    struct answer_cache *cache = answer_cache_new(1 << 20);
    struct traveller people[5] = {};
    struct saved_answer *saved = saved_answer_new();
    for (int i = 0; i < 5; i++) assert_int_equal(board(cache, &people[i]), i == 0);
    answer_cache_leave(cache, &people[2].passenger); /* waits no more */
    answer_cache_leave(cache, &people[2].passenger);
    answer_cache_leave(cache, &people[0].passenger); /* lands without an answer */
    assert_int_equal(people[1].told, 1);
    assert_null(people[1].got);
    assert_true(people[1].passenger.is_leader);
    assert_false(board(cache, &people[0]));
    answer_cache_leave(cache, &people[0].passenger); /* the last one in the list */
    answer_cache_land(cache, &people[1].passenger, saved);
    assert_int_equal(people[3].told, 1);
    assert_int_equal(people[4].told, 1);
    assert_ptr_equal(people[3].got, saved);
    assert_int_equal(people[0].told + people[2].told, 0);
    assert_true(board(cache, &people[0])); /* the next flight */
    answer_cache_land(cache, &people[0].passenger, NULL);
    answer_cache_leave(cache, &people[0].passenger);
    saved_answer_unref(saved);
    answer_cache_freep(&cache);
}

/* One after the other would take as long as all of them together. */
static void after_two_misses_all_go(void **)
{
    struct answer_cache *cache = answer_cache_new(1 << 20);
    struct traveller people[6] = {};
    for (int i = 0; i < 6; i++) assert_int_equal(board(cache, &people[i]), i == 0);
    answer_cache_land(cache, &people[0].passenger, NULL);
    assert_int_equal(people[1].told, 1);
    assert_int_equal(people[2].told + people[3].told, 0);
    answer_cache_leave(cache, &people[1].passenger); /* cancelled: that is no miss */
    assert_true(people[2].passenger.is_leader);
    assert_int_equal(people[3].told, 0);
    answer_cache_land(cache, &people[2].passenger, NULL);
    for (int i = 3; i < 6; i++) {
        assert_int_equal(people[i].told, 1);
        assert_null(people[i].got);
        assert_null(people[i].passenger.flight);
        answer_cache_land(cache, &people[i].passenger, NULL);
    }
    assert_true(board(cache, &people[0])); /* the next flight */
    answer_cache_leave(cache, &people[0].passenger);
    answer_cache_freep(&cache);
}

static void who_is_held_up_is_overtaken(void **)
{
    struct answer_cache *cache = answer_cache_new(1 << 20);
    struct traveller people[6] = {};
    struct saved_answer *saved = saved_answer_new();
    for (int i = 0; i < 6; i++) assert_int_equal(board(cache, &people[i]), i == 0);
    assert_false(answer_cache_overtake(cache, &people[2].passenger));
    people[0].passenger.is_held = true;
    assert_true(answer_cache_overtake(cache, &people[2].passenger));
    assert_int_equal(people[2].told, 0);                              /* it knows */
    assert_false(answer_cache_overtake(cache, &people[1].passenger)); /* that one goes on */
    people[2].passenger.is_held = true;
    assert_true(answer_cache_overtake(cache, &people[1].passenger));
    assert_true(answer_cache_overtake(cache, &people[3].passenger)); /* enough of waiting */

    /* Any of them may land; one that misses leaves it to the others. */
    answer_cache_land(cache, &people[2].passenger, NULL);
    assert_int_equal(people[4].told + people[5].told, 0);
    answer_cache_land(cache, &people[0].passenger, saved);
    for (int i = 4; i < 6; i++) {
        assert_int_equal(people[i].told, 1);
        assert_ptr_equal(people[i].got, saved);
    }
    assert_false(board(cache, &people[4])); /* two are under way */
    answer_cache_land(cache, &people[1].passenger, saved);
    assert_int_equal(people[4].told, 2);
    answer_cache_leave(cache, &people[3].passenger);
    assert_true(board(cache, &people[4]));
    answer_cache_leave(cache, &people[4].passenger);
    saved_answer_unref(saved);
    answer_cache_freep(&cache);
}

/* --- event logs --------------------------------------------------------------------------------
 */

static void say(struct event_log *log, enum llm_event_kind kind, uint32_t part, const char *text)
{
    const struct llm_event event = {
        .kind = kind, .part = part, .bytes = str_from(text), .end = END_COMPLETE};
    event_log_take(&event, log);
}

static void count(const struct llm_event *, void *context)
{
    ++*(int *)context;
}

static void an_answer_is_said_again(void **)
{
    struct event_log log         = event_log_init(1'000);
    struct answer answer         = {};
    int events                   = 0;
    const struct llm_event start = {
        .kind = LLM_START, .id = str_from("id"), .model = str_from("m"), .created_us = 7};
    const struct llm_event tool = {
        .kind = LLM_TOOL_START, .part = 1, .id = str_from("call"), .name = str_from("look")};
    struct llm_event used         = {.kind = LLM_USAGE, .usage = llm_usage_unknown()};
    const struct llm_event finish = {.kind = LLM_FINISH, .finish = FINISH_TOOL_CALLS};
    used.usage.input_tokens       = 5;
    event_log_take(&start, &log);
    say(&log, LLM_CHUNK, 0, "");
    say(&log, LLM_TEXT, 0, "a");
    say(&log, LLM_TEXT, 0, "bc");
    event_log_take(&tool, &log);
    say(&log, LLM_TOOL_ARGS, 1, "{");
    say(&log, LLM_TOOL_ARGS, 1, "}");
    event_log_take(&used, &log);
    event_log_take(&finish, &log);
    say(&log, LLM_END, 0, "");
    assert_false(log.is_broken);
    event_log_play(&log, count, &events);
    assert_int_equal(events, 7);
    answer_init(&answer);
    event_log_play(&log, answer_take, &answer);
    assert_string_equal(answer.id.ptr, "id");
    assert_string_equal(answer.choices[0].text.ptr, "abc");
    assert_string_equal(answer.choices[0].tool_calls[0].name.ptr, "look");
    assert_string_equal(answer.choices[0].tool_calls[0].arguments.ptr, "{}");
    assert_int_equal(answer.choices[0].finish, FINISH_TOOL_CALLS);
    assert_int_equal(answer.usage.input_tokens, 5);
    assert_int_equal(answer.usage.output_tokens, -1);
    assert_int_equal(answer.end, END_COMPLETE);
    answer_done(&answer);

    /* From a disk: all of it, or nothing. */
    str data              = buf_str(&log.data);
    struct event_log read = {};
    assert_true(event_log_read(data, &read));
    assert_true(str_equal(buf_str(&read.data), data));
    event_log_done(&read);
    assert_false(event_log_read(str_slice(data, 0, data.len - 1), &read));
    char *broken = mem_dup(data.ptr, data.len);
    broken[0]    = 99; /* the kind of the first event */
    assert_false(event_log_read((str){.ptr = broken, .len = data.len}, &read));
    free(broken);

    event_log_clear(&log);
    say(&log, LLM_ERROR, 0, "");
    assert_true(log.is_broken);
    event_log_clear(&log);
    assert_false(log.is_broken);
    for (int i = 0; i < 1'000; i++) say(&log, LLM_TEXT, 0, "ab");
    assert_true(log.is_broken);
    event_log_done(&log);
}

/* --- wishes ------------------------------------------------------------------------------------
 */

static void headers_say_how_old(void **)
{
    static const struct {
        const char *header;
        int64_t route_ms, age_ms;
    } cases[] = {
        {"", 0, -1},
        {"", 5, 5},
        {"max-age=3", 0, 3'000},
        {"max-age=3", 5, 3'000},
        {" foo , MAX-AGE = 3 ,bar=\"x\"", 0, 3'000},
        {"no-store", 5, -1},
        {"max-age=3, no-store", 5, -1},
        {"no-cache", 5, 0},
        {"no-cache", 0, 0},
        {"max-age=0", 5, 0},
        {"max-age=x", 0, -1},
        {"max-age", 5, 5},
        {"max-age=-1", 0, -1},
        {"max-age=99999999999999999999999", 0, INT64_C(365) * 86'400'000},
        {",,=,", 0, -1},
        {"max-agee=3", 0, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct llm_route route = {.cache_age_ms = cases[i].route_ms};
        int64_t age_ms               = cache_wish_age_ms(str_from(cases[i].header), &route);
        if (age_ms != cases[i].age_ms) fail_msg("%s: %ld", cases[i].header, (long)age_ms);
    }
}

/* The key of a body; false: it has none. */
static bool key_of_body(const char *text, const char *namespace, struct answer_key *ret_key)
{
    static const struct provider provider = {.name = "p"};
    const struct llm_route route    = {.targets = {{.provider = &provider}}, .target_count = 1};
    const struct json_limits limits = {.depth_max = 8, .values_max = 100};
    struct arena *arena             = arena_new(1 << 16);
    struct chat_request *request    = NULL;
    json body                       = json_invalid();
    assert_int_equal(json_parse(str_from(text), &limits, &body, NULL, NULL), STATUS_OK);
    assert_int_equal(chat_from_openai(body, arena, &request, NULL), STATUS_OK);
    bool has_key = cache_wish_key(request, body, &route, namespace, ret_key);
    json_unref(body);
    arena_free(arena);
    return has_key;
}

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void equal_requests_have_equal_keys(void **)
{
    static const struct {
        const char *body, *namespace;
        bool has_key, is_equal;
    } cases[] = {
        {"{" HI ",\"temperature\":0,\"model\":\"m\"}", "a", true, true},
        {"{\"temperature\":0,\"model\":\"other\"," HI ",\"stream\":true,\"user\":\"u\"}", "a", true,
         true},
        {"{" HI ",\"temperature\":0,\"model\":\"m\",\"metadata\":{\"a\":\"b\"}}", "a", true, true},
        {"{" HI ",\"temperature\":0,\"model\":\"m\"}", "b", true, false},
        {"{" HI ",\"temperature\":1,\"model\":\"m\"}", "a", true, false},
        {"{" HI ",\"model\":\"m\"}", "a", true, false},
        {"{" HI ",\"temperature\":0,\"model\":\"m\",\"seed\":1}", "a", true, false},
        {"{" HI ",\"temperature\":0,\"model\":\"m\",\"verbosity\":\"low\"}", "a", true, false},
        {"{" HI ",\"temperature\":0,\"model\":\"m\",\"logprobs\":true}", "a", false, false},
    };
    struct answer_key first = {};
    assert_true(key_of_body(cases[0].body, "a", &first));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer_key key = {};
        bool has_key          = key_of_body(cases[i].body, cases[i].namespace, &key);
        if (has_key != cases[i].has_key) fail_msg("%s", cases[i].body);
        bool is_equal = memcmp(&key, &first, sizeof key) == 0;
        if (is_equal != cases[i].is_equal) fail_msg("%s", cases[i].body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_the_vault_are_as_old_as_that),
        cmocka_unit_test(the_least_used_go_first),
        cmocka_unit_test(flights_land_with_an_answer_or_go_on),
        cmocka_unit_test(after_two_misses_all_go),
        cmocka_unit_test(who_is_held_up_is_overtaken),
        cmocka_unit_test(an_answer_is_said_again),
        cmocka_unit_test(headers_say_how_old),
        cmocka_unit_test(equal_requests_have_equal_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
