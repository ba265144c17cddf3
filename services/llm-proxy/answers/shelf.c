#include "llm-proxy/answers/shelf.h"

#include "base/assert.h"
#include "base/mem.h"
#include "llm-proxy/answers/answers_internal.h"

#include <string.h>

/* [shelf][key] -> number, expires_us, row; [shelf][number] -> size of the row, key */
enum { HEAD_SIZE = 2 * NUMBER_SIZE };

struct shelf_key {
    uint8_t raw[1 + SHELF_KEY_MAX];
    size_t len;
};

static struct shelf_key key_of(enum shelf shelf, const void *key, size_t len)
{
    struct shelf_key made = {.len = 1 + len};
    made.raw[0]           = (uint8_t)shelf;
    memcpy(made.raw + 1, key, len);
    return made;
}

static bytes key_bytes(const struct shelf_key *key)
{
    return (bytes){.ptr = key->raw, .len = key->len};
}

static struct shelf_key order_of(enum shelf shelf, uint64_t number)
{
    uint8_t raw[NUMBER_SIZE];
    number_key(number, raw);
    return key_of(shelf, raw, sizeof raw);
}

static const uint64_t bytes_max[SHELF_COUNT] = {
    [SHELF_VAULT] = SHELF_VAULT_MAX, [SHELF_CACHE] = SHELF_CACHE_MAX};

/* --- writing -----------------------------------------------------------------------------------
 */

static void name_row(struct answers *answers, struct writing *writing, enum shelf shelf, bytes key)
{
    ASSERT(key.len <= SHELF_KEY_MAX);
    writing->kind   = WRITING_SHELF;
    writing->shelf  = shelf;
    writing->number = answers_next_number(answers);
    memcpy(writing->key, key.ptr, key.len);
    writing->key_len = key.len;
}

static str map_key(const struct shelf_key *key)
{
    return (str){.ptr = (const char *)key->raw, .len = key->len};
}

/* Whoever drops a row may look for it at once, and must not get it again: its drop is noted until
 * it is on the disk. */
void shelf_drop(struct answers *answers, enum shelf shelf, bytes key)
{
    const struct shelf_key name = key_of(shelf, key.ptr, key.len);
    if (!answers->has_shelves) return;
    struct writing *writing = mem_new(1, sizeof *writing);
    name_row(answers, writing, shelf, key);
    (void)map_put(answers->drops, map_key(&name), writing);
    answers_hand_over(answers, writing);
}

void shelf_written(struct answers *answers, const struct writing *writing)
{
    const struct shelf_key name = key_of(writing->shelf, writing->key, writing->key_len);
    answers->shelf_waiting -= writing->value.len;
    if (map_get(answers->drops, map_key(&name)) != writing) return; /* or it is a younger one */
    (void)map_remove(answers->drops, map_key(&name));
}

void shelf_put(struct answers *answers, enum shelf shelf, bytes key, bytes row, int64_t expires_us)
{
    ASSERT(row.len > 0);
    if (!answers->has_shelves || answers->shelf_waiting > SHELF_WAITING_MAX) return;
    struct writing *writing = mem_new(1, sizeof *writing);
    uint8_t head[HEAD_SIZE];
    name_row(answers, writing, shelf, key);
    number_key(writing->number, head);
    number_key((uint64_t)expires_us, head + NUMBER_SIZE);
    writing->value = buf_init(HEAD_SIZE + row.len);
    bool is_put =
        buf_put(&writing->value, head, sizeof head) && buf_put(&writing->value, row.ptr, row.len);
    ASSERT(is_put);
    answers->shelf_waiting += writing->value.len;
    answers_hand_over(answers, writing);
}

/* What is damaged may say anything. */
static void use_less(struct answers *answers, enum shelf shelf, uint64_t size)
{
    uint64_t *used = &answers->shelf_used[shelf];
    *used -= size < *used ? size : *used;
}

static status delete_row(struct txn *txn, unsigned table, const struct shelf_key *key,
                         struct error *reterr)
{
    status code = txn_delete(txn, table, key_bytes(key), NULL);
    if (code == STATUS_OK || code == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, code, "a row of the store of answers cannot be deleted");
}

/* One that is damaged goes, too: it is good to have, and no reason to stop. */
static status take_off(struct answers *answers, struct txn *txn, const struct shelf_key *key,
                       struct error *reterr)
{
    bytes row   = {};
    status code = txn_get(txn, TABLE_SHELVES, key_bytes(key), &row, NULL);
    if (code == STATUS_NOT_FOUND) return STATUS_OK;
    if (code != STATUS_OK) {
        return fail(reterr, code, "a row of the store of answers cannot be read");
    }
    enum shelf shelf = (enum shelf)key->raw[0];
    if (row.len >= HEAD_SIZE) {
        const struct shelf_key order = order_of(shelf, u64_from(row.ptr));
        use_less(answers, shelf, row.len);
        TRY(delete_row(txn, TABLE_SHELF_ORDER, &order, reterr));
    }
    return delete_row(txn, TABLE_SHELVES, key, reterr);
}

static bool is_over(struct txn *txn, const struct shelf_key *key, int64_t now_us)
{
    bytes row     = {};
    bool is_there = txn_get(txn, TABLE_SHELVES, key_bytes(key), &row, NULL) == STATUS_OK &&
                    row.len >= HEAD_SIZE;
    return !is_there || u64_from((const uint8_t *)row.ptr + NUMBER_SIZE) <= (uint64_t)now_us;
}

