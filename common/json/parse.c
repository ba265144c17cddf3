/*
 * JSON text to values.
 *
 * A machine with an explicit stack: `values` holds the members of all open containers one after the
 * other (keys among them), `levels` where each container's begin. A container is built at its end,
 * in one allocation of the right size. Keys that repeat share one text.
 */
#include "base/mem.h"
#include "json/parse_internal.h"

#include <stdlib.h>

enum {
    DEPTH_MAX  = 64,      /* of a document unless the caller says otherwise */
    VALUES_MAX = 100'000, /* the same */
};

static void parser_done(struct parser *parser)
{
    for (size_t i = 0; i < parser->value_count; i++) json_unref(parser->values[i]);
    if (parser->values != parser->first_values) free(parser->values);
    if (parser->levels != parser->first_levels) free(parser->levels);
    parser_done_texts(parser);
}

status parser_refuse(struct parser *parser, const char *at, const char *fault)
{
    parser->fault_at = at;
    parser->fault    = fault;
    return STATUS_INVALID_ARGUMENT;
}

static status exhaust(struct parser *parser, const char *fault)
{
    parser->fault_at = parser->at;
    parser->fault    = fault;
    return STATUS_RESOURCE_EXHAUSTED;
}

/* Twice as many of `*capacity` items, which are all in use; `first` is no memory of their own. */
static void *grow(void *items, const void *first, size_t *capacity, size_t size)
{
    size_t used = *capacity;
    *capacity *= 2;
    if (items != first) return mem_resize(items, *capacity, size);
    return memcpy(mem_alloc(*capacity * size), items, used * size);
}

static void push_value(struct parser *parser, json value)
{
    if (parser->value_count == parser->value_capacity) {
        parser->values = grow(parser->values, parser->first_values, &parser->value_capacity,
                              sizeof *parser->values);
    }
    parser->values[parser->value_count++] = value;
}

/* --- values ------------------------------------------------------------------------------------
 */

struct word {
    const char *text;
    json value;
    bool is_nan; /* with allow_nan only */
};

static status read_word(struct parser *parser)
{
    const struct word words[] = {
        {"true", json_bool(true), false},
        {"false", json_bool(false), false},
        {"null", json_null(), false},
        {"nan", json_real(__builtin_nan("")), true},
        {"NaN", json_real(__builtin_nan("")), true},
        {"-nan", json_real(__builtin_nan("")), true},
        {"-NaN", json_real(__builtin_nan("")), true},
        {"Infinity", json_real(__builtin_inf()), true},
        {"-Infinity", json_real(-__builtin_inf()), true},
    };
    str rest = {.ptr = parser->at, .len = (size_t)(parser->end - parser->at)};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_starts_with(rest, str_from(words[i].text))) continue;
        if (words[i].is_nan && !parser->limits.allow_nan) continue;
        push_value(parser, words[i].value);
        parser->at += strlen(words[i].text);
        return STATUS_OK;
    }
    return parser_refuse(parser, parser->at, "expected a value");
}

static status read_number(struct parser *parser)
{
    json number       = json_null();
    const char *fault = NULL;
    const char *after = json_number_read(parser->at, parser->end, &number, &fault);
    if (!after) {
        if (parser->limits.allow_nan && fault == parser->at + 1) return read_word(parser);
        return parser_refuse(parser, fault, "malformed number");
    }
    push_value(parser, number);
    parser->at = after;
    return STATUS_OK;
}

static status open_container(struct parser *parser)
{
    if (parser->level_count == parser->limits.depth_max) {
        return exhaust(parser, "nested too deeply");
    }
    if (parser->level_count == parser->level_capacity) {
        parser->levels = grow(parser->levels, parser->first_levels, &parser->level_capacity,
                              sizeof *parser->levels);
    }
    parser->levels[parser->level_count++] =
        (struct parser_level){.base = parser->value_count, .is_object = *parser->at == '{'};
    parser->at++;
    return STATUS_OK;
}

static void close_array(struct parser *parser, const struct parser_level *level)
{
    size_t count             = parser->value_count - level->base;
    struct json_array *array = json_array_node_new(count);
    if (count > 0) memcpy(array->items, parser->values + level->base, count * sizeof(json));
    array->count        = (uint32_t)count;
    parser->value_count = level->base;
    push_value(parser, (json){.kind = JSON_ARRAY, .array = array});
}

static status close_object(struct parser *parser, const struct parser_level *level)
{
    size_t count               = (parser->value_count - level->base) / 2;
    struct json_object *object = json_object_node_new(count);
    json result                = {.kind = JSON_OBJECT, .object = object};
    bool is_duplicate          = false;
    for (size_t i = 0; i < count; i++) {
        json *member = parser->values + level->base + 2 * i;
        if (json_object_node_add(object, member[0].text, member[1])) continue;
        is_duplicate = true;
        json_object_put_key(&result, member[0], member[1]); /* the last one counts */
        json_text_node_unref(member[0].text);
    }
    parser->value_count = level->base;
    push_value(parser, result);
    if (is_duplicate && !parser->limits.allow_duplicate_keys) {
        return parser_refuse(parser, parser->at, "the object that ends here has a key twice");
    }
    return STATUS_OK;
}

static status close_container(struct parser *parser)
{
    struct parser_level level = parser->levels[--parser->level_count];
    if (!level.is_object) {
        close_array(parser, &level);
    } else {
        TRY(close_object(parser, &level));
    }
    parser->at++;
    if (!json_meter_allows(0)) return exhaust(parser, "over the memory limit");
    return STATUS_OK;
}

