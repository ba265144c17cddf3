#include "tool-adapter/files/file_set.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 1 << 20 /* bytes of names */ };

struct one_file {
    struct stored_file public; /* first */
    uint8_t digest[SHA256_SIZE];
    uint8_t *bytes; /* owned */
    size_t size, got;
};

struct file_set {
    struct file_desk *desk; /* NULL: file_set_of() */
    struct arena *arena;
    struct file_set_request request;
    const char *namespace;
    struct one_file files[FILE_SET_MAX];
    size_t count, at; /* the one that is looked up, or read */
    struct file_question *question;
    struct file_room room;
    struct loop_timer patience; /* while it waits for room */
};

static void fail_set(struct file_set *set, status code, const struct error *error)
{
    set->request.done(code, error, set->request.context);
}

/* What the store says of a file that is not there is no matter of this call's other side. */
static void fail_answer(struct file_set *set, const struct rpc_answer *answer)
{
    const char *id     = set->files[set->at].public.id;
    struct error error = {};
    if (answer->code == STATUS_NOT_FOUND) {
        status code = fail(&error, STATUS_INVALID_ARGUMENT,
                           "there is no stored file `%s` in this namespace: it was deleted, its "
                           "time is over, or it never was",
                           id);
        fail_set(set, code, &error);
        return;
    }
    status code = answer->code == STATUS_DEADLINE_EXCEEDED ? answer->code : STATUS_UNAVAILABLE;
    (void)fail(&error, code, "the stored file `%s` cannot be read now: %s", id, answer->detail);
    fail_set(set, code, &error);
}

/* --- bytes -------------------------------------------------------------------------------------
 */

static void read_on(struct file_set *set);

static bool is_whole(struct one_file *file)
{
    uint8_t digest[SHA256_SIZE];
    sha256((bytes){.ptr = file->bytes, .len = file->size}, digest);
    return memcmp(digest, file->digest, sizeof digest) == 0;
}

static void fail_damaged(struct file_set *set)
{
    struct error error = {};
    status code        = fail(&error, STATUS_DATA_LOSS, "the stored file `%s` is damaged",
                              set->files[set->at].public.id);
    fail_set(set, code, &error);
}

static void on_piece(const struct rpc_answer *answer, void *context)
{
    struct file_set *set  = context;
    struct one_file *file = &set->files[set->at];
    set->question         = NULL;
    if (answer->code != STATUS_OK) {
        fail_answer(set, answer);
        return;
    }
    const Pb__FilePiece *piece = answer->message;
    if (piece->data.len == 0 || piece->data.len > file->size - file->got) {
        fail_damaged(set);
        return;
    }
    memcpy(file->bytes + file->got, piece->data.data, piece->data.len);
    file->got += piece->data.len;
    if (file->got == file->size && !is_whole(file)) {
        fail_damaged(set);
        return;
    }
    if (file->got == file->size) {
        file->public.data = (bytes){.ptr = file->bytes, .len = file->size};
        set->at++;
    }
    read_on(set);
}

static void read_on(struct file_set *set)
{
    struct error error = {};
    if (set->at == set->count) {
        fail_set(set, STATUS_OK, &error);
        return;
    }
    const struct one_file *file = &set->files[set->at];
    Pb__ReadFile message        = PB__READ_FILE__INIT;
    message.namespace_          = set->namespace;
    message.id                  = file->public.id;
    message.number              = (uint32_t)(file->got / FILE_DESK_PIECE_SIZE);
    struct rpc_request request  = {.method = "Read", .message = &message};
    status code = file_desk_ask(set->desk, &request, set->request.until_ms, on_piece, set,
                                &set->question, &error);
    if (code != STATUS_OK) fail_set(set, code, &error);
}

static void begin_reading(void *context)
{
    struct file_set *set = context;
    loop_timer_clear(file_desk_options_of(set->desk)->loop, &set->patience);
    for (size_t i = 0; i < set->count; i++) set->files[i].bytes = mem_alloc(set->files[i].size);
    set->at = 0;
    read_on(set);
}

static void on_patience(void *context)
{
    struct file_set *set = context;
    struct error error   = {};
    status code          = fail(&error, STATUS_DEADLINE_EXCEEDED,
                                "other calls hold %d MiB of files: no room was left in time",
                                FILE_DESK_HELD_MAX >> 20);
    fail_set(set, code, &error);
}

