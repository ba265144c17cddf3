/* Files: their bytes go to the system partition piece by piece, and come back so. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/file_name.h"
#include "base/hash.h"
#include "file.pb-c.h"
#include "gateway/api/file_form.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "http/multipart.h"
#include "media/media_type.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FILE_SIZE_MAX    = 32 << 20, /* bytes; as the contract says of the body */
    PIECE_SIZE       = 1 << 20,  /* bytes; as the scheduler keeps them */
    SUBJECT_MAX      = 200,      /* bytes */
    TIMEOUT_MS       = 30'000,   /* of a piece */
    DISPOSITION_SIZE = FILE_NAME_SIZE * 4 + 64,
    ETAG_SIZE        = 2 * SHA256_SIZE + 3,
};

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask request = {.service    = &pb__files__descriptor,
                                    .method     = method,
                                    .message    = message,
                                    .timeout_ms = TIMEOUT_MS,
                                    .then       = then};
    api_ask_scheduler(call, &request);
}

static uint32_t piece_count(int64_t size)
{
    return (uint32_t)((size + PIECE_SIZE - 1) / PIECE_SIZE);
}

/* --- views -------------------------------------------------------------------------------------
 */

static void put_file(struct json_writer *w, const Pb__StoredFile *file)
{
    char hex[2 * SHA256_SIZE + 1] = "";
    char time[TIME_TEXT_SIZE];
    if (file->sha256.len == SHA256_SIZE) hex_encode(file->sha256.data, SHA256_SIZE, hex);
    time_format(file->created_us, time);
    json_begin_object(w);
    json_put_text(w, "id", str_from(file->id));
    json_put_text(w, "name", str_from(file->name));
    json_put_int(w, "bytes", file->size);
    json_put_text(w, "media_type", str_from(file->media_type));
    json_put_text(w, "sha256", str_from(hex));
    if (*file->subject) json_put_text(w, "subject", str_from(file->subject));
    json_put_text(w, "created_at", str_from(time));
    view_time_if(w, "expires_at", file->expires_us);
    json_end_object(w);
}

static void on_got(struct api_call *call, const struct rpc_answer *answer)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    put_file(&response.json, answer->message);
    api_answer_send(&response, 200, NULL);
}

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__FileList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_files; i++) put_file(&response.json, list->files[i]);
    api_list_send(&response, list->next_token);
}

/* --- in ----------------------------------------------------------------------------------------
 */

/* The bytes from a piece on that are one. */
static ProtobufCBinaryData piece_of(const struct api_call *call, uint32_t number)
{
    const struct file_form *form = call->state;
    size_t from                  = (size_t)number * PIECE_SIZE;
    size_t left                  = form->data.len - from;
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)(form->data.ptr + from),
                                 .len  = left < PIECE_SIZE ? left : PIECE_SIZE};
}

/* After each piece: the next one, or the answer. */
static void on_stored(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__StoredFile *file = answer->message;
    if (file->pieces < piece_count(file->size)) {
        char id[API_RPC_ID_LEN + 1];
        api_item_id(call, file->pieces, id);
        Pb__AppendFile message       = PB__APPEND_FILE__INIT;
        message.namespace_           = api_namespace(call);
        message.id                   = file->id;
        message.number               = file->pieces;
        message.data                 = piece_of(call, file->pieces);
        const struct api_ask request = {.service    = &pb__files__descriptor,
                                        .method     = "Append",
                                        .message    = &message,
                                        .timeout_ms = TIMEOUT_MS,
                                        .then       = on_stored,
                                        .request_id = id};
        api_ask_scheduler(call, &request);
        return;
    }
    char location[64];
    (void)snprintf(location, sizeof location, "/v1/files/%s", file->id);
    const struct httpd_field field = {str_from("Location"), str_from(location)};
    struct api_answer response;
    api_answer_begin(&response, call);
    put_file(&response.json, file);
    api_answer_send(&response, 201, &field);
}

