#include "scheduler/run/erase.h"

#include "scheduler/run/event_codec.h"
#include "scheduler/run/wire.h"
#include "json/json_text.h"

#include <ctype.h>
#include <string.h>

enum { DEPTH_MAX = 20'000, VALUES_MAX = 1 << 24 /* as what a run reads: wire.c */ };

/* --- values ------------------------------------------------------------------------------------
 */

struct eraser {
    str text;
    size_t at;
    struct buf *out;
    bool is_error;
    unsigned depth;
    bool keeps; /* the member at hand is what stays of an error */
};

static char next_char(const struct eraser *eraser)
{
    return eraser->at < eraser->text.len ? eraser->text.ptr[eraser->at] : '\0';
}

/* Behind the text that begins here. */
static str take_text(struct eraser *eraser)
{
    size_t from = eraser->at++;
    while (next_char(eraser) != '"') eraser->at += next_char(eraser) == '\\' ? 2 : 1;
    eraser->at++;
    return str_slice(eraser->text, from, eraser->at);
}

static bool is_name(const struct eraser *eraser)
{
    size_t at = eraser->at;
    while (at < eraser->text.len && isspace((unsigned char)eraser->text.ptr[at])) at++;
    return at < eraser->text.len && eraser->text.ptr[at] == ':';
}

static void put_text(struct eraser *eraser)
{
    str text = take_text(eraser);
    if (is_name(eraser)) {
        bool is_own   = eraser->is_error && eraser->depth == 1;
        eraser->keeps = is_own && (str_is(text, "\"type\"") || str_is(text, "\"status\""));
        (void)buf_put_str(eraser->out, text);
    } else {
        (void)buf_put_str(eraser->out, eraser->keeps ? text : str_from("\"\""));
        eraser->keeps = false;
    }
}

/* A number, true, false or null. */
static void put_word(struct eraser *eraser)
{
    size_t from = eraser->at;
    while (next_char(eraser) && !strchr(",]} \t\r\n", next_char(eraser))) eraser->at++;
    str word        = str_slice(eraser->text, from, eraser->at);
    bool is_boolean = str_is(word, "true") || str_is(word, "false");
    if (eraser->keeps || str_is(word, "null")) {
        (void)buf_put_str(eraser->out, word);
    } else {
        (void)buf_put_text(eraser->out, is_boolean ? "false" : "0");
    }
    eraser->keeps = false;
}

static void put_mark(struct eraser *eraser)
{
    char mark = eraser->text.ptr[eraser->at++];
    if (mark == '{' || mark == '[') {
        eraser->depth++;
        eraser->keeps = false;
    }
    if (mark == '}' || mark == ']') eraser->depth--;
    (void)buf_put_byte(eraser->out, mark);
}

status erase_json(str text, bool is_error, struct buf *out, struct error *reterr)
{
    json value                             = json_invalid();
    static const struct json_limits limits = {.depth_max = DEPTH_MAX, .values_max = VALUES_MAX};
    if (json_parse(text, &limits, &value, NULL, NULL) != STATUS_OK) {
        return fail(reterr, STATUS_DATA_LOSS, "a value of a run is no JSON");
    }
    json_unref(value); /* it is JSON: its text can be read without a second look */
    struct eraser eraser = {.text = text, .out = out, .is_error = is_error};
    while (next_char(&eraser)) {
        char c = next_char(&eraser);
        if (c == '"') {
            put_text(&eraser);
        } else if (strchr("{}[],: \t\r\n", c)) {
            put_mark(&eraser);
        } else {
            put_word(&eraser);
        }
    }
    if (!out->is_full) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "an entry is too long");
}

/* --- entries -----------------------------------------------------------------------------------
 */

static status erase_event(str event, struct wire_writer *writer, struct error *reterr)
{
    struct wire_reader reader         = {.rest = event};
    CLEANUP(buf_done) struct buf text = buf_init(ENTRY_MAX);
    for (bool more = true;;) {
        TRY(wire_next(&reader, &more, reterr));
        if (!more) return STATUS_OK;
        if (!reader.is_bytes) {
            wire_put_uint(writer, reader.number, reader.value);
        } else if (!event_field_is_value(reader.number)) {
            wire_put_bytes(writer, reader.number, reader.data);
        } else {
            buf_clear(&text);
            bool is_error = event_field_is_error(reader.number);
            TRY(erase_json(reader.data, is_error, &text, reterr));
            wire_put_bytes(writer, reader.number, buf_str(&text));
        }
    }
}

status erase_entry(bytes entry, struct buf *out, struct error *reterr)
{
    struct wire_reader reader          = {.rest = {entry.ptr, entry.len}};
    CLEANUP(buf_done) struct buf event = buf_init(ENTRY_MAX);
    struct wire_writer writer          = {.out = out};
    struct wire_writer inner           = {.out = &event};
    for (bool more = true;;) {
        TRY(wire_next(&reader, &more, reterr));
        if (!more) break;
        if (!reader.is_bytes) {
            wire_put_uint(&writer, reader.number, reader.value);
        } else if (!entry_field_is_event(reader.number)) {
            wire_put_bytes(&writer, reader.number, reader.data);
        } else {
            buf_clear(&event);
            TRY(erase_event(reader.data, &inner, reterr));
            wire_put_bytes(&writer, reader.number, buf_str(&event));
        }
    }
    if (!out->is_full && !event.is_full) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "an entry is too long");
}
