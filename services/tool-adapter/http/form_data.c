#include "tool-adapter/http/form_data.h"

#include "base/attr.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/utf8.h"
#include "json/json_text.h"

#include <stdio.h>

enum {
    CHANCE_SIZE   = 16, /* bytes: nobody's data has a boundary of them */
    BOUNDARY_SIZE = 48,
    SHOWN_MAX     = 60, /* bytes of a name in an error */
    MIME_MAX      = 200,
};

struct writing {
    struct buf *out;
    const struct file_set *files;
    char boundary[BOUNDARY_SIZE];
    str name; /* of the member that is written */
};

static status too_large(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "/body: the form is too large");
}

static status wrong(const struct writing *writing, const char *what, struct error *reterr)
{
    str shown = str_slice(writing->name, 0, SHOWN_MAX);
    shown.len = utf8_valid_prefix(shown);
    return fail(reterr, STATUS_INVALID_ARGUMENT, "/body/" STR_FMT ": %s", STR_ARG(shown), what);
}

/* --- a part ----------------------------------------------------------------------------------- */

static void put_escaped(struct buf *out, str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' || c == '"' || c == 0x7f) {
            (void)buf_printf(out, "%%%02X", c);
        } else {
            (void)buf_put_byte(out, (char)c);
        }
    }
}

/* The head but for its empty line. */
static void put_head(const struct writing *writing, str file_name)
{
    struct buf *out = writing->out;
    (void)buf_printf(out, "--%s\r\nContent-Disposition: form-data; name=\"", writing->boundary);
    put_escaped(out, writing->name);
    if (file_name.ptr) {
        (void)buf_put_text(out, "\"; filename=\"");
        put_escaped(out, file_name);
    }
    (void)buf_put_text(out, "\"\r\n");
}

static void put_type(const struct writing *writing, str type)
{
    (void)buf_put_text(writing->out, "Content-Type: ");
    (void)buf_put_str(writing->out, type);
    (void)buf_put_text(writing->out, "\r\n");
}

static status put_data(const struct writing *writing, str data, struct error *reterr)
{
    (void)buf_put_text(writing->out, "\r\n");
    (void)buf_put_str(writing->out, data);
    return buf_put_text(writing->out, "\r\n") ? STATUS_OK : too_large(reterr);
}

/* --- files ------------------------------------------------------------------------------------ */

/* {base64, name?, mime?, size?}: as an answer that is a file becomes an output. */
static bool is_file(json value)
{
    static const char *const members[] = {"base64", "name", "mime", "size"};
    size_t known                       = 0;
    if (!json_is(json_get_text(value, "base64"), JSON_TEXT)) return false;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        known += json_is(json_get_text(value, members[i]), JSON_INVALID) ? 0 : 1;
    }
    return known == json_count(value);
}

/* {file, name?, mime?, size?, sha256?}: as it is shown of a file that was kept. */
static bool is_stored(json value)
{
    static const char *const members[] = {"file", "name", "mime", "size", "sha256"};
    size_t known                       = 0;
    if (!json_is(json_get_text(value, "file"), JSON_TEXT)) return false;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        known += json_is(json_get_text(value, members[i]), JSON_INVALID) ? 0 : 1;
    }
    return known == json_count(value);
}

static bool is_mime(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] > '~') return false;
    }
    return text.len > 0 && text.len <= MIME_MAX;
}

static status put_file(const struct writing *writing, json file, struct error *reterr)
{
    str base64  = json_str(json_get_text(file, "base64"));
    json name   = json_get_text(file, "name");
    json mime   = json_get_text(file, "mime");
    str type    = str_from("application/octet-stream");
    size_t size = 0;
    if (json_is(mime, JSON_TEXT)) type = json_str(mime);
    if (!is_mime(type)) return wrong(writing, "`mime` is no media type", reterr);
    put_head(writing, json_is(name, JSON_TEXT) ? json_str(name) : writing->name);
    put_type(writing, type);
    (void)buf_put_text(writing->out, "\r\n");
    char *data = buf_reserve(writing->out, base64.len / 4 * 3 + 3);
    if (!data) return too_large(reterr);
    if (!base64_decode(base64, data, &size)) return wrong(writing, "`base64` is none", reterr);
    buf_commit(writing->out, size);
    return buf_put_text(writing->out, "\r\n") ? STATUS_OK : too_large(reterr);
}

