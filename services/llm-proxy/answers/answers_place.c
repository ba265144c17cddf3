/*
 * Who has the folder, and who had it before.
 *
 * The store lets no second process in, so whose numbers are there are dead. Not so in a copy: the
 * original may go on beside it. A copy lies in another folder, which its inode and the time of its
 * birth tell; one that was moved within its file system is the same. Where a file system is copied
 * as a whole nobody can tell; and what is taken for a copy and is none only waits for its leases.
 */
#include "base/hash.h"
#include "base/log.h"
#include "base/random.h"
#include "llm-proxy/answers/answers_internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { PLACE_SIZE = 2 * NUMBER_SIZE };

status answers_read_replica(struct answers *answers, struct error *reterr)
{
    const bytes key                     = {.ptr = "replica", .len = 7};
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_write(answers->store, &txn, reterr));
    bytes name  = {};
    status code = txn_get(txn, TABLE_META, key, &name, NULL);
    if (code == STATUS_OK && name.len == ANSWERS_REPLICA_SIZE - 1) {
        memcpy(answers->replica, name.ptr, name.len);
        return STATUS_OK;
    }
    if (code != STATUS_NOT_FOUND) {
        return fail(reterr, STATUS_DATA_LOSS, "the store of answers has no name");
    }
    uint64_t random = random_u64();
    hex_encode(&random, (ANSWERS_REPLICA_SIZE - 1) / 2, answers->replica);
    TRY(txn_put(txn, TABLE_META, key, bytes_from(str_from(answers->replica)), reterr));
    return txn_commit(TAKE(txn), reterr);
}

/* Zeroes: nobody knows, or it is in memory. The device is not asked for: it may have another number
 * after the next start of the machine. */
static void find_place(const char *folder, uint8_t ret_place[static PLACE_SIZE])
{
    struct statx about = {};
    memset(ret_place, 0, PLACE_SIZE);
    if (!folder || statx(AT_FDCWD, folder, 0, STATX_INO | STATX_BTIME, &about) != 0) return;
    bool has_birth    = (about.stx_mask & STATX_BTIME) != 0;
    uint64_t birth_ns = 0;
    if (has_birth) {
        birth_ns = (uint64_t)about.stx_btime.tv_sec * 1'000'000'000 + about.stx_btime.tv_nsec;
    }
    number_key(about.stx_ino, ret_place);
    number_key(birth_ns, ret_place + NUMBER_SIZE);
}

/* Of another release it may be missing: then it is where it was. */
static bool is_copy(struct txn *txn, bytes key, const uint8_t place[static PLACE_SIZE])
{
    bytes before = {};
    if (txn_get(txn, TABLE_META, key, &before, NULL) != STATUS_OK) return false;
    return before.len != PLACE_SIZE || memcmp(before.ptr, place, PLACE_SIZE) != 0;
}

static void read_dead(struct answers *answers, bytes row)
{
    const uint8_t *numbers = row.ptr;
    for (size_t i = 0; i < ANSWERS_DEAD_MAX && (i + 1) * NUMBER_SIZE <= row.len; i++) {
        answers->dead[i] = u64_from(numbers + i * NUMBER_SIZE);
    }
}

status answers_take_place(struct answers *answers, const char *folder, struct error *reterr)
{
    const bytes key                     = {.ptr = "instance", .len = 8};
    const bytes place_key               = {.ptr = "folder", .len = 6};
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    bytes before                        = {};
    uint8_t place[PLACE_SIZE];
    uint8_t row[(1 + ANSWERS_DEAD_MAX) * NUMBER_SIZE];
    size_t count = 1;
    find_place(folder, place);
    TRY(txn_begin_write(answers->store, &txn, reterr));
    bool is_elsewhere = is_copy(txn, place_key, place);
    if (is_elsewhere) {
        log_write(LOG_WARN, "llm.store_elsewhere", LOG_STR("path", str_from(folder ? folder : "")),
                  LOG_STR("hint", str_from("it was copied or restored: jobs of its last process "
                                           "wait for their leases")));
    } else if (txn_get(txn, TABLE_META, key, &before, NULL) == STATUS_OK) {
        read_dead(answers, before);
    }
    answers->instance = random_u64() | 1; /* never 0 */
    number_key(answers->instance, row);
    for (; count <= ANSWERS_DEAD_MAX && answers->dead[count - 1] != 0; count++) {
        number_key(answers->dead[count - 1], row + count * NUMBER_SIZE);
    }
    const bytes written = {.ptr = row, .len = count * NUMBER_SIZE};
    TRY(txn_put(txn, TABLE_META, key, written, reterr));
    TRY(txn_put(txn, TABLE_META, place_key, (bytes){.ptr = place, .len = sizeof place}, reterr));
    return txn_commit(TAKE(txn), reterr);
}

const char *answers_replica(const struct answers *answers)
{
    return answers->replica;
}

uint64_t answers_instance(const struct answers *answers)
{
    return answers->instance;
}

const uint64_t *answers_dead(const struct answers *answers)
{
    return answers->dead;
}
