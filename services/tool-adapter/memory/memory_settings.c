/* What a call asks for: from settings to a struct memory_call. On the loop. */
#include "tool-adapter/memory/memory_call.h"
#include "json/json_text.h"

#include <math.h>

enum { DEFAULT_LIMIT = 5, LIST_LIMIT = 50, MODEL_MAX = MEMORY_MODEL_MAX };

static status invalid(struct error *reterr, const char *name, const char *what)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` %s", name, what);
}

static bool is_absent(json value)
{
    return json_is(value, JSON_INVALID) || json_is(value, JSON_NULL);
}

/* A text of at most `max` bytes without NUL; empty if there is none. */
static status read_text(struct arena *arena, json settings, const char *name, size_t max,
                        str *ret_text, struct error *reterr)
{
    TRY(module_text(arena, settings, name, "", ret_text, reterr));
    if (ret_text->len > max) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` is over %zu bytes", name, max);
    }
    if (ret_text->len == 0 || !memchr(ret_text->ptr, '\0', ret_text->len)) return STATUS_OK;
    return invalid(reterr, name, "holds a NUL");
}

static status read_name(struct arena *arena, json settings, const char *name, size_t max,
                        str *ret_text, struct error *reterr)
{
    TRY(read_text(arena, settings, name, max, ret_text, reterr));
    return ret_text->len > 0 ? STATUS_OK : invalid(reterr, name, "must be a text with characters");
}

/* A map as JSON; empty if there is none. */
static status read_map(struct arena *arena, json settings, const char *name, str *ret_text,
                       struct error *reterr)
{
    json value = json_get_text(settings, name);
    if (is_absent(value)) return STATUS_OK;
    if (!json_is(value, JSON_OBJECT)) return invalid(reterr, name, "must be a map");
    CLEANUP(buf_done) struct buf text = buf_init(MEMORY_METADATA_MAX);
    if (!json_print(value, JSON_COMPACT, &text)) return invalid(reterr, name, "is over 64 KiB");
    return module_copy(arena, buf_str(&text), ret_text, reterr);
}

/* --- all calls ----------------------------------------------------------------------------------
 */

static status read_common(struct module_call *call, const struct engine_request *request,
                          struct memory_call **ret_memory, struct error *reterr)
{
    struct arena *arena = call->arena;
    json settings       = request->settings;
    void *place         = NULL;
    TRY(module_alloc(arena, 1, sizeof(struct memory_call), &place, reterr));
    struct memory_call *memory = place;
    call->about                = memory;
    call->usage                = (Pb__Usage)PB__USAGE__INIT;
    TRY(module_copy(arena, request->namespace, &memory->scope.tenant, reterr));
    TRY(module_copy(arena, request->idempotency_key, &memory->idempotency_key, reterr));
    TRY(read_text(arena, settings, "namespace", MEMORY_NAMESPACE_MAX, &memory->scope.namespace,
                  reterr));
    if (memory->scope.namespace.len == 0) memory->scope.namespace = str_from("default");
    TRY(read_text(arena, request->config, "embedding", MODEL_MAX, &memory->asked, reterr));
    if (memory->asked.len == 0) memory->asked = str_from("embedding");
    TRY(read_text(arena, request->config, "label", MODEL_MAX, &memory->label, reterr));
    if (memory->label.len == 0) memory->label = str_from("1");
    *ret_memory = memory;
    return STATUS_OK;
}

static status read_filters(struct module_call *call, json settings, struct memory_call *memory,
                           struct error *reterr)
{
    TRY(read_map(call->arena, settings, "filter", &memory->filter, reterr));
    TRY(read_text(call->arena, settings, "subject", MEMORY_SUBJECT_MAX, &memory->subject, reterr));
    TRY(read_text(call->arena, settings, "document", MEMORY_KEY_MAX, &memory->document, reterr));
    return read_text(call->arena, settings, "prefix", MEMORY_KEY_MAX, &memory->prefix, reterr);
}

/* --- vectors ------------------------------------------------------------------------------------
 */

