#include "store/redo.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/changes.h"
#include "store/key.h"
#include "store/redo_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    FLAG_END      = 1,
    FLAG_GIVEN_UP = 2,
    VALUE_HEAD    = REDO_TIMELINE_SIZE + 8 + 1, /* bytes before the part */
    CHANGES_MAX   = STORE_VALUE_MAX + (1 << 20),
    CHANGES_KEPT  = 1 << 20, /* bytes of memory, between transactions */
    DROP_ROWS     = 1'000,   /* in a transaction */
    GIVE_UP_ROWS  = 1'024,
};

struct redo {
    unsigned table;
    uint64_t bytes_max;
    struct redo_clock clock;

    /* The writer's. */
    uint8_t timeline[REDO_TIMELINE_SIZE];
    bool is_given_up;     /* nothing is kept until all rows are gone */
    uint64_t first, next; /* rows: first <= sequence < next */

    /* Of the transaction that is open. */
    struct changes changes; /* not yet in a row */
    uint8_t row[VALUE_HEAD + REDO_PART_MAX];
    uint64_t made, made_bytes;       /* rows */
    uint64_t trimmed, trimmed_bytes; /* rows */
    bool gives_up;
    bool begins_anew;

    pthread_mutex_t mutex; /* guards what follows */
    int64_t last_us;       /* time of the newest transaction */
    int64_t open_us;       /* of the one that is open; 0: none has one */

    atomic_ullong taken;
    atomic_ullong kept_bytes;
    atomic_ullong given_up;
};

/* --- rows --------------------------------------------------------------------------------------
 */

bool redo_record_read(bytes key, bytes value, struct redo_record *ret_record)
{
    bytes rest              = key;
    const uint8_t *raw      = value.ptr;
    struct redo_record read = {};
    if (!key_take_u64(&rest, &read.sequence) || rest.len > 0 || value.len < VALUE_HEAD) {
        return false;
    }
    memcpy(read.timeline, raw, REDO_TIMELINE_SIZE);
    uint64_t at_us   = u64_from(raw + REDO_TIMELINE_SIZE);
    uint8_t flags    = raw[VALUE_HEAD - 1];
    read.at_us       = (int64_t)at_us;
    read.is_end      = flags & FLAG_END;
    read.is_given_up = flags & FLAG_GIVEN_UP;
    read.part        = (bytes){raw + VALUE_HEAD, value.len - VALUE_HEAD};
    if (at_us > INT64_MAX || read.part.len > REDO_PART_MAX) return false;
    if (flags & ~(FLAG_END | FLAG_GIVEN_UP)) return false;
    *ret_record = read;
    return true;
}

/* The time of a transaction, when its first row is written. */
static int64_t open_us(struct redo *redo)
{
    (void)pthread_mutex_lock(&redo->mutex);
    if (redo->open_us == 0) {
        int64_t now_us = redo->clock.now_us(redo->clock.context);
        redo->last_us  = now_us > redo->last_us ? now_us : redo->last_us + 1;
        redo->open_us  = redo->last_us;
    }
    int64_t at_us = redo->open_us;
    (void)pthread_mutex_unlock(&redo->mutex);
    return at_us;
}

int64_t store_redo_settled_us(struct store *store)
{
    struct redo *redo = store->redo;
    ASSERT(redo);
    (void)pthread_mutex_lock(&redo->mutex);
    int64_t now_us     = redo->clock.now_us(redo->clock.context);
    int64_t settled_us = redo->open_us > 0 ? redo->open_us - 1 : now_us;
    if (redo->open_us == 0 && settled_us < redo->last_us) settled_us = redo->last_us;
    (void)pthread_mutex_unlock(&redo->mutex);
    return settled_us;
}

static status row_write(struct txn *txn, str part, uint8_t flags, struct error *reterr)
{
    struct redo *redo  = txn->store->redo;
    uint8_t *value     = redo->row;
    struct key_u64 key = key_of_u64(redo->next + redo->made);
    struct key_u64 at  = key_of_u64((uint64_t)open_us(redo));
    memcpy(value, redo->timeline, REDO_TIMELINE_SIZE);
    memcpy(value + REDO_TIMELINE_SIZE, at.data, sizeof at.data);
    value[VALUE_HEAD - 1] = flags;
    if (part.len > 0) memcpy(value + VALUE_HEAD, part.ptr, part.len);
    TRY(txn->store->ops->write(txn, redo->table, key_u64_bytes(&key),
                               (bytes){value, VALUE_HEAD + part.len}, TXN_APPEND, reterr));
    redo->made++;
    redo->made_bytes += VALUE_HEAD + part.len;
    return STATUS_OK;
}

