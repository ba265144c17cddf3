#include "gateway/api/file_form.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "http/multipart.h"

#include <string.h>

struct reading {
    struct multipart decoder;
    struct file_form *form;
    struct arena *arena;
    const char *name; /* of the part that is read */
    str *place;       /* of its data */
};

static status begin_part(struct reading *reading, struct error *reterr)
{
    const struct multipart *decoder = &reading->decoder;
    struct file_form *form          = reading->form;
    const struct {
        const char *name;
        str *place;
    } parts[]      = {{"file", &form->data},
                      {"name", &form->name},
                      {"subject", &form->subject},
                      {"expires_in", &form->expires_in}};
    reading->place = NULL;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!str_is(decoder->part.name, parts[i].name)) continue;
        reading->name  = parts[i].name;
        reading->place = parts[i].place;
    }
    if (!reading->place) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "part %u of the form: its name is none of file, name, subject and expires_in",
                    decoder->part_count);
    }
    if (reading->place->ptr) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "part %u of the form: a second `%s`",
                    decoder->part_count, reading->name);
    }
    *reading->place = str_from(""); /* given, if it has no data */
    if (reading->place != &form->data) return STATUS_OK;
    form->type.ptr = arena_strdup(reading->arena, decoder->part.type);
    form->type.len = decoder->part.type.len;
    ASSERT(form->type.ptr); /* a head has few bytes, and there is one file */
    if (!decoder->part.file_name.ptr) return STATUS_OK;
    form->file_name.ptr = arena_strdup(reading->arena, decoder->part.file_name);
    form->file_name.len = decoder->part.file_name.len;
    ASSERT(form->file_name.ptr);
    return STATUS_OK;
}

/* The pieces of a part lie end to end, since the form is fed whole. */
static void add_data(const struct reading *reading, str data)
{
    str *place = reading->place;
    if (place->len == 0) place->ptr = data.ptr;
    ASSERT(place->ptr + place->len == data.ptr);
    place->len += data.len;
}

static status check_field(const char *name, str value, struct error *reterr)
{
    if (value.len > FILE_FORM_FIELD_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: up to %d bytes", name,
                    FILE_FORM_FIELD_MAX);
    }
    bool is_text = utf8_valid_prefix(value) == value.len && !memchr(value.ptr, '\0', value.len);
    if (is_text) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: not UTF-8, or a NUL in it", name);
}

static status check_form(const struct file_form *form, struct error *reterr)
{
    if (!form->data.ptr) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the form has no part with the name `file`");
    }
    if (form->name.ptr) TRY(check_field("name", form->name, reterr));
    if (form->subject.ptr) TRY(check_field("subject", form->subject, reterr));
    if (form->expires_in.ptr) TRY(check_field("expires_in", form->expires_in, reterr));
    return STATUS_OK;
}

static status read_parts(struct reading *reading, str body, struct error *reterr)
{
    for (;;) {
        str data = {};
        switch (multipart_next(&reading->decoder, &body, &data, reterr)) {
        case MULTIPART_PART: TRY(begin_part(reading, reterr)); break;
        case MULTIPART_DATA: add_data(reading, data); break;
        case MULTIPART_BAD: return STATUS_INVALID_ARGUMENT;
        case MULTIPART_MORE:
        case MULTIPART_END: return multipart_finish(&reading->decoder, reterr);
        }
    }
}

status file_form_read(str content_type, str body, struct arena *arena, struct file_form *ret_form,
                      struct error *reterr)
{
    struct reading reading = {.form = ret_form, .arena = arena};
    *ret_form              = (struct file_form){};
    status code            = multipart_init(&reading.decoder, content_type, reterr);
    if (code == STATUS_OK) code = read_parts(&reading, body, reterr);
    multipart_done(&reading.decoder);
    return code == STATUS_OK ? check_form(ret_form, reterr) : code;
}
