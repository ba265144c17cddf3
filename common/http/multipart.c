#include "http/multipart.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- texts ------------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_word(str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* Where the first of `ends` stands, or the length. */
static size_t find_end(str text, const char *ends)
{
    size_t at = 0;
    while (at < text.len && !str_set_has(ends, text.ptr[at])) at++;
    return at;
}

/* Takes off the front what stands before the parameters of a field. */
static str take_value(str *field)
{
    size_t end = find_end(*field, ";");
    str value  = str_trim(str_slice(*field, 0, end), STR_BLANKS);
    *field     = str_slice(*field, end, field->len);
    return value;
}

enum param { PARAM_NONE, PARAM_GIVEN, PARAM_BAD };

/* Takes `; name=value` or `; name="value"` off the front. A quote behind a backslash ends nothing.
 */
static enum param take_param(str *rest, str *ret_name, str *ret_value)
{
    str text = str_trim(*rest, STR_BLANKS);
    if (text.len == 0) return PARAM_NONE;
    if (text.ptr[0] != ';') return PARAM_BAD;
    text       = str_trim(str_slice(text, 1, text.len), STR_BLANKS);
    size_t end = find_end(text, "=;\"");
    if (text.len == 0) return PARAM_NONE; /* a last semicolon */
    if (end == 0 || end == text.len || text.ptr[end] != '=') return PARAM_BAD;
    *ret_name      = str_trim(str_slice(text, 0, end), STR_BLANKS);
    text           = str_trim(str_slice(text, end + 1, text.len), STR_BLANKS);
    bool is_quoted = text.len > 0 && text.ptr[0] == '"';
    if (!is_quoted) {
        *ret_value = take_value(&text);
        *rest      = text;
        return PARAM_GIVEN;
    }
    end = 1;
    while (end < text.len && text.ptr[end] != '"') end += text.ptr[end] == '\\' ? 2 : 1;
    if (end >= text.len) return PARAM_BAD;
    *ret_value = str_slice(text, 1, end);
    *rest      = str_slice(text, end + 1, text.len);
    return PARAM_GIVEN;
}

/* --- the boundary ----------------------------------------------------------------------------- */

static const char form_type[] = "multipart/form-data";

bool multipart_is_form(str content_type)
{
    return is_word(take_value(&content_type), form_type);
}

static bool is_boundary(str text)
{
    static const char others[] = "'()+_,-./:=? ";
    for (size_t i = 0; i < text.len; i++) {
        char c          = text.ptr[i];
        bool is_letter  = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_allowed = is_letter || (c >= '0' && c <= '9') || (c && strchr(others, c));
        if (!is_allowed) return false;
    }
    return text.len > 0 && text.len <= MULTIPART_BOUNDARY_MAX && text.ptr[text.len - 1] != ' ';
}

status multipart_init(struct multipart *form, str content_type, struct error *reterr)
{
    *form        = (struct multipart){.head = buf_init(MULTIPART_HEAD_MAX)};
    str rest     = content_type;
    str boundary = {};
    str name     = {};
    str value    = {};
    if (!is_word(take_value(&rest), form_type)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "Content-Type: not %s", form_type);
    }
    while (!boundary.ptr && take_param(&rest, &name, &value) == PARAM_GIVEN) {
        if (is_word(name, "boundary")) boundary = value;
    }
    if (!is_boundary(boundary)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "Content-Type: %s needs a boundary of 1 to %d letters, digits and '()+_,-./:=?",
                    form_type, MULTIPART_BOUNDARY_MAX);
    }
    memcpy(form->delimiter, "\r\n--", 4);
    memcpy(form->delimiter + 4, boundary.ptr, boundary.len);
    form->delimiter_len = 4 + boundary.len;
    form->matched       = 2; /* no line end stands before the first boundary */
    return STATUS_OK;
}

void multipart_done(struct multipart *form)
{
    buf_done(&form->head);
}

/* --- the head of a part ----------------------------------------------------------------------- */

PRINTF_LIKE(3, 4)
static enum multipart_step bad(const struct multipart *form, struct error *reterr,
                               const char *format, ...)
{
    char what[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    (void)fail(reterr, STATUS_INVALID_ARGUMENT, "part %u of the form: %s", form->part_count, what);
    return MULTIPART_BAD;
}

/* Quotes and line ends, as browsers write them in names; the text lies in the head. */
static void unescape(struct multipart *form, str *text)
{
    if (!text->ptr) return;
    static const struct {
        const char *escape;
        char c;
    } escapes[]  = {{"%22", '"'}, {"%0D", '\r'}, {"%0A", '\n'}};
    char *out    = form->head.ptr + (text->ptr - form->head.ptr);
    size_t len   = 0;
    size_t after = 0;
    for (size_t at = 0; at < text->len; at = after) {
        char c = text->ptr[at];
        after  = at + 1;
        for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
            if (!is_word(str_slice(*text, at, at + 3), escapes[i].escape)) continue;
            c     = escapes[i].c;
            after = at + 3;
        }
        out[len++] = c;
    }
    text->len = len;
}

