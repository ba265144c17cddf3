#include "gateway/runs/import_line.h"

#include "base/hash.h"
#include "base/mem.h"
#include "json/json.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

bool import_line_next(str *rest, str *ret_line)
{
    if (rest->len == 0) return false;
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t length   = end ? (size_t)(end - rest->ptr) : rest->len;
    *ret_line       = str_slice(*rest, 0, length);
    *rest           = str_slice(*rest, end ? length + 1 : length, rest->len);
    if (ret_line->len > 0 && ret_line->ptr[ret_line->len - 1] == '\r') ret_line->len--;
    return true;
}

/* --- the checksum --------------------------------------------------------------------------------
 */

enum { LENGTH_SIZE = 8, DIGEST_TEXT_SIZE = 2 * SHA256_SIZE + 1 };

/* Each part behind its length, as eight bytes with the highest first. */
static void add_part(struct sha256_stream *stream, bytes part)
{
    uint8_t length[LENGTH_SIZE];
    for (int i = 0; i < LENGTH_SIZE; i++) {
        length[i] = (uint8_t)((uint64_t)part.len >> (8 * (LENGTH_SIZE - 1 - i)));
    }
    sha256_add(stream, (bytes){length, LENGTH_SIZE});
    sha256_add(stream, part);
}

static void add_data(struct sha256_stream *stream, const ProtobufCBinaryData *items, size_t count)
{
    for (size_t i = 0; i < count; i++) add_part(stream, (bytes){items[i].data, items[i].len});
}

static void checksum(const Pb__KeptRun *kept, char ret_text[static DIGEST_TEXT_SIZE])
{
    struct sha256_stream stream;
    uint8_t digest[SHA256_SIZE];
    sha256_begin(&stream);
    add_part(&stream, bytes_from(str_from(kept->id)));
    add_data(&stream, &kept->row, 1);
    add_data(&stream, &kept->definition, 1);
    add_data(&stream, kept->entries, kept->n_entries);
    add_data(&stream, kept->payloads, kept->n_payloads);
    sha256_end(&stream, digest);
    hex_encode(digest, SHA256_SIZE, ret_text);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static status wrong(const char *what, struct error *reterr)
{
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "run_invalid",
                     "%s; a line of `tutti export` is needed, whole and unchanged", what);
}

static status read_bytes(json value, const char *what, struct arena *arena,
                         ProtobufCBinaryData *ret_data, struct error *reterr)
{
    if (!json_is(value, JSON_TEXT)) return wrong(what, reterr);
    str text      = json_str(value);
    uint8_t *data = arena_alloc(arena, text.len / 4 * 3 + 1);
    if (!data) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the line is too large");
    *ret_data = (ProtobufCBinaryData){.data = data};
    return base64_decode(text, data, &ret_data->len) ? STATUS_OK : wrong(what, reterr);
}

static status read_list(json list, const char *what, struct arena *arena,
                        ProtobufCBinaryData **ret_items, size_t *ret_count, struct error *reterr)
{
    if (!json_is(list, JSON_ARRAY)) return wrong(what, reterr);
    size_t count               = json_count(list);
    ProtobufCBinaryData *items = arena_alloc(arena, (count + 1) * sizeof *items);
    if (!items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the line is too large");
    for (size_t i = 0; i < count; i++) {
        TRY(read_bytes(json_at(list, i), what, arena, &items[i], reterr));
    }
    *ret_items = items;
    *ret_count = count;
    return STATUS_OK;
}

static status read_texts(json kept, struct arena *arena, Pb__KeptRun *ret_kept,
                         struct error *reterr)
{
    json id         = json_get_text(kept, "id");
    json definition = json_get_text(kept, "definition");
    bool are_texts  = json_is(id, JSON_TEXT) && json_is(definition, JSON_TEXT);
    if (!are_texts || memchr(json_str(id).ptr, '\0', json_str(id).len)) {
        return wrong("`kept` needs the texts `id` and `definition`", reterr);
    }
    char *id_copy   = arena_strdup(arena, json_str(id));
    char *text_copy = arena_strdup(arena, json_str(definition));
    if (!id_copy || !text_copy) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the line is too large");
    }
    ret_kept->id = id_copy;
    ret_kept->definition =
        (ProtobufCBinaryData){.data = (uint8_t *)text_copy, .len = json_str(definition).len};
    return STATUS_OK;
}