/* The file and what is said of it: in a form, or as the body with headers. False: the call was
 * answered. */
static bool read_body(struct api_call *call, struct file_form *form)
{
    str body           = buf_str(&call->request->body);
    str type           = httpd_request_field(call->request, "content-type");
    struct error error = {};
    if (multipart_is_form(type)) {
        status code = file_form_read(type, body, call->arena, form, &error);
        if (code != STATUS_OK) api_fail(call, code, &error);
        return code == STATUS_OK;
    }
    *form      = (struct file_form){.data = body, .type = type};
    str header = httpd_request_field(call->request, "content-disposition");
    (void)file_name_of_disposition(header, &form->file_name);
    return true;
}

/* Adds what stands in the query. False: the call was answered. */
static bool read_query(struct api_call *call, struct file_form *form)
{
    const struct {
        const char *name;
        str *place;
    } params[] = {
        {"name", &form->name}, {"subject", &form->subject}, {"expires_in", &form->expires_in}};
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        str given = {};
        if (!api_query(call, params[i].name, &given)) continue;
        if (params[i].place->ptr) {
            api_fail_with(call, "invalid_request", (str){},
                          "%s: it stands in the form and in the query", params[i].name);
            return false;
        }
        *params[i].place = given;
    }
    return true;
}

/* False: the call was answered. */
static bool read_about(struct api_call *call, const struct file_form *form, Pb__StoredFile *file,
                       char name[static FILE_NAME_SIZE])
{
    int64_t us = 0;
    file_name_clean(form->name.ptr ? form->name : form->file_name, name);
    file->name = name;
    if (form->subject.ptr) {
        if (form->subject.len == 0 || form->subject.len > SUBJECT_MAX) {
            api_fail_with(call, "invalid_request", (str){}, "subject: 1 to %d bytes", SUBJECT_MAX);
            return false;
        }
        file->subject = api_text(call, form->subject);
    }
    if (!form->expires_in.ptr) return true;
    if (!duration_parse(form->expires_in, &us) || us == 0) {
        api_fail_with(call, "invalid_request", (str){},
                      "expires_in: a duration like 24h, 30d or PT1H");
        return false;
    }
    file->expires_us = clock_unix_us() + us;
    return true;
}

/* False: the call was answered. */
static bool check_data(struct api_call *call, const struct file_form *form,
                       char ret_type[static MEDIA_TYPE_SIZE])
{
    struct error error = {};
    bytes data         = bytes_from(form->data);
    if (data.len == 0) {
        api_fail_with(call, "invalid_request", (str){}, "the file is empty");
        return false;
    }
    if (data.len > call->api->file_size_max) {
        api_fail_with(call, "body_too_large", (str){},
                      "files of over %" PRIu64 " bytes are not kept (files.size_max)",
                      call->api->file_size_max);
        return false;
    }
    status code = media_type_of(call->api->media_types, data, form->type, ret_type, &error);
    if (code == STATUS_INVALID_ARGUMENT) {
        api_fail_with(call, error.code, (str){}, "%s", error.text);
    } else if (code != STATUS_OK) {
        api_fail(call, code, &error);
    }
    return code == STATUS_OK;
}

/* The same key and bytes are the same file, whatever boundary they came with. */
void files_create(struct api_call *call)
{
    Pb__BeginFile message  = PB__BEGIN_FILE__INIT;
    Pb__StoredFile file    = PB__STORED_FILE__INIT;
    struct file_form *form = arena_alloc(call->arena, sizeof *form);
    char type[MEDIA_TYPE_SIZE];
    char name[FILE_NAME_SIZE];
    uint8_t digest[SHA256_SIZE];
    ASSERT(form);
    call->state = form;
    if (!read_body(call, form) || !read_query(call, form)) return;
    if (!check_data(call, form, type) || !read_about(call, form, &file, name)) return;
    if (!api_make_repeatable_as(call, form->data)) return;
    sha256(bytes_from(form->data), digest);
    file.media_type    = type;
    file.size          = (int64_t)form->data.len;
    file.sha256        = (ProtobufCBinaryData){.data = digest, .len = sizeof digest};
    file.created_by    = call->identity.name;
    message.namespace_ = api_namespace(call);
    message.file       = &file;
    message.data       = piece_of(call, 0);
    ask(call, "Begin", &message, on_stored);
}

