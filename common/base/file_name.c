#include "base/file_name.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where the value of a quoted text ends, `at` being behind its first quote. */
static size_t quoted_end(str text, size_t at)
{
    while (at < text.len && text.ptr[at] != '"') at += text.ptr[at] == '\\' ? 2 : 1;
    return at < text.len ? at : text.len;
}

bool file_name_of_disposition(str header, str *ret_name)
{
    static const char wanted[] = "filename";
    for (size_t at = 0; at < header.len;) {
        while (at < header.len && (is_blank(header.ptr[at]) || header.ptr[at] == ';')) at++;
        size_t name = at;
        while (at < header.len && header.ptr[at] != '=' && header.ptr[at] != ';') at++;
        bool is_it = at - name == sizeof wanted - 1 &&
                     strncasecmp(header.ptr + name, wanted, sizeof wanted - 1) == 0;
        if (at >= header.len || header.ptr[at] == ';') continue;
        at++; /* behind the = */
        bool is_quoted = at < header.len && header.ptr[at] == '"';
        size_t from    = is_quoted ? at + 1 : at;
        if (is_quoted) {
            at = quoted_end(header, from);
        } else {
            while (at < header.len && header.ptr[at] != ';') at++;
        }
        *ret_name = str_slice(header, from, at);
        if (is_it && at > from) return true;
        if (is_quoted && at < header.len) at++;
    }
    return false;
}

/* A backslash that is no separator: it stands before a quote that would have ended the text. */
static bool is_escape(str name, size_t at)
{
    return name.ptr[at] == '\\' && at + 1 < name.len && name.ptr[at + 1] == '"';
}

void file_name_clean(str name, char ret_name[static FILE_NAME_SIZE])
{
    size_t from = 0;
    size_t len  = 0;
    for (size_t i = 0; i < name.len; i++) {
        bool is_separator = name.ptr[i] == '/' || name.ptr[i] == '\\';
        if (is_separator && !is_escape(name, i)) from = i + 1;
    }
    for (size_t i = from; i < name.len && len < FILE_NAME_SIZE - 1; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (is_escape(name, i)) continue;
        if (c >= ' ' && c != 0x7f && c != '"') ret_name[len++] = (char)c;
    }
    len = utf8_valid_prefix((str){.ptr = ret_name, .len = len});
    while (len > 0 && is_blank(ret_name[len - 1])) len--;
    ret_name[len] = '\0';
    bool is_name  = len > 0 && strcmp(ret_name, ".") != 0 && strcmp(ret_name, "..") != 0;
    if (!is_name) (void)snprintf(ret_name, FILE_NAME_SIZE, "file");
}

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$&+-.^_`|~", c));
}

void file_name_disposition(str name, char *ret_header, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    int written                = snprintf(ret_header, size, "attachment; filename=\"");
    size_t at                  = (size_t)written;
    for (size_t i = 0; i < name.len && at + 1 < size; i++) {
        unsigned char c  = (unsigned char)name.ptr[i];
        ret_header[at++] = c >= ' ' && c < 0x7f && c != '"' && c != '\\' ? (char)c : '_';
    }
    written = snprintf(ret_header + at, size - at, "\"; filename*=UTF-8''");
    at += (size_t)written < size - at ? (size_t)written : size - at - 1;
    for (size_t i = 0; i < name.len && at + 4 < size; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (is_plain(c)) {
            ret_header[at++] = (char)c;
            continue;
        }
        ret_header[at++] = '%';
        ret_header[at++] = digits[c >> 4];
        ret_header[at++] = digits[c & 15];
    }
    ret_header[at] = '\0';
}
