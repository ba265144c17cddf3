/* The second step: what a deleted run left, or one that is erased, piece by piece. */
#include "base/log.h"
#include "scheduler/engine/redrive/calls.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/engine/removal/damage.h"
#include "scheduler/engine/removal/deletion.h"
#include "scheduler/engine/removal/erasure.h"
#include "scheduler/tables/dead_letters.h"
#include "scheduler/tables/event_index.h"

enum {
    RUNS_PER_TURN    = 200,
    ANSWERS_PER_LOOK = 50,      /* then the time is looked at */
    LETTERS_PER_LOOK = 50,      /* likewise */
    LETTER_INPUT_MAX = 8 << 20, /* bytes that a dead letter keeps when its run is gone */
};

/* A piece of work on one run. */
struct piece {
    struct engine *engine;
    str run;
    Pb__DeletionRecord *record;
    unsigned *rows_left; /* of the turn */
    int64_t until_us;    /* monotonic */
    uint64_t seen;       /* payloads of the entry or the snapshot at hand */
    bool has_letters;    /* of the entry at hand */
    status failed;
};

static bool is_spent(const struct piece *piece)
{
    return *piece->rows_left == 0 || engine_mono_us(piece->engine) >= piece->until_us;
}

static void row_delete(struct piece *piece, enum table table, bytes key)
{
    status deleted = txn_delete(piece->engine->txn, table, key, NULL);
    if (deleted != STATUS_OK && deleted != STATUS_NOT_FOUND) piece->failed = deleted;
    if (*piece->rows_left > 0) --*piece->rows_left;
}

static void payload_erase(struct piece *piece, uint64_t payload)
{
    status erased = engine_erase_payload(piece->engine, payload, NULL);
    if (erased != STATUS_OK) piece->failed = erased;
    if (*piece->rows_left > 0) --*piece->rows_left;
}

/* --- what an entry or a snapshot names ---------------------------------------------------------
 */

/* Those before `done` are gone; what comes after the turn's share stays for the next one. */
static void on_payload(uint64_t payload, void *context)
{
    struct piece *piece = context;
    if (piece->seen++ < piece->record->done || is_spent(piece)) return;
    struct key_u64 key = key_of_u64(payload);
    if (piece->record->is_erasure) {
        payload_erase(piece, payload);
    } else {
        row_delete(piece, TABLE_PAYLOADS, key_u64_bytes(&key));
    }
    piece->record->done = piece->seen;
}

static void on_event(const struct event *event, void *context)
{
    struct piece *piece = context;
    if (event->kind == EVENT_APPROVAL_REQUESTED && id_is_valid(str_from(event->id.text))) {
        struct key key;
        id_key(&key, str_from(event->id.text));
        row_delete(piece, TABLE_APPROVALS, key_bytes(&key));
    }
    /* An emitted one may lie in a payload, and is null here then. */
    bool is_letter = event->kind == EVENT_EMITTED &&
                     (json_is(event->value, JSON_NULL) ||
                      str_is(event_type_of(event->value), "dev.tutti.deadletter.v1"));
    piece->has_letters |=
        is_letter || event->kind == EVENT_JOB_DEAD || event->kind == EVENT_COMPENSATION_FAILED;
}

/* Says whether everything that was named is gone. */
static bool is_through(const struct piece *piece)
{
    return piece->record->done >= piece->seen;
}

/* --- dead letters that stay --------------------------------------------------------------------
 */

/* What it was asked lies in a payload of the run; one that is too large is left out. */
static status letter_fill(struct engine *engine, Pb__JobRecord *job, struct error *reterr)
{
    struct payload_access access        = {.txn = engine->txn};
    const struct payload_store payloads = payload_store_of(&access);
    str text                            = {};
    status loaded = payloads.load(job->input_payload, &text, payloads.context, NULL);
    if (loaded != STATUS_OK && loaded != STATUS_NOT_FOUND && loaded != STATUS_DATA_LOSS) {
        return fail(reterr, loaded, "a payload cannot be read");
    }
    if (loaded == STATUS_OK && text.len <= LETTER_INPUT_MAX) {
        job->job->input_json = bytes_in(engine->arena, text);
    }
    job->input_payload = 0;
    return STATUS_OK;
}

