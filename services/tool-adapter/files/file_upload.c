#include "tool-adapter/files/file_upload.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/file_name.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    ARENA_MAX   = 64 << 10, /* bytes of names */
    DIGEST_HEX  = 32,       /* digits of half a SHA-256 */
    KEYED_SIZE  = 2 * DIGEST_HEX + 2,
    SUBJECT_MAX = 200, /* bytes, as the store takes them */
};

struct file_upload {
    struct file_desk *desk;
    struct arena *arena;
    struct file_upload_request request;
    Pb__StoredFile file; /* texts in the arena */
    uint8_t digest[SHA256_SIZE];
    char type[MEDIA_TYPE_SIZE], name[FILE_NAME_SIZE], begin_id[KEYED_SIZE];
    const char *namespace;
    uint8_t *bytes; /* owned */
    size_t size;
    struct file_question *question;
    struct file_room room;
    struct loop_timer patience; /* while it waits for room */
};

static void end(struct file_upload *upload, status code, const struct error *error,
                const Pb__StoredFile *file)
{
    upload->request.done(code, error, file, upload->request.context);
}

static ProtobufCBinaryData piece_of(const struct file_upload *upload, uint32_t number)
{
    size_t from = (size_t)number * FILE_DESK_PIECE_SIZE;
    size_t left = upload->size - from;
    return (ProtobufCBinaryData){.data = upload->bytes + from,
                                 .len  = left < FILE_DESK_PIECE_SIZE ? left : FILE_DESK_PIECE_SIZE};
}

static uint32_t piece_count(const struct file_upload *upload)
{
    return (uint32_t)((upload->size + FILE_DESK_PIECE_SIZE - 1) / FILE_DESK_PIECE_SIZE);
}

static void on_stored(const struct rpc_answer *answer, void *context);

static void ask(struct file_upload *upload, struct rpc_request *request)
{
    struct error error = {};
    status code = file_desk_ask(upload->desk, request, upload->request.until_ms, on_stored, upload,
                                &upload->question, &error);
    if (code != STATUS_OK) end(upload, code, &error, NULL);
}

static void fail_answer(struct file_upload *upload, const struct rpc_answer *answer)
{
    struct error error = {};
    status code        = answer->code;
    if (code != STATUS_RESOURCE_EXHAUSTED && code != STATUS_DEADLINE_EXCEEDED) {
        code = STATUS_UNAVAILABLE;
    }
    (void)fail(&error, code, "the answer cannot be kept as a file: %s", answer->detail);
    end(upload, code, &error, NULL);
}

/* After each piece: the next one, or the end. */
static void on_stored(const struct rpc_answer *answer, void *context)
{
    struct file_upload *upload = context;
    upload->question           = NULL;
    if (answer->code != STATUS_OK) {
        fail_answer(upload, answer);
        return;
    }
    const Pb__StoredFile *stored = answer->message;
    if (stored->pieces >= piece_count(upload)) {
        const struct error none = {};
        end(upload, STATUS_OK, &none, stored);
        return;
    }
    Pb__AppendFile message     = PB__APPEND_FILE__INIT;
    message.namespace_         = upload->namespace;
    message.id                 = stored->id;
    message.number             = stored->pieces;
    message.data               = piece_of(upload, stored->pieces);
    struct rpc_request request = {.method = "Append", .message = &message};
    ask(upload, &request);
}

static void begin(void *context)
{
    struct file_upload *upload = context;
    Pb__BeginFile message      = PB__BEGIN_FILE__INIT;
    loop_timer_clear(file_desk_options_of(upload->desk)->loop, &upload->patience);
    message.namespace_         = upload->namespace;
    message.file               = &upload->file;
    message.data               = piece_of(upload, 0);
    struct rpc_request request = {
        .method = "Begin", .message = &message, .request_id = str_from(upload->begin_id)};
    ask(upload, &request);
}

static void on_patience(void *context)
{
    struct file_upload *upload = context;
    struct error error         = {};
    status code                = fail(&error, STATUS_DEADLINE_EXCEEDED,
                                      "other calls hold %d MiB of files: no room was left in time",
                                      FILE_DESK_HELD_MAX >> 20);
    end(upload, code, &error, NULL);
}

