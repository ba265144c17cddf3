#include "tool-adapter/documents/documents.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "tool-adapter/documents/split.h"

#include <stdlib.h>
#include <string.h>

enum {
    SIZE_DEFAULT    = 1'000,
    OVERLAP_DEFAULT = 100,
};

struct split_call {
    str source; /* in the arena, like `id` */
    str id;
    struct stored_file file; /* its texts are in the arena; `id` NULL: it is none */
    enum document_form form;
    struct split_options options;

    struct blocks blocks;
    struct chunks chunks;
    struct place {
        size_t start, end; /* code points */
        char sha256[2 * SHA256_SIZE + 1];
    } * places; /* in the arena */
};

/* --- what is asked ------------------------------------------------------------------------------
 */

static status read_base64(struct module_call *call, json blob, str *ret_source,
                          struct error *reterr)
{
    json text = json_get_text(blob, "base64");
    if (!json_is(text, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`blob` must be {base64: …} or {file: the id of a stored file}");
    }
    str encoded = json_str(text);
    size_t size = encoded.len / 4 * 3;
    void *raw   = NULL;
    TRY(module_alloc(call->arena, size, 1, &raw, reterr));
    if (!base64_decode(encoded, raw, &size)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`blob.base64` is not base64");
    }
    *ret_source = (str){.ptr = raw, .len = size};
    return STATUS_OK;
}

/* Its bytes end with the call that has them; these here outlive one that is cancelled. */
static status read_file(struct module_call *call, const struct stored_file *file,
                        struct split_call *split, struct error *reterr)
{
    const char *const from[] = {file->id, file->name, file->media_type, file->subject};
    const char **to[]        = {&split->file.id, &split->file.name, &split->file.media_type,
                                &split->file.subject};
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        *to[i] = arena_strdup(call->arena, str_from(from[i]));
        if (!*to[i]) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the document is too large");
    }
    str data = {.ptr = file->data.ptr, .len = file->data.len};
    return module_copy(call->arena, data, &split->source, reterr);
}

static status read_source(struct module_call *call, const struct engine_request *request,
                          struct split_call *split, struct error *reterr)
{
    json settings = request->settings;
    json blob     = json_get_text(settings, "blob");
    json file     = json_get_text(settings, "file");
    bool is_blob  = json_is(blob, JSON_OBJECT);
    bool is_text  = json_is(json_get_text(settings, "text"), JSON_TEXT);
    bool is_file  = json_is(file, JSON_TEXT);
    if (is_blob + is_text + is_file != 1) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "one of `text`, `file` and `blob` must be given");
    }
    if (is_text) return module_text(call->arena, settings, "text", NULL, &split->source, reterr);
    if (is_blob) file = json_get_text(blob, "file");
    if (!json_is(file, JSON_TEXT)) return read_base64(call, blob, &split->source, reterr);
    const struct stored_file *stored = file_set_find(request->files, json_str(file));
    if (stored) return read_file(call, stored, split, reterr);
    return fail(reterr, STATUS_INVALID_ARGUMENT, "there is no such stored file");
}

static const struct {
    const char *mime;
    enum document_form form;
} forms[] = {{"text/plain", DOCUMENT_TEXT},
             {"text/markdown", DOCUMENT_MARKDOWN},
             {"text/x-markdown", DOCUMENT_MARKDOWN},
             {"text/html", DOCUMENT_HTML},
             {"application/xhtml+xml", DOCUMENT_HTML}};

/* "text/html; charset=utf-8" */
static str without_parameters(str mime)
{
    const char *end = mime.len > 0 ? memchr(mime.ptr, ';', mime.len) : NULL;
    return end ? str_slice(mime, 0, (size_t)(end - mime.ptr)) : mime;
}

static bool has_form(str mime)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (str_is(mime, forms[i].mime)) return true;
    }
    return false;
}

/* Of what nobody has said more of: what is stored, or comes along, has a type of its own. */
static str usual_mime(json settings, const struct stored_file *file)
{
    static const char *const plain[] = {"text/csv", "text/xml", "application/xml",
                                        "application/json", "application/x-ndjson"};
    json said                        = json_get_text(json_get_text(settings, "blob"), "mime");
    str own      = json_is(said, JSON_TEXT) ? without_parameters(json_str(said)) : (str){};
    str mime     = file->id ? str_from(file->media_type) : own;
    bool is_text = mime.len == 0;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) is_text |= str_is(mime, plain[i]);
    if (!file->id) {
        is_text |= str_is(mime, "application/octet-stream") ||
                   (str_starts_with(mime, str_from("text/")) && !has_form(mime));
    }
    return is_text ? str_from("text/plain") : mime;
}

static status read_form(struct module_call *call, json settings, const struct stored_file *file,
                        enum document_form *ret_form, struct error *reterr)
{
    str mime = {};
    TRY(module_text(call->arena, settings, "mime", "", &mime, reterr));
    mime = mime.len > 0 ? without_parameters(mime) : usual_mime(settings, file);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        *ret_form = forms[i].form;
        if (str_is(mime, forms[i].mime)) return STATUS_OK;
    }
    if (file->id) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "the stored file `%s` is %s: text, Markdown and HTML can be split", file->id,
                    file->media_type);
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "`mime`, or that of the blob, is not supported: text/plain, text/markdown and "
                "text/html are");
}

