#include "scheduler/tables/audit_chain.h"

#include "base/buf.h"

static const uint8_t nothing[SHA256_SIZE];

static void hash_of(const uint8_t *before, uint64_t number, bytes record,
                    uint8_t ret_hash[static SHA256_SIZE])
{
    const struct key_u64 key = key_of_u64(number);
    const bytes parts[]      = {{.ptr = before, .len = SHA256_SIZE}, key_u64_bytes(&key), record};
    sha256_parts(parts, sizeof parts / sizeof *parts, ret_hash);
}

status audit_row_read(bytes key, bytes value, struct audit_row *ret_row, struct error *reterr)
{
    if (key.len != sizeof(uint64_t) || value.len < SHA256_SIZE) {
        return fail(reterr, STATUS_DATA_LOSS, "table audit: a row");
    }
    const uint8_t *data = value.ptr;
    *ret_row =
        (struct audit_row){.number = u64_from(key.ptr),
                           .hash   = data,
                           .record = {.ptr = data + SHA256_SIZE, .len = value.len - SHA256_SIZE}};
    return STATUS_OK;
}

status audit_end_read(struct txn *txn, struct audit_end *ret_end, struct error *reterr)
{
    bytes key            = {};
    bytes value          = {};
    struct audit_row row = {};
    *ret_end             = (struct audit_end){};
    status got           = txn_last(txn, TABLE_AUDIT, &key, &value, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "table audit: the last row");
    TRY(audit_row_read(key, value, &row, reterr));
    ret_end->number = row.number;
    memcpy(ret_end->hash, row.hash, SHA256_SIZE);
    return STATUS_OK;
}

status audit_append(struct txn *txn, struct audit_end *end, const Pb__AuditRecord *record,
                    struct arena *arena, struct error *reterr)
{
    size_t size         = pb__audit_record__get_packed_size(record);
    uint8_t *row        = arena_alloc(arena, SHA256_SIZE + size);
    const uint64_t mine = end->number + 1;
    struct key_u64 key  = key_of_u64(mine);
    if (!row) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    const bytes contents = {.ptr = row + SHA256_SIZE, .len = size};
    (void)pb__audit_record__pack(record, row + SHA256_SIZE);
    hash_of(end->hash, mine, contents, row);
    TRY(txn_append(txn, TABLE_AUDIT, key_u64_bytes(&key),
                   (bytes){.ptr = row, .len = SHA256_SIZE + size}, reterr));
    end->number = mine;
    memcpy(end->hash, row, SHA256_SIZE);
    return STATUS_OK;
}

/* --- by time -----------------------------------------------------------------------------------
 */

static status noted_us(bytes record, struct arena *arena, int64_t *ret_time_us,
                       struct error *reterr)
{
    Pb__AuditRecord *message = NULL;
    TRY(record_read(record, &pb__audit_record__descriptor, arena, &message, reterr));
    *ret_time_us = message->noted_us;
    return STATUS_OK;
}

/* The records that are to go, up to and with `*ret_last`. */
static status delete_old(struct txn *txn, int64_t before_us, size_t count_max, struct arena *arena,
                         struct audit_end *ret_last, size_t *ret_count, struct error *reterr)
{
    const struct scan all                        = {};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, TABLE_AUDIT, &all, &cursor, reterr));
    while (*ret_count < count_max) {
        bytes key            = {};
        bytes value          = {};
        struct audit_row row = {};
        int64_t time_us      = INT64_MIN; /* of an anchor */
        status next          = cursor_next(cursor, &key, &value, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "table audit: a row");
        TRY(audit_row_read(key, value, &row, reterr));
        if (row.record.len > 0) TRY(noted_us(row.record, arena, &time_us, reterr));
        if (time_us >= before_us) return STATUS_OK;
        ret_last->number = row.number;
        memcpy(ret_last->hash, row.hash, SHA256_SIZE);
        *ret_count += row.record.len > 0;
        TRY(cursor_delete(cursor, reterr));
    }
    return STATUS_OK;
}

status audit_remove(struct txn *txn, int64_t before_us, size_t count_max, struct arena *arena,
                    size_t *ret_count, struct error *reterr)
{
    struct audit_end last = {};
    *ret_count            = 0;
    TRY(delete_old(txn, before_us, count_max, arena, &last, ret_count, reterr));
    if (last.number == 0) return STATUS_OK;
    const struct key_u64 key = key_of_u64(last.number);
    return txn_put(txn, TABLE_AUDIT, key_u64_bytes(&key),
                   (bytes){.ptr = last.hash, .len = SHA256_SIZE}, reterr);
}

static status first_row(struct txn *txn, struct audit_row *ret_row, struct error *reterr)
{
    const struct scan all                        = {};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    bytes key                                    = {};
    bytes value                                  = {};
    TRY(cursor_open(txn, TABLE_AUDIT, &all, &cursor, reterr));
    status next = cursor_next(cursor, &key, &value, NULL);
    *ret_row    = (struct audit_row){};
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "table audit: the first row");
    return audit_row_read(key, value, ret_row, reterr);
}