static status alloc_vector(struct module_call *call, size_t count, struct given_vector *given,
                           struct error *reterr)
{
    void *place = NULL;
    if (count == 0 || count > MEMORY_DIMENSIONS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`vector` must have 1 to %d numbers",
                    MEMORY_DIMENSIONS_MAX);
    }
    TRY(module_alloc(call->arena, count, sizeof *given->values, &place, reterr));
    given->values = place;
    given->count  = count;
    return STATUS_OK;
}

/* As get_entries writes it. */
static status read_packed_vector(struct module_call *call, str encoded, struct given_vector *given,
                                 struct error *reterr)
{
    size_t size = encoded.len / 4 * 3;
    void *raw   = NULL;
    TRY(module_alloc(call->arena, size, 1, &raw, reterr));
    if (!base64_decode(encoded, raw, &size) || size % sizeof *given->values != 0) {
        return invalid(reterr, "vector", "must be a list of numbers");
    }
    TRY(alloc_vector(call, size / sizeof *given->values, given, reterr));
    memcpy(given->values, raw, size);
    for (size_t i = 0; i < given->count; i++) {
        if (!isfinite(given->values[i])) return invalid(reterr, "vector", "holds no number");
    }
    return STATUS_OK;
}

static status read_vector(struct module_call *call, json settings, struct given_vector *given,
                          struct error *reterr)
{
    json vector = json_get_text(settings, "vector");
    TRY(read_text(call->arena, settings, "model", MODEL_MAX, &given->model, reterr));
    if (is_absent(vector)) {
        if (given->model.len == 0) return STATUS_OK;
        return invalid(reterr, "model",
                       "says what made `vector`, which is missing: what embeds "
                       "texts is the connection's `embedding`");
    }
    if (json_is(vector, JSON_TEXT)) {
        return read_packed_vector(call, json_str(vector), given, reterr);
    }
    if (!json_is(vector, JSON_ARRAY)) return invalid(reterr, "vector", "must be a list of numbers");
    TRY(alloc_vector(call, json_count(vector), given, reterr));
    for (size_t i = 0; i < given->count; i++) {
        json number = json_at(vector, i);
        if (!json_is_number(number)) return invalid(reterr, "vector", "must be a list of numbers");
        given->values[i] = (float)json_number(number);
        bool fits        = isfinite(given->values[i]);
        if (!fits) return invalid(reterr, "vector", "holds what is too large");
    }
    return STATUS_OK;
}

/* --- writing ------------------------------------------------------------------------------------
 */

static status read_item(struct module_call *call, json settings, struct memory_item *item,
                        struct given_vector *given, struct error *reterr)
{
    TRY(read_name(call->arena, settings, "key", MEMORY_KEY_MAX, &item->key, reterr));
    TRY(module_text(call->arena, settings, "content", NULL, &item->content, reterr));
    if (item->content.len == 0 || item->content.len > MEMORY_CONTENT_MAX) {
        return invalid(reterr, "content", "must have 1 byte to 1 MiB");
    }
    TRY(read_map(call->arena, settings, "metadata", &item->metadata, reterr));
    TRY(read_text(call->arena, settings, "subject", MEMORY_SUBJECT_MAX, &item->subject, reterr));
    return read_vector(call, settings, given, reterr);
}

static status make_items(struct module_call *call, size_t count, struct memory_call *memory,
                         struct error *reterr)
{
    void *items = NULL;
    void *given = NULL;
    TRY(module_alloc(call->arena, count, sizeof *memory->items, &items, reterr));
    TRY(module_alloc(call->arena, count, sizeof *memory->given, &given, reterr));
    memory->items      = items;
    memory->given      = given;
    memory->item_count = count;
    return STATUS_OK;
}

static status check_keys(const struct memory_call *memory, struct error *reterr)
{
    for (size_t i = 0; i < memory->item_count; i++) {
        for (size_t other = 0; other < i; other++) {
            if (!str_equal(memory->items[i].key, memory->items[other].key)) continue;
            return fail(reterr, STATUS_INVALID_ARGUMENT, "items %zu and %zu have the same `key`",
                        other, i);
        }
    }
    return STATUS_OK;
}