static status check_format(json line, struct error *reterr)
{
    json format = json_get_text(line, "format");
    str name    = json_is(format, JSON_TEXT) ? json_str(format) : (str){};
    if (str_is(name, IMPORT_LINE_FORMAT)) return STATUS_OK;
    if (str_is(name, "tutti-run-1")) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "run_invalid",
                         "the line was made by an older `tutti export`, which kept no journal: "
                         "export the run again");
    }
    return wrong("`format` is not " IMPORT_LINE_FORMAT, reterr);
}

static status read_kept(json line, struct arena *arena, Pb__KeptRun *ret_kept, struct error *reterr)
{
    TRY(check_format(line, reterr));
    json kept = json_get_text(line, "kept");
    if (!json_is(kept, JSON_OBJECT)) return wrong("`kept` is missing", reterr);
    TRY(read_texts(kept, arena, ret_kept, reterr));
    TRY(read_bytes(json_get_text(kept, "row"), "`kept.row` is no base64", arena, &ret_kept->row,
                   reterr));
    TRY(read_list(json_get_text(kept, "entries"), "`kept.entries` is no list of base64", arena,
                  &ret_kept->entries, &ret_kept->n_entries, reterr));
    TRY(read_list(json_get_text(kept, "payloads"), "`kept.payloads` is no list of base64", arena,
                  &ret_kept->payloads, &ret_kept->n_payloads, reterr));
    char text[DIGEST_TEXT_SIZE];
    json said = json_get_text(kept, "sha256");
    checksum(ret_kept, text);
    bool is_whole = json_is(said, JSON_TEXT) && str_is(json_str(said), text);
    return is_whole ? STATUS_OK : wrong("`kept.sha256` is that of another line", reterr);
}

status import_line_read(str line, struct arena *arena, Pb__KeptRun *ret_kept, struct error *reterr)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    struct error why                = {};
    *ret_kept                       = (Pb__KeptRun)PB__KEPT_RUN__INIT;
    if (line.len > IMPORT_LINE_MAX) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "body_too_large",
                         "the line is over %d MiB; a backup holds such a run",
                         IMPORT_LINE_MAX >> 20);
    }
    status parsed = json_parse(line, NULL, &value, NULL, &why);
    if (parsed == STATUS_RESOURCE_EXHAUSTED) return fail(reterr, parsed, "%s", why.text);
    if (parsed != STATUS_OK || !json_is(value, JSON_OBJECT)) {
        return wrong("the line is no JSON object", reterr);
    }
    return read_kept(value, arena, ret_kept, reterr);
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void write_base64(struct json_writer *w, const ProtobufCBinaryData *data)
{
    size_t size = base64_size(data->len);
    char *text  = mem_new(size + 1, 1);
    base64_encode(data->data, data->len, text);
    json_write_text(w, (str){.ptr = text, .len = size});
    free(text);
}

static void put_list(struct json_writer *w, const char *name, const ProtobufCBinaryData *items,
                     size_t count)
{
    json_member(w, name);
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) write_base64(w, &items[i]);
    json_end_array(w);
}

void import_line_write(struct json_writer *w, const Pb__KeptRun *kept)
{
    json_begin_object(w);
    json_put_text(w, "format", str_from(IMPORT_LINE_FORMAT));
    json_member(w, "kept");
    json_begin_object(w);
    json_put_text(w, "id", str_from(kept->id));
    json_member(w, "row");
    write_base64(w, &kept->row);
    json_put_text(w, "definition",
                  (str){.ptr = (const char *)kept->definition.data, .len = kept->definition.len});
    put_list(w, "entries", kept->entries, kept->n_entries);
    put_list(w, "payloads", kept->payloads, kept->n_payloads);
    char text[DIGEST_TEXT_SIZE];
    checksum(kept, text);
    json_put_text(w, "sha256", str_from(text));
    json_end_object(w);
    json_end_object(w);
}