/* Rows of full parts; what is left over waits. */
static status write_full_parts(struct txn *txn, struct error *reterr)
{
    struct redo *redo = txn->store->redo;
    size_t done       = 0;
    while (redo->changes.buf.len - done >= REDO_PART_MAX) {
        TRY(row_write(txn, (str){redo->changes.buf.ptr + done, REDO_PART_MAX}, 0, reterr));
        done += REDO_PART_MAX;
    }
    buf_consume(&redo->changes.buf, done);
    return STATUS_OK;
}

/* Deletes up to `max` rows before `end`, oldest first. */
static status trim(struct txn *txn, uint64_t end, uint64_t max, struct error *reterr)
{
    struct redo *redo           = txn->store->redo;
    const struct store_ops *ops = txn->store->ops;
    for (uint64_t i = 0; i < max && redo->first + redo->trimmed < end; i++) {
        struct key_u64 key = key_of_u64(redo->first + redo->trimmed);
        bytes row          = {};
        TRY(ops->get(txn, redo->table, key_u64_bytes(&key), &row, reterr));
        redo->trimmed_bytes += row.len;
        TRY(ops->remove(txn, redo->table, key_u64_bytes(&key), reterr));
        redo->trimmed++;
    }
    return STATUS_OK;
}

/* --- a transaction -----------------------------------------------------------------------------
 */

void redo_begin(struct redo *redo)
{
    changes_clear(&redo->changes, CHANGES_KEPT);
    redo->made = redo->made_bytes = 0;
    redo->trimmed = redo->trimmed_bytes = 0;
    redo->gives_up                      = false;
    redo->begins_anew                   = false;
}

void redo_note(struct txn *txn, enum change_kind kind, unsigned table, bytes key, bytes value)
{
    struct redo *redo = txn->store->redo;
    if (redo->is_given_up) return;
    bool fits =
        changes_add(&redo->changes, kind, table, txn->store->table_names[table], key, value);
    ASSERT(fits); /* the part that is full went into a row before */
}

status redo_done(struct txn *txn, struct error *reterr)
{
    struct redo *redo = txn->store->redo;
    if (redo->changes.buf.len < REDO_PART_MAX) return STATUS_OK;
    return write_full_parts(txn, reterr);
}

void redo_undone(struct redo *redo)
{
    if (redo->is_given_up) return;
    changes_undo(&redo->changes);
}

/* A row without changes says from where on the timeline is whole. */
static status begin_timeline(struct txn *txn, struct error *reterr)
{
    struct redo *redo = txn->store->redo;
    random_bytes(redo->timeline, sizeof redo->timeline);
    return row_write(txn, (str){}, FLAG_END, reterr);
}

/* The rows go in pieces; a row at the end says that they do, also after a restart. */
static status seal_given_up(struct txn *txn, struct error *reterr)
{
    struct redo *redo = txn->store->redo;
    if (!redo->is_given_up) {
        redo->gives_up = true;
        return row_write(txn, (str){}, FLAG_GIVEN_UP, reterr);
    }
    TRY(trim(txn, redo->next, GIVE_UP_ROWS, reterr));
    redo->begins_anew = redo->first + redo->trimmed == redo->next;
    return redo->begins_anew ? begin_timeline(txn, reterr) : STATUS_OK;
}

status redo_seal(struct txn *txn, struct error *reterr)
{
    struct redo *redo = txn->store->redo;
    if (txn->writes == 0) return STATUS_OK;
    bool is_over = atomic_load(&redo->kept_bytes) > redo->bytes_max;
    if (redo->is_given_up || is_over) return seal_given_up(txn, reterr);
    TRY(row_write(txn, buf_str(&redo->changes.buf), FLAG_END, reterr));
    uint64_t taken = atomic_load(&redo->taken);
    uint64_t end   = taken < redo->next ? taken + 1 : redo->next;
    return trim(txn, end, REDO_TRIM_ROWS + redo->made, reterr);
}

