/* Values to text and back: tostring, tojson, fromjson, tonumber, toboolean. */
#include "base/assert.h"
#include "base/attr.h"
#include "expr/builtins.h"
#include "json/json_text.h"

#include <math.h>
#include <stdlib.h>

enum { DEPTH_MAX = 10'000 /* of JSON text, as in jq */ };

/* Most texts are short: those find room on the stack first. */
static json short_json(json value)
{
    char room[256];
    struct buf out = {.ptr = room, .capacity = sizeof room, .len_max = sizeof room - 1};
    room[0]        = '\0';
    bool is_whole  = json_print_within(value, DEPTH_MAX, &out);
    ASSERT(out.ptr == room);
    return is_whole ? json_text_new(buf_str(&out)) : json_invalid();
}

json value_to_json(struct expr_run *vm, json value)
{
    json text = short_json(value);
    if (text.kind != JSON_INVALID) return text;
    size_t room                      = json_meter_room();
    size_t len_max                   = room < JSON_TEXT_LEN_MAX ? room : JSON_TEXT_LEN_MAX;
    CLEANUP(buf_done) struct buf out = buf_init(len_max);
    if (!json_print_within(value, DEPTH_MAX, &out)) return vm_exhaust(vm, "memory");
    if (!vm_spend_bytes(vm, out.len)) return json_invalid();
    return json_text_new(buf_str(&out));
}

/* Writes the text of what is neither a text nor a container. */
static str scalar_text(json scalar, char room[static JSON_NUMBER_SIZE])
{
    bool is_nan = scalar.kind == JSON_REAL && isnan(scalar.real);
    if (scalar.kind == JSON_NULL || is_nan) return str_from("null");
    if (json_is_bool(scalar)) return str_from(scalar.kind == JSON_TRUE ? "true" : "false");
    return (str){.ptr = room, .len = json_number_format(scalar, room)};
}

json value_to_text(struct expr_run *vm, json value)
{
    if (value.kind == JSON_TEXT) return json_share(value);
    if (json_is_container(value)) return value_to_json(vm, value);
    char room[JSON_NUMBER_SIZE];
    return json_text_new(scalar_text(value, room));
}

/* --- texts that are made piece by piece --------------------------------------------------------
 */

size_t text_size_of(json value)
{
    enum { USUAL = 8 /* bytes of a number */ };
    if (value.kind == JSON_TEXT) return value.text->len;
    return json_is_container(value) ? 0 : USUAL;
}

json text_with_room(struct expr_run *vm, size_t size)
{
    if (size > JSON_TEXT_LEN_MAX) return vm_exhaust(vm, "memory");
    return vm_has_room(vm, size) ? json_text_with_capacity(size) : vm_exhaust(vm, "memory");
}

bool text_put(struct expr_run *vm, json *text, str more)
{
    if (!vm_spend_bytes(vm, more.len)) return false;
    if (text->text->len + more.len > JSON_TEXT_LEN_MAX) {
        (void)vm_exhaust(vm, "memory");
        return false;
    }
    json_text_extend(text, more);
    return true;
}

bool text_put_value(struct expr_run *vm, json *text, json value)
{
    if (value.kind == JSON_TEXT) return text_put(vm, text, json_str(value));
    if (!json_is_container(value)) {
        char room[JSON_NUMBER_SIZE];
        return text_put(vm, text, scalar_text(value, room));
    }
    CLEANUP(json_unrefp) json piece = value_to_json(vm, value);
    return piece.kind != JSON_INVALID && text_put(vm, text, json_str(piece));
}

json native_tostring(struct expr_run *vm, json *args)
{
    return args[0].kind == JSON_TEXT ? json_take(&args[0]) : value_to_text(vm, args[0]);
}

json native_tojson(struct expr_run *vm, json *args)
{
    return args[0].kind == JSON_TEXT ? value_to_json(vm, args[0]) : value_to_text(vm, args[0]);
}

/* --- numbers -----------------------------------------------------------------------------------
 */

/* What tonumber takes: JSON's numbers, and also `.5`, `5.`, a plus, leading zeros. */
static bool is_number_text(str text)
{
    size_t i      = 0;
    size_t digits = 0;
    if (i < text.len && (text.ptr[i] == '-' || text.ptr[i] == '+')) i++;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) digits++;
    if (i < text.len && text.ptr[i] == '.') {
        for (i++; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) digits++;
    }
    if (digits == 0) return false;
    if (i < text.len && (text.ptr[i] | 32) == 'e') {
        i++;
        if (i < text.len && (text.ptr[i] == '-' || text.ptr[i] == '+')) i++;
        digits = 0;
        for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) digits++;
    }
    return digits > 0 && i == text.len;
}

