#include "scheduler/engine/commands/import.h"

#include "scheduler/run/renumber.h"
#include "scheduler/tables/erasures.h"
#include "scheduler/tables/kept_run.h"

/* --- what was there before ---------------------------------------------------------------------
 */

/* The same run has the same definition, and ended at the same event and time. */
static bool is_same(const struct kept_run *kept, const Pb__RunView *row)
{
    bool is_digest = str_equal(str_of(kept->row->digest), str_of(row->digest));
    return is_digest && row->last_sequence == run_sequence(kept->run) &&
           row->ended_us == run_ended_us(kept->run) && row->erased_us == kept->row->erased_us;
}

static status answer_existing(struct command *command, const struct kept_run *kept, bool is_equal)
{
    Pb__ImportedRun *answer = command->response;
    answer->created         = false;
    if (is_equal) return STATUS_OK;
    return command_refuse(command, STATUS_ALREADY_EXISTS, "run_id_in_use",
                          "run %s is here and has another history: it went on, or was erased, "
                          "since it was exported; delete it first if the line is to count",
                          kept->id.text);
}

/* `*ret_found`: there is nothing to write, and the command has its answer. */
static status find_existing(struct engine *engine, struct command *command,
                            const struct kept_run *kept, bool *ret_found, struct error *reterr)
{
    str id                = str_from(kept->id.text);
    struct live_run *live = run_cache_find(&engine->cache, id);
    Pb__RunView *row      = NULL;
    bytes deletion        = {};
    struct error why      = {};
    struct key key;
    *ret_found = true;
    if (live && live->is_touched) {
        bool is_equal = live->is_new && run_sequence(live->run) == run_sequence(kept->run);
        return answer_existing(command, kept, is_equal);
    }
    status got = run_row_get(engine->txn, id, engine->arena, &row, &why);
    if (got == STATUS_OK) return answer_existing(command, kept, is_same(kept, row));
    if (got != STATUS_NOT_FOUND) return fail(reterr, got, "%s", why.text);
    id_key(&key, id);
    got = txn_get(engine->txn, TABLE_DELETIONS, key_bytes(&key), &deletion, NULL);
    if (got == STATUS_OK) {
        return command_refuse(command, STATUS_UNAVAILABLE, "unavailable",
                              "run %s is being deleted; import it again in a second",
                              kept->id.text);
    }
    if (got != STATUS_NOT_FOUND) return fail(reterr, got, "deletions cannot be read");
    *ret_found = false;
    return STATUS_OK;
}

/* What was erased does not come back by a line of before. */
static status refuse_erased(struct engine *engine, struct command *command,
                            const struct kept_run *kept, bool *ret_refused, struct error *reterr)
{
    uint64_t sequence = 0;
    *ret_refused      = false;
    if (kept->row->erased_us > 0) return STATUS_OK;
    TRY(erasures_find(engine->txn, str_from(kept->id.text), ERASURE_OF_VALUES, &sequence, reterr));
    *ret_refused = sequence > 0;
    if (!*ret_refused) return STATUS_OK;
    return command_refuse(command, STATUS_FAILED_PRECONDITION, "run_erased",
                          "run %s was erased here: what the line holds must not come back; leave "
                          "it out",
                          kept->id.text);
}

/* --- rows --------------------------------------------------------------------------------------
 */

static status put_payloads(struct engine *engine, const Pb__KeptRun *message, struct error *reterr)
{
    for (size_t i = 0; i < message->n_payloads; i++) {
        struct key_u64 key = key_of_u64(engine->payload_next);
        const bytes text   = {message->payloads[i].data, message->payloads[i].len};
        TRY(row_append(engine->txn, TABLE_PAYLOADS, key_u64_bytes(&key), text, reterr));
        engine->payload_next++;
    }
    return STATUS_OK;
}

static status shift(uint64_t payload, const uint8_t *, uint64_t *ret_payload, void *context,
                    struct error *)
{
    const uint64_t *base = context;
    *ret_payload         = payload + *base;
    return STATUS_OK;
}