static status read_items(struct module_call *call, json list, const char *name,
                         struct memory_call *memory, struct error *reterr)
{
    size_t count = json_count(list);
    if (!json_is(list, JSON_ARRAY) || count > MEMORY_ITEMS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` must be a list of at most %d", name,
                    MEMORY_ITEMS_MAX);
    }
    TRY(make_items(call, count, memory, reterr));
    for (size_t i = 0; i < count; i++) {
        struct error why = {};
        json one         = json_at(list, i);
        status code      = read_item(call, one, &memory->items[i], &memory->given[i], &why);
        if (code != STATUS_OK) return fail(reterr, code, "%s[%zu]: %s", name, i, why.text);
        TRY(read_text(call->arena, one, "version", 2 * MODEL_MAX, &memory->given[i].version,
                      reterr));
    }
    return check_keys(memory, reterr);
}

status memory_read_remember(struct module_call *call, const struct engine_request *request,
                            struct error *reterr)
{
    struct memory_call *memory = NULL;
    TRY(read_common(call, request, &memory, reterr));
    TRY(make_items(call, 1, memory, reterr));
    return read_item(call, request->settings, memory->items, memory->given, reterr);
}

status memory_read_many(struct module_call *call, const struct engine_request *request,
                        struct error *reterr)
{
    struct memory_call *memory = NULL;
    json chunks                = json_get_text(request->settings, "chunks");
    int64_t count              = 0;
    TRY(read_common(call, request, &memory, reterr));
    TRY(read_text(call->arena, request->settings, "document", MEMORY_KEY_MAX, &memory->document,
                  reterr));
    memory->is_whole = memory->document.len > 0;
    if (memory->is_whole == is_absent(chunks)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`document` and `chunks` come together");
    }
    TRY(module_int(request->settings, "chunks", 0, 0, INT64_MAX, &count, reterr));
    memory->chunks = (uint64_t)count;
    return read_items(call, json_get_text(request->settings, "items"), "items", memory, reterr);
}

status memory_read_entries(struct module_call *call, const struct engine_request *request,
                           struct error *reterr)
{
    struct memory_call *memory = NULL;
    TRY(read_common(call, request, &memory, reterr));
    return read_items(call, json_get_text(request->settings, "entries"), "entries", memory, reterr);
}

/* --- reading ------------------------------------------------------------------------------------
 */

status memory_read_recall(struct module_call *call, const struct engine_request *request,
                          struct error *reterr)
{
    struct memory_call *memory = NULL;
    json settings              = request->settings;
    json score                 = json_get_text(settings, "min_score");
    int64_t limit              = 0;
    TRY(read_common(call, request, &memory, reterr));
    TRY(make_items(call, 1, memory, reterr));
    TRY(read_text(call->arena, settings, "query", MEMORY_CONTENT_MAX, &memory->query, reterr));
    TRY(read_vector(call, settings, memory->given, reterr));
    TRY(read_filters(call, settings, memory, reterr));
    TRY(module_int(settings, "limit", DEFAULT_LIMIT, 1, MEMORY_RECALL_MAX, &limit, reterr));
    memory->limit     = (size_t)limit;
    memory->score_min = -2; /* below every cosine */
    if (json_is_number(score)) memory->score_min = (float)json_number(score);
    if (!is_absent(score) && !json_is_number(score)) {
        return invalid(reterr, "min_score", "must be a number");
    }
    if (memory->query.len > 0 || memory->given->values) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`query` or `vector` must be given");
}

static status read_key_list(struct module_call *call, json settings, struct memory_call *memory,
                            struct error *reterr)
{
    json keys    = json_get_text(settings, "keys");
    json key     = json_get_text(settings, "key");
    bool is_one  = json_is(key, JSON_TEXT);
    size_t count = is_one ? 1 : json_count(keys);
    void *place  = NULL;
    if (!is_one && (!json_is(keys, JSON_ARRAY) || count > MEMORY_KEYS_MAX)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`keys` must be a list of at most %d",
                    MEMORY_KEYS_MAX);
    }
    TRY(module_alloc(call->arena, count, sizeof *memory->keys, &place, reterr));
    memory->keys      = place;
    memory->key_count = count;
    for (size_t i = 0; i < count; i++) {
        json one = is_one ? key : json_at(keys, i);
        if (!json_is(one, JSON_TEXT) || json_str(one).len == 0 ||
            json_str(one).len > MEMORY_KEY_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "a key must be a text of 1 to %d bytes",
                        MEMORY_KEY_MAX);
        }
        TRY(module_copy(call->arena, json_str(one), &memory->keys[i], reterr));
    }
    return STATUS_OK;
}

status memory_read_keys(struct module_call *call, const struct engine_request *request,
                        struct error *reterr)
{
    struct memory_call *memory = NULL;
    TRY(read_common(call, request, &memory, reterr));
    memory->with_vectors = json_is(json_get_text(request->settings, "vectors"), JSON_TRUE);
    return read_key_list(call, request->settings, memory, reterr);
}

status memory_read_delete(struct module_call *call, const struct engine_request *request,
                          struct error *reterr)
{
    struct memory_call *memory = NULL;
    TRY(read_common(call, request, &memory, reterr));
    TRY(read_filters(call, request->settings, memory, reterr));
    bool has_keys   = !is_absent(json_get_text(request->settings, "keys"));
    bool has_filter = memory->filter.len > 2 || memory->subject.len > 0 ||
                      memory->document.len > 0 || memory->prefix.len > 0;
    if (has_keys == has_filter) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "either `keys`, or some of `filter`, `subject`, `document` must be given");
    }
    return has_keys ? read_key_list(call, request->settings, memory, reterr) : STATUS_OK;
}

status memory_read_list(struct module_call *call, const struct engine_request *request,
                        struct error *reterr)
{
    struct memory_call *memory = NULL;
    int64_t limit              = 0;
    TRY(read_common(call, request, &memory, reterr));
    TRY(read_filters(call, request->settings, memory, reterr));
    TRY(read_text(call->arena, request->settings, "cursor", MEMORY_KEY_MAX, &memory->cursor,
                  reterr));
    TRY(module_int(request->settings, "limit", LIST_LIMIT, 1, MEMORY_LIST_MAX, &limit, reterr));
    memory->limit = (size_t)limit;
    return STATUS_OK;
}

status memory_read_stats(struct module_call *call, const struct engine_request *request,
                         struct error *reterr)
{
    struct memory_call *memory = NULL;
    TRY(read_common(call, request, &memory, reterr));
    if (!is_absent(json_get_text(request->settings, "namespace"))) return STATUS_OK;
    memory->scope.namespace = (str){};
    return STATUS_OK;
}

status memory_read_reembed(struct module_call *call, const struct engine_request *request,
                           struct error *reterr)
{
    struct memory_call *memory = NULL;
    json settings              = request->settings;
    int64_t limit              = 0;
    TRY(read_common(call, request, &memory, reterr));
    TRY(read_text(call->arena, settings, "to", MODEL_MAX, &memory->to, reterr));
    if (memory->to.len == 0) memory->to = memory->asked;
    if (!is_absent(json_get_text(settings, "label"))) {
        TRY(read_name(call->arena, settings, "label", MODEL_MAX, &memory->label, reterr));
    }
    memory->replaces = json_is(json_get_text(settings, "replace"), JSON_TRUE);
    memory->gives_up = json_is(json_get_text(settings, "give_up"), JSON_TRUE);
    TRY(read_text(call->arena, settings, "cursor", 20, &memory->cursor, reterr));
    TRY(module_int(settings, "limit", MEMORY_LIMIT_REEMBED, 1, MEMORY_KEYS_MAX, &limit, reterr));
    memory->limit = (size_t)limit;
    for (size_t i = 0; i < memory->cursor.len; i++) {
        char digit = memory->cursor.ptr[i];
        if (digit < '0' || digit > '9') return invalid(reterr, "cursor", "is none of ours");
        memory->next = memory->next * 10 + (uint64_t)(digit - '0');
    }
    return STATUS_OK;
}
