#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "llm-proxy/answers/answers_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAP_SIZE_GIB = 8 };

static const char *const table_names[TABLE_COUNT + 1] = {"meta", "tail",    "answers",     "names",
                                                         "ends", "shelves", "shelf_order", NULL};

/* --- life --------------------------------------------------------------------------------------
 */

static void on_written(void *context)
{
    struct answers *answers = context;
    (void)pthread_mutex_lock(&answers->mutex);
    struct writings done = answers->done;
    answers->done        = (struct writings){};
    (void)pthread_mutex_unlock(&answers->mutex);
    struct writing *writing = NULL;
    while ((writing = writings_take(&done))) {
        answers->waiting--;
        if (writing->kind == WRITING_SHELF) shelf_written(answers, writing);
        if (writing->done) writing->done(writing->is_kept, writing->context);
        writing_free(writing);
    }
}

static status open_store(const struct answers_options *options, struct answers *answers,
                         struct error *reterr)
{
    struct store_options store = {.path = options->path, .tables = table_names};
    answers->total_max         = options->path ? ANSWERS_TOTAL_MAX : ANSWERS_MEMORY_MAX;
    answers->has_shelves       = options->path != NULL;
    if (options->path) {
        if (mkdir(options->path, 0700) && errno != EEXIST) {
            return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", options->path);
        }
        store.size_max = options->size_max ? options->size_max : (uint64_t)MAP_SIZE_GIB << 30;
        return store_open(&store, &answers->store, reterr);
    }
    store.size_max = (uint64_t)ANSWERS_MEMORY_MAX * 4; /* streams on their way beside them */
    if (options->size_max) store.size_max = options->size_max;
    answers->store = store_open_memory(&store);
    return STATUS_OK;
}

static status start_thread(struct answers *answers, struct error *reterr)
{
    answers->has_thread = pthread_create(&answers->thread, NULL, answers_write_main, answers) == 0;
    if (answers->has_thread) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no thread for the store of answers");
}

status answers_open(const struct answers_options *options, struct answers **ret_answers,
                    struct error *reterr)
{
    CLEANUP(answers_freep) struct answers *answers = mem_new(1, sizeof *answers);
    answers->loop                                  = options->loop;
    answers->unix_us           = options->unix_us ? options->unix_us : clock_unix_us;
    answers->print_interrupted = options->print_interrupted;
    answers->claims            = map_new(ANSWERS_CLAIMS_MAX);
    answers->drops             = map_new(ANSWERS_CLAIMS_MAX);
    answers->notice            = (struct loop_notice){.run = on_written, .context = answers};
    (void)pthread_mutex_init(&answers->mutex, NULL);
    (void)pthread_cond_init(&answers->wanted, NULL);
    TRY(open_store(options, answers, reterr));
    TRY(answers_read_replica(answers, reterr));
    TRY(answers_take_place(answers, options->path, reterr));
    TRY(answers_recover(answers, reterr));
    TRY(shelf_recover(answers, reterr));
    TRY(start_thread(answers, reterr));
    *ret_answers = TAKE(answers);
    return STATUS_OK;
}

static void stop_thread(struct answers *answers)
{
    if (!answers->has_thread) return;
    (void)pthread_mutex_lock(&answers->mutex);
    answers->is_stopping = true;
    (void)pthread_cond_signal(&answers->wanted);
    (void)pthread_mutex_unlock(&answers->mutex);
    (void)pthread_join(answers->thread, NULL);
    answers->has_thread = false;
}

void answers_stop(struct answers *answers)
{
    struct writing *writing = NULL;
    stop_thread(answers);
    loop_notice_clear(answers->loop, &answers->notice);
    while ((writing = writings_take(&answers->to_do))) writing_free(writing);
    while ((writing = writings_take(&answers->done))) writing_free(writing);
}

void answers_freep(struct answers **ref)
{
    struct answers *answers = *ref;
    if (!answers) return;
    answers_stop(answers);
    txn_abort(answers->reader);
    store_close(answers->store);
    (void)pthread_cond_destroy(&answers->wanted);
    (void)pthread_mutex_destroy(&answers->mutex);
    map_free(answers->claims);
    map_free(answers->drops);
    free(answers);
    *ref = NULL;
}

