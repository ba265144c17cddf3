#include "scheduler/tables/dead_letters.h"

#include "scheduler/tables/run_wire.h"

enum {
    ROW_ARENA_MAX = 80 << 20, /* bytes: the largest row */
    INDEX_ROWS    = 1'000,    /* in a transaction */

    INDEX_RUN      = 1,
    INDEX_JOB      = 2,
    INDEX_COMPLETE = 3,
};

/* --- the index ---------------------------------------------------------------------------------
 */

/* The prefix of all of a run, or of a job; false: no id, so there is nothing. */
static bool index_prefix(struct key *key, uint8_t what, str id)
{
    key_begin(key);
    key_put_u8(key, what);
    if (!id_is_valid(id)) return false;
    key_put_id(key, id);
    return true;
}

static status sequence_of(bytes key, uint64_t *ret_sequence, struct error *reterr)
{
    struct key_text namespace = {};
    struct key_text queue     = {};
    bool is_read              = key_take_text(&key, &namespace) && key_take_text(&key, &queue) &&
                   key_take_u64(&key, ret_sequence) && key.len == 0;
    return is_read ? STATUS_OK : fail(reterr, STATUS_DATA_LOSS, "table dead_letters: a key");
}

static status index_put(struct txn *txn, bytes key, str run, str job, struct error *reterr)
{
    uint64_t sequence = 0;
    struct key place;
    TRY(sequence_of(key, &sequence, reterr));
    if (index_prefix(&place, INDEX_RUN, run)) {
        key_put_u64(&place, sequence);
        TRY(txn_put(txn, TABLE_LETTER_INDEX, key_bytes(&place), key, reterr));
    }
    if (!index_prefix(&place, INDEX_JOB, job)) return STATUS_OK;
    key_put_u64(&place, sequence);
    return txn_put(txn, TABLE_LETTER_INDEX, key_bytes(&place), key, reterr);
}

static status index_delete(struct txn *txn, uint8_t what, str id, uint64_t sequence,
                           struct error *reterr)
{
    struct key place;
    if (!index_prefix(&place, what, id)) return STATUS_OK;
    key_put_u64(&place, sequence);
    return txn_delete(txn, TABLE_LETTER_INDEX, key_bytes(&place), reterr);
}

status letter_put(struct txn *txn, bytes key, const Pb__DeadLetterRecord *row, struct error *reterr)
{
    const Pb__LeasedJob *job = row->job->job;
    TRY(record_put(txn, TABLE_DEAD_LETTERS, key, &row->base, reterr));
    return index_put(txn, key, str_from(job->run), str_from(job->id), reterr);
}

status letter_delete(struct txn *txn, bytes key, str run, str job, struct error *reterr)
{
    uint64_t sequence = 0;
    TRY(sequence_of(key, &sequence, reterr));
    TRY(txn_delete(txn, TABLE_DEAD_LETTERS, key, reterr));
    TRY(index_delete(txn, INDEX_RUN, run, sequence, reterr));
    return index_delete(txn, INDEX_JOB, job, sequence, reterr);
}

static const uint8_t complete_key[] = {INDEX_COMPLETE};

status letters_are_indexed(struct txn *txn, bool *ret_indexed, struct error *reterr)
{
    bytes row = {};
    status got =
        txn_get(txn, TABLE_LETTER_INDEX, (bytes){complete_key, sizeof complete_key}, &row, NULL);
    *ret_indexed = got == STATUS_OK;
    if (got == STATUS_OK || got == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, got, "the index of dead letters cannot be read");
}

status letters_index_some(struct txn *txn, struct page *page, bool *ret_done, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena     = arena_new(ROW_ARENA_MAX);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.after = {page->key, page->key_len}};
    *ret_done                                    = false;
    TRY(cursor_open(txn, TABLE_DEAD_LETTERS, &scan, &cursor, reterr));
    for (int i = 0; i < INDEX_ROWS; i++) {
        bytes key                 = {};
        bytes raw                 = {};
        Pb__DeadLetterRecord *row = NULL;
        status next               = cursor_next(cursor, &key, &raw, NULL);
        if (next == STATUS_NOT_FOUND) {
            *ret_done = true;
            return txn_put(txn, TABLE_LETTER_INDEX, (bytes){complete_key, sizeof complete_key},
                           (bytes){}, reterr);
        }
        if (next != STATUS_OK) return fail(reterr, next, "dead letters cannot be read");
        arena_clear(arena);
        TRY(record_read(raw, &pb__dead_letter_record__descriptor, arena, &row, reterr));
        memcpy(page->key, key.ptr, key.len);
        page->key_len = key.len;
        if (!row->job || !row->job->job) continue;
        TRY(index_put(txn, (bytes){page->key, page->key_len}, str_from(row->job->job->run),
                      str_from(row->job->job->id), reterr));
    }
    return STATUS_OK;
}

