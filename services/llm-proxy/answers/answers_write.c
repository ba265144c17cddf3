/* The thread that writes: what waits goes into one transaction. */
#include "base/assert.h"
#include "base/attr.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm-proxy/answers/answers_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FAILED_EXIT  = 74, /* EX_IOERR, as of a scheduler whose store has failed */
    FULL_PERCENT = 75, /* of what is kept stays when the disk is full */
};

/* --- keys --------------------------------------------------------------------------------------
 */

void number_key(uint64_t number, uint8_t raw[static NUMBER_SIZE])
{
    for (int i = 0; i < NUMBER_SIZE; i++) raw[i] = (uint8_t)(number >> (56 - 8 * i));
}

struct pair_key pair_key(uint64_t first, uint64_t second)
{
    struct pair_key key;
    number_key(first, key.raw);
    number_key(second, key.raw + NUMBER_SIZE);
    return key;
}

/* --- what waits --------------------------------------------------------------------------------
 */

void writing_free(struct writing *writing)
{
    buf_done(&writing->value);
    free(writing);
}

struct writing *writings_take(struct writings *writings)
{
    struct writing *first = writings->first;
    if (!first) return NULL;
    writings->first = first->next;
    if (!writings->first) writings->last = NULL;
    first->next = NULL;
    return first;
}

void writings_add(struct writings *writings, struct writing *writing)
{
    writing->next = NULL;
    if (writings->last) {
        writings->last->next = writing;
    } else {
        writings->first = writing;
    }
    writings->last = writing;
}

struct writing *writing_of(struct answers *answers, Pb__KeptAnswer *answer)
{
    struct writing *writing = mem_new(1, sizeof *writing);
    bool has_name           = answer->name.len == SHA256_SIZE;
    int64_t kept_s          = has_name ? ANSWERS_KEY_S : ANSWERS_STREAM_S;
    answer->ended_us        = answers->unix_us();
    answer->expires_us      = answer->ended_us + kept_s * 1'000'000;
    size_t size             = pb__kept_answer__get_packed_size(answer);
    writing->value          = buf_init(size);
    uint8_t *packed         = (uint8_t *)buf_reserve(&writing->value, size);
    ASSERT(packed);
    buf_commit(&writing->value, pb__kept_answer__pack(answer, packed));
    writing->kind       = WRITING_ANSWER;
    writing->number     = answer->number;
    writing->expires_us = answer->expires_us;
    writing->has_name   = has_name;
    if (!has_name) return writing;
    memcpy(writing->name, answer->name.data, SHA256_SIZE);
    ASSERT(answer->request.len == SHA256_SIZE);
    memcpy(writing->request, answer->request.data, SHA256_SIZE);
    return writing;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static status forget_tail(struct txn *txn, uint64_t stream, struct error *reterr)
{
    uint8_t prefix[NUMBER_SIZE];
    number_key(stream, prefix);
    const struct scan scan                       = {.prefix = {.ptr = prefix, .len = NUMBER_SIZE}};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, TABLE_TAIL, &scan, &cursor, reterr));
    bytes key   = {};
    bytes value = {};
    status code = cursor_next(cursor, &key, &value, NULL);
    while (code == STATUS_OK) {
        TRY(cursor_delete(cursor, reterr));
        code = cursor_next(cursor, &key, &value, NULL);
    }
    return code == STATUS_NOT_FOUND ? STATUS_OK : fail(reterr, code, "a stream cannot be read");
}

