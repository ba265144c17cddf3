/* @text, @json, @csv and the others. */
#include "base/attr.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "expr/builtins.h"

#include <ctype.h>
#include <math.h>

/* What a character becomes; NULL: itself. */
typedef const char *(*escaping)(char c);

static json escape(struct expr_run *vm, str text, escaping escaped)
{
    enum { LONGEST = 6 }; /* &quot; */
    if (!vm_spend_bytes(vm, text.len)) return json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(text.len * LONGEST);
    size_t from                      = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *instead = escaped(text.ptr[i]);
        if (!instead) continue;
        (void)buf_put_str(&out, str_slice(text, from, i));
        (void)buf_put_text(&out, instead);
        from = i + 1;
    }
    (void)buf_put_str(&out, str_slice(text, from, text.len));
    if (!vm_spend_bytes(vm, out.len)) return json_invalid();
    return json_text_new(buf_str(&out));
}

static const char *escape_html(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '\'': return "&apos;";
    case '"': return "&quot;";
    default: return NULL;
    }
}

static const char *escape_csv(char c)
{
    return c == '"' ? "\"\"" : NULL;
}

static const char *escape_tsv(char c)
{
    switch (c) {
    case '\t': return "\\t";
    case '\r': return "\\r";
    case '\n': return "\\n";
    case '\\': return "\\\\";
    default: return NULL;
    }
}

static const char *escape_shell(char c)
{
    return c == '\'' ? "'\\''" : NULL;
}

/* --- formats of one text -----------------------------------------------------------------------
 */

static json format_html(struct expr_run *vm, json value)
{
    CLEANUP(json_unrefp) json text = value_to_text(vm, value);
    return text.kind ? escape(vm, json_str(text), escape_html) : json_invalid();
}

static bool is_unreserved(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.' || c == '~';
}

static json format_uri(struct expr_run *vm, json value)
{
    CLEANUP(json_unrefp) json text = value_to_text(vm, value);
    if (text.kind == JSON_INVALID) return text;
    str raw = json_str(text);
    if (!vm_spend_bytes(vm, 3 * raw.len)) return json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(3 * raw.len);
    for (size_t i = 0; i < raw.len; i++) {
        if (is_unreserved(raw.ptr[i])) {
            (void)buf_put_byte(&out, raw.ptr[i]);
        } else {
            (void)buf_printf(&out, "%%%02X", (unsigned char)raw.ptr[i]);
        }
    }
    return json_text_new(buf_str(&out));
}

static json format_urid(struct expr_run *vm, json value)
{
    CLEANUP(json_unrefp) json text = value_to_text(vm, value);
    if (text.kind == JSON_INVALID) return text;
    str raw = json_str(text);
    if (!vm_spend_bytes(vm, raw.len)) return json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(raw.len);
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '%') {
            char digits[3] = {};
            if (i + 2 < raw.len) memcpy(digits, raw.ptr + i + 1, 2);
            if (!hex_decode((str){.ptr = digits, .len = 2}, &c, 1)) {
                return vm_raise_type(vm, text, "is not a valid uri encoding");
            }
            i += 2;
        }
        (void)buf_put_byte(&out, c);
    }
    if (utf8_valid_prefix(buf_str(&out)) != out.len) {
        return vm_raise_type(vm, text, "is not a valid uri encoding");
    }
    return json_text_new(buf_str(&out));
}

