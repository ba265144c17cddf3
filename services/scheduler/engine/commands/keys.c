#include "scheduler/engine/commands/keys.h"

#include "auth/namespace.h"
#include "auth/role.h"
#include "base/log.h"
#include "key.pb-c.h"
#include "scheduler/engine/budgets/engine_budgets.h"

enum { ROW_ARENA_MAX = 1 << 20, KEYS_PER_PAGE = 500 };
#define MINUTE_US INT64_C(60'000'000)

/* The answer has the hash: whoever made a secret sees whether it is the one that counts. */
static status put_row(struct engine *engine, struct command *command, const Pb__ApiKey *row,
                      struct error *reterr)
{
    struct key key;
    api_key_key(&key, str_from(row->id));
    TRY(record_put(engine->txn, TABLE_API_KEYS, key_bytes(&key), &row->base, reterr));
    *(Pb__ApiKey *)command->response = *row;
    return STATUS_OK;
}

status engine_put_key(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__ApiKey *request = command->request;
    engine_answer(engine, command);
    Pb__ApiKey row = *request;
    if (row.created_us == 0) row.created_us = engine->now_us;
    return put_row(engine, command, &row, reterr);
}

/* The answer lives as long as the command's arena. A key of another namespace does not exist. */
static status find(struct engine *engine, struct command *command, const char *namespace,
                   const char *id, Pb__ApiKey **ret_row, struct error *reterr)
{
    struct key key;
    api_key_key(&key, str_from(id));
    *ret_row   = NULL;
    status got = record_get(engine->txn, TABLE_API_KEYS, key_bytes(&key), &pb__api_key__descriptor,
                            command->arena, ret_row, reterr);
    if (got != STATUS_OK && got != STATUS_NOT_FOUND) return got;
    bool is_its = got == STATUS_OK &&
                  namespace_reaches(str_from(namespace), str_from((*ret_row)->namespace_));
    if (is_its) return STATUS_OK;
    *ret_row = NULL;
    return command_refuse(command, STATUS_NOT_FOUND, "not_found", "there is no key `%s`", id);
}

/* --- making ------------------------------------------------------------------------------------
 */

/* False: the command was refused, or it failed. */
static bool has_room(struct engine *engine, struct command *command, const Pb__ApiKey *wanted,
                     status *ret_failed, struct error *reterr)
{
    struct key key;
    bytes row      = {};
    uint64_t count = 0;
    api_key_key(&key, str_from(wanted->id));
    status got  = txn_get(engine->txn, TABLE_API_KEYS, key_bytes(&key), &row, NULL);
    *ret_failed = got == STATUS_NOT_FOUND ? STATUS_OK : got;
    if (got == STATUS_OK) {
        (void)command_refuse(command, STATUS_ALREADY_EXISTS, "already_exists",
                             "there is a key `%s` already; try again", wanted->id);
        return false;
    }
    if (got == STATUS_NOT_FOUND) {
        *ret_failed = txn_count(engine->txn, TABLE_API_KEYS, &count, reterr);
    }
    if (*ret_failed != STATUS_OK) return false;
    if (count < API_KEYS_MAX) return true;
    (void)command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                         "there are %d keys already, revoked ones included", API_KEYS_MAX);
    return false;
}

status engine_create_key(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__CreateKey *request = command->request;
    status failed                = STATUS_OK;
    Pb__ApiKey row               = *request->key;
    engine_answer(engine, command);
    if (!has_room(engine, command, &row, &failed, reterr)) return failed;
    if (request->budget) {
        TRY(engine_make_budget(engine, command, request->budget, reterr));
        if (command->code != STATUS_OK) return STATUS_OK;
        row.budget = request->budget->name;
    }
    row.created_us = engine->now_us;
    log_write(LOG_INFO, "key.created", LOG_TEXT_OF("key", row.id),
              LOG_TEXT_OF("namespace", row.namespace_), LOG_TEXT_OF("by", row.created_by));
    return put_row(engine, command, &row, reterr);
}

/* --- another secret ----------------------------------------------------------------------------
 */