/* From the loop: never from inside file_upload_start(). */
static void wait_for_room(struct file_upload *upload)
{
    struct loop *loop = file_desk_options_of(upload->desk)->loop;
    int64_t left_ms   = upload->request.until_ms - clock_mono_ms();
    if (file_room_take(upload->desk, &upload->room, upload->size)) {
        upload->patience.fire = begin;
        left_ms               = 0;
    }
    loop_timer_set(loop, &upload->patience, loop_now_ms(loop) + (left_ms > 0 ? left_ms : 0));
}

/* --- what it is --------------------------------------------------------------------------------
 */

/* Keyed as the gateway keys an upload with an Idempotency-Key: what is sent again is answered as
 * before. Other bytes of the same call are another file, so they are part of the key. */
static void set_begin_id(struct file_upload *upload)
{
    static const bytes end_of_part          = {.ptr = "\x1f", .len = 1};
    const struct file_upload_request *given = &upload->request;
    const bytes content                     = {.ptr = upload->digest, .len = SHA256_SIZE};
    const bytes whose[]                     = {bytes_from(str_from("tool")),
                                               end_of_part,
                                               bytes_from(given->namespace),
                                               end_of_part,
                                               bytes_from(given->key),
                                               end_of_part,
                                               content};
    uint8_t digest[SHA256_SIZE];
    sha256_parts(whose, ARRAY_LEN(whose), digest);
    hex_encode(digest, DIGEST_HEX / 2, upload->begin_id);
    upload->begin_id[DIGEST_HEX] = ':';
    hex_encode(upload->digest, DIGEST_HEX / 2, upload->begin_id + DIGEST_HEX + 1);
}

static status describe(struct file_upload *upload, struct error *reterr)
{
    const struct file_upload_request *given = &upload->request;
    const struct file_desk_options *options = file_desk_options_of(upload->desk);
    if (given->data.len == 0 || given->data.len > options->size_max) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a file of %zu bytes is not kept: 1 to %llu are (files.size_max)",
                    given->data.len, (unsigned long long)options->size_max);
    }
    if (given->keep.subject.len > SUBJECT_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`subject` is over %d bytes", SUBJECT_MAX);
    }
    TRY(media_type_of(options->types, given->data, given->media_type, upload->type, reterr));
    file_name_clean(given->keep.name, upload->name);
    sha256(given->data, upload->digest);
    pb__stored_file__init(&upload->file);
    upload->file.name       = upload->name;
    upload->file.media_type = upload->type;
    upload->file.size       = (int64_t)given->data.len;
    upload->file.sha256     = (ProtobufCBinaryData){.data = upload->digest, .len = SHA256_SIZE};
    upload->file.expires_us = given->keep.expires_us;
    upload->file.subject    = arena_strdup(upload->arena, given->keep.subject);
    upload->file.created_by = arena_strdup(upload->arena, given->created_by);
    upload->namespace       = arena_strdup(upload->arena, given->namespace);
    if (upload->file.subject && upload->file.created_by && upload->namespace) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "names of the file are too long");
}

/* --- life --------------------------------------------------------------------------------------
 */

status file_upload_start(struct file_desk *desk, const struct file_upload_request *request,
                         struct file_upload **ret_upload, struct error *reterr)
{
    CLEANUP(file_upload_freep) struct file_upload *upload = mem_new(1, sizeof *upload);
    upload->desk                                          = desk;
    upload->request                                       = *request;
    upload->arena                                         = arena_new(ARENA_MAX);
    upload->room     = (struct file_room){.granted = begin, .context = upload};
    upload->patience = (struct loop_timer){.fire = on_patience, .context = upload};
    TRY(describe(upload, reterr));
    set_begin_id(upload);
    upload->size  = request->data.len;
    upload->bytes = mem_alloc(upload->size);
    memcpy(upload->bytes, request->data.ptr, upload->size);
    wait_for_room(upload);
    *ret_upload = TAKE(upload);
    return STATUS_OK;
}

void file_upload_freep(struct file_upload **ref)
{
    struct file_upload *upload = *ref;
    if (!upload) return;
    file_question_forget(upload->question);
    loop_timer_clear(file_desk_options_of(upload->desk)->loop, &upload->patience);
    file_room_leave(upload->desk, &upload->room);
    arena_free(upload->arena);
    free(upload->bytes);
    free(upload);
    *ref = NULL;
}