status audit_number_at(struct txn *txn, int64_t time_us, struct arena *arena, uint64_t *ret_number,
                       struct error *reterr)
{
    struct audit_row first = {};
    struct audit_end end   = {};
    TRY(first_row(txn, &first, reterr));
    TRY(audit_end_read(txn, &end, reterr));
    bool is_known = first.number > 0 && first.record.len > 0; /* else an anchor, or nothing */
    uint64_t low  = first.number + !is_known;
    uint64_t high = end.number + 1;
    while (low < high) { /* all below `low` are older, none from `high` on is */
        uint64_t middle      = low + (high - low) / 2;
        struct key_u64 key   = key_of_u64(middle);
        bytes value          = {};
        struct audit_row row = {};
        int64_t at_us        = 0;
        status got           = txn_get(txn, TABLE_AUDIT, key_u64_bytes(&key), &value, NULL);
        if (got != STATUS_OK) return fail(reterr, STATUS_DATA_LOSS, "table audit: a gap");
        TRY(audit_row_read(key_u64_bytes(&key), value, &row, reterr));
        TRY(noted_us(row.record, arena, &at_us, reterr));
        if (at_us < time_us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_number = low;
    return STATUS_OK;
}

/* --- checking ----------------------------------------------------------------------------------
 */

static const char *wrong_with(const struct audit_end *last, const struct audit_row *row)
{
    uint8_t hash[SHA256_SIZE];
    if (row->number != last->number + 1) return "the record before it is missing";
    if (row->record.len == 0) return "its contents are missing";
    hash_of(last->hash, row->number, row->record, hash);
    return memcmp(hash, row->hash, SHA256_SIZE) == 0 ? NULL
                                                     : "its hash is not that of its contents and "
                                                       "the record before it";
}

static void begin_at(const struct audit_row *row, uint64_t after, struct audit_check *check)
{
    bool is_anchor    = row->number > 0 && row->record.len == 0;
    check->first      = row->number + is_anchor;
    check->has_anchor = is_anchor;
    if (is_anchor) {
        memcpy(check->anchor, row->hash, SHA256_SIZE);
        check->last.number = row->number;
        memcpy(check->last.hash, row->hash, SHA256_SIZE);
    }
    if (after > check->last.number) check->last.number = after;
}

/* The hash of the record that the page before ended with. */
static status stand_at(struct txn *txn, struct audit_check *check, struct error *reterr)
{
    struct audit_row row     = {};
    bytes value              = {};
    const struct key_u64 key = key_of_u64(check->last.number);
    memcpy(check->last.hash, nothing, SHA256_SIZE);
    if (check->last.number == 0) return STATUS_OK;
    status got = txn_get(txn, TABLE_AUDIT, key_u64_bytes(&key), &value, NULL);
    if (got == STATUS_NOT_FOUND) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found",
                         "the log has no record of the number to go on after");
    }
    if (got != STATUS_OK) return fail(reterr, got, "table audit: a row");
    TRY(audit_row_read(key_u64_bytes(&key), value, &row, reterr));
    memcpy(check->last.hash, row.hash, SHA256_SIZE);
    return STATUS_OK;
}

static status walk(struct txn *txn, uint64_t until, size_t count_max, struct audit_check *check,
                   struct error *reterr)
{
    const struct key_u64 after                   = key_of_u64(check->last.number);
    const struct scan scan                       = {.after = key_u64_bytes(&after)};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, TABLE_AUDIT, &scan, &cursor, reterr));
    for (;;) {
        bytes key            = {};
        bytes value          = {};
        struct audit_row row = {};
        if (until > 0 && check->last.number >= until) return STATUS_OK;
        status next = cursor_next(cursor, &key, &value, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "table audit: a row");
        if (check->checked == count_max) {
            check->has_more = true;
            return STATUS_OK;
        }
        status read = audit_row_read(key, value, &row, NULL);
        check->why  = read == STATUS_OK ? wrong_with(&check->last, &row) : "it is no record";
        if (check->why) {
            check->bad = check->last.number + 1;
            return STATUS_OK;
        }
        check->checked++;
        check->last.number = row.number;
        memcpy(check->last.hash, row.hash, SHA256_SIZE);
    }
}

status audit_verify(struct txn *txn, uint64_t after, uint64_t until, size_t count_max,
                    struct audit_check *ret_check, struct error *reterr)
{
    struct audit_row first = {};
    *ret_check             = (struct audit_check){};
    TRY(first_row(txn, &first, reterr));
    begin_at(&first, after, ret_check);
    TRY(stand_at(txn, ret_check, reterr));
    return walk(txn, until, count_max, ret_check, reterr);
}
