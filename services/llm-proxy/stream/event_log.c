#include "llm-proxy/stream/event_log.h"

#include "base/assert.h"

#include <string.h>

/* In front of the texts: id, name, model, bytes. */
struct entry {
    enum llm_event_kind kind;
    enum llm_finish finish;
    enum llm_end end;
    uint32_t choice, part;
    uint32_t id_len, name_len, model_len, bytes_len;
    int64_t created_us;
    struct llm_usage usage;
};

struct event_log event_log_init(size_t size_max)
{
    return (struct event_log){.data = buf_init(size_max)};
}

void event_log_done(struct event_log *log)
{
    buf_done(&log->data);
}

void event_log_clear(struct event_log *log)
{
    size_t size_max = log->data.len_max;
    buf_done(&log->data);
    *log = event_log_init(size_max);
}

static bool is_fragment(enum llm_event_kind kind)
{
    return kind == LLM_TEXT || kind == LLM_REFUSAL || kind == LLM_THINKING || kind == LLM_TOOL_ARGS;
}

/* Its bytes are the end of the data: more of them follow. */
static bool join(struct event_log *log, const struct llm_event *event)
{
    struct entry last;
    if (log->data.len == 0 || !is_fragment(event->kind)) return false;
    memcpy(&last, log->data.ptr + log->last, sizeof last);
    bool is_one = last.kind == event->kind && last.choice == event->choice &&
                  last.part == event->part && event->id.len == 0 && event->name.len == 0;
    if (!is_one) return false;
    if (!buf_put_str(&log->data, event->bytes)) return true;
    last.bytes_len += (uint32_t)event->bytes.len;
    memcpy(log->data.ptr + log->last, &last, sizeof last);
    return true;
}

static void append(struct event_log *log, const struct llm_event *event)
{
    const struct entry entry = {
        .kind       = event->kind,
        .finish     = event->finish,
        .end        = event->end,
        .choice     = event->choice,
        .part       = event->part,
        .id_len     = (uint32_t)event->id.len,
        .name_len   = (uint32_t)event->name.len,
        .model_len  = (uint32_t)event->model.len,
        .bytes_len  = (uint32_t)event->bytes.len,
        .created_us = event->created_us,
        .usage      = event->usage,
    };
    log->last = log->data.len;
    (void)buf_put(&log->data, &entry, sizeof entry);
    (void)buf_put_str(&log->data, event->id);
    (void)buf_put_str(&log->data, event->name);
    (void)buf_put_str(&log->data, event->model);
    (void)buf_put_str(&log->data, event->bytes);
}

void event_log_take(const struct llm_event *event, void *context)
{
    struct event_log *log = context;
    if (event->kind == LLM_CHUNK || log->is_broken) return;
    if (event->kind == LLM_ERROR) {
        log->is_broken = true;
    } else if (!join(log, event)) {
        append(log, event);
    }
    log->is_broken = log->is_broken || log->data.is_full;
}

static str take(str *rest, uint32_t len)
{
    str text = str_slice(*rest, 0, len);
    *rest    = str_slice(*rest, len, rest->len);
    return text;
}

/* An event that a log has; what is on a disk may be anything. */
static bool is_sound(const struct entry *entry, size_t rest)
{
    uint64_t size = (uint64_t)entry->id_len + entry->name_len + entry->model_len + entry->bytes_len;
    bool is_kind =
        (unsigned)entry->kind <= LLM_END && entry->kind != LLM_CHUNK && entry->kind != LLM_ERROR;
    return is_kind && (unsigned)entry->finish <= FINISH_FILTER &&
           (unsigned)entry->end <= END_BUDGET && size <= rest;
}

bool event_log_read(str data, struct event_log *ret_log)
{
    str rest = data;
    while (rest.len > 0) {
        struct entry entry;
        if (rest.len < sizeof entry) return false;
        memcpy(&entry, take(&rest, sizeof entry).ptr, sizeof entry);
        if (!is_sound(&entry, rest.len)) return false;
        (void)take(&rest, entry.id_len);
        (void)take(&rest, entry.name_len);
        (void)take(&rest, entry.model_len);
        (void)take(&rest, entry.bytes_len);
    }
    *ret_log = event_log_init(data.len);
    return buf_put_str(&ret_log->data, data);
}

void event_log_play(const struct event_log *log, llm_sink *sink, void *context)
{
    str rest = buf_str(&log->data);
    ASSERT(!log->is_broken);
    while (rest.len > 0) {
        struct entry entry;
        memcpy(&entry, take(&rest, sizeof entry).ptr, sizeof entry);
        struct llm_event event = {.kind       = entry.kind,
                                  .finish     = entry.finish,
                                  .end        = entry.end,
                                  .choice     = entry.choice,
                                  .part       = entry.part,
                                  .created_us = entry.created_us,
                                  .usage      = entry.usage};
        event.id               = take(&rest, entry.id_len);
        event.name             = take(&rest, entry.name_len);
        event.model            = take(&rest, entry.model_len);
        event.bytes            = take(&rest, entry.bytes_len);
        sink(&event, context);
    }
}