static bool is_nan_text(str text)
{
    return str_is(text, "nan") || str_is(text, "NaN") || str_is(text, "-nan") ||
           str_is(text, "-NaN");
}

json native_tonumber(struct expr_run *vm, json *args)
{
    if (json_is_number(args[0])) return args[0];
    if (args[0].kind == JSON_TEXT) {
        str text = json_str(args[0]);
        if (!vm_spend(vm, text.len / FUEL_BYTES)) return json_invalid();
        if (is_nan_text(text)) return json_real((double)NAN);
        if (is_number_text(text)) {
            char *end       = NULL;
            long long whole = 0;
            bool is_int = !memchr(text.ptr, '.', text.len) && !memchr(text.ptr, 'e', text.len) &&
                          !memchr(text.ptr, 'E', text.len) && text.len < 19;
            if (is_int) whole = strtoll(text.ptr, &end, 10);
            if (is_int && !(whole == 0 && text.ptr[0] == '-')) return json_int(whole);
            json number = json_invalid();
            /* Up to the ends of int64 exactly: the parser of JSON decides. */
            if (json_parse(text, NULL, &number, NULL, NULL) == STATUS_OK) return number;
            return json_real(strtod(text.ptr, NULL));
        }
    }
    return vm_raise_type(vm, args[0], "cannot be parsed as a number");
}

json native_toboolean(struct expr_run *vm, json *args)
{
    if (json_is_bool(args[0])) return args[0];
    if (args[0].kind == JSON_TEXT && str_is(json_str(args[0]), "true")) return json_bool(true);
    if (args[0].kind == JSON_TEXT && str_is(json_str(args[0]), "false")) return json_bool(false);
    return vm_raise_type(vm, args[0], "cannot be parsed as a boolean");
}

/* --- fromjson ----------------------------------------------------------------------------------
 *
 * A text that is no JSON is rare, and only the words of the error are jq's own; so they are found
 * out afterwards, from the place where the parser stopped.
 */

static bool is_literal_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '+' || c == '-' || c == '_';
}

static json bad_json(struct expr_run *vm, str text, const struct json_fault *fault)
{
    str shown    = str_slice(text, 0, 200);
    size_t start = fault->offset;
    if (start < text.len && text.ptr[start] == '\'') {
        return vm_raise(vm,
                        "Invalid string literal; expected \", but got ' at line %u, column %u "
                        "(while parsing '" STR_FMT "')",
                        fault->line, fault->column + 3, STR_ARG(shown));
    }
    while (start > 0 && is_literal_char(text.ptr[start - 1])) start--;
    size_t end = start;
    while (end < text.len && is_literal_char(text.ptr[end])) end++;
    if (end == text.len && end > start) {
        return vm_raise(vm,
                        "Invalid numeric literal at EOF at line %u, column %zu (while parsing "
                        "'" STR_FMT "')",
                        fault->line, fault->column + (end - fault->offset) - 1, STR_ARG(shown));
    }
    return vm_raise(vm, "Invalid JSON at line %u, column %u (while parsing '" STR_FMT "')",
                    fault->line, fault->column, STR_ARG(shown));
}

static str without_blanks(str text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[0])) text = str_slice(text, 1, text.len);
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[text.len - 1])) text.len--;
    return text;
}

json native_fromjson(struct expr_run *vm, json *args)
{
    if (args[0].kind != JSON_TEXT) return vm_raise_type(vm, args[0], "only strings can be parsed");
    str text = json_str(args[0]);
    if (!vm_spend_bytes(vm, text.len)) return json_invalid();
    if (is_nan_text(without_blanks(text))) return json_real((double)NAN);

    struct json_limits limits = {.depth_max               = DEPTH_MAX,
                                 .values_max              = UINT32_MAX,
                                 .allow_duplicate_keys    = true,
                                 .replace_lone_surrogates = true,
                                 .allow_nan               = true};
    struct json_fault fault   = {};
    json value                = json_invalid();
    switch (json_parse(text, &limits, &value, &fault, NULL)) {
    case STATUS_OK: return value;
    case STATUS_RESOURCE_EXHAUSTED: {
        str shown = str_slice(text, 0, 100);
        return vm_raise(
            vm,
            "Exceeds depth limit for parsing at line %u, column %u (while parsing '" STR_FMT "')",
            fault.line, fault.column, STR_ARG(shown));
    }
    default: return bad_json(vm, text, &fault);
    }
}
