#include "gateway/api/key_limits.h"

#include "auth/key_limits.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "key.pb-c.h"
#include "limit.pb-c.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HOLDER_SIZE = 33,
    HOLDS_MAX   = 100, /* of one message */
    USED_MAX    = 100, /* likewise */
    TEXT_MAX    = 256, /* bytes of a header field */
};

/* How a limit stands after the request was let pass, or not. */
struct standing {
    bool is_known;
    uint32_t most, left;
    int64_t full_us;
};

/* In the call's arena. */
struct key_pass {
    void (*go)(struct api_call *call);
    char holder[HOLDER_SIZE];
    char names[KEY_LIMIT_COUNT][KEY_LIMIT_NAME_SIZE];
    enum key_limit asked[KEY_LIMIT_COUNT];
    size_t count;
    struct standing standings[KEY_LIMIT_COUNT];
    bool is_held; /* of a call at a time; guarded by the watch's mutex, as the next two */
    struct key_pass *previous, *next;
};

struct key_watch {
    struct api *api;
    struct loop_timer care;
    pthread_mutex_t mutex;
    struct key_pass *held;
};

/* --- what is under way -------------------------------------------------------------------------
 */

static void on_told(const struct rpc_answer *, void *)
{
}

/* Nothing depends on its arrival: who is not heard of holds nothing after a while. */
static void tell(const struct api *api, const ProtobufCServiceDescriptor *service,
                 const char *method, const void *message)
{
    const struct rpc_request request = {
        .service = service, .method = method, .message = message, .done = on_told};
    (void)api_call_scheduler(api, &request, NULL);
}

static void hold(struct key_watch *watch, struct key_pass *pass)
{
    (void)pthread_mutex_lock(&watch->mutex);
    pass->is_held  = true;
    pass->previous = NULL;
    pass->next     = watch->held;
    if (pass->next) pass->next->previous = pass;
    watch->held = pass;
    (void)pthread_mutex_unlock(&watch->mutex);
}

/* Says whether it was held, which only one caller hears. */
static bool let_go(struct key_watch *watch, struct key_pass *pass)
{
    (void)pthread_mutex_lock(&watch->mutex);
    bool was_held = pass->is_held;
    if (was_held && pass->next) pass->next->previous = pass->previous;
    if (was_held && pass->previous) pass->previous->next = pass->next;
    if (was_held && watch->held == pass) watch->held = pass->next;
    pass->is_held = false;
    (void)pthread_mutex_unlock(&watch->mutex);
    return was_held;
}

static void fill_hold(struct key_pass *pass, bool is_over, Pb__LimitHold *hold)
{
    *hold         = (Pb__LimitHold)PB__LIMIT_HOLD__INIT;
    hold->name    = pass->names[KEY_PARALLEL];
    hold->holder  = pass->holder;
    hold->is_over = is_over;
}

void key_limits_leave(struct api_call *call)
{
    Pb__HoldLimits message = PB__HOLD_LIMITS__INIT;
    Pb__LimitHold over;
    Pb__LimitHold *list[] = {&over};
    if (!call->key_pass || !let_go(call->api->key_watch, call->key_pass)) return;
    fill_hold(call->key_pass, true, &over);
    message.holds   = list;
    message.n_holds = 1;
    tell(call->api, &pb__limits__descriptor, "Hold", &message);
}

/* The mutex keeps what the message names until it is packed. */
static void tell_held(struct key_watch *watch)
{
    Pb__LimitHold holds[HOLDS_MAX];
    Pb__LimitHold *list[HOLDS_MAX];
    (void)pthread_mutex_lock(&watch->mutex);
    struct key_pass *pass = watch->held;
    while (pass) {
        Pb__HoldLimits message = PB__HOLD_LIMITS__INIT;
        message.holds          = list;
        for (; pass && message.n_holds < HOLDS_MAX; pass = pass->next) {
            fill_hold(pass, false, &holds[message.n_holds]);
            list[message.n_holds] = &holds[message.n_holds];
            message.n_holds++;
        }
        tell(watch->api, &pb__limits__descriptor, "Hold", &message);
    }
    (void)pthread_mutex_unlock(&watch->mutex);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static bool is_one_of(const char *operation, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(operation, *names) == 0) return true;
    }
    return false;
}

