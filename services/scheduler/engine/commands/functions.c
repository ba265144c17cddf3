/* The catalog's rows: what was registered under a version is never changed, but for its summary. */
#include "base/log.h"
#include "function.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/tables/function_registry.h"
#include "workflow/function_catalog.h"
#include "json/json_text.h"

/* The row of this version; `*ret_there` JSON_INVALID: there is none. Owned. */
static status read_row(struct engine *engine, bytes key, json *ret_there, struct error *reterr)
{
    bytes row  = {};
    status got = txn_get(engine->txn, TABLE_FUNCTIONS, key, &row, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "the functions cannot be read");
    str text = {row.ptr, row.len};
    return json_parse(text, NULL, ret_there, NULL, reterr);
}

/* `*ret_refused`: another contract stands under this version. */
static status keep(struct engine *engine, const struct function_description *function,
                   bool *ret_refused, struct error *reterr)
{
    CLEANUP(json_unrefp) json there = json_invalid();
    struct key key;
    function_key(&key, str_from(function->name), str_from(function->version));
    TRY(read_row(engine, key_bytes(&key), &there, reterr));
    struct function_description old = {};
    bool has_old =
        !json_is(there, JSON_INVALID) && function_description_read(there, &old, NULL) == STATUS_OK;
    *ret_refused = has_old && !function_contract_equal(&old, function);
    if (*ret_refused) return STATUS_OK;
    CLEANUP(json_unrefp) json text = json_to_text_new(function->source);
    return txn_put(engine->txn, TABLE_FUNCTIONS, key_bytes(&key), bytes_from(json_str(text)),
                   reterr);
}

status engine_register_functions(struct engine *engine, struct command *command,
                                 struct error *reterr)
{
    const Pb__RegisterFunctions *request = command->request;
    Pb__RegisteredFunctions *answer      = command->response;
    engine_answer(engine, command);
    for (uint32_t i = 0; i < command->value_count; i++) {
        struct function_description function = {};
        bool is_refused                      = false;
        if (json_is(command->values[i], JSON_INVALID)) continue;
        TRY(function_description_read(command->values[i], &function, reterr));
        TRY(keep(engine, &function, &is_refused, reterr));
        if (!is_refused) {
            answer->added++;
            continue;
        }
        log_write(LOG_WARN, "functions.refused", LOG_TEXT_OF("worker", request->worker),
                  LOG_TEXT_OF("function", function.name), LOG_TEXT_OF("version", function.version));
        function_refuse(command->arena, answer, i, &function,
                        "this version is registered with another contract (schemas, effect, queue, "
                        "idempotency or compensation); a changed function needs a new version");
        json_unref(json_take(&command->values[i]));
    }
    return STATUS_OK;
}
