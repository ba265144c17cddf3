/*
 * One line of the log. Room for the end of the line is set aside from the start, so a line that
 * does not fit is cut in a value, between two characters, and stays valid JSON.
 */
#include "base/assert.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/log_internal.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define END_CUT "\",\"cut\":true}\n"

enum {
    END_SIZE        = sizeof END_CUT,
    ESCAPE_SIZE     = 8,
    NUMBER_SIZE     = 32,
    SECRET_LINE_MIN = 16,               /* as of json_mask.h: shorter lines are anybody's */
    SHOWN_MAX       = 2 * LOG_LINE_MAX, /* bytes of a value that are looked through at most */
    FOUND_MAX       = 512,              /* bytes of what may be found in part at the end of these */
};

struct line {
    char *text;
    size_t len;
    bool is_cut; /* nothing more is added but the end */
    enum log_format format;
    const struct log_secret *secrets;
    size_t secret_count;
    log_scrub_fn *scrub;
};

static void put(struct line *line, str text)
{
    if (line->is_cut || text.len > LOG_LINE_MAX - END_SIZE - line->len) {
        line->is_cut = true;
        return;
    }
    memcpy(line->text + line->len, text.ptr, text.len);
    line->len += text.len;
}

/* Bytes of a line of the secret that `rest` begins with, or 0: a key in PEM is quoted by lines. */
static size_t line_of_secret(str secret, str rest)
{
    for (size_t from = 0, i = 0; i <= secret.len; i++) {
        if (i < secret.len && secret.ptr[i] != '\n') continue;
        str line = str_trim(str_slice(secret, from, i), "\r");
        from     = i + 1;
        if (line.len < SECRET_LINE_MIN || str_starts_with(line, str_from("-----"))) continue;
        if (str_starts_with(rest, line)) return line.len;
    }
    return 0;
}

/* Bytes of the secret that starts at `offset`, or 0. */
static size_t secret_at(const struct line *line, str text, size_t offset)
{
    str rest = str_slice(text, offset, text.len);
    for (size_t i = 0; i < line->secret_count; i++) {
        const struct log_secret *secret = &line->secrets[i];
        if (str_starts_with(rest, secret->text)) return secret->text.len;
        size_t len = secret->has_lines ? line_of_secret(secret->text, rest) : 0;
        if (len > 0) return len;
    }
    return 0;
}

static void put_escaped_byte(struct line *line, char c)
{
    char text[ESCAPE_SIZE];
    const char *escaped = c == '"'    ? "\\\""
                          : c == '\\' ? "\\\\"
                          : c == '\n' ? "\\n"
                          : c == '\r' ? "\\r"
                          : c == '\t' ? "\\t"
                                      : NULL;
    if (!escaped) {
        (void)snprintf(text, sizeof text, "\\u%04x", (unsigned)(unsigned char)c);
        escaped = text;
    }
    put(line, str_from(escaped));
}

/* The inside of a JSON string: secrets hidden, bytes that are no UTF-8 replaced. */
static void put_escaped(struct line *line, str text)
{
    for (size_t at = 0; at < text.len && !line->is_cut;) {
        size_t hidden = secret_at(line, text, at);
        if (hidden > 0) {
            put(line, str_from("***"));
            at += hidden;
            continue;
        }
        char c = text.ptr[at];
        if (c == '"' || c == '\\' || (unsigned char)c < ' ' || c == 0x7F) {
            put_escaped_byte(line, c);
            at++;
            continue;
        }
        str character = str_slice(text, at, at + UTF8_BYTES_MAX);
        size_t valid  = utf8_valid_prefix(character);
        if (valid == 0) {
            put(line, str_from("\xEF\xBF\xBD")); /* U+FFFD */
            at++;
            continue;
        }
        size_t len = 0;
        (void)utf8_next(str_slice(character, 0, valid), &len);
        put(line, str_slice(character, 0, len));
        at += len;
    }
}

/* On a terminal a value needs quotes only where it could be misread. */
static bool is_plain(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7F) return false;
    }
    return text.len > 0;
}

/* Secrets first: what else is found may be a part of one. Of a long value only the beginning is
 * looked through; what is found there may begin at its end, which is left out then. */
static bool scrub(const struct line *line, str text, struct buf *out, bool *ret_is_cut)
{
    CLEANUP(buf_done) struct buf shown = buf_init(SHOWN_MAX);
    CLEANUP(buf_done) struct buf probe = buf_init(2 * SHOWN_MAX);
    if (text.len <= LOG_LINE_MAX && !line->scrub(text, &probe)) return false;
    size_t at = 0;
    while (at < text.len && shown.len < SHOWN_MAX - NUMBER_SIZE) {
        size_t hidden = secret_at(line, text, at);
        if (hidden > 0) {
            (void)buf_put_text(&shown, "***");
            at += hidden;
        } else {
            (void)buf_put_byte(&shown, text.ptr[at++]);
        }
    }
    if (!line->scrub(buf_str(&shown), out)) return false;
    *ret_is_cut = at < text.len;
    if (*ret_is_cut) out->len -= out->len < FOUND_MAX ? out->len : FOUND_MAX;
    return true;
}