static status put_stored(const struct writing *writing, json file, struct error *reterr)
{
    const struct stored_file *stored =
        file_set_find(writing->files, json_str(json_get_text(file, "file")));
    json name = json_get_text(file, "name");
    json mime = json_get_text(file, "mime");
    if (!stored) return wrong(writing, "`file` is no stored file that was read", reterr);
    str type = json_is(mime, JSON_TEXT) ? json_str(mime) : str_from(stored->media_type);
    if (!is_mime(type)) return wrong(writing, "`mime` is no media type", reterr);
    put_head(writing, json_is(name, JSON_TEXT) ? json_str(name) : str_from(stored->name));
    put_type(writing, type);
    return put_data(writing, (str){.ptr = stored->data.ptr, .len = stored->data.len}, reterr);
}

size_t form_data_files(json map, str ret_ids[FILE_SET_MAX + 1])
{
    size_t count = 0;
    for (size_t i = 0; json_is(map, JSON_OBJECT) && i < json_count(map); i++) {
        json value   = json_value_at(map, i);
        bool is_list = json_is(value, JSON_ARRAY);
        size_t items = is_list ? json_count(value) : 1;
        for (size_t k = 0; k < items && count <= FILE_SET_MAX; k++) {
            json one = is_list ? json_at(value, k) : value;
            if (!json_is(one, JSON_OBJECT) || !is_stored(one)) continue;
            ret_ids[count++] = json_str(json_get_text(one, "file"));
        }
    }
    return count;
}

/* --- members ---------------------------------------------------------------------------------- */

static status put_value(const struct writing *writing, json value, struct error *reterr)
{
    if (json_is(value, JSON_NULL)) return STATUS_OK;
    if (json_is(value, JSON_OBJECT) && is_file(value)) return put_file(writing, value, reterr);
    if (json_is(value, JSON_OBJECT) && is_stored(value)) return put_stored(writing, value, reterr);
    bool is_json = json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY);
    CLEANUP(json_unrefp)
    json text = json_is(value, JSON_TEXT) ? json_ref(value) : json_to_text_new(value);
    put_head(writing, (str){});
    if (is_json) put_type(writing, str_from("application/json"));
    return put_data(writing, json_str(text), reterr);
}

status form_data_write(json map, const struct file_set *files, struct buf *out,
                       char ret_type[static FORM_DATA_TYPE_SIZE], struct error *reterr)
{
    struct writing writing = {.out = out, .files = files};
    uint8_t chance[CHANCE_SIZE];
    char hex[2 * CHANCE_SIZE + 1];
    random_bytes(chance, sizeof chance);
    hex_encode(chance, sizeof chance, hex);
    (void)snprintf(writing.boundary, sizeof writing.boundary, "form-%s", hex);
    (void)snprintf(ret_type, FORM_DATA_TYPE_SIZE, "multipart/form-data; boundary=%s",
                   writing.boundary);
    for (size_t i = 0; i < json_count(map); i++) {
        json value   = json_value_at(map, i);
        writing.name = json_key_at(map, i);
        if (!json_is(value, JSON_ARRAY)) TRY(put_value(&writing, value, reterr));
        for (size_t k = 0; json_is(value, JSON_ARRAY) && k < json_count(value); k++) {
            TRY(put_value(&writing, json_at(value, k), reterr));
        }
    }
    return buf_printf(out, "--%s--\r\n", writing.boundary) ? STATUS_OK : too_large(reterr);
}