/* How many runs it starts, as far as can be seen before it is read. */
static uint32_t starts_of(const struct api_call *call)
{
    static const char *const starting[] = {"startRun",        "signalWithStart",  "restartRun",
                                           "triggerSchedule", "backfillSchedule", NULL};
    CLEANUP(json_unrefp) json body      = json_invalid();
    const char *operation               = call->route->operation;
    if (is_one_of(operation, starting)) return 1;
    if (strcmp(operation, "startRuns") != 0 || !call->request) return 0;
    str text = buf_str(&call->request->body);
    if (json_parse(text, NULL, &body, NULL, NULL) != STATUS_OK) return 0; /* it will be refused */
    return (uint32_t)json_count(json_get_text(body, "items"));
}

/* A count of tokens is none. */
static bool is_call_of_model(const struct api_call *call)
{
    static const char *const calling[] = {"chatCompletions", "embeddings", "createMessage",
                                          "generateContent", NULL};
    str counting                       = str_from(":countTokens");
    str path                           = str_from(call->path);
    bool is_count                      = path.len > counting.len &&
                    str_equal(str_slice(path, path.len - counting.len, path.len), counting);
    return is_one_of(call->route->operation, calling) && !is_count;
}

static uint32_t wanted(const struct api_call *call, enum key_limit limit)
{
    switch (limit) {
    case KEY_REQUESTS: return call->inner_done ? 0 : 1; /* the outer one was counted */
    case KEY_STARTS: return starts_of(call);
    case KEY_TOKENS:
    case KEY_PARALLEL: return is_call_of_model(call) ? 1 : 0;
    case KEY_LIMIT_COUNT: break;
    }
    return 0;
}

static Pb__LimitRule rule_of(enum key_limit limit, uint32_t most)
{
    Pb__LimitRule rule = PB__LIMIT_RULE__INIT;
    if (limit == KEY_PARALLEL) {
        rule.concurrency = most;
    } else {
        rule.rate_count     = key_limit_bucket(limit, most);
        rule.rate_period_us = KEY_LIMIT_PERIOD_US;
    }
    return rule;
}

static void take_standings(struct api_call *call, const Pb__PassedLimits *passed)
{
    struct key_pass *pass = call->key_pass;
    for (size_t i = 0; i < pass->count && i < passed->n_standings; i++) {
        enum key_limit limit   = pass->asked[i];
        uint32_t most          = call->identity.limits.most[limit];
        pass->standings[limit] = (struct standing){
            .is_known = limit != KEY_PARALLEL,
            .most     = most,
            .left     = passed->standings[i]->left * key_limit_unit(limit, most),
            .full_us  = passed->standings[i]->full_us,
        };
    }
}

static void refuse(struct api_call *call, const Pb__PassedLimits *passed)
{
    int64_t wait_ms   = (passed->retry_us - clock_unix_us() + 999) / 1'000;
    const char *colon = strrchr(passed->refused, ':');
    bool is_parallel  = colon && strcmp(colon + 1, key_limit_word(KEY_PARALLEL)) == 0;
    api_fail_limited(call, passed->retry_us > 0 && wait_ms > 1 ? wait_ms : 1'000,
                     is_parallel ? "the key %s has as many calls under way as it may have (`%s`)"
                                 : "the key %s has used up its limit of %s a minute",
                     call->identity.key_id, colon ? colon + 1 : passed->refused);
}

static bool holds_one(const struct key_pass *pass)
{
    for (size_t i = 0; i < pass->count; i++) {
        if (pass->asked[i] == KEY_PARALLEL) return true;
    }
    return false;
}

static void on_passed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__PassedLimits *passed = answer->message;
    struct key_pass *pass          = call->key_pass;
    take_standings(call, passed);
    if (!passed->granted) {
        refuse(call, passed);
        return;
    }
    if (holds_one(pass)) hold(call->api->key_watch, pass);
    /* Sequentially consistent, as in api_call_gone(): of the two that look, one lets it go. */
    if (api_call_is_gone(call)) {
        key_limits_leave(call);
    } else {
        pass->go(call);
    }
}

