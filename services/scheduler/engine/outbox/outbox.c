#include "scheduler/engine/outbox/outbox.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { BATCH_ARENA_MAX = 256 << 20 /* bytes; one message has at most a row's */ };

enum lane_state {
    LANE_IDLE, /* nothing is under way */
    LANE_SENT, /* a batch is; from here on the receiver's thread may move it: */
    LANE_TAKEN,
    LANE_REFUSED,
};

/* To one receiver. */
struct lane {
    struct outbox *outbox;
    uint16_t target;
    uint64_t next; /* sequence of the next message */
    uint64_t kept; /* of the first row that is left; `next`: none */
    int64_t retry_us;

    _Atomic int state; /* enum lane_state */
    uint64_t sent;     /* sequence of the last row of the batch under way */
    bool has_unread;   /* some rows up to there could not be read */
    uint64_t told;     /* the last one that was told of */
    bool has_told_key; /* of one without a number, likewise */
    bool has_told_end; /* of the number it has come to */
};

struct outbox {
    struct outbox_options options;
    struct lane *lanes;    /* options.count of them */
    _Atomic bool has_news; /* some lane is TAKEN or REFUSED */
    bool has_rows;         /* some lane may have rows to be sent */
};

/* A batch with everything in it lies in its own arena. */
struct batch {
    struct command command;
    struct message_batch request;
    struct arena *arena; /* owned */
    struct lane *lane;
    size_t size_bytes;
    uint64_t last; /* sequence of the last row that was looked at; 0: none */
};

struct outbox *outbox_new(const struct outbox_options *options)
{
    ASSERT(options->count > 0 && options->partition < options->count);
    struct outbox *outbox = mem_new(1, sizeof *outbox);
    outbox->options       = *options;
    outbox->lanes         = mem_new(options->count, sizeof *outbox->lanes);
    for (uint16_t i = 0; i < options->count; i++) {
        struct lane *lane = &outbox->lanes[i];
        lane->outbox      = outbox;
        lane->target      = i;
        lane->next        = 1;
        lane->kept        = 1;
    }
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    if (!outbox) return;
    free(outbox->lanes);
    free(outbox);
}

/* --- rows --------------------------------------------------------------------------------------
 */

static void lane_prefix(struct key *key, uint16_t target)
{
    key_begin(key);
    key_put_u16(key, target);
}

static void row_key(struct key *key, uint16_t target, uint64_t sequence)
{
    lane_prefix(key, target);
    key_put_u64(key, sequence);
}

static bool row_key_read(bytes key, uint64_t *ret_sequence)
{
    uint16_t target = 0;
    return key_take_u16(&key, &target) && key_take_u64(&key, ret_sequence) && key.len == 0;
}

/* The first or last row of a lane; 0: it has none. */
static status lane_edge(struct txn *txn, uint16_t target, bool is_last, uint64_t *ret_sequence,
                        struct error *reterr)
{
    struct key prefix;
    lane_prefix(&prefix, target);
    const struct scan scan = {.prefix = key_bytes(&prefix), .backward = is_last};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, TABLE_OUTBOX, &scan, &cursor, reterr));
    bytes key   = {};
    bytes row   = {};
    status next = STATUS_OK;
    while ((next = cursor_next(cursor, &key, &row, reterr)) == STATUS_OK) {
        if (row_key_read(key, ret_sequence)) return STATUS_OK; /* others: batch_add() */
    }
    *ret_sequence = 0;
    return next == STATUS_NOT_FOUND ? STATUS_OK : next;
}

/* Numbers go on where they ended even if all rows are gone: the last one is kept beside them. */
static void counter_key(struct key *key, uint16_t target)
{
    key_begin(key);
    key_put_text(key, str_from("outbox"));
    key_put_u16(key, target);
}

static status counter_get(struct txn *txn, uint16_t target, uint64_t *ret_last,
                          struct error *reterr)
{
    struct key key;
    counter_key(&key, target);
    bytes row  = {};
    *ret_last  = 0;
    status got = txn_get(txn, TABLE_META, key_bytes(&key), &row, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "meta: the counter of an outbox");
    if (row.len != sizeof(uint64_t)) {
        return fail(reterr, STATUS_DATA_LOSS, "a counter has 8 bytes");
    }
    *ret_last = u64_from(row.ptr);
    return STATUS_OK;
}

