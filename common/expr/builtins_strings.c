/* Builtins for texts. */
#include "base/attr.h"
#include "base/utf8.h"
#include "expr/builtins.h"

#include <math.h>

/* --- operators ---------------------------------------------------------------------------------
 */

json text_repeat(struct expr_run *vm, json text, double times)
{
    if (isnan(times) || times < 0) return json_null();
    str piece = json_str(text);
    if (piece.len == 0 || times < 1) return json_text_from("");
    double whole = floor(times);
    if (whole * (double)piece.len >= (double)INT32_MAX) {
        return vm_raise(vm, "Repeat string result too long");
    }
    size_t size = (size_t)whole * piece.len;
    if (!vm_spend_bytes(vm, size)) return json_invalid();
    json repeated = json_text_new(piece);
    while (json_str(repeated).len < size) {
        str so_far = json_str(repeated);
        size_t len = so_far.len < size - so_far.len ? so_far.len : size - so_far.len;
        json more  = json_text_new(str_slice(so_far, 0, len)); /* appending may move the bytes */
        json_text_append(&repeated, json_str(more));
        json_unref(more);
    }
    return repeated;
}

static json split_characters(struct expr_run *vm, str text)
{
    if (!vm_spend_bytes(vm, text.len * sizeof(json))) return json_invalid();
    json parts = json_array_new(text.len);
    for (size_t at = 0; at < text.len;) {
        size_t from = at;
        (void)utf8_next(text, &at);
        json_array_push(&parts, json_text_new(str_slice(text, from, at)));
    }
    return parts;
}

/* Short separators are found faster by their first byte than by memmem(), which prepares itself. */
static const char *find_text(str text, str part)
{
    enum { SHORT = 4 /* bytes */ };
    if (part.len > SHORT) return memmem(text.ptr, text.len, part.ptr, part.len);
    const char *at  = text.ptr;
    const char *end = text.ptr + text.len;
    for (; (size_t)(end - at) >= part.len; at++) {
        at = memchr(at, part.ptr[0], (size_t)(end - at) - part.len + 1);
        if (!at) return NULL;
        size_t same = 1;
        while (same < part.len && at[same] == part.ptr[same]) same++;
        if (same == part.len) return at;
    }
    return NULL;
}

enum { PARTS_CAPACITY = 8 /* of a split text, at first */ };

json text_split(struct expr_run *vm, json text, json separator)
{
    str rest = json_text_view(text.text);
    str sep  = json_text_view(separator.text);
    if (!vm_spend_bytes(vm, rest.len)) return json_invalid();
    if (rest.len == 0) return json_array_new(0);
    if (sep.len == 0) return split_characters(vm, rest);
    json parts              = json_array_new(PARTS_CAPACITY);
    struct json_batch batch = {};
    for (;;) {
        const char *hit = find_text(rest, sep);
        size_t len      = hit ? (size_t)(hit - rest.ptr) : rest.len;
        json_array_append(&parts, json_batch_text(&batch, (str){.ptr = rest.ptr, .len = len}));
        if (!hit || !vm_spend(vm, 1)) break;
        rest = (str){.ptr = hit + sep.len, .len = rest.len - len - sep.len};
    }
    json_batch_done(&batch);
    if (!vm->exhausted) return parts;
    json_unref(parts);
    return json_invalid();
}

json native_split(struct expr_run *vm, json *args)
{
    if (args[0].kind != JSON_TEXT || args[1].kind != JSON_TEXT) {
        return vm_raise(vm, "split input and separator must be strings");
    }
    return text_split(vm, args[0], args[1]);
}

/* --- prefixes and suffixes ---------------------------------------------------------------------
 */

static bool are_texts(struct expr_run *vm, const json *args, const char *function)
{
    if (args[0].kind == JSON_TEXT && args[1].kind == JSON_TEXT) {
        return vm_spend(vm, json_str(args[1]).len / FUEL_BYTES);
    }
    (void)vm_raise(vm, "%s() requires string inputs", function);
    return false;
}

static bool ends_with(str text, str suffix)
{
    return text.len >= suffix.len &&
           str_equal(str_slice(text, text.len - suffix.len, text.len), suffix);
}

json native_startswith(struct expr_run *vm, json *args)
{
    if (!are_texts(vm, args, "startswith")) return json_invalid();
    return json_bool(str_starts_with(json_str(args[0]), json_str(args[1])));
}

json native_endswith(struct expr_run *vm, json *args)
{
    if (!are_texts(vm, args, "endswith")) return json_invalid();
    return json_bool(ends_with(json_str(args[0]), json_str(args[1])));
}

/* The bytes [from, to) of the text, or the text itself if that is all of it. */
static json cut(struct expr_run *vm, json *text, size_t from, size_t to)
{
    str all = json_str(*text);
    if (from == 0 && to == all.len) return json_take(text);
    if (!vm_spend_bytes(vm, to - from)) return json_invalid();
    return json_text_new(str_slice(all, from, to));
}

json native_ltrimstr(struct expr_run *vm, json *args)
{
    if (!are_texts(vm, args, "startswith")) return json_invalid();
    str text   = json_str(args[0]);
    str prefix = json_str(args[1]);
    return cut(vm, &args[0], str_starts_with(text, prefix) ? prefix.len : 0, text.len);
}