static status put_entries(struct engine *engine, const Pb__KeptRun *message, uint64_t base,
                          struct live_run *live, struct error *reterr)
{
    for (size_t i = 0; i < message->n_entries; i++) {
        const bytes entry                = {message->entries[i].data, message->entries[i].len};
        const struct renumbering numbers = {
            .previous = live->head.last_entry, .payload = shift, .context = &base};
        struct key_u64 key = key_of_u64(engine->journal_next);
        buf_clear(&engine->entry);
        TRY(entry_renumber(entry, &numbers, &engine->entry, reterr));
        TRY(row_append(engine->txn, TABLE_JOURNAL, key_u64_bytes(&key),
                       bytes_from(buf_str(&engine->entry)), reterr));
        live->head.last_entry = engine->journal_next++;
        live->head.entries_since++;
    }
    return STATUS_OK;
}

/* A row that leads to the run, unless a later run has it, or one that has not ended. */
static status put_lead(struct engine *engine, enum table table, const struct key *key, str run,
                       struct error *reterr)
{
    const ProtobufCMessageDescriptor *type = &pb__client_id_record__descriptor;
    Pb__ClientIdRecord *other              = NULL;
    Pb__ClientIdRecord record              = PB__CLIENT_ID_RECORD__INIT;
    Pb__RunView *row                       = NULL;
    status got = record_get(engine->txn, table, key_bytes(key), type, engine->arena, &other, NULL);
    if (got != STATUS_OK && got != STATUS_NOT_FOUND) {
        return fail(reterr, got, "a row of a client id");
    }
    bool is_known =
        got == STATUS_OK && id_is_valid(str_from(other->run)) &&
        run_row_get(engine->txn, str_from(other->run), engine->arena, &row, NULL) == STATUS_OK;
    if (is_known && !run_status_wire_is_final(row->status)) return STATUS_OK;
    if (is_known && strcmp(other->run, run.ptr) > 0) return STATUS_OK; /* ids sort by creation */
    record.run = run.ptr;
    return record_put(engine->txn, table, key_bytes(key), &record.base, reterr);
}

static status put_leads(struct engine *engine, const Pb__RunView *row, struct error *reterr)
{
    struct key key;
    str run       = str_from(row->id);
    str namespace = str_from(row->namespace_);
    if (*row->client_id) {
        client_id_key(&key, namespace, str_from(row->client_id));
        TRY(put_lead(engine, TABLE_CLIENT_IDS, &key, run, reterr));
    }
    if (row->start_key.len == 0) return STATUS_OK;
    start_key_key(&key, namespace, str_from(row->workflow), str_of(row->start_key));
    return put_lead(engine, TABLE_START_KEYS, &key, run, reterr);
}

/* The rest is written at the end of the turn, as of every new run. */
static status put_run(struct engine *engine, struct kept_run *kept, struct error *reterr)
{
    uint64_t base         = engine->payload_next - 1;
    struct live_run *live = run_cache_add(&engine->cache, TAKE(kept->run));
    live->is_new          = true;
    live->row             = arena_alloc(engine->arena, sizeof *live->row);
    live->created_us      = kept->row->created_us;
    engine_touch(engine, live);
    if (!live->row) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *live->row = *kept->row;
    run_renumber_payloads(live->run, base);
    TRY(put_payloads(engine, kept->message, reterr));
    TRY(put_entries(engine, kept->message, base, live, reterr));
    TRY(engine_keep_definition(engine, kept->workflow, reterr));
    return put_leads(engine, kept->row, reterr);
}

status engine_import_run(struct engine *engine, struct command *command, struct error *reterr)
{
    struct kept_run *kept   = (struct kept_run *)(uintptr_t)command->request;
    Pb__ImportedRun *answer = command->response;
    bool is_found           = false;
    engine_answer(engine, command);
    answer->id = text_in(command->arena, str_from(kept->id.text));
    TRY(find_existing(engine, command, kept, &is_found, reterr));
    if (is_found) return STATUS_OK;
    TRY(refuse_erased(engine, command, kept, &is_found, reterr));
    if (is_found) return STATUS_OK;
    if (!engine->accepts_runs) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "store_full",
                              "the store is nearly full: new runs are refused");
    }
    answer->created = true;
    return put_run(engine, kept, reterr);
}