/* The number that a lane has come to; one that cannot be read is above all that it can have been.
 */
static status lane_end(struct lane *lane, struct txn *txn, int64_t now_us, uint64_t *ret_last,
                       struct error *reterr)
{
    const struct outbox_options *options = &lane->outbox->options;
    struct error why                     = {};
    status got                           = counter_get(txn, lane->target, ret_last, &why);
    if (got == STATUS_OK) return STATUS_OK;
    if (got != STATUS_DATA_LOSS) return fail(reterr, got, "%s", why.text);
    struct key key;
    counter_key(&key, lane->target);
    if (!lane->has_told_end) {
        options->unreadable(TABLE_META, key_bytes(&key), &why, options->context);
    }
    lane->has_told_end = true;
    *ret_last          = now_us > 0 ? (uint64_t)now_us : 0;
    if (lane->next > *ret_last) *ret_last = lane->next;
    return STATUS_OK;
}

status outbox_recover(struct outbox *outbox, struct txn *txn, int64_t now_us, struct error *reterr)
{
    for (uint16_t i = 0; i < outbox->options.count; i++) {
        struct lane *lane = &outbox->lanes[i];
        uint64_t first    = 0;
        uint64_t last     = 0;
        uint64_t counted  = 0;
        TRY(lane_edge(txn, i, false, &first, reterr));
        TRY(lane_edge(txn, i, true, &last, reterr));
        TRY(lane_end(lane, txn, now_us, &counted, reterr));
        if (counted > last) last = counted;
        lane->next = last + 1;
        lane->kept = first > 0 ? first : lane->next;
        if (first > 0) outbox->has_rows = true;
    }
    return STATUS_OK;
}

status outbox_put(struct outbox *outbox, struct txn *txn, uint16_t target,
                  const Pb__Message *message, struct error *reterr)
{
    ASSERT(target < outbox->options.count);
    struct lane *lane = &outbox->lanes[target];
    struct key key;
    row_key(&key, target, lane->next);
    TRY(record_put(txn, TABLE_OUTBOX, key_bytes(&key), &message->base, reterr));
    lane->next++;
    outbox->has_rows = true;
    return STATUS_OK;
}

/* It was not sent: whoever looks into the store still finds it. */
static status row_stays(const struct lane *lane, struct txn *txn, const struct key *key,
                        bool *ret_stays, struct error *reterr)
{
    Pb__Message *message = NULL;
    *ret_stays           = false;
    if (!lane->has_unread) return STATUS_OK;
    CLEANUP(arena_freep) struct arena *arena = arena_new(BATCH_ARENA_MAX);
    status got = record_get(txn, TABLE_OUTBOX, key_bytes(key), &pb__message__descriptor, arena,
                            &message, reterr);
    *ret_stays = got == STATUS_DATA_LOSS;
    return *ret_stays || got == STATUS_NOT_FOUND ? STATUS_OK : got;
}

static status lane_delete(struct lane *lane, struct txn *txn, struct error *reterr)
{
    struct key key;
    for (; lane->kept <= lane->sent; lane->kept++) {
        bool stays = false;
        row_key(&key, lane->target, lane->kept);
        TRY(row_stays(lane, txn, &key, &stays, reterr));
        if (stays) continue;
        status deleted = txn_delete(txn, TABLE_OUTBOX, key_bytes(&key), NULL);
        if (deleted != STATUS_OK && deleted != STATUS_NOT_FOUND) {
            return fail(reterr, deleted, "a message that was taken cannot be deleted");
        }
    }
    lane->has_unread = false;
    if (lane->kept < lane->next) return STATUS_OK;
    struct key_u64 last = key_of_u64(lane->sent);
    counter_key(&key, lane->target);
    return txn_put(txn, TABLE_META, key_bytes(&key), key_u64_bytes(&last), reterr);
}