static status letter_keep(struct piece *piece, bytes key, struct error *reterr)
{
    struct engine *engine                  = piece->engine;
    Pb__DeadLetterRecord *row              = NULL;
    const ProtobufCMessageDescriptor *type = &pb__dead_letter_record__descriptor;
    status got =
        record_get(engine->txn, TABLE_DEAD_LETTERS, key, type, engine->arena, &row, reterr);
    if (got == STATUS_NOT_FOUND || got == STATUS_DATA_LOSS) return STATUS_OK;
    TRY(got);
    if (!row->job || !row->job->job || row->job->input_payload == 0) return STATUS_OK;
    TRY(letter_fill(engine, row->job, reterr));
    return record_put(engine->txn, TABLE_DEAD_LETTERS, key, &row->base, reterr);
}

static status letters_keep(struct piece *piece, struct error *reterr)
{
    struct engine *engine      = piece->engine;
    Pb__DeletionRecord *record = piece->record;
    struct key key;
    while (!is_spent(piece) && !record->letters_are_whole) {
        bool is_found = false;
        TRY(letter_after(engine->txn, piece->run, &record->letter, &key, &is_found, reterr));
        record->letters_are_whole = !is_found;
        if (is_found) TRY(letter_keep(piece, key_bytes(&key), reterr));
        if (*piece->rows_left > 0) --*piece->rows_left;
    }
    return STATUS_OK;
}

/* --- dead letters that go ----------------------------------------------------------------------
 */

static status letters_drop(struct piece *piece, struct error *reterr)
{
    Pb__DeletionRecord *record = piece->record;
    while (!is_spent(piece) && record->drops_letters) {
        size_t share = *piece->rows_left < LETTERS_PER_LOOK ? *piece->rows_left : LETTERS_PER_LOOK;
        size_t count = 0;
        TRY(engine_drop_some_letters(piece->engine, piece->run, share, &count, reterr));
        record->drops_letters = count == share;
        *piece->rows_left -= (unsigned)count;
    }
    return STATUS_OK;
}

status engine_drop_letters_later(struct engine *engine, str run, struct error *reterr)
{
    Pb__DeletionRecord gone    = PB__DELETION_RECORD__INIT;
    Pb__DeletionRecord *record = NULL;
    struct key key;
    id_key(&key, run);
    status got = record_get(engine->txn, TABLE_DELETIONS, key_bytes(&key),
                            &pb__deletion_record__descriptor, engine->arena, &record, reterr);
    if (got != STATUS_OK && got != STATUS_NOT_FOUND && got != STATUS_DATA_LOSS) return got;
    if (got != STATUS_OK) {
        gone.is_snapshot_gone = got == STATUS_NOT_FOUND;
        gone.is_search        = got == STATUS_DATA_LOSS; /* as begin_anew() */
        record                = &gone;
    }
    record->keeps_letters = false;
    record->drops_letters = true;
    engine->has_deletions = true;
    return record_put(engine->txn, TABLE_DELETIONS, key_bytes(&key), &record->base, reterr);
}

/* --- a run -------------------------------------------------------------------------------------
 */

static status snapshot_delete(struct piece *piece, struct error *reterr)
{
    struct engine *engine = piece->engine;
    bytes snapshot        = {};
    struct key key;
    id_key(&key, piece->run);
    status got = txn_get(engine->txn, TABLE_SNAPSHOTS, key_bytes(&key), &snapshot, NULL);
    if (got != STATUS_OK && got != STATUS_NOT_FOUND) {
        return fail(reterr, got, "a snapshot cannot be read");
    }
    piece->seen = 0;
    if (got == STATUS_OK) {
        /* A view of a page that deletions in other tables may move. */
        char *copy = arena_strdup(engine->arena, (str){snapshot.ptr, snapshot.len});
        if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
        struct error why = {};
        status read = run_snapshot_payloads((bytes){copy, snapshot.len}, on_payload, piece, &why);
        if (read != STATUS_OK) {
            log_write(LOG_WARN, "deletion.damaged", LOG_STR("run", piece->run),
                      LOG_TEXT_OF("error", why.text));
        } else if (!is_through(piece)) {
            return STATUS_OK;
        }
    }
    row_delete(piece, TABLE_SNAPSHOTS, key_bytes(&key));
    piece->record->is_snapshot_gone = true;
    piece->record->done             = 0;
    return STATUS_OK;
}

