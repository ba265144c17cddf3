#include "framing/fields.h"

#include "base/assert.h"

enum { CONTENT_LENGTH_DIGITS_MAX = 15 };

bool is_text_char(char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7F);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_is_nocase_all(str a, const char *b)
{
    size_t i = 0;
    while (i < a.len && b[i] != '\0' && lower(a.ptr[i]) == lower(b[i])) i++;
    return i == a.len && b[i] == '\0';
}

bool fields_list_has(str value, const char *token)
{
    size_t at = 0;
    while (at < value.len) {
        size_t from = at;
        while (at < value.len && value.ptr[at] != ',') at++;
        if (str_is_nocase(str_trim(str_slice(value, from, at), " \t"), token)) return true;
        at++;
    }
    return false;
}

enum fields_end fields_find_end(str input, size_t *scanned, size_t *ret_len)
{
    size_t at = *scanned;
    while (at < input.len) {
        const char *newline = memchr(input.ptr + at, '\n', input.len - at);
        if (!newline) break;
        at = (size_t)(newline - input.ptr);
        if (at == 0 || input.ptr[at - 1] != '\r') return FIELDS_BARE_LF;
        at++;
        if (at >= 4 && memcmp(input.ptr + at - 4, "\r\n\r\n", 4) == 0) {
            *ret_len = at;
            return FIELDS_COMPLETE;
        }
    }
    *scanned = input.len;
    return FIELDS_MORE;
}

str fields_take_line(str *rest)
{
    const char *newline = memchr(rest->ptr, '\n', rest->len);
    ASSERT(newline != NULL);
    size_t len = (size_t)(newline - rest->ptr);
    ASSERT(len >= 1);
    str line = str_slice(*rest, 0, len - 1);
    *rest    = str_slice(*rest, len + 1, rest->len);
    return line;
}

enum fields_form fields_split(str line, str *ret_name, str *ret_value)
{
    size_t name_len = 0;
    while (name_len < line.len && is_token_char(line.ptr[name_len])) name_len++;
    if (name_len == 0 || name_len == line.len || line.ptr[name_len] != ':') {
        return FIELD_HAS_NO_NAME;
    }
    str value = str_trim(str_slice(line, name_len + 1, line.len), STR_BLANKS);
    for (size_t i = 0; i < value.len; i++) {
        if (!is_text_char(value.ptr[i])) return FIELD_HAS_BAD_VALUE;
    }
    *ret_name  = str_slice(line, 0, name_len);
    *ret_value = value;
    return FIELD_IS_FINE;
}

bool fields_read_length(str value, int64_t *ret_length)
{
    int64_t length = 0;
    if (value.len == 0 || value.len > CONTENT_LENGTH_DIGITS_MAX) return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') return false;
        length = length * 10 + (value.ptr[i] - '0');
    }
    *ret_length = length;
    return true;
}