static status read_options(json settings, struct split_options *ret_options, struct error *reterr)
{
    static const char *const units[] = {"chars", "tokens", NULL};
    static const char *const ways[]  = {"paragraphs", "sentences", "headings", NULL};
    unsigned unit                    = 0;
    unsigned by                      = 0;
    int64_t size                     = 0;
    int64_t overlap                  = 0;
    TRY(module_choice(settings, "unit", units, &unit, reterr));
    TRY(module_choice(settings, "by", ways, &by, reterr));
    TRY(module_int(settings, "size", SIZE_DEFAULT, SPLIT_SIZE_MIN, SPLIT_SIZE_MAX, &size, reterr));
    int64_t usual = size / 2 < OVERLAP_DEFAULT ? size / 2 : OVERLAP_DEFAULT;
    TRY(module_int(settings, "overlap", usual, 0, size / 2, &overlap, reterr));
    *ret_options = (struct split_options){.unit    = (enum split_unit)unit,
                                          .by      = (enum split_by)by,
                                          .size    = (size_t)size,
                                          .overlap = (size_t)overlap};
    return STATUS_OK;
}

static status split_read(struct module_call *call, const struct engine_request *request,
                         struct error *reterr)
{
    void *memory = NULL;
    TRY(module_alloc(call->arena, 1, sizeof(struct split_call), &memory, reterr));
    struct split_call *split = memory;
    call->about              = split;
    TRY(read_source(call, request, split, reterr));
    TRY(read_form(call, request->settings, &split->file, &split->form, reterr));
    TRY(read_options(request->settings, &split->options, reterr));
    const char *usual = split->file.id ? split->file.id : "";
    TRY(module_text(call->arena, request->settings, "id", usual, &split->id, reterr));
    if (split->id.len <= DOCUMENT_ID_MAX) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`id` is over %d bytes", DOCUMENT_ID_MAX);
}

/* --- the work -----------------------------------------------------------------------------------
 */

static void hash_text(str text, char ret_hex[static 2 * SHA256_SIZE + 1])
{
    uint8_t digest[SHA256_SIZE];
    sha256(bytes_from(text), digest);
    hex_encode(digest, sizeof digest, ret_hex);
}

static str text_of(const struct split_call *split, const struct chunk *chunk)
{
    return str_slice(split->blocks.text, chunk->start, chunk->end);
}

/* Chunks begin in order, so each is counted from the one before. */
static void set_places(struct split_call *split)
{
    size_t offset = 0;
    size_t points = 0;
    for (size_t i = 0; i < split->chunks.count; i++) {
        const struct chunk *chunk = &split->chunks.items[i];
        struct place *place       = &split->places[i];
        points += utf8_length(str_slice(split->blocks.text, offset, chunk->start));
        offset       = chunk->start;
        place->start = points;
        place->end   = points + utf8_length(text_of(split, chunk));
        hash_text(text_of(split, chunk), place->sha256);
    }
}

static status set_id(struct module_call *call, struct error *reterr)
{
    struct split_call *split = call->about;
    char hex[2 * SHA256_SIZE + 1];
    if (split->id.len > 0) return STATUS_OK;
    hash_text(split->source, hex);
    return module_copy(call->arena, str_from(hex), &split->id, reterr);
}

static status split_run(struct module_call *call, struct error *reterr)
{
    struct split_call *split = call->about;
    void *memory             = NULL;
    TRY(blocks_read(split->form, split->source, &split->blocks, reterr));
    TRY(split_blocks(&split->blocks, &split->options, &split->chunks, reterr));
    TRY(set_id(call, reterr));
    TRY(module_alloc(call->arena, split->chunks.count, sizeof *split->places, &memory, reterr));
    split->places = memory;
    set_places(split);
    return STATUS_OK;
}

/* --- the answer ---------------------------------------------------------------------------------
 */

static json headings_new(const struct chunk *chunk)
{
    json headings = json_array_new(chunk->heading_count);
    for (unsigned i = 0; i < chunk->heading_count; i++) {
        json_array_push(&headings, json_text_new(chunk->headings[i]));
    }
    return headings;
}

static json file_new(const struct stored_file *file)
{
    json shown = json_object_new(4);
    json_object_put_text(&shown, "id", json_text_from(file->id));
    json_object_put_text(&shown, "name", json_text_from(file->name));
    json_object_put_text(&shown, "media_type", json_text_from(file->media_type));
    json subject = *file->subject ? json_text_from(file->subject) : json_null();
    json_object_put_text(&shown, "subject", subject);
    return shown;
}

static json split_answer(struct module_call *call)
{
    const struct split_call *split = call->about;
    json list                      = json_array_new(split->chunks.count);
    for (size_t i = 0; i < split->chunks.count; i++) {
        const struct chunk *chunk = &split->chunks.items[i];
        const struct place *place = &split->places[i];
        const char *key = arena_printf(call->arena, STR_FMT "#%zu", STR_ARG(split->id), i);
        json one        = json_object_new(6);
        json_object_put_text(&one, "key", json_text_from(key ? key : ""));
        json_object_put_text(&one, "text", json_text_new(text_of(split, chunk)));
        json_object_put_text(&one, "start", json_int((int64_t)place->start));
        json_object_put_text(&one, "end", json_int((int64_t)place->end));
        json_object_put_text(&one, "headings", headings_new(chunk));
        json_object_put_text(&one, "sha256", json_text_from(place->sha256));
        json_array_push(&list, one);
    }
    json body = json_object_new(2);
    json_object_put_text(&body, "chunks", list);
    if (split->file.id) json_object_put_text(&body, "file", file_new(&split->file));
    return body;
}

static void split_release(struct module_call *call)
{
    struct split_call *split = call->about;
    blocks_done(&split->blocks);
    chunks_done(&split->chunks);
}

const struct module_function documents_functions[] = {
    {.name    = "documents.split",
     .read    = split_read,
     .run     = split_run,
     .answer  = split_answer,
     .release = split_release},
    {},
};
