#include "xml/xml.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"

#include <expat.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An element that is open. */
struct frame {
    char name[XML_NAME_MAX + 1];
    json members;    /* an object; owned */
    struct buf text; /* between its tags */
};

struct reading {
    XML_Parser parser;
    struct frame frames[XML_DEPTH_MAX + 1]; /* [0] is the document */
    size_t depth, values;
    size_t text_max; /* bytes: what a document in Latin-1 may become */
    status code;
    struct error error;
};

static void reading_free(struct reading *reading)
{
    for (size_t i = 0; i <= reading->depth; i++) {
        json_unref(reading->frames[i].members);
        buf_done(&reading->frames[i].text);
    }
    if (reading->parser) XML_ParserFree(reading->parser);
    free(reading);
}

static uint64_t line_of(XML_Parser parser)
{
#if XML_MAJOR_VERSION > 2 || (XML_MAJOR_VERSION == 2 && XML_MINOR_VERSION >= 9)
    return XML_GetCurrentLineNumber64(
        parser); /* 2.9.0 deprecates the other one, Debian bookworm's 2.5.0 has only that */
#else
    return XML_GetCurrentLineNumber(parser);
#endif
}

static void stop(struct reading *reading, status code, const char *why)
{
    if (reading->code != STATUS_OK) return;
    reading->code =
        fail(&reading->error, code, "line %" PRIu64 ": %s", line_of(reading->parser), why);
    (void)XML_StopParser(reading->parser, XML_FALSE);
}

static bool counts(struct reading *reading, const char *name)
{
    if (reading->code != STATUS_OK) return false;
    if (++reading->values > XML_VALUES_MAX) {
        stop(reading, STATUS_OUT_OF_RANGE, "more than 100000 elements and attributes");
    } else if (strlen(name) > XML_NAME_MAX) {
        stop(reading, STATUS_OUT_OF_RANGE, "a name of more than 1000 bytes");
    }
    return reading->code == STATUS_OK;
}

/* One more element of that name: the second makes a list. Takes `value`. */
static void add_member(json *members, const char *name, json value)
{
    json there = json_get_text(*members, name);
    if (json_is(there, JSON_INVALID)) {
        json_object_put_text(members, name, value);
        return;
    }
    json list = json_ref(there);
    json_object_put_text(members, name, json_null()); /* the list has one owner again */
    if (!json_is(list, JSON_ARRAY)) {
        json first = list;
        list       = json_array_new(2);
        json_array_push(&list, first);
    }
    json_array_push(&list, value);
    json_object_put_text(members, name, list);
}

static void XMLCALL on_start(void *context, const char *name, const char **attributes)
{
    struct reading *reading = context;
    if (!counts(reading, name)) return;
    if (reading->depth == XML_DEPTH_MAX) {
        stop(reading, STATUS_OUT_OF_RANGE, "more than 64 elements around each other");
        return;
    }
    struct frame *frame = &reading->frames[++reading->depth];
    frame->members      = json_object_new(0);
    frame->text         = buf_init(reading->text_max);
    (void)snprintf(frame->name, sizeof frame->name, "%s", name);
    for (size_t i = 0; attributes[i]; i += 2) {
        char key[XML_NAME_MAX + 2];
        if (strncmp(attributes[i], "xmlns", 5) == 0) continue;
        if (!counts(reading, attributes[i])) return;
        (void)snprintf(key, sizeof key, "@%s", attributes[i]);
        json_object_put_text(&frame->members, key, json_text_lossy(str_from(attributes[i + 1])));
    }
}

static void XMLCALL on_text(void *context, const char *text, int size)
{
    struct reading *reading = context;
    if (reading->code != STATUS_OK) return;
    (void)buf_put_str(&reading->frames[reading->depth].text,
                      (str){.ptr = text, .len = (size_t)size});
}

static void XMLCALL on_end(void *context, const char *)
{
    struct reading *reading = context;
    if (reading->code != STATUS_OK) return;
    struct frame *frame = &reading->frames[reading->depth--];
    json value          = json_take(&frame->members);
    str text            = buf_str(&frame->text);
    if (json_count(value) == 0) {
        json_unref(value);
        value = json_text_lossy(text);
    } else if (str_trim(text, " \t\r\n").len > 0) {
        json_object_put_text(&value, "#text", json_text_lossy(str_trim(text, " \t\r\n")));
    }
    buf_done(&frame->text);
    add_member(&reading->frames[reading->depth].members, frame->name, value);
}

static void XMLCALL on_doctype(void *context, const char *, const char *, const char *, int)
{
    stop(context, STATUS_PERMISSION_DENIED, "a DTD is not taken");
}

status xml_parse(str text, json *ret_value, struct error *reterr)
{
    struct reading *reading = mem_new(1, sizeof *reading);
    reading->parser         = XML_ParserCreate(NULL);
    ASSERT(reading->parser && "out of memory");
    if (text.len > INT_MAX) {
        reading_free(reading);
        return fail(reterr, STATUS_OUT_OF_RANGE, "the document is too large");
    }
    reading->text_max  = 2 * text.len;
    reading->frames[0] = (struct frame){.members = json_object_new(1), .text = buf_init(1)};
    XML_SetUserData(reading->parser, reading);
    XML_SetElementHandler(reading->parser, on_start, on_end);
    XML_SetCharacterDataHandler(reading->parser, on_text);
    XML_SetStartDoctypeDeclHandler(reading->parser, on_doctype);
    enum XML_Status parsed =
        XML_Parse(reading->parser, text.len > 0 ? text.ptr : "", (int)text.len, XML_TRUE);
    if (parsed != XML_STATUS_OK) {
        ASSERT(XML_GetErrorCode(reading->parser) != XML_ERROR_NO_MEMORY && "out of memory");
        stop(reading, STATUS_DATA_LOSS, XML_ErrorString(XML_GetErrorCode(reading->parser)));
    }
    status code = reading->code;
    if (code == STATUS_OK) {
        *ret_value = json_take(&reading->frames[0].members);
    } else if (reterr) {
        *reterr = reading->error;
    }
    reading_free(reading);
    return code;
}