/* In front of the oldest of a shelf. */
static status open_order(struct txn *txn, enum shelf shelf, struct cursor **ret_cursor,
                         struct error *reterr)
{
    const uint8_t prefix[] = {(uint8_t)shelf};
    const struct scan scan = {.prefix = {.ptr = prefix, .len = sizeof prefix}};
    return cursor_open(txn, TABLE_SHELF_ORDER, &scan, ret_cursor, reterr);
}

/* The oldest go while there are more than `used_max` bytes, or their time is over. */
static status sweep(struct answers *answers, struct txn *txn, enum shelf shelf, uint64_t used_max,
                    struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    bytes at                                     = {};
    bytes value                                  = {};
    TRY(open_order(txn, shelf, &cursor, reterr));
    while (cursor_next(cursor, &at, &value, NULL) == STATUS_OK) {
        if (value.len < NUMBER_SIZE || value.len > NUMBER_SIZE + SHELF_KEY_MAX) {
            TRY(cursor_delete(cursor, reterr)); /* it is damaged, and names no row */
            continue;
        }
        struct shelf_key key =
            key_of(shelf, (const uint8_t *)value.ptr + NUMBER_SIZE, value.len - NUMBER_SIZE);
        bool is_much = answers->shelf_used[shelf] > used_max;
        if (!is_much && !is_over(txn, &key, answers->unix_us())) return STATUS_OK;
        use_less(answers, shelf, u64_from(value.ptr));
        TRY(cursor_delete(cursor, reterr));
        TRY(delete_row(txn, TABLE_SHELVES, &key, reterr));
    }
    return STATUS_OK;
}

status shelf_shed(struct answers *answers, struct txn *txn, struct error *reterr)
{
    for (int shelf = 0; shelf < SHELF_COUNT; shelf++) {
        uint64_t half = answers->shelf_used[shelf] / 2;
        TRY(sweep(answers, txn, (enum shelf)shelf, half, reterr));
    }
    return STATUS_OK;
}

status shelf_apply(struct answers *answers, struct txn *txn, const struct writing *writing,
                   struct error *reterr)
{
    uint8_t value[NUMBER_SIZE + SHELF_KEY_MAX];
    const struct shelf_key key   = key_of(writing->shelf, writing->key, writing->key_len);
    const struct shelf_key order = order_of(writing->shelf, writing->number);
    const bytes told             = {.ptr = value, .len = NUMBER_SIZE + writing->key_len};
    number_key(writing->value.len, value);
    memcpy(value + NUMBER_SIZE, writing->key, writing->key_len);
    TRY(take_off(answers, txn, &key, reterr));
    if (writing->value.len == 0) return STATUS_OK; /* it was dropped */
    TRY(txn_put(txn, TABLE_SHELVES, key_bytes(&key), bytes_from(buf_str(&writing->value)), reterr));
    TRY(txn_put(txn, TABLE_SHELF_ORDER, key_bytes(&order), told, reterr));
    answers->shelf_used[writing->shelf] += writing->value.len;
    return sweep(answers, txn, writing->shelf, bytes_max[writing->shelf], reterr);
}

/* --- reading -----------------------------------------------------------------------------------
 */

status shelf_recover(struct answers *answers, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_write(answers->store, &txn, reterr));
    for (int shelf = 0; shelf < SHELF_COUNT; shelf++) {
        CLEANUP(cursor_closep) struct cursor *cursor = NULL;
        bytes at                                     = {};
        bytes value                                  = {};
        TRY(open_order(txn, (enum shelf)shelf, &cursor, reterr));
        while (cursor_next(cursor, &at, &value, NULL) == STATUS_OK) {
            if (value.len >= NUMBER_SIZE) answers->shelf_used[shelf] += u64_from(value.ptr);
        }
        TRY(sweep(answers, txn, (enum shelf)shelf, bytes_max[shelf], reterr));
    }
    return txn_commit(TAKE(txn), reterr);
}

bool shelf_get(struct answers *answers, enum shelf shelf, bytes key, shelf_use *use, void *context)
{
    const struct shelf_key name = key_of(shelf, key.ptr, key.len);
    bytes row                   = {};
    if (!answers->has_shelves || map_get(answers->drops, map_key(&name))) return false;
    if (!answers_begin_read(answers)) return false;
    bool is_there =
        !is_over(answers->reader, &name, answers->unix_us()) &&
        txn_get(answers->reader, TABLE_SHELVES, key_bytes(&name), &row, NULL) == STATUS_OK;
    if (is_there) {
        use(key, (bytes){.ptr = (const uint8_t *)row.ptr + HEAD_SIZE, .len = row.len - HEAD_SIZE},
            context);
    }
    txn_reset(answers->reader);
    return is_there;
}

status shelf_each(struct answers *answers, enum shelf shelf, shelf_use *use, void *context,
                  struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    bytes at                                     = {};
    bytes value                                  = {};
    bytes row                                    = {};
    TRY(txn_begin_read(answers->store, &txn, reterr));
    TRY(open_order(txn, shelf, &cursor, reterr));
    while (cursor_next(cursor, &at, &value, NULL) == STATUS_OK) {
        const uint8_t *key = (const uint8_t *)value.ptr + NUMBER_SIZE;
        if (value.len < NUMBER_SIZE || value.len > NUMBER_SIZE + SHELF_KEY_MAX) continue;
        struct shelf_key found = key_of(shelf, key, value.len - NUMBER_SIZE);
        status code            = txn_get(txn, TABLE_SHELVES, key_bytes(&found), &row, NULL);
        if (code != STATUS_OK || row.len < HEAD_SIZE) continue;
        use((bytes){.ptr = key, .len = found.len - 1},
            (bytes){.ptr = (const uint8_t *)row.ptr + HEAD_SIZE, .len = row.len - HEAD_SIZE},
            context);
    }
    return STATUS_OK;
}