status outbox_sweep(struct outbox *outbox, struct txn *txn, struct error *reterr)
{
    if (!atomic_exchange(&outbox->has_news, false)) return STATUS_OK;
    for (uint16_t i = 0; i < outbox->options.count; i++) {
        struct lane *lane = &outbox->lanes[i];
        if (atomic_load(&lane->state) != LANE_TAKEN) continue;
        status deleted = lane_delete(lane, txn, reterr);
        if (deleted != STATUS_OK) {
            atomic_store(&outbox->has_news, true); /* the turn is undone, the news stays */
            return deleted;
        }
        atomic_store(&lane->state, LANE_IDLE);
        outbox->has_rows |= lane->kept < lane->next;
    }
    return STATUS_OK;
}

void inbox_key(struct key *key, uint16_t source)
{
    lane_prefix(key, source);
}

status inbox_take(struct txn *txn, uint16_t source, uint64_t sequence, bool *ret_is_new,
                  struct error *reterr)
{
    struct key key;
    inbox_key(&key, source);
    bytes row  = {};
    status got = txn_get(txn, TABLE_INBOX, key_bytes(&key), &row, NULL);
    if (got != STATUS_OK && got != STATUS_NOT_FOUND) {
        return fail(reterr, got, "the inbox cannot be read");
    }
    if (got == STATUS_OK && row.len != sizeof(uint64_t)) {
        return fail(reterr, STATUS_DATA_LOSS, "a number has 8 bytes");
    }
    *ret_is_new = got == STATUS_NOT_FOUND || sequence > u64_from(row.ptr);
    if (!*ret_is_new) return STATUS_OK;
    struct key_u64 last = key_of_u64(sequence);
    return txn_put(txn, TABLE_INBOX, key_bytes(&key), key_u64_bytes(&last), reterr);
}

status inbox_forget(struct txn *txn, uint16_t source, struct error *reterr)
{
    struct key key;
    inbox_key(&key, source);
    status deleted = txn_delete(txn, TABLE_INBOX, key_bytes(&key), reterr);
    return deleted == STATUS_NOT_FOUND ? STATUS_OK : deleted;
}

/* --- sending -----------------------------------------------------------------------------------
 */

static void batch_free(struct batch *batch)
{
    if (!batch) return;
    arena_free(batch->arena);
    free(batch);
}

static void batch_freep(struct batch **batch)
{
    batch_free(*batch);
}

/* On the receiver's thread, after its commit or its refusal. */
static void on_taken(struct command *command)
{
    struct batch *batch   = command->context;
    struct lane *lane     = batch->lane;
    struct outbox *outbox = lane->outbox;
    bool is_taken         = command->code == STATUS_OK;
    batch_free(batch);
    atomic_store(&lane->state, is_taken ? LANE_TAKEN : LANE_REFUSED);
    atomic_store(&outbox->has_news, true);
    outbox->options.wake(outbox->options.context);
}

static struct batch *batch_new(struct lane *lane)
{
    struct batch *batch   = mem_new(1, sizeof *batch);
    batch->lane           = lane;
    batch->arena          = arena_new(BATCH_ARENA_MAX);
    batch->request.source = lane->outbox->options.partition;
    if (batch->arena) {
        batch->request.sequences =
            arena_alloc(batch->arena, OUTBOX_BATCH_MAX * sizeof *batch->request.sequences);
        batch->request.messages =
            arena_alloc(batch->arena, OUTBOX_BATCH_MAX * sizeof *batch->request.messages);
    }
    ASSERT(batch->request.sequences && batch->request.messages);
    batch->command = (struct command){
        .kind    = COMMAND_MESSAGES,
        .request = &batch->request,
        .arena   = batch->arena,
        .done    = on_taken,
        .context = batch,
    };
    return batch;
}

/* Told of once, however often a batch is sent again. */
static void pass_over(struct lane *lane, bytes key, uint64_t sequence, const struct error *why)
{
    const struct outbox_options *options = &lane->outbox->options;
    bool is_told     = sequence > 0 ? sequence <= lane->told : lane->has_told_key;
    lane->has_unread = true;
    if (is_told) return;
    if (sequence > 0) lane->told = sequence;
    lane->has_told_key |= sequence == 0;
    options->unreadable(TABLE_OUTBOX, key, why, options->context);
}