/* --- out ---------------------------------------------------------------------------------------
 */

static void on_lost(struct api_call *call, const struct rpc_answer *answer)
{
    buf_done(call->state);
    api_fail_answer(call, answer);
}

static void read_on(struct api_call *call, uint32_t number);

static void send_whole(struct api_call *call, const Pb__StoredFile *file)
{
    char tag[ETAG_SIZE] = "";
    char disposition[DISPOSITION_SIZE];
    struct buf *body = call->state;
    tag[0]           = '"';
    if (file->sha256.len == SHA256_SIZE) hex_encode(file->sha256.data, SHA256_SIZE, tag + 1);
    (void)snprintf(tag + strlen(tag), 2, "\"");
    file_name_disposition(str_from(file->name), disposition, sizeof disposition);
    const struct httpd_field fields[] = {
        {str_from("ETag"), str_from(tag)},
        {str_from("Content-Disposition"), str_from(disposition)},
    };
    api_respond(call, 200, file->media_type, buf_str(body), fields, ARRAY_LEN(fields));
    buf_done(body);
}

static void on_piece(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__FilePiece *piece = answer->message;
    struct buf *body           = call->state;
    (void)buf_put(body, piece->data.data, piece->data.len);
    int64_t size = piece->file ? piece->file->size : 0;
    if (piece->data.len == 0 || body->is_full || (int64_t)body->len > size) {
        buf_done(body);
        api_fail_with(call, "internal", (str){}, "the file cannot be read");
    } else if ((int64_t)body->len == size) {
        send_whole(call, piece->file);
    } else {
        read_on(call, (uint32_t)(body->len / PIECE_SIZE));
    }
}

static void read_on(struct api_call *call, uint32_t number)
{
    Pb__ReadFile message         = PB__READ_FILE__INIT;
    message.namespace_           = api_namespace(call);
    message.id                   = api_text(call, call->params[0]);
    message.number               = number;
    const struct api_ask request = {.service    = &pb__files__descriptor,
                                    .method     = "Read",
                                    .message    = &message,
                                    .timeout_ms = TIMEOUT_MS,
                                    .then       = on_piece,
                                    .failed     = on_lost};
    api_ask_scheduler(call, &request);
}

void files_content(struct api_call *call)
{
    struct buf *body = arena_alloc(call->arena, sizeof *body);
    ASSERT(body);
    *body       = buf_init(FILE_SIZE_MAX);
    call->state = body;
    read_on(call, 0);
}

/* --- the others --------------------------------------------------------------------------------
 */

static void ask_at(struct api_call *call, const char *method, api_then *then)
{
    Pb__FileAt message = PB__FILE_AT__INIT;
    message.namespace_ = api_namespace(call);
    message.id         = api_text(call, call->params[0]);
    ask(call, method, &message, then);
}

void files_get(struct api_call *call)
{
    ask_at(call, "Get", on_got);
}

void files_delete(struct api_call *call)
{
    ask_at(call, "Delete", api_send_nothing);
}

void files_list(struct api_call *call)
{
    Pb__ListFiles message = PB__LIST_FILES__INIT;
    Pb__Page page         = PB__PAGE__INIT;
    str subject           = {};
    if (!api_read_page(call, &page.size, &page.token)) return;
    if (api_query(call, "subject", &subject)) message.subject = api_text(call, subject);
    message.namespace_ = api_namespace(call);
    message.page       = &page;
    ask(call, "List", &message, on_listed);
}