void redo_end(struct redo *redo, bool is_committed)
{
    (void)pthread_mutex_lock(&redo->mutex);
    redo->open_us = 0;
    (void)pthread_mutex_unlock(&redo->mutex);
    if (!is_committed) return;
    redo->next += redo->made;
    redo->first += redo->trimmed;
    atomic_fetch_add(&redo->kept_bytes, redo->made_bytes);
    atomic_fetch_sub(&redo->kept_bytes, redo->trimmed_bytes);
    if (redo->gives_up) {
        redo->is_given_up = true;
        atomic_fetch_add(&redo->given_up, 1);
    }
    if (redo->begins_anew) redo->is_given_up = false;
}

/* --- life --------------------------------------------------------------------------------------
 */

/* Where an earlier process has left off. */
static status recover(struct store *store, struct redo *redo, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan all                        = {};
    struct redo_record record                    = {};
    uint64_t kept_bytes                          = 0;
    bytes key                                    = {};
    bytes value                                  = {};
    status next                                  = STATUS_OK;
    TRY(txn_begin_read(store, &txn, reterr));
    TRY(cursor_open(txn, redo->table, &all, &cursor, reterr));
    while ((next = cursor_next(cursor, &key, &value, NULL)) == STATUS_OK) {
        if (!redo_record_read(key, value, &record) ||
            (kept_bytes > 0 && record.sequence != redo->next)) {
            return fail(reterr, STATUS_DATA_LOSS, "store: redo: a row cannot be read");
        }
        if (kept_bytes == 0) redo->first = record.sequence;
        redo->next = record.sequence + 1;
        kept_bytes += value.len;
    }
    if (next != STATUS_NOT_FOUND) return fail(reterr, next, "store: redo cannot be read");
    if (kept_bytes == 0) return STATUS_OK;
    memcpy(redo->timeline, record.timeline, sizeof redo->timeline);
    redo->is_given_up = record.is_given_up;
    redo->last_us     = record.at_us;
    atomic_store(&redo->kept_bytes, kept_bytes);
    return STATUS_OK;
}

static status begin_first(struct store *store, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_write(store, &txn, reterr));
    TRY(begin_timeline(txn, reterr));
    return txn_commit(TAKE(txn), reterr);
}

status store_redo_keep(struct store *store, const struct redo_options *options,
                       struct error *reterr)
{
    ASSERT(!store->redo && options->clock.now_us);
    ASSERT(options->table < store->table_count);
    struct redo *redo = mem_new(1, sizeof *redo);
    redo->table       = options->table;
    redo->bytes_max   = options->bytes_max;
    redo->clock       = options->clock;
    redo->first = redo->next = 1;
    redo->changes.buf        = buf_init(CHANGES_MAX);
    (void)pthread_mutex_init(&redo->mutex, NULL);
    status recovered = recover(store, redo, reterr);
    if (recovered != STATUS_OK) {
        redo_free(redo);
        return recovered;
    }
    store->redo = redo;
    return redo->first == redo->next ? begin_first(store, reterr) : STATUS_OK;
}

void redo_free(struct redo *redo)
{
    if (!redo) return;
    (void)pthread_mutex_destroy(&redo->mutex);
    buf_done(&redo->changes.buf);
    free(redo);
}

static status drop_some(struct store *store, unsigned table, bool *ret_is_done,
                        struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan all                        = {};
    TRY(txn_begin_write(store, &txn, reterr));
    TRY(cursor_open(txn, table, &all, &cursor, reterr));
    for (unsigned i = 0; i < DROP_ROWS; i++) {
        bytes key   = {};
        bytes value = {};
        status next = cursor_next(cursor, &key, &value, reterr);
        if (next == STATUS_NOT_FOUND) *ret_is_done = true;
        if (next == STATUS_NOT_FOUND) break;
        TRY(next);
        TRY(cursor_delete(cursor, reterr));
    }
    return txn_commit(TAKE(txn), reterr);
}

status store_redo_drop(struct store *store, unsigned table, struct error *reterr)
{
    ASSERT(!store->redo);
    bool is_done = false;
    while (!is_done) TRY(drop_some(store, table, &is_done, reterr));
    return STATUS_OK;
}

void store_redo_taken(struct store *store, uint64_t sequence)
{
    ASSERT(store->redo);
    atomic_store(&store->redo->taken, sequence);
}

void store_redo_state(struct store *store, struct redo_state *ret_state)
{
    *ret_state = (struct redo_state){};
    if (!store->redo) return;
    ret_state->kept_bytes = atomic_load(&store->redo->kept_bytes);
    ret_state->given_up   = atomic_load(&store->redo->given_up);
}
