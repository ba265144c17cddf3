#include "llm-proxy/answer_shelf.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "llm-proxy/answers/shelf.h"

#include <stdio.h>

static const int64_t KEPT_US = INT64_C(86'400'000'000) * ANSWER_SHELF_DAYS;

static bytes name_of(const struct answer_key *key)
{
    return (bytes){.ptr = key->digest, .len = sizeof key->digest};
}

static void put(const struct saved_answer *saved, void *context)
{
    struct answers *answers = context;
    Pb__SavedAnswer kept    = PB__SAVED_ANSWER__INIT;
    str events              = buf_str(&saved->log.data);
    kept.format             = EVENT_LOG_FORMAT;
    kept.events =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)events.ptr, .len = events.len};
    kept.provider                    = saved->provider;
    kept.model                       = saved->model;
    kept.cost_usd_nanos              = saved->cost_usd_nanos;
    kept.simulated                   = saved->is_simulated;
    kept.born_us                     = clock_unix_us() - (clock_mono_ms() - saved->born_ms) * 1'000;
    size_t size                      = pb__saved_answer__get_packed_size(&kept);
    CLEANUP(buf_done) struct buf row = buf_init(size);
    uint8_t *packed                  = (uint8_t *)buf_reserve(&row, size);
    ASSERT(packed);
    buf_commit(&row, pb__saved_answer__pack(&kept, packed));
    shelf_put(answers, SHELF_CACHE, name_of(&saved->key), bytes_from(buf_str(&row)),
              kept.born_us + KEPT_US);
}

static void forget(const struct answer_key *key, void *context)
{
    shelf_drop(context, SHELF_CACHE, name_of(key));
}

/* Of another release it may be anything. */
static void take(bytes, bytes row, void *context)
{
    struct saved_answer **found = context;
    Pb__SavedAnswer *kept       = pb__saved_answer__unpack(NULL, row.len, row.ptr);
    if (!kept) return;
    struct saved_answer *saved = saved_answer_new();
    str events                 = {.ptr = (const char *)kept->events.data, .len = kept->events.len};
    bool is_sound         = kept->format == EVENT_LOG_FORMAT && event_log_read(events, &saved->log);
    int64_t age_us        = clock_unix_us() - kept->born_us;
    saved->born_ms        = clock_mono_ms() - (age_us > 0 ? age_us / 1'000 : 0);
    saved->cost_usd_nanos = kept->cost_usd_nanos;
    saved->is_simulated   = kept->simulated;
    (void)snprintf(saved->provider, sizeof saved->provider, "%s", kept->provider);
    (void)snprintf(saved->model, sizeof saved->model, "%s", kept->model);
    pb__saved_answer__free_unpacked(kept, NULL);
    if (is_sound) {
        *found = saved;
    } else {
        saved_answer_unref(saved);
    }
}

static struct saved_answer *find(const struct answer_key *key, void *context)
{
    struct saved_answer *found = NULL;
    (void)shelf_get(context, SHELF_CACHE, name_of(key), take, &found);
    return found;
}

struct answer_keeper answer_shelf_keeper(struct answers *answers)
{
    return (struct answer_keeper){.put = put, .forget = forget, .find = find, .context = answers};
}