size_t answers_waiting(const struct answers *answers)
{
    return answers->waiting;
}

/* --- reading -----------------------------------------------------------------------------------
 */

bool answers_begin_read(struct answers *answers)
{
    struct error error = {};
    status code        = answers->reader ? txn_renew(answers->reader, &error)
                                         : txn_begin_read(answers->store, &answers->reader, &error);
    if (code == STATUS_OK) return true;
    log_write(LOG_ERROR, "llm.answers_unreadable", LOG_STR("error.message", str_from(error.text)));
    return false;
}

/* NULL: it is gone. */
static Pb__KeptAnswer *read_answer(struct answers *answers, uint64_t number)
{
    uint8_t key[NUMBER_SIZE];
    bytes row = {};
    number_key(number, key);
    if (txn_get(answers->reader, TABLE_ANSWERS, (bytes){.ptr = key, .len = sizeof key}, &row,
                NULL) != STATUS_OK) {
        return NULL;
    }
    return pb__kept_answer__unpack(NULL, row.len, row.ptr);
}

static enum answers_verdict find(struct answers *answers, const struct answers_claim *claim,
                                 Pb__KeptAnswer **ret_kept)
{
    bytes row   = {};
    bytes name  = {.ptr = claim->name, .len = SHA256_SIZE};
    status code = txn_get(answers->reader, TABLE_NAMES, name, &row, NULL);
    if (code == STATUS_NOT_FOUND) return ANSWERS_CLAIMED;
    if (code != STATUS_OK || row.len != NAME_ROW) return ANSWERS_UNKNOWN;
    const uint8_t *raw = row.ptr;
    if (u64_from(raw + NUMBER_SIZE) <= (uint64_t)answers->unix_us()) return ANSWERS_CLAIMED;
    Pb__KeptAnswer *kept = read_answer(answers, u64_from(raw));
    if (!kept) return ANSWERS_CLAIMED; /* it had to go */
    if (memcmp(raw + PAIR_SIZE, claim->request, SHA256_SIZE) != 0) {
        pb__kept_answer__free_unpacked(kept, NULL);
        return ANSWERS_OTHER;
    }
    *ret_kept = kept;
    return ANSWERS_KEPT;
}

Pb__KeptAnswer *answers_find_stream(struct answers *answers, uint64_t number)
{
    if (!answers_begin_read(answers)) return NULL;
    Pb__KeptAnswer *kept = read_answer(answers, number);
    txn_reset(answers->reader);
    if (!kept) return NULL;
    int64_t until_us = kept->ended_us + (int64_t)ANSWERS_STREAM_S * 1'000'000;
    if (kept->is_stream && until_us > answers->unix_us()) return kept;
    pb__kept_answer__free_unpacked(kept, NULL);
    return NULL;
}

/* --- claims ------------------------------------------------------------------------------------
 */

static str name_of(const struct answers_claim *claim)
{
    return (str){.ptr = (const char *)claim->name, .len = SHA256_SIZE};
}

enum answers_verdict answers_claim(struct answers *answers, struct answers_claim *claim,
                                   Pb__KeptAnswer **ret_kept, void **ret_owner)
{
    ASSERT(!claim->answers);
    const struct answers_claim *running = map_get(answers->claims, name_of(claim));
    if (running) {
        *ret_owner = running->owner;
        bool is_it = memcmp(running->request, claim->request, SHA256_SIZE) == 0;
        return is_it ? ANSWERS_RUNNING : ANSWERS_OTHER;
    }
    if (!answers_begin_read(answers)) return ANSWERS_UNKNOWN;
    enum answers_verdict verdict = find(answers, claim, ret_kept);
    txn_reset(answers->reader);
    if (verdict != ANSWERS_CLAIMED) return verdict;
    if (!map_put(answers->claims, name_of(claim), claim)) return ANSWERS_UNKNOWN;
    claim->answers = answers;
    return ANSWERS_CLAIMED;
}

void answers_unclaim(struct answers_claim *claim)
{
    if (!claim->answers) return;
    (void)map_remove(claim->answers->claims, name_of(claim));
    claim->answers = NULL;
}

