#include "scheduler/tables/event_index.h"

#include "base/assert.h"
#include "base/hash.h"
#include "scheduler/run/event_match.h"
#include "json/json_text.h"

#include <endian.h>

enum { VALUE_TEXT_MAX = 1 << 20 /* bytes of JSON that make a digest */ };

/* --- what of a filter can be indexed -----------------------------------------------------------
 */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == ':' || c == '/' || c == '.';
}

static bool is_plain(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_name_char(text.ptr[i])) return false;
    }
    return text.len > 0;
}

/* Empty: any. */
static str type_of(const struct event_filter *filter)
{
    for (uint32_t i = 0; filter && i < filter->attribute_count; i++) {
        const struct event_attribute *attribute = &filter->attributes[i];
        if (strcmp(attribute->name, "type") != 0) continue;
        bool is_text = json_is(attribute->literal, JSON_TEXT);
        if (is_text && is_plain(json_str(attribute->literal))) return json_str(attribute->literal);
    }
    return (str){.ptr = ""};
}

/* `.subject`, `.data.order.id`: members by name and nothing else. */
static bool is_path(str text)
{
    if (text.len < 2 || text.len > EVENT_PATH_MAX || text.ptr[0] != '.') return false;
    for (size_t i = 0; i < text.len; i++) {
        char c       = text.ptr[i];
        bool is_part = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (c >= '0' && c <= '9') is_part = text.ptr[i - (i > 0)] != '.' && i > 0;
        if (c == '.') is_part = i + 1 < text.len && text.ptr[i + 1] != '.';
        if (!is_part) return false;
    }
    return true;
}

static json value_at(json event, str path)
{
    while (path.len > 0) {
        size_t end = 1;
        while (end < path.len && path.ptr[end] != '.') end++;
        event = json_get(event, str_slice(path, 1, end));
        path  = str_slice(path, end, path.len);
    }
    return event;
}

/* What an event must have at which path for the filter to take it. False: nothing is known. */
static bool value_of(const struct event_filter *filter, json expected, str *ret_path,
                     json *ret_value)
{
    for (uint32_t i = 0; filter && i < filter->correlation_count; i++) {
        const struct event_correlation *correlation = &filter->correlations[i];
        json value                                  = json_at(expected, i);
        str path = str_trim(str_from(correlation->from->source), " \n");
        if (value.kind == JSON_INVALID || json_is(value, JSON_NULL) || !is_path(path)) continue;
        *ret_path  = path;
        *ret_value = value;
        return true;
    }
    for (uint32_t i = 0; filter && i < filter->attribute_count; i++) {
        const struct event_attribute *attribute = &filter->attributes[i];
        bool is_subject                         = strcmp(attribute->name, "subject") == 0;
        if (!is_subject && strcmp(attribute->name, "source") != 0) continue;
        if (!json_is(attribute->literal, JSON_TEXT)) continue;
        str text     = json_str(attribute->literal);
        bool is_word = is_plain(text) && !memchr(text.ptr, '.', text.len);
        if (!is_word) continue; /* it may be meant as a regular expression */
        *ret_path  = str_from(is_subject ? ".subject" : ".source");
        *ret_value = attribute->literal;
        return true;
    }
    return false;
}

/* --- keys --------------------------------------------------------------------------------------
 */

void listener_type_key(struct key *key, str namespace, str type)
{
    key_begin(key);
    key_put_text(key, namespace);
    key_put_text(key, type);
}

void listener_path_key(struct key *key, str namespace, str type, str path)
{
    listener_type_key(key, namespace, type);
    key_put_text(key, path);
}

static bool put_value(struct key *key, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(VALUE_TEXT_MAX);
    uint8_t digest[SHA256_SIZE];
    uint64_t half[2];
    if (!json_print(value, JSON_SORTED, &text)) return false;
    sha256(bytes_from(buf_str(&text)), digest);
    memcpy(half, digest, sizeof half);
    key_put_u64(key, be64toh(half[0]));
    key_put_u64(key, be64toh(half[1]));
    return true;
}

