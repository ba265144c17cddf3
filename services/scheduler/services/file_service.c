/* Files: stored in pieces in the system partition, by namespace and id. */
#include "base/clock.h"
#include "scheduler/services/call.h"
#include "scheduler/services/row_page.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/file_store.h"

/* The system partition, or NULL. */
static struct shard *system_shard(const struct rpc_call *call)
{
    return scheduler_shard(call->context, 0);
}

/* Files are kept in one namespace; a key of all namespaces that names none means "default". */
static str namespace_of(const struct rpc_call *call, const char *of_message)
{
    return namespace_of_keys(call_namespace(call, of_message));
}

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

/* --- what changes ------------------------------------------------------------------------------
 */

static status check_text(const char *text, const char *member, size_t max, struct error *reterr)
{
    if (strlen(text) <= max) return STATUS_OK;
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid", "/%s: over %zu bytes",
                     member, max);
}

static status check_file(const Pb__BeginFile *request, struct error *reterr)
{
    const Pb__StoredFile *file = request->file;
    if (!file || file->size <= 0 || file->size > FILE_SIZE_MAX) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                         "a file has 1 to %d bytes", FILE_SIZE_MAX);
    }
    if (file->sha256.len != FILE_SHA256_SIZE ||
        request->data.len != file_piece_size(file->size, 0)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                         "the first piece is not as large as it should be");
    }
    TRY(check_text(file->name, "name", FILE_NAME_MAX, reterr));
    TRY(check_text(file->media_type, "media_type", FILE_TYPE_MAX, reterr));
    return check_text(file->subject, "subject", FILE_SUBJECT_MAX, reterr);
}

static status post(struct rpc_call *call, enum command_kind kind, const char *namespace,
                   struct error *reterr)
{
    struct command *command = call_command(call, kind, 0);
    if (!command) return no_memory(reterr);
    command->namespace = namespace_of(call, namespace);
    call_post(call, system_shard(call), command);
    return STATUS_OK;
}

static status begin(struct rpc_call *call, struct error *reterr)
{
    const Pb__BeginFile *request = call->request;
    if (!system_shard(call)) return call_moved(call, 0);
    TRY(check_file(request, reterr));
    return post(call, COMMAND_BEGIN_FILE, request->namespace_, reterr);
}

static status append(struct rpc_call *call, struct error *reterr)
{
    const Pb__AppendFile *request = call->request;
    if (!system_shard(call)) return call_moved(call, 0);
    return post(call, COMMAND_APPEND_FILE, request->namespace_, reterr);
}

static status remove_file(struct rpc_call *call, struct error *reterr)
{
    const Pb__FileAt *request = call->request;
    if (!system_shard(call)) return call_moved(call, 0);
    return post(call, COMMAND_DELETE_FILE, request->namespace_, reterr);
}

/* --- what is read ------------------------------------------------------------------------------
 */

/* A file that anybody may see. */
static status find(struct txn *txn, struct rpc_call *call, const char *namespace, const char *id,
                   Pb__StoredFile **ret_file, struct error *reterr)
{
    TRY(file_get(txn, namespace_of(call, namespace), str_from(id), call->arena, ret_file, reterr));
    if (file_is_there(*ret_file, clock_unix_us())) return STATUS_OK;
    return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no such file");
}

static status get(struct rpc_call *call, struct error *reterr)
{
    const Pb__FileAt *request           = call->request;
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__StoredFile *file                = NULL;
    if (!system_shard(call)) return call_moved(call, 0);
    TRY(txn_begin_read(system_shard(call)->partition->store, &txn, reterr));
    TRY(find(txn, call, request->namespace_, request->id, &file, reterr));
    *(Pb__StoredFile *)call->response = *file;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static status read_piece(struct rpc_call *call, struct error *reterr)
{
    const Pb__ReadFile *request         = call->request;
    Pb__FilePiece *answer               = call->response;
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    if (!system_shard(call)) return call_moved(call, 0);
    TRY(txn_begin_read(system_shard(call)->partition->store, &txn, reterr));
    TRY(find(txn, call, request->namespace_, request->id, &answer->file, reterr));
    if (request->number >= answer->file->pieces) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                         "/number: the file has no such piece");
    }
    TRY(file_read_piece(txn, answer->file, request->number, call->arena, &answer->data, reterr));
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

struct listing {
    const Pb__ListFiles *request;
    struct arena *arena;
    Pb__FileList *answer;
    struct row_page page;
    int64_t now_us;
};

static status take_row(struct txn *, bytes row, void *context, bool *ret_is_full,
                       struct error *reterr)
{
    struct listing *list = context;
    Pb__StoredFile *file = NULL;
    TRY(record_read(row, &pb__stored_file__descriptor, list->arena, &file, reterr));
    bool is_its = !*list->request->subject || strcmp(list->request->subject, file->subject) == 0;
    if (!is_its || !file_is_there(file, list->now_us)) return STATUS_OK;
    *ret_is_full = list->answer->n_files == list->page.size;
    if (!*ret_is_full) list->answer->files[list->answer->n_files++] = file;
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListFiles *request = call->request;
    struct shard *shard          = system_shard(call);
    if (!shard) return call_moved(call, 0);
    str namespace          = namespace_of(call, request->namespace_);
    struct listing listing = {.request = request,
                              .arena   = call->arena,
                              .answer  = call->response,
                              .now_us  = clock_unix_us()};
    const char *filters =
        arena_printf(call->arena, STR_FMT "\x1f%s", STR_ARG(namespace), request->subject);
    if (!filters) return no_memory(reterr);
    TRY(row_page_begin(request->page, str_from(filters), call->arena, &listing.page, reterr));
    listing.answer->files = arena_alloc(call->arena, listing.page.size * sizeof(void *));
    if (!listing.answer->files) return no_memory(reterr);
    struct key prefix;
    file_key(&prefix, namespace, (str){});
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(row_page_walk(&listing.page, txn, TABLE_FILES,
                      (struct scan){.prefix = key_bytes(&prefix), .backward = true}, take_row,
                      &listing, reterr));
    listing.answer->next_token = row_page_next(&listing.page, call->arena);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method file_service_methods[] = {
    {.name = "Begin", .handle = begin},
    {.name = "Append", .handle = append},
    {.name = "Get", .handle = get},
    {.name = "List", .handle = list},
    {.name = "Read", .handle = read_piece},
    {.name = "Delete", .handle = remove_file},
    {},
};