/* NULL, or what is wrong with a Content-Disposition. */
static const char *read_disposition(struct multipart *form, str value)
{
    struct multipart_part *part = &form->part;
    str name                    = {};
    str text                    = {};
    enum param found            = PARAM_GIVEN;
    if (part->name.ptr) return "it has two of Content-Disposition";
    if (!is_word(take_value(&value), "form-data")) return "Content-Disposition: not form-data";
    while ((found = take_param(&value, &name, &text)) == PARAM_GIVEN) {
        str *place = is_word(name, "name") ? &part->name : NULL;
        if (is_word(name, "filename")) place = &part->file_name;
        if (!place) continue;
        if (place->ptr) return "Content-Disposition: a parameter stands there twice";
        *place = text;
    }
    if (found == PARAM_BAD) return "Content-Disposition: its parameters cannot be read";
    if (part->name.len == 0) return "Content-Disposition: it needs a name";
    unescape(form, &part->name);
    unescape(form, &part->file_name);
    return NULL;
}

static const char *read_field(struct multipart *form, str line)
{
    size_t colon = find_end(line, ":");
    str name     = str_slice(line, 0, colon);
    str value    = str_trim(str_slice(line, colon + 1, line.len), STR_BLANKS);
    if (colon == 0 || colon == line.len || find_end(name, " \t\"") < name.len) {
        return "a line of its head is no `name: value`";
    }
    if (is_word(name, "content-disposition")) return read_disposition(form, value);
    if (is_word(name, "content-type")) {
        if (form->part.type.ptr) return "it has two of Content-Type";
        form->part.type = value;
    }
    if (is_word(name, "content-transfer-encoding")) {
        bool is_plain =
            is_word(value, "binary") || is_word(value, "8bit") || is_word(value, "7bit");
        if (!is_plain) return "Content-Transfer-Encoding: send the bytes as they are";
    }
    return NULL;
}

/* NULL, or what is wrong. The head ends with an empty line. */
static const char *read_head(struct multipart *form)
{
    str rest          = buf_str(&form->head);
    const char *wrong = NULL;
    form->part        = (struct multipart_part){};
    while (rest.len > 2 && !wrong) {
        size_t end = find_end(rest, "\r");
        wrong      = read_field(form, str_slice(rest, 0, end));
        rest       = str_slice(rest, end + 2, rest.len);
    }
    if (wrong) return wrong;
    if (!form->part.type.ptr) form->part.type = str_from("");
    return form->part.name.ptr ? NULL : "it has no Content-Disposition";
}

/* One byte of a head. MORE: it goes on. */
static enum multipart_step take_head(struct multipart *form, char c, struct error *reterr)
{
    struct buf *head = &form->head;
    bool after_cr    = head->len > 0 && head->ptr[head->len - 1] == '\r';
    if (after_cr != (c == '\n')) {
        return bad(form, reterr, "a line of its head does not end in CRLF");
    }
    bool is_control = (unsigned char)c < ' ' && c != '\t' && c != '\r' && c != '\n';
    if (is_control) return bad(form, reterr, "a control character in its head");
    if (!buf_put_byte(head, c)) {
        return bad(form, reterr, "its head has over %d bytes", MULTIPART_HEAD_MAX);
    }
    str text     = buf_str(head);
    bool is_last = str_is(text, "\r\n") ||
                   (text.len >= 4 && str_is(str_slice(text, text.len - 4, text.len), "\r\n\r\n"));
    if (!is_last) return MULTIPART_MORE;
    const char *wrong = read_head(form);
    if (wrong) return bad(form, reterr, "%s", wrong);
    form->state = MULTIPART_IN_DATA;
    return MULTIPART_PART;
}

/* --- between two parts ------------------------------------------------------------------------ */

static enum multipart_step begin_part(struct multipart *form, struct error *reterr)
{
    form->part_count++;
    if (form->part_count > MULTIPART_PARTS_MAX) {
        return bad(form, reterr, "there are over %d parts", MULTIPART_PARTS_MAX);
    }
    buf_clear(&form->head);
    form->state = MULTIPART_IN_HEAD;
    return MULTIPART_MORE;
}