static void make_room(struct file_set *set)
{
    struct error error = {};
    size_t sum         = 0;
    for (size_t i = 0; i < set->count; i++) sum += set->files[i].size;
    if (sum > FILE_DESK_FILE_MAX) {
        status code = fail(&error, STATUS_INVALID_ARGUMENT,
                           "the stored files of a call have %zu bytes together: more than %d MiB",
                           sum, FILE_DESK_FILE_MAX >> 20);
        fail_set(set, code, &error);
        return;
    }
    if (file_room_take(set->desk, &set->room, sum)) {
        begin_reading(set);
        return;
    }
    struct loop *loop = file_desk_options_of(set->desk)->loop;
    int64_t left_ms   = set->request.until_ms - clock_mono_ms();
    loop_timer_set(loop, &set->patience, loop_now_ms(loop) + (left_ms > 0 ? left_ms : 0));
}

/* --- what they are -----------------------------------------------------------------------------
 */

static const char *keep(struct file_set *set, const char *text)
{
    const char *copy = arena_strdup(set->arena, str_from(text));
    ASSERT(copy); /* names of FILE_SET_MAX files fit */
    return copy;
}

static status ask_about(struct file_set *set, struct error *reterr);

static void on_file(const struct rpc_answer *answer, void *context)
{
    struct file_set *set  = context;
    struct one_file *file = &set->files[set->at];
    struct error error    = {};
    set->question         = NULL;
    if (answer->code != STATUS_OK) {
        fail_answer(set, answer);
        return;
    }
    const Pb__StoredFile *stored = answer->message;
    if (stored->sha256.len != SHA256_SIZE || stored->size <= 0 ||
        stored->size > FILE_DESK_FILE_MAX) {
        fail_damaged(set);
        return;
    }
    memcpy(file->digest, stored->sha256.data, SHA256_SIZE);
    hex_encode(file->digest, SHA256_SIZE, file->public.sha256);
    file->public.name       = keep(set, stored->name);
    file->public.media_type = keep(set, stored->media_type);
    file->public.subject    = keep(set, stored->subject);
    file->size              = (size_t)stored->size;
    if (++set->at == set->count) {
        make_room(set);
        return;
    }
    status code = ask_about(set, &error);
    if (code != STATUS_OK) fail_set(set, code, &error);
}

static status ask_about(struct file_set *set, struct error *reterr)
{
    Pb__FileAt message         = PB__FILE_AT__INIT;
    message.namespace_         = set->namespace;
    message.id                 = set->files[set->at].public.id;
    struct rpc_request request = {.method = "Get", .message = &message};
    return file_desk_ask(set->desk, &request, set->request.until_ms, on_file, set, &set->question,
                         reterr);
}

/* --- life --------------------------------------------------------------------------------------
 */

static status add(struct file_set *set, str id, struct error *reterr)
{
    if (file_set_find(set, id)) return STATUS_OK;
    if (set->count == FILE_SET_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "over %d stored files", FILE_SET_MAX);
    }
    const char *copy = arena_strdup(set->arena, id);
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "names of files are too long");
    set->files[set->count++].public.id = copy;
    return STATUS_OK;
}

status file_set_start(struct file_desk *desk, const struct file_set_request *request,
                      struct file_set **ret_set, struct error *reterr)
{
    CLEANUP(file_set_freep) struct file_set *set = mem_new(1, sizeof *set);
    set->desk                                    = desk;
    set->arena                                   = arena_new(ARENA_MAX);
    set->request                                 = *request;
    set->room      = (struct file_room){.granted = begin_reading, .context = set};
    set->patience  = (struct loop_timer){.fire = on_patience, .context = set};
    set->namespace = arena_strdup(set->arena, request->namespace);
    if (!set->namespace) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < request->count; i++) TRY(add(set, request->ids[i], reterr));
    TRY(ask_about(set, reterr));
    *ret_set = TAKE(set);
    return STATUS_OK;
}

void file_set_freep(struct file_set **ref)
{
    struct file_set *set = *ref;
    if (!set) return;
    if (set->desk) {
        file_question_forget(set->question);
        loop_timer_clear(file_desk_options_of(set->desk)->loop, &set->patience);
        for (size_t i = 0; i < set->count; i++) free(set->files[i].bytes);
        file_room_leave(set->desk, &set->room);
    }
    arena_free(set->arena);
    free(set);
    *ref = NULL;
}

const struct stored_file *file_set_find(const struct file_set *set, str id)
{
    for (size_t i = 0; set && i < set->count; i++) {
        if (str_is(id, set->files[i].public.id)) return &set->files[i].public;
    }
    return NULL;
}

struct file_set *file_set_of(const struct stored_file *files, size_t count)
{
    struct file_set *set = mem_new(1, sizeof *set);
    ASSERT(count <= FILE_SET_MAX);
    for (size_t i = 0; i < count; i++) set->files[i].public = files[i];
    set->count = count;
    return set;
}