/* --- the machine -------------------------------------------------------------------------------
 */

enum state {
    WANT_VALUE,
    WANT_VALUE_OR_END, /* after [ */
    WANT_KEY,
    WANT_KEY_OR_END, /* after { */
    WANT_COMMA_OR_END,
    DONE,
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_blanks(struct parser *parser)
{
    const char *at = parser->at;
    while (at < parser->end && is_blank(*at)) at++;
    parser->at = at;
}

static enum state after_value(const struct parser *parser)
{
    return parser->level_count > 0 ? WANT_COMMA_OR_END : DONE;
}

static status step_value(struct parser *parser, enum state *state)
{
    if (parser->values_made++ == parser->limits.values_max) {
        return exhaust(parser, "too many values");
    }
    char first = *parser->at;
    if (first == '{' || first == '[') {
        *state = first == '{' ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
        return open_container(parser);
    }
    if (first == '"') {
        str text = {};
        TRY(parser_read_text(parser, &text));
        push_value(parser, json_text_new(text));
    } else if (first == '-' || (first >= '0' && first <= '9')) {
        TRY(read_number(parser));
    } else {
        TRY(read_word(parser));
    }
    *state = after_value(parser);
    return STATUS_OK;
}

static status step_key(struct parser *parser, enum state *state)
{
    if (*parser->at != '"') return parser_refuse(parser, parser->at, "expected a key in quotes");
    str key = {};
    TRY(parser_read_text(parser, &key));
    push_value(parser, json_from_text(parser_key(parser, key)));
    skip_blanks(parser);
    if (parser->at == parser->end || *parser->at != ':') {
        return parser_refuse(parser, parser->at, "expected `:` after the key");
    }
    parser->at++;
    *state = WANT_VALUE;
    return STATUS_OK;
}

static status step_end(struct parser *parser, enum state *state)
{
    TRY(close_container(parser));
    *state = after_value(parser);
    return STATUS_OK;
}

static status step(struct parser *parser, enum state *state)
{
    char next = *parser->at;
    switch (*state) {
    case WANT_VALUE_OR_END:
        if (next == ']') return step_end(parser, state);
        return step_value(parser, state);
    case WANT_VALUE: return step_value(parser, state);
    case WANT_KEY_OR_END:
        if (next == '}') return step_end(parser, state);
        return step_key(parser, state);
    case WANT_KEY: return step_key(parser, state);
    case WANT_COMMA_OR_END: break;
    case DONE: return STATUS_OK;
    }
    bool is_object = parser->levels[parser->level_count - 1].is_object;
    if (next == (is_object ? '}' : ']')) return step_end(parser, state);
    if (next != ',') {
        return parser_refuse(parser, parser->at,
                             is_object ? "expected `,` or `}` after a member"
                                       : "expected `,` or `]` after a value");
    }
    parser->at++;
    *state = is_object ? WANT_KEY : WANT_VALUE;
    return STATUS_OK;
}

static status parse_value(struct parser *parser)
{
    enum state state = WANT_VALUE;
    while (state != DONE) {
        skip_blanks(parser);
        if (parser->at == parser->end) {
            return parser_refuse(parser, parser->at, "the document ends early");
        }
        TRY(step(parser, &state));
    }
    return STATUS_OK;
}

static void parser_init(struct parser *parser, str text, const struct json_limits *limits)
{
    memset(parser, 0, offsetof(struct parser, first_values));
    if (limits) parser->limits = *limits;
    if (parser->limits.depth_max == 0) parser->limits.depth_max = DEPTH_MAX;
    if (parser->limits.values_max == 0) parser->limits.values_max = VALUES_MAX;
    parser->start          = text.len ? text.ptr : "";
    parser->at             = parser->start;
    parser->end            = parser->start + text.len;
    parser->values         = parser->first_values;
    parser->value_capacity = FIRST_VALUES;
    parser->levels         = parser->first_levels;
    parser->level_capacity = FIRST_LEVELS;
}

static struct json_fault place_of(const struct parser *parser)
{
    struct json_fault fault = {.line = 1, .column = 1};
    for (const char *at = parser->start; at < parser->fault_at; at++) {
        bool is_line_end = *at == '\n';
        fault.column     = is_line_end ? 1 : fault.column + 1;
        fault.line += is_line_end;
    }
    fault.offset = (size_t)(parser->fault_at - parser->start);
    return fault;
}

status json_parse(str text, const struct json_limits *limits, json *ret_value,
                  struct json_fault *ret_fault, struct error *reterr)
{
    ASSERT(ret_value);
    CLEANUP(parser_done) struct parser parser;
    parser_init(&parser, text, limits);
    status code = parse_value(&parser);
    if (code == STATUS_OK) {
        skip_blanks(&parser);
        if (parser.at == parser.end) {
            *ret_value = parser.values[--parser.value_count];
            return STATUS_OK;
        }
        code = parser_refuse(&parser, parser.at, "the document goes on after its value");
    }
    struct json_fault fault = place_of(&parser);
    if (ret_fault) *ret_fault = fault;
    return fail_code(reterr, code, "invalid_json", "JSON, line %u, column %u: %s", fault.line,
                     fault.column, parser.fault);
}

size_t json_prefix(str text)
{
    const struct json_limits limits = {.allow_duplicate_keys = true};
    CLEANUP(parser_done) struct parser parser;
    parser_init(&parser, text, &limits);
    if (parse_value(&parser) != STATUS_OK) return 0;
    return (size_t)(parser.at - parser.start);
}