static status apply_answer(struct answers *answers, struct txn *txn, const struct writing *writing,
                           struct error *reterr)
{
    uint8_t number[NUMBER_SIZE];
    uint8_t end[NUMBER_SIZE + SHA256_SIZE];
    uint8_t row[NAME_ROW];
    const bytes number_bytes = {.ptr = number, .len = NUMBER_SIZE};
    const bytes name         = {.ptr = writing->name, .len = writing->has_name ? SHA256_SIZE : 0};
    const struct pair_key end_key = pair_key((uint64_t)writing->expires_us, writing->number);
    number_key(writing->number, number);
    number_key(writing->value.len, end);
    if (name.len > 0) memcpy(end + NUMBER_SIZE, name.ptr, name.len);
    const bytes end_bytes = {.ptr = end, .len = NUMBER_SIZE + name.len};
    TRY(txn_put(txn, TABLE_ANSWERS, number_bytes, bytes_from(buf_str(&writing->value)), reterr));
    TRY(txn_put(txn, TABLE_ENDS, pair_bytes(&end_key), end_bytes, reterr));
    answers->used += writing->value.len;
    TRY(forget_tail(txn, writing->number, reterr));
    if (name.len == 0) return STATUS_OK;
    number_key(writing->number, row);
    number_key((uint64_t)writing->expires_us, row + NUMBER_SIZE);
    memcpy(row + PAIR_SIZE, writing->request, SHA256_SIZE);
    return txn_put(txn, TABLE_NAMES, name, (bytes){.ptr = row, .len = sizeof row}, reterr);
}

status writing_apply(struct answers *answers, struct txn *txn, struct writing *writing,
                     struct error *reterr)
{
    const struct pair_key key = pair_key(writing->number, writing->piece);
    switch (writing->kind) {
    case WRITING_ANSWER: return apply_answer(answers, txn, writing, reterr);
    case WRITING_FORGET: return forget_tail(txn, writing->number, reterr);
    case WRITING_SHELF: return shelf_apply(answers, txn, writing, reterr);
    case WRITING_PIECE: break;
    }
    return txn_put(txn, TABLE_TAIL, pair_bytes(&key), bytes_from(buf_str(&writing->value)), reterr);
}

/* --- what goes away ----------------------------------------------------------------------------
 */

/* The key may stand for a younger answer. */
static status delete_name(struct txn *txn, bytes name, uint64_t number, struct error *reterr)
{
    bytes row   = {};
    status code = txn_get(txn, TABLE_NAMES, name, &row, NULL);
    bool is_own = code == STATUS_OK && row.len == NAME_ROW && u64_from(row.ptr) == number;
    return is_own ? txn_delete(txn, TABLE_NAMES, name, reterr) : STATUS_OK;
}

static status delete_answer(struct answers *answers, struct txn *txn, bytes key, bytes value,
                            struct error *reterr)
{
    uint8_t name[SHA256_SIZE];
    uint8_t number[NUMBER_SIZE];
    if (key.len != PAIR_SIZE || value.len < NUMBER_SIZE) {
        return fail(reterr, STATUS_DATA_LOSS, "the store of answers has a row of a wrong size");
    }
    uint64_t size = u64_from(value.ptr);
    bool has_name = value.len == NUMBER_SIZE + SHA256_SIZE;
    memcpy(number, (const uint8_t *)key.ptr + NUMBER_SIZE, NUMBER_SIZE);
    if (has_name) memcpy(name, (const uint8_t *)value.ptr + NUMBER_SIZE, SHA256_SIZE);
    status code = txn_delete(txn, TABLE_ANSWERS, (bytes){.ptr = number, .len = NUMBER_SIZE}, NULL);
    if (code != STATUS_OK && code != STATUS_NOT_FOUND) {
        return fail(reterr, code, "an answer cannot be deleted");
    }
    answers->used -= size < answers->used ? size : answers->used;
    if (!has_name) return STATUS_OK;
    return delete_name(txn, (bytes){.ptr = name, .len = SHA256_SIZE}, u64_from(number), reterr);
}

