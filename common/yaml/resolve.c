/* What a scalar is: the core schema of YAML 1.2 (section 10.3.2), as far as JSON has a word for it.
 */
#include "base/buf.h"
#include "yaml/yaml_internal.h"
#include "json/json_text.h"

enum { NUMBER_MAX = 1024 }; /* bytes of a number; longer ones are texts */

static bool is_one_of(str text, const char *const *words)
{
    for (; *words; words++) {
        if (str_is(text, *words)) return true;
    }
    return false;
}

static size_t digits_at(str text, size_t at)
{
    size_t count = 0;
    while (at + count < text.len && text.ptr[at + count] >= '0' && text.ptr[at + count] <= '9') {
        count++;
    }
    return count;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 16;
}

/* 0o17 and 0x1F, without a sign. Beyond int64 it stays a text. */
static bool based_integer(str text, json *ret_value)
{
    if (text.len < 3 || text.ptr[0] != '0') return false;
    int base = text.ptr[1] == 'x' ? 16 : text.ptr[1] == 'o' ? 8 : 0;
    if (base == 0) return false;
    int64_t value = 0;
    for (size_t i = 2; i < text.len; i++) {
        int digit = digit_value(text.ptr[i]);
        if (digit >= base) return false;
        if (__builtin_mul_overflow(value, base, &value)) return false;
        if (__builtin_add_overflow(value, digit, &value)) return false;
    }
    *ret_value = json_int(value);
    return true;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, rewritten as JSON has it: no
 * plus, no leading zeros, digits on both sides of the point. */
static bool number_as_json(str text, struct buf *out)
{
    size_t at = 0;
    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+')) {
        if (text.ptr[at] == '-') (void)buf_put_byte(out, '-');
        at++;
    }
    size_t whole = digits_at(text, at);
    size_t zeros = 0;
    while (zeros + 1 < whole && text.ptr[at + zeros] == '0') zeros++;
    (void)buf_put_str(out, whole ? str_slice(text, at + zeros, at + whole) : str_from("0"));
    at += whole;
    size_t fraction = 0;
    if (at < text.len && text.ptr[at] == '.') {
        fraction = digits_at(text, at + 1);
        (void)buf_put_byte(out, '.');
        (void)buf_put_str(out, str_slice(text, at + 1, at + 1 + fraction));
        if (fraction == 0) (void)buf_put_byte(out, '0');
        at += 1 + fraction;
    }
    if (whole + fraction == 0) return false;
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        size_t sign   = at + 1 < text.len && (text.ptr[at + 1] == '-' || text.ptr[at + 1] == '+');
        size_t digits = digits_at(text, at + 1 + sign);
        if (digits == 0) return false;
        (void)buf_put_str(out, str_slice(text, at, at + 1 + sign + digits));
        at += 1 + sign + digits;
    }
    return at == text.len && !out->is_full;
}

static bool number_from(str text, json *ret_value)
{
    if (based_integer(text, ret_value)) return true;
    CLEANUP(buf_done) struct buf copy = buf_init(NUMBER_MAX);
    if (!number_as_json(text, &copy)) return false;
    return json_parse(buf_str(&copy), NULL, ret_value, NULL, NULL) == STATUS_OK;
}

static enum yaml_resolved resolve_plain(str text, json *ret_value)
{
    static const char *const nulls[]      = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[]      = {"true", "True", "TRUE", NULL};
    static const char *const falses[]     = {"false", "False", "FALSE", NULL};
    static const char *const not_finite[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                             "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                             ".NaN",  ".NAN",  NULL};
    if (is_one_of(text, not_finite)) return YAML_NOT_FINITE;
    if (is_one_of(text, nulls)) {
        *ret_value = json_null();
    } else if (is_one_of(text, trues)) {
        *ret_value = json_bool(true);
    } else if (is_one_of(text, falses)) {
        *ret_value = json_bool(false);
    } else if (!number_from(text, ret_value)) {
        *ret_value = json_text_new(text);
    }
    return YAML_RESOLVED;
}

static bool fits_tag(json value, str tag)
{
    if (str_is(tag, YAML_NULL_TAG)) return json_is(value, JSON_NULL);
    if (str_is(tag, YAML_BOOL_TAG)) return json_is_bool(value);
    if (str_is(tag, YAML_INT_TAG)) return json_is(value, JSON_INT);
    return json_is_number(value);
}

enum yaml_resolved yaml_resolve(const yaml_event_t *scalar, json *ret_value)
{
    static const char *const known[] = {YAML_NULL_TAG,  YAML_BOOL_TAG, YAML_INT_TAG,
                                        YAML_FLOAT_TAG, YAML_STR_TAG,  NULL};

    str text = {.ptr = (const char *)scalar->data.scalar.value, .len = scalar->data.scalar.length};
    const char *tag = (const char *)scalar->data.scalar.tag;
    if (text.len > 0 && memchr(text.ptr, '\0', text.len)) return YAML_HAS_NUL;
    if (!tag) {
        if (scalar->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
            return resolve_plain(text, ret_value);
        }
        *ret_value = json_text_new(text);
        return YAML_RESOLVED;
    }
    if (!is_one_of(str_from(tag), known)) return YAML_FOREIGN_TAG;
    if (strcmp(tag, YAML_STR_TAG) == 0) {
        *ret_value = json_text_new(text);
        return YAML_RESOLVED;
    }
    json value              = json_invalid();
    enum yaml_resolved code = resolve_plain(text, &value);
    if (code != YAML_RESOLVED) return code;
    if (!fits_tag(value, str_from(tag))) {
        json_unref(value);
        return YAML_TAG_MISMATCH;
    }
    *ret_value = value;
    return YAML_RESOLVED;
}