bool key_limits_ask(struct api_call *call, void (*go)(struct api_call *call))
{
    const struct key_limits *limits = &call->identity.limits;
    Pb__LimitPass items[KEY_LIMIT_COUNT];
    Pb__LimitPass *list[KEY_LIMIT_COUNT];
    Pb__LimitRule rules[KEY_LIMIT_COUNT];
    Pb__PassLimits message = PB__PASS_LIMITS__INIT;
    struct key_pass *pass  = NULL;
    uint8_t random[(HOLDER_SIZE - 1) / 2];
    for (enum key_limit limit = 0; limit < KEY_LIMIT_COUNT; limit++) {
        uint32_t count = limits->most[limit] > 0 ? wanted(call, limit) : 0;
        if (count == 0) continue;
        if (!pass) pass = arena_alloc(call->arena, sizeof *pass);
        ASSERT(pass);
        size_t at = message.n_limits++;
        if (at == 0) *pass = (struct key_pass){.go = go};
        bool is_id      = key_limit_name(limit, call->identity.key_id, pass->names[limit]);
        pass->asked[at] = limit;
        rules[at]       = rule_of(limit, limits->most[limit]);
        items[at]       = (Pb__LimitPass)PB__LIMIT_PASS__INIT;
        items[at].name  = pass->names[limit];
        items[at].rule  = &rules[at];
        items[at].count = count;
        list[at]        = &items[at];
        ASSERT(is_id);
    }
    if (!pass) return false;
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, pass->holder);
    pass->count    = message.n_limits;
    call->key_pass = pass;
    message.holder = pass->holder;
    message.limits = list;
    /* The id of the call is for what the call asks afterwards. */
    const struct api_ask ask = {.service    = &pb__limits__descriptor,
                                .method     = "Pass",
                                .message    = &message,
                                .request_id = "",
                                .then       = on_passed};
    api_ask_scheduler(call, &ask);
    return true;
}

/* --- what the client is told -------------------------------------------------------------------
 */

PRINTF_LIKE(3, 4)
static void put_field(struct api_call *call, struct httpd_field *field, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    field->value = str_from(api_text(call, str_from(text)));
}

