/* API keys, as admins manage them. They are kept by the system partition. */
#include "auth/api_key.h"
#include "auth/key_limits.h"
#include "auth/namespace.h"
#include "auth/role.h"
#include "base/clock.h"
#include "key.pb-c.h"
#include "scheduler/services/call.h"
#include "scheduler/services/row_page.h"
#include "scheduler/services/services.h"

enum {
    NAME_MAX_BYTES  = 128,
    LABELS_MAX      = 16,
    LABEL_KEY_MAX   = 63,
    LABEL_VALUE_MAX = 255,
    ROLES_MAX       = 16,
    USED_MAX        = 1'000, /* keys of one message */
};
#define OVERLAP_MAX_US (INT64_C(30) * 24 * 3600 * 1'000'000)

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

static status wrong(struct error *reterr, const char *what)
{
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request", "%s", what);
}

static status check_id(const char *id, struct error *reterr)
{
    if (strlen(id) == API_KEY_ID_LEN) return STATUS_OK;
    return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no key `%.64s`", id);
}

/* --- changes -----------------------------------------------------------------------------------
 */

static void on_changed(struct command *command)
{
    struct rpc_call *call = command->context;
    const Pb__ApiKey *key = command->response;
    if (command->code == STATUS_OK) scheduler_hint_key(call->context, key->id);
    call_done(command);
}

static status post(struct rpc_call *call, enum command_kind kind, const void *request,
                   struct error *reterr)
{
    struct command *command = call_command(call, kind, 0);
    if (!command) return no_memory(reterr);
    command->request = request;
    command->done    = on_changed;
    call_post(call, scheduler_shard(call->context, 0), command);
    return STATUS_OK;
}

static bool limits_are_fine(const Pb__KeyLimits *limits)
{
    return limits->requests_per_minute <= KEY_LIMIT_RATE_MAX &&
           limits->starts_per_minute <= KEY_LIMIT_RATE_MAX &&
           limits->tokens_per_minute <= KEY_LIMIT_TOKENS_MAX &&
           limits->parallel <= KEY_LIMIT_PARALLEL_MAX;
}

/* The form of names is the API's business: this is what rows must not hold. */
static status check_key(const Pb__ApiKey *key, struct error *reterr)
{
    enum role role = 0;
    bool is_all    = strcmp(key->namespace_, "*") == 0;
    if (strlen(key->id) != API_KEY_ID_LEN || key->secret_sha256.len != SHA256_SIZE) {
        return wrong(reterr, "a key has an id and the digest of its secret");
    }
    if (!*key->name || strlen(key->name) > NAME_MAX_BYTES) {
        return wrong(reterr, "name: 1 to 128 bytes");
    }
    if (!is_all && !namespace_is_valid(str_from(key->namespace_))) {
        return wrong(reterr, "namespace: lower-case letters, digits and inner hyphens, or *");
    }
    if (key->n_roles == 0 || key->n_roles > ROLES_MAX) {
        return wrong(reterr, "roles: at least one");
    }
    for (size_t i = 0; i < key->n_roles; i++) {
        bool is_role = role_parse(str_from(key->roles[i]), &role);
        if (!is_role) return wrong(reterr, "roles: no such role");
    }
    if (key->limits && !limits_are_fine(key->limits)) {
        return wrong(reterr, "limits: one of them is out of bounds");
    }
    if (key->n_labels > LABELS_MAX) return wrong(reterr, "labels: at most 16");
    for (size_t i = 0; i < key->n_labels; i++) {
        size_t length = strlen(key->labels[i]->key);
        if (length == 0 || length > LABEL_KEY_MAX ||
            strlen(key->labels[i]->value) > LABEL_VALUE_MAX) {
            return wrong(reterr, "labels: keys of 1 to 63 bytes, values of at most 255");
        }
    }
    return STATUS_OK;
}

static status read_budget(struct rpc_call *call, const Pb__ApiKey *key, Pb__PutBudget *budget,
                          struct error *reterr)
{
    if (strcmp(key->namespace_, "*") == 0) {
        return wrong(reterr, "budget: a key of all namespaces has none, since a budget belongs to "
                             "one namespace");
    }
    budget->namespace_ = key->namespace_;
    budget->by         = key->created_by;
    TRY(budget_request_read(call, budget, reterr));
    bool is_its = budget->spec->scope == PB__BUDGET_SCOPE__BUDGET_SCOPE_KEY &&
                  strcmp(budget->spec->value, key->id) == 0;
    return is_its ? STATUS_OK : wrong(reterr, "budget: its scope is the key");
}

static status create(struct rpc_call *call, struct error *reterr)
{
    const Pb__CreateKey *given = call->request;
    Pb__CreateKey *request     = arena_alloc(call->arena, sizeof *request);
    Pb__PutBudget *budget      = arena_alloc(call->arena, sizeof *budget);
    Pb__ApiKey *key            = arena_alloc(call->arena, sizeof *key);
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    if (!given->key) return wrong(reterr, "a key is required");
    if (!request || !budget || !key) return no_memory(reterr);
    TRY(check_key(given->key, reterr));
    *request        = *given;
    *key            = *given->key;
    request->key    = key;
    key->revoked    = false;
    key->created_us = 0;
    if (given->budget) {
        *budget         = *given->budget;
        request->budget = budget;
        TRY(read_budget(call, key, budget, reterr));
    }
    return post(call, COMMAND_CREATE_KEY, request, reterr);
}