bool listener_value_key(struct key *key, str namespace, str type, str path, json event)
{
    listener_path_key(key, namespace, type, path);
    if (path.len == 0) return true;
    json value = value_at(event, path);
    return value.kind != JSON_INVALID && put_value(key, value);
}

static void filter_key(const struct run *run, const struct activation *listener,
                       const struct event_filter *filter, uint32_t number, struct key *key)
{
    str namespace = str_from(run->workflow->namespace_);
    str path      = {.ptr = ""};
    json value    = json_invalid();
    bool is_known = value_of(filter, json_at(listener->items, number), &path, &value);
    listener_path_key(key, namespace, type_of(filter), path);
    if (is_known && !put_value(key, value)) { /* too large a value: not by it, then */
        listener_path_key(key, namespace, type_of(filter), (str){.ptr = ""});
    }
    key_put_id(key, str_from(run->id.text));
    key_put_u32(key, listener->slot);
}

static void strategy_keys(const struct run *run, const struct activation *listener,
                          const struct event_strategy *strategy, uint32_t base,
                          listener_key_fn *visit, void *context)
{
    struct key key;
    for (uint32_t i = 0; i < strategy->filter_count; i++) {
        filter_key(run, listener, &strategy->filters[i], base + i, &key);
        visit(&key, context);
    }
    if (strategy->mode == LISTEN_ANY && strategy->filter_count == 0) {
        filter_key(run, listener, NULL, base, &key);
        visit(&key, context);
    }
}

void listener_keys(const struct run *run, const struct activation *listener, listener_key_fn *visit,
                   void *context)
{
    const struct listen_body *listen = &activation_task(run, listener)->listen;
    strategy_keys(run, listener, &listen->to, 0, visit, context);
    if (!listen->has_until_events) return;
    strategy_keys(run, listener, &listen->until_events, listening_base(&listen->to), visit,
                  context);
}

bool listener_key_read(bytes raw, struct listener_place *ret_place)
{
    struct key_text namespace;
    uint64_t digest = 0;
    bytes rest      = raw;
    if (!key_take_text(&rest, &namespace) || !key_take_text(&rest, &ret_place->type) ||
        !key_take_text(&rest, &ret_place->path)) {
        return false;
    }
    int digest_words = ret_place->path.len > 0 ? 2 : 0;
    for (int i = 0; i < digest_words; i++) {
        if (!key_take_u64(&rest, &digest)) return false;
    }
    return key_take_id(&rest, &ret_place->run) && key_take_u32(&rest, &ret_place->slot) &&
           rest.len == 0;
}

void key_step(struct key *key)
{
    while (key->len > 0 && key->data[key->len - 1] == UINT8_MAX) key->len--;
    ASSERT(key->len > 0); /* a key begins with text */
    key->data[key->len - 1]++;
}

str event_type_of(json event)
{
    json type = json_get_text(event, "type");
    return json_is(type, JSON_TEXT) ? json_str(type) : (str){.ptr = ""};
}

/* --- workflows ---------------------------------------------------------------------------------
 */

static void strategy_types(const struct event_strategy *strategy,
                           void (*visit)(str type, void *context), void *context)
{
    for (uint32_t i = 0; i < strategy->filter_count; i++) {
        visit(type_of(&strategy->filters[i]), context);
    }
    if (strategy->mode == LISTEN_ANY && strategy->filter_count == 0) {
        visit((str){.ptr = ""}, context);
    }
}

void listen_event_types(const struct listen_body *listen, void (*visit)(str type, void *context),
                        void *context)
{
    strategy_types(&listen->to, visit, context);
    if (listen->has_until_events) strategy_types(&listen->until_events, visit, context);
}

void workflow_event_types(const struct workflow *workflow, void (*visit)(str type, void *context),
                          void *context)
{
    for (uint32_t i = 0; i < workflow->task_count; i++) {
        const struct task *task = &workflow->tasks[i];
        if (task->kind != TASK_LISTEN || task->listen.approval) continue;
        listen_event_types(&task->listen, visit, context);
    }
}