static json format_base64(struct expr_run *vm, json value)
{
    CLEANUP(json_unrefp) json text = value_to_text(vm, value);
    if (text.kind == JSON_INVALID) return text;
    str raw     = json_str(text);
    size_t size = base64_size(raw.len);
    if (!vm_spend_bytes(vm, size)) return json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(size + 1);
    char *to                         = buf_reserve(&out, size + 1);
    base64_encode(raw.ptr, raw.len, to);
    buf_commit(&out, size);
    return json_text_new(buf_str(&out));
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

/* Lenient about padding, as jq is; what is not UTF-8 becomes U+FFFD. */
static json format_base64d(struct expr_run *vm, json value)
{
    CLEANUP(json_unrefp) json text = value_to_text(vm, value);
    if (text.kind == JSON_INVALID) return text;
    str raw = json_str(text);
    if (!vm_spend_bytes(vm, raw.len)) return json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(raw.len);
    uint32_t bits                    = 0;
    uint32_t count                   = 0; /* digits since the last whole byte group */
    for (size_t i = 0; i < raw.len && raw.ptr[i] != '='; i++) {
        int digit = base64_digit(raw.ptr[i]);
        if (digit < 0) return vm_raise_type(vm, text, "is not valid base64 data");
        bits = bits << 6 | (uint32_t)digit;
        if (++count % 4 != 1) {
            (void)buf_put_byte(&out, (char)(bits >> (count % 4 == 2 ? 4 : count % 4 == 3 ? 2 : 0)));
        }
    }
    if (count % 4 == 1) return vm_raise_type(vm, text, "trailing base64 byte found");
    return json_text_lossy(buf_str(&out));
}

/* RFC 4648, section 6, with padding. */
static json format_base32(struct expr_run *vm, json value)
{
    static const char digits[]     = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    CLEANUP(json_unrefp) json text = value_to_text(vm, value);
    if (text.kind == JSON_INVALID) return text;
    str raw     = json_str(text);
    size_t size = (raw.len + 4) / 5 * 8;
    if (!vm_spend_bytes(vm, size)) return json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(size);
    uint64_t bits                    = 0;
    uint32_t count                   = 0; /* bits that are not written yet */
    for (size_t i = 0; i < raw.len; i++) {
        bits = bits << 8 | (unsigned char)raw.ptr[i];
        for (count += 8; count >= 5; count -= 5) {
            (void)buf_put_byte(&out, digits[bits >> (count - 5) & 31]);
        }
    }
    if (count > 0) (void)buf_put_byte(&out, digits[bits << (5 - count) & 31]);
    while (out.len < size) (void)buf_put_byte(&out, '=');
    return json_text_new(buf_str(&out));
}

static int base32_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

static json format_base32d(struct expr_run *vm, json value)
{
    CLEANUP(json_unrefp) json text = value_to_text(vm, value);
    if (text.kind == JSON_INVALID) return text;
    str raw = json_str(text);
    if (!vm_spend_bytes(vm, raw.len)) return json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(raw.len);
    uint64_t bits                    = 0;
    uint32_t count                   = 0;
    for (size_t i = 0; i < raw.len && raw.ptr[i] != '='; i++) {
        int digit = base32_digit(raw.ptr[i]);
        if (digit < 0) return vm_raise_type(vm, text, "is not valid base32 data");
        bits = bits << 5 | (uint32_t)digit;
        count += 5;
        if (count < 8) continue;
        count -= 8;
        (void)buf_put_byte(&out, (char)(bits >> count));
    }
    return json_text_lossy(buf_str(&out));
}

/* --- formats of rows ---------------------------------------------------------------------------
 */

struct row_format {
    const char *separator;
    const char *quote; /* around texts */
    escaping escaped;
    const char *refused; /* said of a member that cannot be written */
    bool nulls_are_empty;
};

static bool put_text_cell(struct expr_run *vm, str cell, const struct row_format *format,
                          json *line)
{
    CLEANUP(json_unrefp) json escaped = escape(vm, cell, format->escaped);
    if (escaped.kind == JSON_INVALID) return false;
    json_text_append(line, str_from(format->quote));
    json_text_append(line, json_str(escaped));
    json_text_append(line, str_from(format->quote));
    return true;
}

static bool put_cell(struct expr_run *vm, json cell, const struct row_format *format, json *line)
{
    if (json_is_container(cell)) {
        (void)vm_raise_type(vm, cell, format->refused);
        return false;
    }
    bool is_empty = cell.kind == JSON_NULL || (json_is_number(cell) && isnan(json_number(cell)));
    if (is_empty && format->nulls_are_empty) return true;
    if (cell.kind == JSON_TEXT) return put_text_cell(vm, json_str(cell), format, line);
    return text_put_value(vm, line, cell);
}

static json format_row(struct expr_run *vm, json row, const struct row_format *format)
{
    enum { AROUND = 3 /* bytes: a separator, two quotes */ };
    size_t size = 0;
    for (size_t i = 0; i < json_count(row); i++) size += AROUND + text_size_of(json_at(row, i));
    CLEANUP(json_unrefp) json line = text_with_room(vm, size);
    if (line.kind == JSON_INVALID) return line;
    for (size_t i = 0; i < json_count(row); i++) {
        if (i > 0) json_text_append(&line, str_from(format->separator));
        if (!vm_spend(vm, 1) || !put_cell(vm, json_at(row, i), format, &line)) {
            return json_invalid();
        }
    }
    return json_take(&line);
}

static json format_csv(struct expr_run *vm, json value)
{
    static const struct row_format csv = {",", "\"", escape_csv, "is not valid in a csv row", true};
    if (value.kind != JSON_ARRAY) {
        return vm_raise_type(vm, value, "cannot be csv-formatted, only array");
    }
    return format_row(vm, value, &csv);
}

static json format_tsv(struct expr_run *vm, json value)
{
    static const struct row_format tsv = {"\t", "", escape_tsv, "is not valid in a csv row", true};
    if (value.kind != JSON_ARRAY) {
        return vm_raise_type(vm, value, "cannot be tsv-formatted, only array");
    }
    return format_row(vm, value, &tsv);
}

static json format_sh(struct expr_run *vm, json value)
{
    static const struct row_format sh = {" ", "'", escape_shell, "can not be escaped for shell",
                                         false};
    if (value.kind == JSON_ARRAY) return format_row(vm, value, &sh);
    CLEANUP(json_unrefp) json row = json_array_new(1);
    json_array_push(&row, json_share(value));
    return format_row(vm, row, &sh);
}

/* --- names -------------------------------------------------------------------------------------
 */

static const struct format {
    const char *name;
    json (*call)(struct expr_run *vm, json value);
} formats[] = {
    {"text", value_to_text},     {"json", value_to_json},   {"html", format_html},
    {"uri", format_uri},         {"urid", format_urid},     {"csv", format_csv},
    {"tsv", format_tsv},         {"sh", format_sh},         {"base64", format_base64},
    {"base64d", format_base64d}, {"base32", format_base32}, {"base32d", format_base32d},
};

static const struct format *find(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (str_is(name, formats[i].name)) return &formats[i];
    }
    return NULL;
}

bool format_exists(str name)
{
    return find(name) != NULL;
}

json native_format(struct expr_run *vm, json *args)
{
    if (args[1].kind != JSON_TEXT) return vm_raise_type(vm, args[1], "is not a valid format");
    const struct format *format = find(json_str(args[1]));
    if (!format) return vm_raise(vm, STR_FMT " is not a valid format", STR_ARG(json_str(args[1])));
    return format->call(vm, args[0]);
}
