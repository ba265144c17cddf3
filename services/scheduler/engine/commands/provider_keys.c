#include "scheduler/engine/commands/provider_keys.h"

#include "base/log.h"
#include "provider_key.pb-c.h"

static status count_row(bytes, bytes, struct error *, void *context)
{
    ++*(size_t *)context;
    return STATUS_OK;
}

static status has_room(struct engine *engine, const struct key *wanted, bool *ret_has_room,
                       struct error *reterr)
{
    bytes row        = {};
    size_t count     = 0;
    struct page page = {};
    struct key prefix;
    *ret_has_room = txn_get(engine->txn, TABLE_META, key_bytes(wanted), &row, NULL) == STATUS_OK;
    if (*ret_has_room) return STATUS_OK;
    provider_key_row(&prefix, (str){});
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    TRY(txn_page(engine->txn, TABLE_META, &scan, PROVIDER_KEYS_KEPT_MAX, &page, count_row, &count,
                 reterr));
    *ret_has_room = count < PROVIDER_KEYS_KEPT_MAX;
    return STATUS_OK;
}

status engine_put_provider_key(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__ProviderKey *request = command->request;
    Pb__ProviderKey row            = *request;
    bool may_put                   = false;
    struct key key;
    engine_answer(engine, command);
    provider_key_row(&key, str_from(row.provider));
    TRY(has_room(engine, &key, &may_put, reterr));
    if (!may_put) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                              "%d providers have keys of their own already",
                              PROVIDER_KEYS_KEPT_MAX);
    }
    row.set_us = engine->now_us;
    TRY(record_put(engine->txn, TABLE_META, key_bytes(&key), &row.base, reterr));
    log_write(LOG_INFO, "provider_key.set", LOG_TEXT_OF("provider", row.provider),
              LOG_TEXT_OF("by", row.by));
    row.sealed                            = (ProtobufCBinaryData){};
    *(Pb__ProviderKey *)command->response = row;
    return STATUS_OK;
}

status engine_delete_provider_key(struct engine *engine, struct command *command,
                                  struct error *reterr)
{
    const Pb__DeleteProviderKey *request = command->request;
    struct key key;
    engine_answer(engine, command);
    provider_key_row(&key, str_from(request->provider));
    status deleted = txn_delete(engine->txn, TABLE_META, key_bytes(&key), NULL);
    if (deleted == STATUS_NOT_FOUND) {
        return command_refuse(command, STATUS_NOT_FOUND, "not_found",
                              "no key was set for a provider `%s`", request->provider);
    }
    if (deleted != STATUS_OK) return fail(reterr, deleted, "meta: the key of a provider");
    log_write(LOG_INFO, "provider_key.removed", LOG_TEXT_OF("provider", request->provider),
              LOG_TEXT_OF("by", request->by));
    return STATUS_OK;
}