static enum multipart_step bad_line(const struct multipart *form, struct error *reterr)
{
    (void)fail(reterr, STATUS_INVALID_ARGUMENT,
               "boundary %u of the form: something follows it on its line", form->part_count + 1);
    return MULTIPART_BAD;
}

/* One byte behind a boundary. MORE: no event. */
static enum multipart_step take_line(struct multipart *form, char c, struct error *reterr)
{
    switch (form->state) {
    case MULTIPART_AT_DASH:
        form->state = MULTIPART_AT_END;
        return c == '-' ? MULTIPART_END : bad_line(form, reterr);
    case MULTIPART_AT_LF: return c == '\n' ? begin_part(form, reterr) : bad_line(form, reterr);
    default: /* at the boundary, or in its padding */
        if (c == '-' && form->state == MULTIPART_AT_BOUNDARY) {
            form->state = MULTIPART_AT_DASH;
        } else if (c == '\r') {
            form->state = MULTIPART_AT_LF;
        } else if (is_blank(c)) {
            form->state = MULTIPART_IN_PADDING;
        } else {
            return bad_line(form, reterr);
        }
        return MULTIPART_MORE;
    }
}

/* --- data ------------------------------------------------------------------------------------- */

/* Bytes of the delimiter that `text` ends with. A CR is its first byte only. */
static size_t begun_len(const struct multipart *form, str text)
{
    const char *cr = text.len > 0 ? memrchr(text.ptr, '\r', text.len) : NULL;
    if (!cr) return 0;
    str end       = str_slice(text, (size_t)(cr - text.ptr), text.len);
    bool is_begun = end.len < form->delimiter_len && memcmp(end.ptr, form->delimiter, end.len) == 0;
    return is_begun ? end.len : 0;
}

/* Goes on with a delimiter that ended the last piece. What was none is data: also here only its
 * first byte can begin another. */
static str go_on(struct multipart *form, str *input)
{
    size_t from = 0;
    while (from < input->len && form->matched < form->delimiter_len &&
           input->ptr[from] == form->delimiter[form->matched]) {
        from++;
        form->matched++;
    }
    *input = str_slice(*input, from, input->len);
    if (form->matched == form->delimiter_len) {
        form->state   = MULTIPART_AT_BOUNDARY;
        form->matched = 0;
        return (str){};
    }
    if (input->len == 0) return (str){};
    str data      = {.ptr = form->delimiter, .len = form->matched};
    form->matched = 0;
    return data;
}

/* The data up to the next delimiter; empty: there is none. */
static str take_data(struct multipart *form, str *input)
{
    if (form->matched > 0) return go_on(form, input);
    const char *found = memmem(input->ptr, input->len, form->delimiter, form->delimiter_len);
    str data          = *input;
    if (found) {
        data        = str_slice(*input, 0, (size_t)(found - input->ptr));
        *input      = str_slice(*input, data.len + form->delimiter_len, input->len);
        form->state = MULTIPART_AT_BOUNDARY;
        return data;
    }
    form->matched = begun_len(form, data);
    data.len -= form->matched;
    *input = str_slice(*input, input->len, input->len);
    return data;
}

/* --- in all ----------------------------------------------------------------------------------- */

enum multipart_step multipart_next(struct multipart *form, str *input, str *ret_data,
                                   struct error *reterr)
{
    enum multipart_step step = MULTIPART_MORE;
    while (step == MULTIPART_MORE && input->len > 0) {
        if (form->state == MULTIPART_AT_END) return MULTIPART_END;
        bool is_preamble = form->state == MULTIPART_IN_PREAMBLE;
        if (is_preamble || form->state == MULTIPART_IN_DATA) {
            *ret_data = take_data(form, input);
            if (ret_data->len > 0 && !is_preamble) step = MULTIPART_DATA;
            continue;
        }
        char c = input->ptr[0];
        *input = str_slice(*input, 1, input->len);
        step   = form->state == MULTIPART_IN_HEAD ? take_head(form, c, reterr)
                                                  : take_line(form, c, reterr);
    }
    return step;
}

status multipart_finish(const struct multipart *form, struct error *reterr)
{
    if (form->state == MULTIPART_AT_END) return STATUS_OK;
    if (form->state == MULTIPART_IN_PREAMBLE) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "the boundary that Content-Type names is not in the body");
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "part %u of the form: the body breaks off; --boundary-- ends it", form->part_count);
}