static int64_t seconds_until(int64_t at_us)
{
    int64_t left_us = at_us - clock_unix_us();
    return left_us > 0 ? (left_us + 999'999) / 1'000'000 : 0;
}

static size_t put_openai(struct api_call *call, enum key_limit limit, struct httpd_field *fields)
{
    static const char *const names[KEY_LIMIT_COUNT][3] = {
        [KEY_REQUESTS] = {"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
                          "x-ratelimit-reset-requests"},
        [KEY_TOKENS]   = {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
                          "x-ratelimit-reset-tokens"}};
    const struct standing *now = &call->key_pass->standings[limit];
    for (int i = 0; i < 3; i++) fields[i].name = str_from(names[limit][i]);
    put_field(call, &fields[0], "%u", now->most);
    put_field(call, &fields[1], "%u", now->left);
    put_field(call, &fields[2], "%" PRId64 "s", seconds_until(now->full_us));
    return 3;
}

static size_t put_anthropic(struct api_call *call, enum key_limit limit, struct httpd_field *fields)
{
    static const char *const names[KEY_LIMIT_COUNT][3] = {
        [KEY_REQUESTS] = {"anthropic-ratelimit-requests-limit",
                          "anthropic-ratelimit-requests-remaining",
                          "anthropic-ratelimit-requests-reset"},
        [KEY_TOKENS] = {"anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining",
                        "anthropic-ratelimit-tokens-reset"}};
    const struct standing *now = &call->key_pass->standings[limit];
    int64_t full_us            = now->full_us > 0 ? now->full_us : clock_unix_us();
    char time[TIME_TEXT_SIZE];
    time_format(full_us, time);
    for (int i = 0; i < 3; i++) fields[i].name = str_from(names[limit][i]);
    put_field(call, &fields[0], "%u", now->most);
    put_field(call, &fields[1], "%u", now->left);
    put_field(call, &fields[2], "%s", time);
    return 3;
}

/* The headers of the IETF, for our own API and for Google's, which has none. */
static size_t put_common(struct api_call *call, struct httpd_field *fields)
{
    CLEANUP(buf_done) struct buf policy = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf limit  = buf_init(TEXT_MAX);
    for (enum key_limit i = 0; i < KEY_LIMIT_COUNT; i++) {
        const struct standing *now = &call->key_pass->standings[i];
        if (!now->is_known) continue;
        const char *comma = policy.len > 0 ? ", " : "";
        (void)buf_printf(&policy, "%s\"%s\";q=%u;w=60", comma, key_limit_word(i), now->most);
        (void)buf_printf(&limit, "%s\"%s\";r=%u;t=%" PRId64, comma, key_limit_word(i), now->left,
                         seconds_until(now->full_us));
    }
    if (policy.len == 0) return 0;
    fields[0] = (struct httpd_field){.name = str_from("RateLimit-Policy")};
    fields[1] = (struct httpd_field){.name = str_from("RateLimit")};
    put_field(call, &fields[0], "%s", policy.ptr);
    put_field(call, &fields[1], "%s", limit.ptr);
    return 2;
}

size_t key_limits_fields(struct api_call *call, struct httpd_field *fields)
{
    static const enum key_limit told[] = {KEY_REQUESTS, KEY_TOKENS};
    size_t count                       = 0;
    if (!call->key_pass) return 0;
    bool is_openai    = call->error_shape == SHAPE_OPENAI;
    bool is_anthropic = call->error_shape == SHAPE_ANTHROPIC;
    if (!is_openai && !is_anthropic) return put_common(call, fields);
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        if (!call->key_pass->standings[told[i]].is_known) continue;
        count += is_openai ? put_openai(call, told[i], fields + count)
                           : put_anthropic(call, told[i], fields + count);
    }
    return count;
}

/* --- now and then ------------------------------------------------------------------------------
 */

/* Says whether there may be more. */
static bool tell_some_used(struct key_watch *watch)
{
    struct identity_use uses[USED_MAX];
    Pb__KeyUse items[USED_MAX];
    Pb__KeyUse *list[USED_MAX];
    Pb__KeysUsed message = PB__KEYS_USED__INIT;
    message.keys         = list;
    message.n_keys       = identity_take_used(watch->api->keys, uses, USED_MAX);
    if (message.n_keys == 0) return false;
    for (size_t i = 0; i < message.n_keys; i++) {
        items[i]       = (Pb__KeyUse)PB__KEY_USE__INIT;
        items[i].id    = uses[i].key_id;
        items[i].at_us = uses[i].at_us;
        list[i]        = &items[i];
    }
    tell(watch->api, &pb__keys__descriptor, "Used", &message);
    return message.n_keys == USED_MAX;
}

static void tell_used(struct key_watch *watch)
{
    while (tell_some_used(watch)) continue;
}

static void on_care(void *context)
{
    struct key_watch *watch = context;
    tell_held(watch);
    tell_used(watch);
    loop_timer_set(watch->api->home, &watch->care,
                   loop_now_ms(watch->api->home) + KEY_LIMITS_CARE_MS);
}

struct key_watch *key_watch_new(struct api *api)
{
    struct key_watch *watch = mem_new(1, sizeof *watch);
    watch->api              = api;
    (void)pthread_mutex_init(&watch->mutex, NULL);
    return watch;
}

void key_watch_start(struct key_watch *watch)
{
    watch->care = (struct loop_timer){.fire = on_care, .context = watch};
    loop_timer_set(watch->api->home, &watch->care,
                   loop_now_ms(watch->api->home) + KEY_LIMITS_CARE_MS);
}

void key_watch_stop(struct key_watch *watch)
{
    loop_timer_clear(watch->api->home, &watch->care);
    tell_used(watch);
}

void key_watch_freep(struct key_watch **watch)
{
    if (!*watch) return;
    (void)pthread_mutex_destroy(&(*watch)->mutex);
    free(*watch);
    *watch = NULL;
}