void answers_move_claim(struct answers_claim *from, struct answers_claim *to)
{
    *to = *from;
    if (!from->answers) return;
    answers_unclaim(from);
    bool is_put = map_put(to->answers->claims, name_of(to), to);
    ASSERT(is_put); /* a place has just become free */
}

static str text_of(const uint8_t name[static SHA256_SIZE])
{
    return (str){.ptr = (const char *)name, .len = SHA256_SIZE};
}

void answers_begin_asking(struct answers *answers, const uint8_t name[static SHA256_SIZE])
{
    struct answers_claim *claim = map_get(answers->claims, text_of(name));
    if (claim) claim->is_asking = true;
}

bool answers_end_asking(struct answers *answers, const uint8_t name[static SHA256_SIZE])
{
    struct answers_claim *claim = map_get(answers->claims, text_of(name));
    if (!claim) return false;
    claim->is_asking = false;
    return !claim->has_given_way;
}

enum answers_verdict answers_tell(struct answers *answers, const char *replica,
                                  const uint8_t name[static SHA256_SIZE],
                                  const uint8_t request[static SHA256_SIZE],
                                  Pb__KeptAnswer **ret_kept)
{
    struct answers_claim *running = map_get(answers->claims, text_of(name));
    struct answers_claim asked    = {};
    int order                     = strcmp(replica, answers->replica);
    if (order == 0) return ANSWERS_CLAIMED; /* it is ourselves who ask */
    if (running) {
        if (memcmp(running->request, request, SHA256_SIZE) != 0) return ANSWERS_OTHER;
        if (!running->is_asking || order > 0) return ANSWERS_RUNNING;
        running->has_given_way = true;
        return ANSWERS_CLAIMED;
    }
    memcpy(asked.name, name, SHA256_SIZE);
    memcpy(asked.request, request, SHA256_SIZE);
    if (!answers_begin_read(answers)) return ANSWERS_UNKNOWN;
    enum answers_verdict verdict = find(answers, &asked, ret_kept);
    txn_reset(answers->reader);
    return verdict;
}

/* --- writing -----------------------------------------------------------------------------------
 */

uint64_t answers_next_number(struct answers *answers)
{
    enum { RANDOM_BITS = 20 };
    uint64_t random = random_u64() & ((UINT64_C(1) << RANDOM_BITS) - 1);
    uint64_t number = (uint64_t)(answers->unix_us() / 1'000) << RANDOM_BITS | random;
    if (number <= answers->last_number) number = answers->last_number + 1;
    answers->last_number = number;
    return number;
}

void answers_hand_over(struct answers *answers, struct writing *writing)
{
    answers->waiting++;
    (void)pthread_mutex_lock(&answers->mutex);
    writings_add(&answers->to_do, writing);
    (void)pthread_cond_signal(&answers->wanted);
    (void)pthread_mutex_unlock(&answers->mutex);
}

void answers_keep(struct answers *answers, Pb__KeptAnswer *answer, answers_done *done,
                  void *context)
{
    struct writing *writing = writing_of(answers, answer);
    writing->done           = done;
    writing->context        = context;
    answers_hand_over(answers, writing);
}

void answers_append(struct answers *answers, uint64_t stream, uint64_t piece,
                    const Pb__StreamPiece *written, answers_done *done, void *context)
{
    struct writing *writing = mem_new(1, sizeof *writing);
    size_t size             = pb__stream_piece__get_packed_size(written);
    writing->kind           = WRITING_PIECE;
    writing->number         = stream;
    writing->piece          = piece;
    writing->done           = done;
    writing->context        = context;
    writing->value          = buf_init(size);
    uint8_t *packed         = (uint8_t *)buf_reserve(&writing->value, size);
    ASSERT(packed);
    buf_commit(&writing->value, pb__stream_piece__pack(written, packed));
    answers_hand_over(answers, writing);
}

void answers_forget(struct answers *answers, uint64_t stream)
{
    struct writing *writing = mem_new(1, sizeof *writing);
    writing->kind           = WRITING_FORGET;
    writing->number         = stream;
    answers_hand_over(answers, writing);
}