/* Everything that the entry names is gone. `ret_why`: it cannot be read; else as everywhere. */
static status entry_end(struct piece *piece, bytes entry, struct error *ret_why)
{
    uint64_t number    = piece->record->entry;
    struct key_u64 key = key_of_u64(number);
    if (!piece->record->is_erasure) {
        row_delete(piece, TABLE_JOURNAL, key_u64_bytes(&key));
        return STATUS_OK;
    }
    status erased = engine_erase_entry(piece->engine, number, entry, ret_why);
    if (*piece->rows_left > 0) --*piece->rows_left;
    if (erased != STATUS_OK && erased != STATUS_DATA_LOSS) piece->failed = erased;
    return erased;
}

/* Damage is no reason to keep the rest: where the chain cannot be followed it is searched for. */
static status entry_delete(struct piece *piece, struct error *reterr)
{
    struct engine *engine      = piece->engine;
    Pb__DeletionRecord *record = piece->record;
    struct key_u64 key         = key_of_u64(record->entry);
    bytes view                 = {};
    struct entry_header header = {};
    struct error why           = {};
    status got = txn_get(engine->txn, TABLE_JOURNAL, key_u64_bytes(&key), &view, NULL);
    if (got == STATUS_OK) {
        char *copy = arena_strdup(engine->arena, (str){view.ptr, view.len});
        if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
        const bytes entry                  = {copy, view.len};
        const struct entry_scanner scanner = {on_payload, on_event, piece};
        piece->seen                        = 0;
        piece->has_letters                 = false;
        got                                = entry_read_header(entry, &header, &why);
        if (got == STATUS_OK) got = entry_scan(entry, &scanner, &why);
        if (got == STATUS_OK && !is_through(piece)) return STATUS_OK;
        if (piece->has_letters && !record->keeps_letters) record->drops_letters = true;
        if (got == STATUS_OK) got = entry_end(piece, entry, &why);
    }
    if (got != STATUS_OK || header.previous >= record->entry) {
        log_write(LOG_WARN, "deletion.damaged", LOG_STR("run", piece->run),
                  LOG_INT("entry", (int64_t)record->entry), LOG_TEXT_OF("error", why.text));
        header.previous = 0;
        if (!record->is_erasure) {
            row_delete(piece, TABLE_JOURNAL, key_u64_bytes(&key));
            engine_damage_search_entries(record);
        }
    }
    record->entry = header.previous;
    record->done  = 0;
    return STATUS_OK;
}

/* What was answered to requests with a key. False: there is more than the turn may do. */
static status answers_erase(struct piece *piece, bool *ret_done, struct error *reterr)
{
    size_t count = 0;
    for (*ret_done = false; !*ret_done && !is_spent(piece);) {
        size_t share = *piece->rows_left < ANSWERS_PER_LOOK ? *piece->rows_left : ANSWERS_PER_LOOK;
        TRY(engine_answers_erase(piece->engine, piece->run, share, &count, reterr));
        *ret_done = count < share;
        *piece->rows_left -= (unsigned)count;
    }
    return STATUS_OK;
}

static bool is_gone(const Pb__DeletionRecord *record)
{
    bool is_read = record->is_snapshot_gone && record->entry == 0 && !record->is_search;
    return is_read && !record->drops_letters;
}

