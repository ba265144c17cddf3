#include "llm-proxy/chat/chat_read.h"

#include "base/assert.h"
#include "json/json_text.h"

#include <string.h>

enum { TEXT_MAX = 32 << 20 };

status chat_request_new(json source, struct arena *arena, struct chat_request **ret_request,
                        struct error *reterr)
{
    ASSERT(arena);
    if (!json_is(source, JSON_OBJECT)) return chat_invalid(reterr, "", "an object is required");
    struct chat_request *request = arena_alloc(arena, sizeof *request);
    if (!request) return chat_no_memory(reterr);
    request->arena   = arena;
    request->repairs = -1;
    *ret_request     = request;
    return STATUS_OK;
}

void chat_request_done(struct chat_request *request)
{
    if (!request) return;
    json_unref(json_take(&request->converted));
}

uint64_t chat_request_size(const struct chat_request *request)
{
    uint64_t size = request->stripped_size;
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t p = 0; p < message->part_count; p++) size += message->parts[p].text.len;
    }
    return size;
}

uint32_t chat_request_images(const struct chat_request *request)
{
    uint32_t count = request->stripped_images;
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t p = 0; p < message->part_count; p++) {
            if (message->parts[p].kind == PART_IMAGE) count++;
        }
    }
    return count;
}

/* What is not named here is gone, so that nobody finds half of it. */
void chat_request_strip(struct chat_request *request)
{
    struct chat_request left = {
        .arena           = request->arena,
        .protocol        = request->protocol,
        .model           = request->model,
        .stripped_size   = chat_request_size(request),
        .stripped_images = chat_request_images(request),
        .count           = request->count,
        .is_count        = request->is_count,
        .is_stream       = request->is_stream,
        .wants_usage     = request->wants_usage,
    };
    chat_request_done(request);
    *request = left;
}

bool chat_is_silent(const struct chat_message *message)
{
    for (uint32_t i = 0; i < message->part_count; i++) {
        enum chat_part_kind kind = message->parts[i].kind;
        bool is_text             = kind == PART_TEXT || kind == PART_REFUSAL;
        if (!is_text || message->parts[i].text.len > 0) return false;
    }
    return true;
}

bool chat_has_turns(const struct chat_request *request)
{
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        if (message->role != ROLE_SYSTEM && !chat_is_silent(message)) return true;
    }
    return false;
}

bool chat_may_call(const struct chat_request *request, str name)
{
    if (!request->allowed) return true;
    for (uint32_t i = 0; i < request->allowed_count; i++) {
        if (str_equal(request->allowed[i], name)) return true;
    }
    return false;
}

void *chat_allocate(struct chat_request *request, size_t count, size_t size)
{
    return count > SIZE_MAX / size ? NULL : arena_alloc(request->arena, count * size);
}

bool chat_keep_json(struct chat_request *request, json value, str *ret_text)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    if (!json_print(value, JSON_COMPACT, &text)) return false;
    const char *copy = arena_strdup(request->arena, buf_str(&text));
    if (!copy) return false;
    *ret_text = (str){.ptr = copy, .len = text.len};
    return true;
}

/* Each message and each tool has one: by hand, since printf() costs more than reading them. */
const char *chat_place(struct chat_request *request, const char *list, size_t index)
{
    char digits[24];
    size_t from    = sizeof digits;
    str name       = str_from(list);
    digits[--from] = '\0';
    do {
        digits[--from] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    char *place = arena_alloc(request->arena, name.len + 1 + sizeof digits - from);
    if (!place) return NULL;
    memcpy(place, name.ptr, name.len);
    place[name.len] = '/';
    memcpy(place + name.len + 1, digits + from, sizeof digits - from);
    return place;
}

status chat_invalid(struct error *reterr, const char *pointer, const char *expected)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: %s", pointer, expected);
}

status chat_no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

json chat_read_cache(json block)
{
    json marker = json_get_text(block, "cache_control");
    return json_is(marker, JSON_OBJECT) ? marker : json_invalid();
}

status chat_read_number(json source, const char *key, json *ret_number, struct error *reterr)
{
    json value = json_get_text(source, key);
    if (json_is(value, JSON_NULL)) value = json_invalid();
    if (!json_is(value, JSON_INVALID) && !json_is_number(value)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/%s: a number is required", key);
    }
    *ret_number = value;
    return STATUS_OK;
}

status chat_read_count(json source, const char *key, int64_t *ret_count, struct error *reterr)
{
    json number = json_invalid();
    TRY(chat_read_number(source, key, &number, reterr));
    if (json_is(number, JSON_INVALID)) return STATUS_OK;
    int64_t value = 0;
    if (!json_to_int(number, &value) || value < 1) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/%s: a whole number from 1 is required", key);
    }
    *ret_count = value;
    return STATUS_OK;
}

status chat_make_tools(struct chat_request *request, json tools, size_t *ret_count,
                       struct error *reterr)
{
    *ret_count = 0;
    if (json_is(tools, JSON_INVALID) || json_is(tools, JSON_NULL)) return STATUS_OK;
    if (!json_is(tools, JSON_ARRAY) || json_count(tools) > CHAT_TOOLS_MAX) {
        return chat_invalid(reterr, "/tools", "a list of at most 128 tools");
    }
    request->tools = chat_allocate(request, json_count(tools) + 1, sizeof *request->tools);
    if (!request->tools) return chat_no_memory(reterr);
    *ret_count = json_count(tools);
    return STATUS_OK;
}

/* An empty one stops nothing, and is refused by most. */
static void add_stop(struct chat_request *request, str text)
{
    if (text.len > 0) request->stops[request->stop_count++] = text;
}

status chat_read_stops(struct chat_request *request, json stop, const char *pointer,
                       struct error *reterr)
{
    if (json_is(stop, JSON_TEXT)) {
        add_stop(request, json_str(stop));
        return STATUS_OK;
    }
    if (!json_is(stop, JSON_ARRAY)) return STATUS_OK;
    if (json_count(stop) > CHAT_STOPS_MAX) return chat_invalid(reterr, pointer, "too many");
    for (size_t i = 0; i < json_count(stop); i++) {
        if (!json_is(json_at(stop, i), JSON_TEXT)) return chat_invalid(reterr, pointer, "texts");
        add_stop(request, json_str(json_at(stop, i)));
    }
    return STATUS_OK;
}

void chat_split_data_url(str url, struct chat_part *part)
{
    str prefix = str_from("data:");
    if (!str_starts_with(url, prefix)) {
        part->url = url;
        return;
    }
    const char *comma = memchr(url.ptr, ',', url.len);
    size_t at         = comma ? (size_t)(comma - url.ptr) : url.len;
    str head          = str_slice(url, prefix.len, at);
    const char *semi  = head.len > 0 ? memchr(head.ptr, ';', head.len) : NULL;
    part->media_type  = str_slice(head, 0, semi ? (size_t)(semi - head.ptr) : head.len);
    part->data        = str_slice(url, at + 1, url.len);
}
