/*
 * One function per type of instance; `place` carries where in the schema we are. Recursion follows
 * the schema, which is bounded by SAMPLE_DEPTH_MAX: an optional member is left out below half of
 * that depth, so that recursive schemas end.
 */
#include "llm-proxy/providers/sample.h"

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "schema/schema.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <math.h>

enum {
    CHECK_ARENA_MAX = 4 << 20, /* bytes */
    WORDS_DEFAULT   = 60,      /* bytes of a text without bounds */
};

struct sampler {
    struct prng *prng;
    json root;
};

static status sample(const struct sampler *sampler, json schema, unsigned depth, json *ret_value,
                     struct error *reterr);

static const char *const words[] = {
    "steady", "river", "garden", "signal",  "market",  "window", "copper", "season", "little",
    "bridge", "quiet", "paper",  "morning", "careful", "answer", "bright", "corner", "simple",
};

void sample_words(struct prng *prng, size_t size, struct buf *out)
{
    size_t until      = out->len + size;
    bool is_beginning = true;
    while (out->len < until) {
        const char *word = words[prng_next(prng) % ARRAY_LEN(words)];
        char first       = word[0];
        if (is_beginning) first = (char)(first - 'a' + 'A');
        bool is_end = prng_next(prng) % 9 == 0;
        (void)buf_printf(out, "%c%s%s", first, word + 1, is_end ? ". " : " ");
        is_beginning = is_end;
    }
    if (out->len > until) out->len = until;
    if (out->len > 0 && out->ptr[out->len - 1] == ' ') out->ptr[out->len - 1] = '.';
    if (out->ptr) out->ptr[out->len] = '\0';
}

static int64_t integer_of(json schema, const char *key, int64_t otherwise)
{
    int64_t value = otherwise;
    (void)json_to_int(json_get_text(schema, key), &value);
    return value;
}

/* --- texts -------------------------------------------------------------------------------------
 */

static const struct {
    const char *format, *sample;
} formats[] = {
    {"date-time", "2026-01-15T09:30:00Z"},
    {"date", "2026-01-15"},
    {"time", "09:30:00Z"},
    {"duration", "P1D"},
    {"email", "someone@example.com"},
    {"hostname", "www.example.com"},
    {"ipv4", "192.0.2.1"},
    {"ipv6", "2001:db8::1"},
    {"uri", "https://example.com/page"},
    {"uri-reference", "/page"},
    {"uuid", "2f1e9a34-7c0b-4d5e-8f6a-1b2c3d4e5f60"},
    {"json-pointer", "/a/0"},
    {"regex", "^a+$"},
};

static status sample_text(const struct sampler *sampler, json schema, json *ret_value,
                          struct error *reterr)
{
    json format = json_get_text(schema, "format");
    for (size_t i = 0; json_is(format, JSON_TEXT) && i < ARRAY_LEN(formats); i++) {
        if (!str_is(json_str(format), formats[i].format)) continue;
        *ret_value = json_text_from(formats[i].sample);
        return STATUS_OK;
    }
    int64_t from = integer_of(schema, "minLength", 0);
    int64_t to   = integer_of(schema, "maxLength", from > WORDS_DEFAULT ? from : WORDS_DEFAULT);
    if (from < 0 || from > SAMPLE_TEXT_MAX || to < from) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "minLength and maxLength leave no text");
    }
    int64_t size                      = to - from > WORDS_DEFAULT ? from + WORDS_DEFAULT : to;
    CLEANUP(buf_done) struct buf text = buf_init(SAMPLE_TEXT_MAX + WORDS_DEFAULT);
    sample_words(sampler->prng, (size_t)size, &text);
    *ret_value = json_text_new(buf_str(&text));
    return STATUS_OK;
}

/* --- numbers -----------------------------------------------------------------------------------
 */

static double number_of(json schema, const char *key, double otherwise)
{
    json value = json_get_text(schema, key);
    return json_is_number(value) ? json_number(value) : otherwise;
}