static status run_delete(struct piece *piece, struct error *reterr)
{
    Pb__DeletionRecord *record = piece->record;
    bool has_no_answer         = false;
    TRY(answers_erase(piece, &has_no_answer, reterr));
    if (record->keeps_letters) TRY(letters_keep(piece, reterr)); /* before their payloads go */
    while (!is_spent(piece) && !is_gone(record)) {
        if (record->drops_letters) {
            TRY(letters_drop(piece, reterr));
        } else if (!record->is_snapshot_gone) {
            TRY(snapshot_delete(piece, reterr));
        } else if (record->entry > 0) {
            TRY(entry_delete(piece, reterr));
        } else {
            TRY(engine_damage_search(piece->engine, piece->run, record, piece->until_us, reterr));
        }
        if (piece->failed != STATUS_OK) {
            return fail(reterr, piece->failed, "rows of a run cannot be deleted or erased");
        }
    }
    struct key key;
    id_key(&key, piece->run);
    if (!has_no_answer || !is_gone(record)) {
        return record_put(piece->engine->txn, TABLE_DELETIONS, key_bytes(&key), &record->base,
                          reterr);
    }
    TRY(engine_calls_forget(piece->engine, piece->run, reterr));
    return txn_delete(piece->engine->txn, TABLE_DELETIONS, key_bytes(&key), reterr);
}

/* --- a turn ------------------------------------------------------------------------------------
 */

/* How far it was cannot be read: all over again. A run that is still there is being erased; if it
 * cannot be read either, there is nothing to go by. */
static status begin_anew(struct engine *engine, str run, Pb__DeletionRecord **ret_record,
                         struct error *reterr)
{
    Pb__RunView *row           = NULL;
    Pb__RunHead *head          = NULL;
    Pb__DeletionRecord *record = arena_alloc(engine->arena, sizeof *record);
    if (!record) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *record    = (Pb__DeletionRecord)PB__DELETION_RECORD__INIT;
    status got = run_rows_get(engine->txn, run, engine->arena, &row, &head, reterr);
    switch (got) {
    case STATUS_NOT_FOUND:
        record->is_search     = true;
        record->keeps_letters = true; /* nobody knows: what is dropped does not come back */
        break;
    case STATUS_OK:
        record->is_erasure = true;
        record->entry      = head->last_entry;
        break;
    case STATUS_DATA_LOSS: record->is_snapshot_gone = true; break;
    default: return got;
    }
    log_write(LOG_WARN, "deletion.damaged", LOG_STR("run", run),
              LOG_TEXT_OF("error", "how far it was"));
    *ret_record = record;
    return STATUS_OK;
}

/* The first of the table; `*ret_record` NULL: there is none. */
static status next_run(struct engine *engine, struct id *ret_run, Pb__DeletionRecord **ret_record,
                       struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {};
    bytes key                                    = {};
    bytes row                                    = {};
    *ret_record                                  = NULL;
    TRY(cursor_open(engine->txn, TABLE_DELETIONS, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &row, NULL);
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "deletions cannot be read");
    if (!key_take_id(&key, ret_run)) return fail(reterr, STATUS_DATA_LOSS, "deletions: a key");
    status read =
        record_read(row, &pb__deletion_record__descriptor, engine->arena, ret_record, NULL);
    if (read != STATUS_DATA_LOSS) return read;
    return begin_anew(engine, str_from(ret_run->text), ret_record, reterr);
}

status engine_deletions_go_on(struct engine *engine, struct error *reterr)
{
    unsigned rows_left = DELETE_ROWS_PER_TURN;
    struct id run      = {};
    struct piece piece = {
        .engine    = engine,
        .rows_left = &rows_left,
        .until_us  = engine_mono_us(engine) + DELETE_TURN_US,
    };
    for (size_t i = 0; engine->has_deletions && i < RUNS_PER_TURN && !is_spent(&piece); i++) {
        TRY(next_run(engine, &run, &piece.record, reterr));
        if (!piece.record) {
            engine->has_deletions = false;
            return STATUS_OK;
        }
        piece.run = str_from(run.text);
        TRY(run_delete(&piece, reterr));
    }
    return STATUS_OK;
}

status engine_deletions_left(struct engine *engine, uint64_t *ret_count, struct error *reterr)
{
    return txn_count(engine->txn, TABLE_DELETIONS, ret_count, reterr);
}

status engine_deletions_recover(struct engine *engine, struct error *reterr)
{
    uint64_t count = 0;
    TRY(engine_deletions_left(engine, &count, reterr));
    engine->has_deletions = count > 0;
    return STATUS_OK;
}
