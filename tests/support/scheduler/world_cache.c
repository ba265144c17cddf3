#include "support/scheduler/world_cache.h"

#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/tables/call_cache.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAP_MAX = 256 << 20, ARENA_BYTES_MAX = 64 << 20 };

struct mail {
    struct mail *next;
    size_t len;
    bool is_to_cache;
    uint8_t bytes[];
};

struct world_cache {
    struct store *store;
    struct mail *first, *last;
};

static void check(status code, const char *what)
{
    if (code == STATUS_OK) return;
    (void)fprintf(stderr, "cache: %s: %s\n", what, status_name(code));
    abort();
}

struct world_cache *world_cache_new(void)
{
    const struct store_options options = {.size_max = MAP_MAX, .tables = table_names};
    struct world_cache *cache          = mem_new(1, sizeof *cache);
    cache->store                       = store_open_memory(&options);
    return cache;
}

void world_cache_free(struct world_cache *cache)
{
    if (!cache) return;
    while (cache->first) {
        struct mail *mail = cache->first;
        cache->first      = mail->next;
        free(mail);
    }
    store_close(cache->store);
    free(cache);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static void post(struct world_cache *cache, const Pb__Message *message, bool is_to_cache)
{
    size_t len        = pb__message__get_packed_size(message);
    struct mail *mail = mem_new(sizeof *mail + len, 1);
    mail->len         = len;
    mail->is_to_cache = is_to_cache;
    (void)pb__message__pack(message, mail->bytes);
    if (cache->last) cache->last->next = mail;
    if (!cache->first) cache->first = mail;
    cache->last = mail;
}

static status send(const char *, const Pb__Message *message, struct error *, void *context)
{
    post(context, message, false);
    return STATUS_OK;
}

static void post_end(struct world *world, const char *digest, const char *job)
{
    Pb__CacheEnd end     = PB__CACHE_END__INIT;
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_CACHE_END;
    message.cache_end    = &end;
    end.namespace_       = world->workflow->namespace_;
    end.digest           = digest;
    end.job              = job;
    post(world->cache, &message, true);
}

static void ask(struct world *world, uint32_t slot, const struct cached_call *call)
{
    char digest[256];
    char job[ID_LEN + 1];
    Pb__CacheAsk asked   = PB__CACHE_ASK__INIT;
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_CACHE_ASK;
    message.cache_ask    = &asked;
    (void)snprintf(digest, sizeof digest, STR_FMT, STR_ARG(call->digest));
    (void)snprintf(job, sizeof job, STR_FMT, STR_ARG(call->job));
    asked.namespace_    = world->workflow->namespace_;
    asked.digest        = digest;
    asked.run           = run_id(world->run);
    asked.activation    = slot;
    asked.job           = job;
    asked.max_age_us    = call->max_age_us;
    asked.newer_than_us = call->is_fresh ? world->env.now_us : 0;
    post(world->cache, &message, true);
}

static void end(struct world *world, const struct event *event)
{
    CLEANUP(buf_done) struct buf value = buf_init(ARENA_BYTES_MAX);
    json output                        = json_get_text(event->cache, "output");
    Pb__CacheEnd ended                 = PB__CACHE_END__INIT;
    Pb__Message message                = PB__MESSAGE__INIT;
    char digest[256];
    char job[ID_LEN + 1];
    message.content_case = PB__MESSAGE__CONTENT_CACHE_END;
    message.cache_end    = &ended;
    (void)snprintf(digest, sizeof digest, STR_FMT,
                   STR_ARG(json_str(json_get_text(event->cache, "key"))));
    (void)snprintf(job, sizeof job, STR_FMT, STR_ARG(json_str(json_get_text(event->cache, "job"))));
    ended.namespace_ = world->workflow->namespace_;
    ended.workflow   = world->workflow->name;
    ended.digest     = digest;
    ended.job        = job;
    (void)json_to_int(json_get_text(event->cache, "maxAge"), &ended.max_age_us);
    if (output.kind != JSON_INVALID) {
        (void)json_print(output, JSON_COMPACT, &value);
        ended.has_value  = true;
        ended.value_json = (ProtobufCBinaryData){.data = (uint8_t *)value.ptr, .len = value.len};
    }
    post(world->cache, &message, true);
}

/* All that wait, and while it is suspended nobody is to wait for its calls. */
static void hold(struct world *world, bool is_held)
{
    enum { WAITS_MAX = 128 }; /* more than a test has */
    struct run_wait waits[WAITS_MAX];
    size_t count = run_waits(world->run, waits, WAITS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct cached_call call = {};
        if (!run_cached_call(world->run, waits[i].slot, &call)) continue;
        if (!is_held && !call.calls) ask(world, waits[i].slot, &call);
        if (!is_held) continue;
        char digest[256];
        char job[ID_LEN + 1];
        (void)snprintf(digest, sizeof digest, STR_FMT, STR_ARG(call.digest));
        (void)snprintf(job, sizeof job, STR_FMT, STR_ARG(call.job));
        post_end(world, digest, job);
    }
}

void world_cache_note(struct world *world, const struct event *event)
{
    struct cached_call call = {};
    if (event->kind == EVENT_CACHE_ASKED) {
        if (!run_cached_call(world->run, event->activation, &call)) return;
        if (str_is(call.job, event->id.text)) ask(world, event->activation, &call);
    } else if (event->kind == EVENT_RUN_SUSPENDED || event->kind == EVENT_RUN_RESUMED) {
        hold(world, event->kind == EVENT_RUN_SUSPENDED);
    } else if (json_is(event->cache, JSON_OBJECT)) {
        end(world, event);
    }
}

/* --- delivering --------------------------------------------------------------------------------
 */

static void to_cache(struct world *world, const Pb__Message *message)
{
    const struct call_cache_limits none      = {};
    struct txn *txn                          = NULL;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_BYTES_MAX);
    check(txn_begin_write(world->cache->store, &txn, NULL), "begin");
    struct call_cache cache = {
        .txn     = txn,
        .arena   = arena,
        .now_us  = world->env.now_us,
        .limits  = call_cache_limits_of(&none),
        .send    = send,
        .context = world->cache,
    };
    status code = STATUS_OK;
    if (!message) {
        code = call_cache_due(&cache, NULL);
    } else if (message->content_case == PB__MESSAGE__CONTENT_CACHE_ASK) {
        code = call_cache_asked(&cache, message->cache_ask, NULL);
    } else if (message->content_case == PB__MESSAGE__CONTENT_CACHE_END) {
        code = call_cache_ended(&cache, message->cache_end, NULL);
    } else if (message->content_case == PB__MESSAGE__CONTENT_CACHE_ALIVE) {
        code = call_cache_alive(&cache, message->cache_alive, NULL);
    }
    check(code, "message");
    check(txn_commit(txn, NULL), "commit");
}