static status rotate(struct rpc_call *call, struct error *reterr)
{
    const Pb__RotateKey *given = call->request;
    Pb__RotateKey *request     = arena_alloc(call->arena, sizeof *request);
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    if (!request) return no_memory(reterr);
    TRY(check_id(given->id, reterr));
    if (given->secret_sha256.len != SHA256_SIZE) return wrong(reterr, "a digest is required");
    if (given->overlap_us < 0 || given->overlap_us > OVERLAP_MAX_US) {
        return wrong(reterr, "overlap: at most 30d");
    }
    *request            = *given;
    request->namespace_ = text_in(call->arena, call_namespace(call, given->namespace_));
    if (!request->namespace_) return no_memory(reterr);
    return post(call, COMMAND_ROTATE_KEY, request, reterr);
}

static status revoke(struct rpc_call *call, struct error *reterr)
{
    const Pb__KeyAt *given = call->request;
    Pb__KeyAt *request     = arena_alloc(call->arena, sizeof *request);
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    if (!request) return no_memory(reterr);
    TRY(check_id(given->id, reterr));
    *request            = *given;
    request->namespace_ = text_in(call->arena, call_namespace(call, given->namespace_));
    if (!request->namespace_) return no_memory(reterr);
    return post(call, COMMAND_REVOKE_KEY, request, reterr);
}

static status used(struct rpc_call *call, struct error *reterr)
{
    const Pb__KeysUsed *request = call->request;
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    if (request->n_keys > USED_MAX) return wrong(reterr, "at most 1,000 keys at once");
    for (size_t i = 0; i < request->n_keys; i++) TRY(check_id(request->keys[i]->id, reterr));
    struct command *command = call_command(call, COMMAND_NOTE_KEYS, 0);
    if (!command) return no_memory(reterr);
    call_post(call, scheduler_shard(call->context, 0), command);
    return STATUS_OK;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static void hide(Pb__ApiKey *key)
{
    key->secret_sha256   = (ProtobufCBinaryData){};
    key->previous_sha256 = (ProtobufCBinaryData){};
}

static status get(struct rpc_call *call, struct error *reterr)
{
    const Pb__KeyAt *request            = call->request;
    struct store *store                 = scheduler_system_store(call->context);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__ApiKey *row                     = NULL;
    struct key key;
    if (!store) return call_moved(call, 0);
    TRY(check_id(request->id, reterr));
    TRY(txn_begin_read(store, &txn, reterr));
    api_key_key(&key, str_from(request->id));
    status got  = record_get(txn, TABLE_API_KEYS, key_bytes(&key), &pb__api_key__descriptor,
                             call->arena, &row, reterr);
    bool is_its = got == STATUS_OK && namespace_reaches(call_namespace(call, request->namespace_),
                                                        str_from(row->namespace_));
    if (got == STATUS_NOT_FOUND || (got == STATUS_OK && !is_its)) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no key `%s`",
                         request->id);
    }
    TRY(got);
    hide(row);
    *(Pb__ApiKey *)call->response = *row;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

struct listing {
    struct arena *arena;
    str namespace;
    Pb__KeyList *answer;
    struct row_page page;
};

static status take_row(struct txn *, bytes value, void *context, bool *ret_is_full,
                       struct error *reterr)
{
    struct listing *list = context;
    Pb__ApiKey *row      = NULL;
    *ret_is_full         = list->answer->n_keys == list->page.size;
    if (*ret_is_full) return STATUS_OK;
    TRY(record_read(value, &pb__api_key__descriptor, list->arena, &row, reterr));
    if (!namespace_reaches(list->namespace, str_from(row->namespace_))) return STATUS_OK;
    hide(row);
    list->answer->keys[list->answer->n_keys++] = row;
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListKeys *request         = call->request;
    struct store *store                 = scheduler_system_store(call->context);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    const struct scan all               = {};
    struct listing listing              = {.arena     = call->arena,
                                           .namespace = call_namespace(call, request->namespace_),
                                           .answer    = call->response};
    if (!store) return call_moved(call, 0);
    TRY(row_page_begin(request->page, listing.namespace, call->arena, &listing.page, reterr));
    listing.answer->keys = arena_alloc(call->arena, listing.page.size * sizeof(void *));
    if (!listing.answer->keys) return no_memory(reterr);
    TRY(txn_begin_read(store, &txn, reterr));
    TRY(row_page_walk(&listing.page, txn, TABLE_API_KEYS, all, take_row, &listing, reterr));
    listing.answer->next_token = row_page_next(&listing.page, call->arena);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method key_service_methods[] = {
    {.name = "Create", .handle = create},
    {.name = "Get", .handle = get},
    {.name = "List", .handle = list},
    {.name = "Rotate", .handle = rotate},
    {.name = "Revoke", .handle = revoke},
    {.name = "Used", .handle = used},
    {},
};