static void put_string(struct line *line, str text)
{
    CLEANUP(buf_done) struct buf clean = buf_init(2 * SHOWN_MAX);
    bool is_cut                        = false;
    if (line->scrub && scrub(line, text, &clean, &is_cut)) text = buf_str(&clean);
    bool has_quotes = line->format == LOG_JSON || !is_plain(text);
    if (has_quotes) put(line, str_from("\""));
    put_escaped(line, text);
    line->is_cut = line->is_cut || is_cut;
    if (has_quotes) put(line, str_from("\""));
}

static char fold(char c)
{
    if (c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
    return c == '-' || c == '.' ? '_' : c;
}

/* "token", "access_token" and "Set-Cookie" are secret; "input_tokens" is not. */
static bool is_secret_name(const char *name)
{
    static const char *const words[] = {"authorization", "api_key", "password",
                                        "secret",        "token",   "cookie"};
    size_t len                       = strlen(name);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t word_len = strlen(words[i]);
        if (word_len > len) continue;
        const char *end = name + (len - word_len);
        size_t same     = 0;
        while (same < word_len && fold(end[same]) == words[i][same]) same++;
        if (same == word_len && (end == name || fold(end[-1]) == '_')) return true;
    }
    return false;
}

static void put_value(struct line *line, const struct log_field *field)
{
    char text[NUMBER_SIZE];
    switch (field->kind) {
    case LOG_FIELD_STR:
        put_string(line, is_secret_name(field->name) ? str_from("***") : field->text);
        return;
    case LOG_FIELD_INT: (void)snprintf(text, sizeof text, "%" PRId64, field->integer); break;
    case LOG_FIELD_BOOL:
        (void)snprintf(text, sizeof text, "%s", field->integer ? "true" : "false");
        break;
    case LOG_FIELD_REAL:
        if (isfinite(field->real)) {
            (void)snprintf(text, sizeof text, "%.15g", field->real);
        } else {
            (void)snprintf(text, sizeof text, "null");
        }
        break;
    }
    put(line, str_from(text));
}

static void put_json_name(struct line *line, const char *name)
{
    put(line, str_from(",\""));
    put(line, str_from(name));
    put(line, str_from("\":"));
}

/* A field whose name does not fit, or whose number does not, is left out whole. */
static void put_field(struct line *line, const struct log_field *field)
{
    size_t before = line->len;
    if (line->format == LOG_JSON) {
        put_json_name(line, field->name);
    } else {
        put(line, str_from(" "));
        put(line, str_from(field->name));
        put(line, str_from("="));
    }
    size_t named = line->len;
    if (!line->is_cut) put_value(line, field);
    if (line->is_cut && (field->kind != LOG_FIELD_STR || line->len <= named + 1)) {
        line->len = before;
    }
}

size_t log_render(const struct log_record *record, enum log_format format,
                  const struct log_secret *secrets, size_t secret_count,
                  char line[static LOG_LINE_MAX])
{
    static const char *const levels[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
    ASSERT(format != LOG_AUTO);
    struct line out = {.text         = line,
                       .format       = format,
                       .secrets      = secrets,
                       .secret_count = secret_count,
                       .scrub        = record->scrub};
    char time[TIME_TEXT_SIZE];
    time_format(record->unix_us, time);
    if (format == LOG_JSON) {
        put(&out, str_from("{\"ts\":\""));
        put(&out, str_from(time));
        put(&out, str_from("\",\"level\":\""));
        put(&out, str_from(levels[record->level]));
        put(&out, str_from("\",\"service\":\""));
        put(&out, str_from(record->service));
        put(&out, str_from("\",\"msg\":\""));
        put(&out, str_from(record->message));
        put(&out, str_from("\""));
    } else {
        char start[LOG_LINE_MAX / 4];
        (void)snprintf(start, sizeof start, "%.12s %-5s %s %s", time + 11, levels[record->level],
                       record->service, record->message);
        put(&out, str_from(start));
    }
    bool in_string = false;
    for (size_t i = 0; i < record->field_count && !out.is_cut; i++) {
        size_t before = out.len;
        put_field(&out, &record->fields[i]);
        in_string = out.is_cut && out.len > before;
    }
    const char *end = "\n";
    if (format == LOG_JSON) {
        end = !out.is_cut ? "}\n" : in_string ? END_CUT : &END_CUT[1];
    } else if (out.is_cut) {
        end = " cut\n";
    }
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a line has a length */
    memcpy(line + out.len, end, strlen(end));
    return out.len + strlen(end);
}