static void to_run(struct world *world, const Pb__Message *message)
{
    if (message->content_case == PB__MESSAGE__CONTENT_CACHE_PROBE) {
        const Pb__CacheProbe *probe = message->cache_probe;
        struct cached_call call     = {};
        bool is_alive               = run_cached_call(world->run, probe->activation, &call) &&
                        str_is(call.job, probe->job) && !run_is_suspended(world->run);
        Pb__CacheAlive alive = PB__CACHE_ALIVE__INIT;
        Pb__Message answer   = PB__MESSAGE__INIT;
        answer.content_case  = PB__MESSAGE__CONTENT_CACHE_ALIVE;
        answer.cache_alive   = &alive;
        alive.namespace_     = probe->namespace_;
        alive.digest         = probe->digest;
        alive.job            = probe->job;
        if (is_alive) post(world->cache, &answer, true);
        if (!is_alive) post_end(world, probe->digest, probe->job);
        return;
    }
    const Pb__CacheAnswer *told      = message->cache_answer;
    CLEANUP(json_unrefp) json output = json_invalid();
    str text                         = {(const char *)told->value_json.data, told->value_json.len};
    if (told->is_hit) check(json_parse(text, NULL, &output, NULL, NULL), "value");
    const struct call_answer answer = {
        .activation = told->activation,
        .job        = str_from(told->job),
        .output     = output,
        .stored_us  = told->stored_us,
    };
    status code = run_call_answered(world->run, &world->env, &answer, &world->events, NULL);
    if (code == STATUS_OK) {
        world_commit(world);
    } else if (!told->is_hit) {
        post_end(world, told->digest, told->job);
    }
}

static int64_t due_of(const struct world_cache *cache)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    int64_t due_us                      = 0;
    check(txn_begin_read(cache->store, &txn, NULL), "begin");
    check(call_cache_next_due(txn, &due_us, NULL), "due");
    return due_us;
}

bool world_cache_step(struct world *world)
{
    struct world_cache *cache = world->cache;
    if (!cache) return false;
    struct mail *mail = cache->first;
    if (!mail) {
        if (due_of(cache) > world->env.now_us) return false;
        to_cache(world, NULL);
        return true;
    }
    cache->first = mail->next;
    if (!cache->first) cache->last = NULL;
    Pb__Message *message = pb__message__unpack(NULL, mail->len, mail->bytes);
    ASSERT(message);
    if (mail->is_to_cache) {
        to_cache(world, message);
    } else {
        to_run(world, message);
    }
    pb__message__free_unpacked(message, NULL);
    free(mail);
    return true;
}

int64_t world_cache_due(const struct world *world)
{
    if (!world->cache) return NO_DUE_US;
    if (world->cache->first) return world->env.now_us;
    return world_cache_callers(world) > 0 ? due_of(world->cache) : NO_DUE_US;
}

uint64_t world_cache_callers(const struct world *world)
{
    if (!world->cache) return 0;
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    uint64_t count                      = 0;
    check(txn_begin_read(world->cache->store, &txn, NULL), "begin");
    check(txn_count(txn, TABLE_CALL_CACHE_CALLERS, &count, NULL), "count");
    return count;
}