static status batch_add(bytes key, bytes row, struct error *reterr, void *context)
{
    struct batch *batch           = context;
    struct message_batch *request = &batch->request;
    if (batch->size_bytes >= OUTBOX_BATCH_BYTES_MAX) return STATUS_OK; /* in the next one */
    struct error why  = {};
    uint64_t sequence = 0;
    status read       = STATUS_DATA_LOSS;
    if (row_key_read(key, &sequence)) {
        batch->last = sequence;
        read        = record_read(row, &pb__message__descriptor, batch->arena,
                                  &request->messages[request->count], &why);
    } else {
        (void)fail(&why, read, "its key says no number");
    }
    if (read == STATUS_DATA_LOSS) {
        pass_over(batch->lane, key, sequence, &why);
        return STATUS_OK;
    }
    if (read != STATUS_OK) return fail(reterr, read, "%s", why.text);
    request->sequences[request->count++] = sequence;
    batch->size_bytes += row.len;
    return STATUS_OK;
}

static status lane_read(struct lane *lane, struct store *store, struct batch *batch,
                        struct error *reterr)
{
    struct key prefix;
    struct key first;
    lane_prefix(&prefix, lane->target);
    row_key(&first, lane->target, lane->kept); /* what lies before could not be read */
    const struct scan scan              = {.prefix = key_bytes(&prefix), .from = key_bytes(&first)};
    struct page page                    = {};
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(store, &txn, reterr));
    return txn_page(txn, TABLE_OUTBOX, &scan, OUTBOX_BATCH_MAX, &page, batch_add, batch, reterr);
}

static status lane_send(struct lane *lane, struct store *store, struct error *reterr)
{
    CLEANUP(batch_freep) struct batch *batch = batch_new(lane);
    TRY(lane_read(lane, store, batch, reterr));
    size_t count = batch->request.count;
    if (count == 0) { /* nothing is left, or nothing of this piece can be read */
        lane->kept       = batch->last > 0 ? batch->last + 1 : lane->next;
        lane->has_unread = false;
        return STATUS_OK;
    }
    batch->command.mail.size_bytes = sizeof *batch + arena_used(batch->arena);
    lane->sent                     = batch->last;
    atomic_store(&lane->state, LANE_SENT);
    const struct outbox_options *options = &lane->outbox->options;
    status posted = options->post(lane->target, &batch->command, reterr, options->context);
    if (posted == STATUS_OK) {
        (void)TAKE(batch); /* on_taken() has it, and may have freed it by now */
    } else {
        atomic_store(&lane->state, LANE_IDLE);
    }
    return posted;
}

static void lane_move(struct lane *lane, struct store *store, int64_t now_us)
{
    int refused = LANE_REFUSED;
    if (atomic_compare_exchange_strong(&lane->state, &refused, LANE_IDLE)) {
        lane->retry_us = now_us + OUTBOX_RETRY_US;
    }
    bool is_idle = atomic_load(&lane->state) == LANE_IDLE;
    if (!is_idle || lane->kept == lane->next || lane->retry_us > now_us) return;
    struct error error = {};
    lane->retry_us     = 0;
    status sent        = lane_send(lane, store, &error);
    if (sent == STATUS_OK) return;
    lane->retry_us = now_us + OUTBOX_RETRY_US;
    if (sent == STATUS_RESOURCE_EXHAUSTED || sent == STATUS_UNAVAILABLE) return; /* again, later */
    log_write(LOG_ERROR, "outbox.unreadable", LOG_INT("target", lane->target),
              LOG_TEXT_OF("error", error.text));
}

void outbox_send(struct outbox *outbox, struct store *store, int64_t now_us)
{
    if (!outbox->has_rows) return;
    outbox->has_rows = false;
    for (uint16_t i = 0; i < outbox->options.count; i++) {
        struct lane *lane = &outbox->lanes[i];
        if (lane->kept == lane->next) continue;
        lane_move(lane, store, now_us);
        outbox->has_rows |= lane->kept < lane->next;
    }
}

bool outbox_has_news(const struct outbox *outbox)
{
    return atomic_load(&outbox->has_news);
}

int64_t outbox_due_us(const struct outbox *outbox)
{
    int64_t due_us = INT64_MAX;
    if (!outbox->has_rows) return due_us;
    for (uint16_t i = 0; i < outbox->options.count; i++) {
        int64_t retry_us = outbox->lanes[i].retry_us;
        if (retry_us > 0 && retry_us < due_us) due_us = retry_us;
    }
    return due_us;
}