status letter_after(struct txn *txn, str run, uint64_t *sequence, struct key *ret_key,
                    bool *ret_found, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct key prefix;
    struct key after;
    bytes place = {};
    bytes key   = {};
    *ret_found  = false;
    if (!index_prefix(&prefix, INDEX_RUN, run)) return STATUS_OK;
    after = prefix;
    key_put_u64(&after, *sequence);
    const struct scan scan = {.prefix = key_bytes(&prefix), .after = key_bytes(&after)};
    TRY(cursor_open(txn, TABLE_LETTER_INDEX, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &place, &key, NULL);
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next == STATUS_OK && key.len <= STORE_KEY_MAX) next = sequence_of(key, sequence, reterr);
    if (next != STATUS_OK) return fail(reterr, next, "the index of dead letters cannot be read");
    key_begin(ret_key);
    memcpy(ret_key->data, key.ptr, key.len);
    ret_key->len = key.len;
    *ret_found   = true;
    return STATUS_OK;
}

/* --- questions ---------------------------------------------------------------------------------
 */

const char *letter_error_type(const Pb__DeadLetterRecord *row, struct arena *arena)
{
    CLEANUP(json_unrefp) json error = json_invalid();
    if (json_out(row->error_json, "error", &error, NULL) != STATUS_OK) return "";
    json type = json_get_text(error, "type");
    return json_is(type, JSON_TEXT) ? text_in(arena, json_str(type)) : "";
}

static bool is_text(str wanted, const char *text)
{
    return wanted.len == 0 || str_is(wanted, text);
}

bool letter_is_meant(const struct letter_filter *filter, const Pb__DeadLetterRecord *row,
                     struct arena *arena)
{
    const Pb__LeasedJob *job = row->job->job;
    bool is_any              = filter->namespace.len == 0 || str_is(filter->namespace, "*");
    if (!is_any && !is_text(filter->namespace, job->namespace_)) return false;
    if (!is_text(filter->job, job->id) || !is_text(filter->run, job->run)) return false;
    if (!is_text(filter->function, job->function)) return false;
    return filter->error_type.len == 0 || str_is(filter->error_type, letter_error_type(row, arena));
}

/* The queue in which it lies: the second part of the key. */
static bool is_in_queue(bytes key, str queue)
{
    struct key_text namespace = {};
    struct key_text name      = {};
    if (queue.len == 0) return true;
    return key_take_text(&key, &namespace) && key_take_text(&key, &name) &&
           str_equal((str){name.data, name.len}, queue);
}

struct question {
    struct txn *txn;
    const struct letter_filter *filter;
    struct arena *arena; /* of a row */
    letter_visit *visit;
    void *context;
};

static status look(const struct question *question, bytes key, bytes raw, struct error *reterr)
{
    const struct letter_filter *filter = question->filter;
    Pb__DeadLetterRecord *row          = NULL;
    if (!is_in_queue(key, filter->queue)) return STATUS_OK;
    arena_clear(question->arena);
    TRY(record_read(raw, &pb__dead_letter_record__descriptor, question->arena, &row, reterr));
    if (!row->job || !row->job->job) return STATUS_OK;
    if (!letter_is_meant(filter, row, question->arena)) return STATUS_OK;
    return question->visit(key, row, reterr, question->context);
}

static status visit_table(const struct question *question, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct letter_filter *filter           = question->filter;
    bool is_own                                  = queue_is_own(filter->queue);
    bool is_any      = filter->namespace.len == 0 || str_is(filter->namespace, "*");
    struct scan scan = {};
    struct key prefix;
    if (filter->queue.len > 0 && (is_own || !is_any)) {
        queue_key(&prefix, is_own ? (str){} : filter->namespace, filter->queue);
        scan.prefix = key_bytes(&prefix);
    }
    TRY(cursor_open(question->txn, TABLE_DEAD_LETTERS, &scan, &cursor, reterr));
    for (int i = 0; i < DEAD_LETTERS_MAX; i++) {
        bytes key   = {};
        bytes raw   = {};
        status next = cursor_next(cursor, &key, &raw, NULL);
        if (next == STATUS_NOT_FOUND) break;
        if (next != STATUS_OK) return fail(reterr, next, "dead letters cannot be read");
        TRY(look(question, key, raw, reterr));
    }
    return STATUS_OK;
}

/* By a job, or by a run. */
static status visit_index(const struct question *question, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct letter_filter *filter           = question->filter;
    bool is_of_job                               = filter->job.len > 0;
    struct key prefix;
    if (!index_prefix(&prefix, is_of_job ? INDEX_JOB : INDEX_RUN,
                      is_of_job ? filter->job : filter->run)) {
        return STATUS_OK;
    }
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(question->txn, TABLE_LETTER_INDEX, &scan, &cursor, reterr));
    for (;;) {
        bytes place = {};
        bytes key   = {};
        bytes raw   = {};
        status next = cursor_next(cursor, &place, &key, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next == STATUS_OK) next = txn_get(question->txn, TABLE_DEAD_LETTERS, key, &raw, NULL);
        if (next != STATUS_OK) return fail(reterr, next, "dead letters cannot be read");
        TRY(look(question, key, raw, reterr));
    }
}

status letters_visit(struct txn *txn, const struct letter_filter *filter, letter_visit *visit,
                     void *context, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);
    const struct question question           = {txn, filter, arena, visit, context};
    bool is_few                              = filter->job.len > 0 || filter->run.len > 0;
    return is_few ? visit_index(&question, reterr) : visit_table(&question, reterr);
}