static json sample_number(const struct sampler *sampler, json schema, bool is_integer)
{
    double step = number_of(schema, "multipleOf", is_integer ? 1 : 0.5);
    if (is_integer && step < 1) step = 1;
    double from = number_of(schema, "minimum", 0);
    double low  = number_of(schema, "exclusiveMinimum", from);
    if (low >= from && !json_is(json_get_text(schema, "exclusiveMinimum"), JSON_INVALID)) {
        from = low + step / 1024;
    }
    double to   = number_of(schema, "maximum", from + 100 * step);
    double high = number_of(schema, "exclusiveMaximum", to);
    if (high <= to && !json_is(json_get_text(schema, "exclusiveMaximum"), JSON_INVALID)) {
        to = high - step / 1024;
    }
    double first = ceil(from / step);
    double last  = floor(to / step);
    double count = last >= first ? last - first + 1 : 1;
    if (count > 1000) count = 1000;
    double value = (first + (double)(prng_next(sampler->prng) % (uint64_t)count)) * step;
    return is_integer && fabs(value) < 9e15 ? json_int((int64_t)value) : json_real(value);
}

/* --- containers --------------------------------------------------------------------------------
 */

static status sample_array(const struct sampler *sampler, json schema, unsigned depth,
                           json *ret_value, struct error *reterr)
{
    int64_t from = integer_of(schema, "minItems", 0);
    int64_t to   = integer_of(schema, "maxItems", from > 3 ? from : 3);
    if (from < 0 || from > SAMPLE_ITEMS_MAX || to < from) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "minItems and maxItems leave no array");
    }
    int64_t count = depth > SAMPLE_DEPTH_MAX / 2 || to <= from ? from : from + 1;
    if (count == 0 && to > 0 && depth <= SAMPLE_DEPTH_MAX / 2) count = 1;
    json items  = json_get_text(schema, "items");
    json prefix = json_get_text(schema, "prefixItems");
    if (json_is(items, JSON_ARRAY)) { /* the older drafts write the first items so */
        prefix = items;
        items  = json_get_text(schema, "additionalItems");
    }

    CLEANUP(json_unrefp) json array = json_array_new((size_t)count);
    for (int64_t i = 0; i < count; i++) {
        json of_item = (size_t)i < json_count(prefix) && json_is(prefix, JSON_ARRAY)
                           ? json_at(prefix, (size_t)i)
                           : items;
        json item    = json_invalid();
        TRY(sample(sampler, of_item, depth + 1, &item, reterr));
        json_array_push(&array, item);
    }
    *ret_value = json_take(&array);
    return STATUS_OK;
}

static bool is_required(json schema, str name)
{
    json required = json_get_text(schema, "required");
    for (size_t i = 0; json_is(required, JSON_ARRAY) && i < json_count(required); i++) {
        json item = json_at(required, i);
        if (json_is(item, JSON_TEXT) && str_equal(json_str(item), name)) return true;
    }
    return false;
}

static status sample_object(const struct sampler *sampler, json schema, unsigned depth,
                            json *ret_value, struct error *reterr)
{
    json properties                  = json_get_text(schema, "properties");
    json required                    = json_get_text(schema, "required");
    CLEANUP(json_unrefp) json object = json_object_new(json_count(properties));
    for (size_t i = 0; json_is(properties, JSON_OBJECT) && i < json_count(properties); i++) {
        str name = json_key_at(properties, i);
        if (depth > SAMPLE_DEPTH_MAX / 2 && !is_required(schema, name)) continue;
        json member = json_invalid();
        TRY(sample(sampler, json_value_at(properties, i), depth + 1, &member, reterr));
        json_object_put(&object, name, member);
    }
    for (size_t i = 0; json_is(required, JSON_ARRAY) && i < json_count(required); i++) {
        json name = json_at(required, i);
        if (!json_is(name, JSON_TEXT)) continue;
        if (!json_is(json_get(object, json_str(name)), JSON_INVALID)) continue;
        json member = json_invalid();
        TRY(sample(sampler, json_get_text(schema, "additionalProperties"), depth + 1, &member,
                   reterr));
        json_object_put(&object, json_str(name), member);
    }
    *ret_value = json_take(&object);
    return STATUS_OK;
}

/* --- a schema ----------------------------------------------------------------------------------
 */

static str type_of(const struct sampler *sampler, json schema)
{
    json type = json_get_text(schema, "type");
    if (json_is(type, JSON_TEXT)) return json_str(type);
    if (json_is(type, JSON_ARRAY) && json_count(type) > 0) {
        json one = json_at(type, prng_next(sampler->prng) % json_count(type));
        if (json_is(one, JSON_TEXT)) return json_str(one);
    }
    static const struct {
        const char *keyword, *type;
    } hints[] = {{"properties", "object"}, {"required", "object"},  {"items", "array"},
                 {"prefixItems", "array"}, {"minItems", "array"},   {"minimum", "number"},
                 {"maximum", "number"},    {"multipleOf", "number"}};
    for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
        if (!json_is(json_get_text(schema, hints[i].keyword), JSON_INVALID)) {
            return str_from(hints[i].type);
        }
    }
    return str_from("string");
}

