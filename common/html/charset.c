#include "html/charset.h"

#include "base/attr.h"

#include <errno.h>
#include <iconv.h>
#include <strings.h>

enum { LABEL_MAX = 40 };

/* Labels of the Encoding standard that are in use, and what iconv calls what they mean. */
static const struct {
    const char *label, *charset;
} labels[] = {
    {"utf-8", "utf-8"},
    {"utf8", "utf-8"},
    {"unicode-1-1-utf-8", "utf-8"},
    {"utf-16", "utf-16le"},
    {"utf-16le", "utf-16le"},
    {"utf-16be", "utf-16be"},
    {"unicode", "utf-16le"},
    {"ucs-2", "utf-16le"},
    {"iso-8859-1", "windows-1252"},
    {"iso8859-1", "windows-1252"},
    {"iso_8859-1", "windows-1252"},
    {"latin1", "windows-1252"},
    {"l1", "windows-1252"},
    {"ascii", "windows-1252"},
    {"us-ascii", "windows-1252"},
    {"cp1252", "windows-1252"},
    {"x-cp1252", "windows-1252"},
    {"windows-1252", "windows-1252"},
    {"windows-1250", "windows-1250"},
    {"windows-1251", "windows-1251"},
    {"windows-1253", "windows-1253"},
    {"windows-1254", "windows-1254"},
    {"windows-1255", "windows-1255"},
    {"windows-1256", "windows-1256"},
    {"windows-1257", "windows-1257"},
    {"windows-1258", "windows-1258"},
    {"cp1250", "windows-1250"},
    {"cp1251", "windows-1251"},
    {"iso-8859-2", "iso-8859-2"},
    {"latin2", "iso-8859-2"},
    {"iso-8859-3", "iso-8859-3"},
    {"iso-8859-4", "iso-8859-4"},
    {"iso-8859-5", "iso-8859-5"},
    {"iso-8859-6", "iso-8859-6"},
    {"iso-8859-7", "iso-8859-7"},
    {"iso-8859-8", "iso-8859-8"},
    {"iso-8859-9", "windows-1254"},
    {"latin5", "windows-1254"},
    {"iso-8859-10", "iso-8859-10"},
    {"iso-8859-11", "windows-874"},
    {"tis-620", "windows-874"},
    {"windows-874", "windows-874"},
    {"iso-8859-13", "iso-8859-13"},
    {"iso-8859-14", "iso-8859-14"},
    {"iso-8859-15", "iso-8859-15"},
    {"iso-8859-16", "iso-8859-16"},
    {"koi8-r", "koi8-r"},
    {"koi8-u", "koi8-u"},
    {"macintosh", "macintosh"},
    {"ibm866", "ibm866"},
    {"cp866", "ibm866"},
    {"shift_jis", "cp932"},
    {"shift-jis", "cp932"},
    {"sjis", "cp932"},
    {"x-sjis", "cp932"},
    {"windows-31j", "cp932"},
    {"euc-jp", "euc-jp"},
    {"iso-2022-jp", "iso-2022-jp"},
    {"euc-kr", "cp949"},
    {"ks_c_5601-1987", "cp949"},
    {"windows-949", "cp949"},
    {"gb2312", "gb18030"},
    {"gbk", "gb18030"},
    {"x-gbk", "gb18030"},
    {"gb18030", "gb18030"},
    {"big5", "big5-hkscs"},
    {"big5-hkscs", "big5-hkscs"},
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool starts_with(str text, const char *lower)
{
    size_t len = strlen(lower);
    return text.len >= len && strncasecmp(text.ptr, lower, len) == 0;
}

static const char *charset_by_label(str label)
{
    label = str_trim(label, STR_SPACE);
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (label.len == strlen(labels[i].label) && starts_with(label, labels[i].label)) {
            return labels[i].charset;
        }
    }
    return NULL;
}

/* The value of `charset=` in the value of a Content-Type; NULL: there is none that we know. */
static const char *charset_in(str type)
{
    for (size_t i = 0; i + 7 <= type.len; i++) {
        str rest = str_slice(type, i, type.len);
        if (!starts_with(rest, "charset")) continue;
        rest = str_trim(str_slice(rest, 7, rest.len), STR_SPACE);
        if (rest.len == 0 || rest.ptr[0] != '=') continue;
        rest       = str_trim(str_slice(rest, 1, rest.len), STR_SPACE);
        char quote = rest.len > 0 && (rest.ptr[0] == '"' || rest.ptr[0] == '\'') ? rest.ptr[0] : 0;
        if (quote) rest = str_slice(rest, 1, rest.len);
        size_t len = 0;
        while (len < rest.len && rest.ptr[len] != ';' &&
               (quote ? rest.ptr[len] != quote : !is_space(rest.ptr[len]))) {
            len++;
        }
        return charset_by_label(str_slice(rest, 0, len));
    }
    return NULL;
}

static const char *charset_of_mark(str page)
{
    if (str_starts_with(page, str_from("\xef\xbb\xbf"))) return "utf-8";
    if (str_starts_with(page, str_from("\xfe\xff"))) return "utf-16be";
    if (str_starts_with(page, str_from("\xff\xfe"))) return "utf-16le";
    return NULL;
}