status engine_rotate_key(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__RotateKey *request = command->request;
    Pb__ApiKey *row              = NULL;
    engine_answer(engine, command);
    TRY(find(engine, command, request->namespace_, request->id, &row, reterr));
    if (!row) return STATUS_OK;
    if (row->revoked) {
        return command_refuse(command, STATUS_FAILED_PRECONDITION, "key_revoked",
                              "key `%s` was revoked: make another one", row->id);
    }
    bool overlaps          = request->overlap_us > 0;
    row->previous_sha256   = overlaps ? row->secret_sha256 : (ProtobufCBinaryData){};
    row->previous_until_us = overlaps ? engine->now_us + request->overlap_us : 0;
    row->secret_sha256     = request->secret_sha256;
    row->rotated_us        = engine->now_us;
    log_write(LOG_INFO, "key.rotated", LOG_TEXT_OF("key", row->id), LOG_TEXT_OF("by", request->by));
    return put_row(engine, command, row, reterr);
}

/* --- used --------------------------------------------------------------------------------------
 */

static status note_use(struct engine *engine, const Pb__KeyUse *use, struct error *reterr)
{
    Pb__ApiKey *row = NULL;
    int64_t at_us   = use->at_us - use->at_us % MINUTE_US;
    struct key key;
    if (use->at_us > engine->now_us + MINUTE_US) return STATUS_OK; /* somebody's clock */
    api_key_key(&key, str_from(use->id));
    status got = record_get(engine->txn, TABLE_API_KEYS, key_bytes(&key), &pb__api_key__descriptor,
                            engine->arena, &row, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "table api_keys: a row");
    if (row->last_used_us >= at_us) return STATUS_OK;
    row->last_used_us = at_us;
    return record_put(engine->txn, TABLE_API_KEYS, key_bytes(&key), &row->base, reterr);
}

status engine_note_keys(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__KeysUsed *request = command->request;
    engine_answer(engine, command);
    for (size_t i = 0; i < request->n_keys; i++) {
        TRY(note_use(engine, request->keys[i], reterr));
    }
    return STATUS_OK;
}

/* --- no more -----------------------------------------------------------------------------------
 */

static bool is_admin(const Pb__ApiKey *key)
{
    for (size_t i = 0; i < key->n_roles; i++) {
        if (strcmp(key->roles[i], role_name(ROLE_ADMIN)) == 0) return true;
    }
    return false;
}

/* Whoever holds it can make keys for everybody, now and for good. */
static bool is_lasting_admin(const Pb__ApiKey *key)
{
    return !key->revoked && key->expires_us == 0 && strcmp(key->namespace_, "*") == 0 &&
           is_admin(key);
}

struct counting {
    struct arena *arena;
    const char *but; /* id of the one that goes */
    size_t count;
};

static status count_row(bytes, bytes row, struct error *reterr, void *context)
{
    struct counting *counting = context;
    Pb__ApiKey *key           = NULL;
    arena_clear(counting->arena);
    TRY(record_read(row, &pb__api_key__descriptor, counting->arena, &key, reterr));
    if (is_lasting_admin(key) && strcmp(key->id, counting->but) != 0) counting->count++;
    return STATUS_OK;
}

static status has_other_admin(struct engine *engine, const char *id, bool *ret_has_one,
                              struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);
    struct counting counting                 = {.arena = arena, .but = id};
    struct page page                         = {.has_more = true};
    const struct scan all                    = {};
    while (page.has_more && counting.count == 0) {
        TRY(txn_page(engine->txn, TABLE_API_KEYS, &all, KEYS_PER_PAGE, &page, count_row, &counting,
                     reterr));
    }
    *ret_has_one = counting.count > 0;
    return STATUS_OK;
}

status engine_revoke_key(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__KeyAt *request = command->request;
    Pb__ApiKey *row          = NULL;
    bool has_other           = true;
    engine_answer(engine, command);
    TRY(find(engine, command, request->namespace_, request->id, &row, reterr));
    if (!row) return STATUS_OK;
    if (row->revoked) return put_row(engine, command, row, reterr);
    if (is_lasting_admin(row)) TRY(has_other_admin(engine, row->id, &has_other, reterr));
    if (!has_other) {
        return command_refuse(command, STATUS_FAILED_PRECONDITION, "last_admin_key",
                              "`%s` is the last admin key of all namespaces that does not expire: "
                              "make another one first",
                              row->id);
    }
    row->revoked         = true;
    row->revoked_us      = engine->now_us;
    row->revoked_by      = request->by;
    row->previous_sha256 = (ProtobufCBinaryData){};
    log_write(LOG_INFO, "key.revoked", LOG_TEXT_OF("key", row->id), LOG_TEXT_OF("by", request->by));
    return put_row(engine, command, row, reterr);
}