status answers_sweep(struct answers *answers, struct txn *txn, struct error *reterr)
{
    uint64_t used_max = answers->is_full ? answers->used / 100 * FULL_PERCENT : answers->total_max;
    uint64_t now_us   = (uint64_t)answers->unix_us();
    const struct scan scan                       = {};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, TABLE_ENDS, &scan, &cursor, reterr));
    bytes key        = {};
    bytes value      = {};
    answers->is_full = false;
    while (cursor_next(cursor, &key, &value, NULL) == STATUS_OK) {
        bool is_over = key.len >= NUMBER_SIZE && u64_from(key.ptr) <= now_us;
        if (!is_over && answers->used <= used_max) break;
        TRY(delete_answer(answers, txn, key, value, reterr));
        TRY(cursor_delete(cursor, reterr));
    }
    return STATUS_OK;
}

/* --- the thread --------------------------------------------------------------------------------
 */

static bool is_row(const struct writing *writing)
{
    return writing->kind == WRITING_SHELF && writing->value.len > 0;
}

static status apply_all(struct answers *answers, struct txn *txn, struct writings *writings,
                        bool has_room, struct error *reterr)
{
    if (!has_room) TRY(shelf_shed(answers, txn, reterr));
    TRY(answers_sweep(answers, txn, reterr));
    for (struct writing *writing = writings->first; writing; writing = writing->next) {
        writing->is_kept = has_room || !is_row(writing);
        if (writing->is_kept) TRY(writing_apply(answers, txn, writing, reterr));
    }
    return STATUS_OK;
}

/* Without room the shelves, which are good to have, give way to answers, which are promised. */
static status commit_all(struct answers *answers, struct writings *writings, bool has_room,
                         struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    uint64_t used                       = answers->used;
    uint64_t shelves[SHELF_COUNT];
    memcpy(shelves, answers->shelf_used, sizeof shelves);
    TRY(txn_begin_write(answers->store, &txn, reterr));
    status code = apply_all(answers, txn, writings, has_room, reterr);
    if (code == STATUS_OK) code = txn_commit(TAKE(txn), reterr);
    if (code == STATUS_OK) return code;
    memcpy(answers->shelf_used, shelves, sizeof shelves);
    answers->used = used;
    for (struct writing *at = writings->first; at; at = at->next) at->is_kept = false;
    return code;
}

static void write_all(struct answers *answers, struct writings *writings)
{
    struct error error   = {};
    struct writings none = {};
    status code          = commit_all(answers, writings, true, &error);
    bool may_go_on       = code == STATUS_RESOURCE_EXHAUSTED && !store_is_failed(answers->store);
    if (may_go_on) {
        log_write(LOG_WARN, "llm.rows_not_kept", LOG_STR("error.message", str_from(error.text)));
        /* What a transaction frees only later ones can use. */
        (void)commit_all(answers, &none, false, NULL);
        code = commit_all(answers, writings, false, &error);
    }
    if (code == STATUS_OK) return;
    answers->is_full = true;
    log_write(LOG_ERROR, "llm.answers_not_kept", LOG_STR("error.message", str_from(error.text)));
    /* Nobody knows what is on the disk: what was about to be released must not be. */
    if (code != STATUS_RESOURCE_EXHAUSTED || store_is_failed(answers->store)) _exit(FAILED_EXIT);
}

/* Waits for something to write. False: there is nothing, and there will not be. */
static bool wait_for_work(struct answers *answers, struct writings *ret_writings)
{
    (void)pthread_mutex_lock(&answers->mutex);
    while (!answers->to_do.first && !answers->is_stopping) {
        (void)pthread_cond_wait(&answers->wanted, &answers->mutex);
    }
    *ret_writings  = answers->to_do;
    answers->to_do = (struct writings){};
    (void)pthread_mutex_unlock(&answers->mutex);
    return ret_writings->first != NULL;
}

void *answers_write_main(void *context)
{
    struct answers *answers  = context;
    struct writings writings = {};
    while (wait_for_work(answers, &writings)) {
        write_all(answers, &writings);
        (void)pthread_mutex_lock(&answers->mutex);
        struct writing *writing = NULL;
        while ((writing = writings_take(&writings))) writings_add(&answers->done, writing);
        (void)pthread_mutex_unlock(&answers->mutex);
        loop_notify(answers->loop, &answers->notice);
    }
    return NULL;
}