/* --- <meta> ----------------------------------------------------------------------------------- */

struct tag_reader {
    str text;
    size_t at;
};

static char peek(const struct tag_reader *reader)
{
    return reader->at < reader->text.len ? reader->text.ptr[reader->at] : '>';
}

/* The next attribute of a tag; false at its end. */
static bool take_attribute(struct tag_reader *reader, str *ret_name, str *ret_value)
{
    while (is_space(peek(reader)) || peek(reader) == '/') reader->at++;
    size_t from = reader->at;
    while (peek(reader) != '>' && peek(reader) != '=' && peek(reader) != '/' &&
           !is_space(peek(reader))) {
        reader->at++;
    }
    *ret_name  = str_slice(reader->text, from, reader->at);
    *ret_value = (str){};
    while (is_space(peek(reader))) reader->at++;
    if (peek(reader) != '=') return ret_name->len > 0;
    reader->at++;
    while (is_space(peek(reader))) reader->at++;
    char quote = peek(reader);
    if (quote == '"' || quote == '\'') {
        from = ++reader->at;
        while (reader->at < reader->text.len && reader->text.ptr[reader->at] != quote) reader->at++;
        *ret_value = str_slice(reader->text, from, reader->at);
        if (reader->at < reader->text.len) reader->at++;
        return true;
    }
    from = reader->at;
    while (peek(reader) != '>' && !is_space(peek(reader))) reader->at++;
    *ret_value = str_slice(reader->text, from, reader->at);
    return true;
}

static bool equals(str text, const char *lower)
{
    return text.len == strlen(lower) && starts_with(text, lower);
}

static const char *charset_of_tag(struct tag_reader *reader)
{
    const char *said   = NULL; /* by the attribute charset */
    const char *typed  = NULL; /* by content */
    bool is_about_type = false;
    str name;
    str value;
    while (take_attribute(reader, &name, &value)) {
        if (equals(name, "charset") && !said) said = charset_by_label(value);
        if (equals(name, "content") && !typed) typed = charset_in(value);
        if (equals(name, "http-equiv")) is_about_type = equals(value, "content-type");
    }
    const char *charset = said ? said : (is_about_type ? typed : NULL);
    /* What could be read this far is no UTF-16. */
    return charset && strncmp(charset, "utf-16", 6) == 0 ? "utf-8" : charset;
}

static const char *charset_of_meta(str page)
{
    struct tag_reader reader = {.text = str_slice(page, 0, CHARSET_META_MAX)};
    while (reader.at < reader.text.len) {
        str rest = str_slice(reader.text, reader.at, reader.text.len);
        if (starts_with(rest, "<!--")) {
            const char *end = memmem(rest.ptr + 2, rest.len - 2, "-->", 3);
            if (!end) return NULL;
            reader.at += (size_t)(end - rest.ptr) + 3;
        } else if (starts_with(rest, "<meta") && rest.len > 5 &&
                   (is_space(rest.ptr[5]) || rest.ptr[5] == '/')) {
            reader.at += 5;
            const char *charset = charset_of_tag(&reader);
            if (charset) return charset;
        } else {
            reader.at++;
        }
    }
    return NULL;
}

const char *charset_of(str content_type, str page)
{
    const char *charset = charset_of_mark(page);
    if (!charset) charset = charset_in(content_type);
    if (!charset) charset = charset_of_meta(page);
    return charset ? charset : "windows-1252";
}

/* --- decoding --------------------------------------------------------------------------------- */

enum { PIECE_MAX = 64 << 10 /* bytes of output at a time */, UTF8_ROOM = 16 /* bytes */ };

static bool convert(iconv_t converter, str page, struct buf *out)
{
    char *from  = (char *)(uintptr_t)page.ptr; /* iconv() does not write there */
    size_t left = page.len;
    while (left > 0) {
        size_t room = PIECE_MAX < out->len_max - out->len ? PIECE_MAX : out->len_max - out->len;
        char *to    = room > UTF8_ROOM ? buf_reserve(out, room) : NULL;
        if (!to) {
            out->is_full = true;
            return false;
        }
        size_t unused = room;
        size_t ended  = iconv(converter, &from, &left, &to, &unused);
        int why       = ended == (size_t)-1 ? errno : 0;
        buf_commit(out, room - unused);
        if (why == EILSEQ || why == EINVAL) {
            if (!buf_put_text(out, "\xef\xbf\xbd")) return false;
            from++;
            left--;
        }
    }
    return true;
}

bool charset_decode(const char *charset, str page, struct buf *out)
{
    const char *mark = charset_of_mark(page);
    if (mark && strcmp(mark, charset) == 0) {
        page = str_slice(page, strcmp(mark, "utf-8") == 0 ? 3 : 2, page.len);
    }
    if (strcmp(charset, "utf-8") == 0) return buf_put_str(out, page); /* the tree repairs it */
    iconv_t converter = iconv_open("utf-8", charset);
    if (converter == (iconv_t)-1) return buf_put_str(out, page);
    bool fits = convert(converter, page, out);
    (void)iconv_close(converter);
    return fits;
}