/* The keywords of all parts of an allOf and of the schema itself, side by side. */
static json merged_new(json schema, json parts)
{
    json merged = json_ref(schema);
    (void)json_object_remove(&merged, str_from("allOf"));
    for (size_t i = 0; i < json_count(parts); i++) {
        json next = json_merge_patch_new(merged, json_at(parts, i));
        json_unref(merged);
        merged = next;
    }
    return merged;
}

static status sample_typed(const struct sampler *sampler, json schema, unsigned depth,
                           json *ret_value, struct error *reterr)
{
    str type = type_of(sampler, schema);
    if (str_is(type, "object")) return sample_object(sampler, schema, depth, ret_value, reterr);
    if (str_is(type, "array")) return sample_array(sampler, schema, depth, ret_value, reterr);
    if (str_is(type, "string")) return sample_text(sampler, schema, ret_value, reterr);
    if (str_is(type, "integer")) {
        *ret_value = sample_number(sampler, schema, true);
    } else if (str_is(type, "number")) {
        *ret_value = sample_number(sampler, schema, false);
    } else if (str_is(type, "boolean")) {
        *ret_value = json_bool(prng_next(sampler->prng) & 1);
    } else {
        *ret_value = json_null();
    }
    return STATUS_OK;
}

static status sample_reference(const struct sampler *sampler, str reference, unsigned depth,
                               json *ret_value, struct error *reterr)
{
    json target = json_invalid();
    if (reference.len > 0 && reference.ptr[0] == '#') {
        target = json_pointer_get(sampler->root, str_slice(reference, 1, reference.len));
    }
    if (json_is(target, JSON_INVALID)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "$ref: only pointers within the schema");
    }
    return sample(sampler, target, depth + 1, ret_value, reterr);
}

static status sample(const struct sampler *sampler, json schema, unsigned depth, json *ret_value,
                     struct error *reterr)
{
    if (depth > SAMPLE_DEPTH_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the schema is nested too deeply");
    }
    json constant = json_get_text(schema, "const");
    if (!json_is(constant, JSON_INVALID)) {
        *ret_value = json_ref(constant);
        return STATUS_OK;
    }
    json choices = json_get_text(schema, "enum");
    if (json_is(choices, JSON_ARRAY) && json_count(choices) > 0) {
        *ret_value = json_ref(json_at(choices, prng_next(sampler->prng) % json_count(choices)));
        return STATUS_OK;
    }
    json reference = json_get_text(schema, "$ref");
    if (json_is(reference, JSON_TEXT)) {
        return sample_reference(sampler, json_str(reference), depth, ret_value, reterr);
    }
    json parts = json_get_text(schema, "allOf");
    if (json_is(parts, JSON_ARRAY)) {
        CLEANUP(json_unrefp) json merged = merged_new(schema, parts);
        return sample(sampler, merged, depth + 1, ret_value, reterr);
    }
    static const char *const unions[] = {"oneOf", "anyOf"};
    for (size_t i = 0; i < ARRAY_LEN(unions); i++) {
        json options = json_get_text(schema, unions[i]);
        if (!json_is(options, JSON_ARRAY) || json_count(options) == 0) continue;
        size_t pick =
            depth > SAMPLE_DEPTH_MAX / 2 ? 0 : prng_next(sampler->prng) % json_count(options);
        return sample(sampler, json_at(options, pick), depth + 1, ret_value, reterr);
    }
    return sample_typed(sampler, schema, depth, ret_value, reterr);
}

status sample_schema(json schema, struct prng *prng, json *ret_value, struct error *reterr)
{
    CLEANUP(schema_freep) struct schema *compiled = NULL;
    TRY(schema_compile(schema, NULL, NULL, &compiled, reterr));

    const struct sampler sampler    = {.prng = prng, .root = schema};
    CLEANUP(json_unrefp) json value = json_invalid();
    TRY(sample(&sampler, schema, 0, &value, reterr));

    CLEANUP(arena_freep) struct arena *arena = arena_new(CHECK_ARENA_MAX);
    TRY(schema_check(compiled, value, arena, NULL, reterr));
    *ret_value = json_take(&value);
    return STATUS_OK;
}