json native_rtrimstr(struct expr_run *vm, json *args)
{
    if (!are_texts(vm, args, "endswith")) return json_invalid();
    str text   = json_str(args[0]);
    str suffix = json_str(args[1]);
    return cut(vm, &args[0], 0, ends_with(text, suffix) ? text.len - suffix.len : text.len);
}

json native_trimstr(struct expr_run *vm, json *args)
{
    json shorter = native_ltrimstr(vm, args);
    if (shorter.kind == JSON_INVALID) return shorter;
    json again[] = {shorter, args[1]};
    json result  = native_rtrimstr(vm, again);
    json_drop(again[0]);
    return result;
}

/* --- blanks ------------------------------------------------------------------------------------
 */

/* Unicode's White_Space. */
static bool is_blank(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

static size_t blanks_at_start(str text)
{
    size_t at = 0;
    while (at < text.len) {
        size_t next = at;
        if (!is_blank(utf8_next(text, &next))) break;
        at = next;
    }
    return at;
}

static size_t end_without_blanks(str text, size_t from)
{
    size_t end = text.len;
    while (end > from) {
        size_t at = end - 1;
        while (at > from && ((unsigned char)text.ptr[at] & 0xC0) == 0x80) at--;
        size_t next = at;
        if (!is_blank(utf8_next(text, &next))) break;
        end = at;
    }
    return end;
}

static json trim(struct expr_run *vm, json *text, bool at_start, bool at_end)
{
    if (text->kind != JSON_TEXT) return vm_raise(vm, "trim input must be a string");
    str all     = json_str(*text);
    size_t from = at_start ? blanks_at_start(all) : 0;
    size_t to   = at_end ? end_without_blanks(all, from) : all.len;
    return cut(vm, text, from, to);
}

json native_trim(struct expr_run *vm, json *args)
{
    return trim(vm, &args[0], true, true);
}

json native_ltrim(struct expr_run *vm, json *args)
{
    return trim(vm, &args[0], true, false);
}

json native_rtrim(struct expr_run *vm, json *args)
{
    return trim(vm, &args[0], false, true);
}

/* --- characters --------------------------------------------------------------------------------
 */

json native_utf8bytelength(struct expr_run *vm, json *args)
{
    if (args[0].kind != JSON_TEXT) {
        return vm_raise_type(vm, args[0], "only strings have UTF-8 byte length");
    }
    return json_int((int64_t)json_str(args[0]).len);
}

json native_explode(struct expr_run *vm, json *args)
{
    if (args[0].kind != JSON_TEXT) return vm_raise(vm, "explode input must be a string");
    str text = json_str(args[0]);
    if (!vm_spend_bytes(vm, text.len * sizeof(json))) return json_invalid();
    json points = json_array_new(utf8_length(text));
    for (size_t at = 0; at < text.len;) json_array_append(&points, json_int(utf8_next(text, &at)));
    return points;
}

json native_implode(struct expr_run *vm, json *args)
{
    if (args[0].kind != JSON_ARRAY) return vm_raise(vm, "implode input must be an array");
    size_t count = json_count(args[0]);
    if (!vm_spend(vm, count) || !vm_spend_bytes(vm, count * UTF8_BYTES_MAX)) return json_invalid();
    CLEANUP(json_unrefp) json text = json_text_with_capacity(count); /* as most are ASCII */
    for (size_t i = 0; i < count; i++) {
        json point = json_at(args[0], i);
        if (!json_is_number(point) || isnan(json_number(point))) {
            return vm_raise_type(vm, point,
                                 "can't be imploded, unicode codepoint needs to be numeric");
        }
        double value = trunc(json_number(point));
        bool is_good = value >= 0 && value <= 0x10FFFF;
        char raw[UTF8_BYTES_MAX];
        size_t len = utf8_encode(is_good ? (uint32_t)value : 0xFFFD, raw);
        json_text_append(&text, (str){.ptr = raw, .len = len});
    }
    return json_take(&text);
}

json native_ascii(struct expr_run *vm, json *args)
{
    double value = json_is_number(args[0]) ? json_number(args[0]) : -1;
    if (!(value >= 0 && value < 128)) return vm_raise_type(vm, args[0], "is not an ASCII code");
    char byte = (char)value;
    return json_text_new((str){.ptr = &byte, .len = 1});
}

static json change_case(struct expr_run *vm, json text, char first, char last, const char *function)
{
    if (text.kind != JSON_TEXT) return vm_raise(vm, "%s input must be a string", function);
    str all = json_str(text);
    if (!vm_spend_bytes(vm, all.len)) return json_invalid();
    json changed = json_text_new(all);
    char *raw    = changed.text->bytes; /* nobody else has it yet */
    for (size_t i = 0; i < all.len; i++) {
        if (raw[i] >= first && raw[i] <= last) raw[i] ^= 0x20;
    }
    return changed;
}

json native_ascii_downcase(struct expr_run *vm, json *args)
{
    return change_case(vm, args[0], 'A', 'Z', "explode");
}

json native_ascii_upcase(struct expr_run *vm, json *args)
{
    return change_case(vm, args[0], 'a', 'z', "explode");
}
