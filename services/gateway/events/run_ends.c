#include "gateway/events/run_ends.h"

#include "base/assert.h"
#include "base/mem.h"
#include "run.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    PARTITIONS_MAX = 1'024,
    IN_VAIN_MAX    = 8,  /* answers in a row with nothing in them: then fewer are asked for, */
    PASSED_MAX     = 16, /* one with so many starts */
};

/* What is between us and one partition. */
struct source {
    bool is_due;      /* a run was started there in this turn */
    bool is_unknown;  /* the scheduler is of an earlier release */
    uint32_t in_vain; /* answers with nothing in them since the last that had something */
    uint32_t passed;  /* starts since the last that was asked for */
    uint64_t over;    /* answers up to this number are not waited for */
    uint64_t taken[RUN_ENDS_TAKEN_MAX]; /* numbers of answers that are to be acknowledged */
    size_t taken_count;
};

struct run_ends {
    const struct api *api;
    run_ends_told *told;
    void *context;
    atomic_size_t expected;
    atomic_bool has_due;

    pthread_mutex_t mutex;                  /* guards what follows */
    uint64_t number;                        /* of the last call */
    struct source *sources[PARTITIONS_MAX]; /* made when first needed */
    uint16_t source_end;                    /* behind the last one */
};

/* A call under way. */
struct asked {
    struct run_ends *ends;
    uint16_t partition;
    uint64_t number;
};

static void lock(struct run_ends *ends)
{
    int failed = pthread_mutex_lock(&ends->mutex);
    ASSERT(!failed);
}

static void unlock(struct run_ends *ends)
{
    int failed = pthread_mutex_unlock(&ends->mutex);
    ASSERT(!failed);
}

struct run_ends *run_ends_new(const struct api *api, run_ends_told *told, void *context)
{
    struct run_ends *ends = mem_new(1, sizeof *ends);
    int failed            = pthread_mutex_init(&ends->mutex, NULL);
    ASSERT(!failed);
    ends->api     = api;
    ends->told    = told;
    ends->context = context;
    return ends;
}

void run_ends_free(struct run_ends *ends)
{
    if (!ends) return;
    for (size_t i = 0; i < ends->source_end; i++) free(ends->sources[i]);
    (void)pthread_mutex_destroy(&ends->mutex);
    free(ends);
}

/* Under the mutex. */
static struct source *source_at(struct run_ends *ends, uint16_t partition)
{
    ASSERT(partition < PARTITIONS_MAX);
    if (!ends->sources[partition]) {
        ends->sources[partition] = mem_new(1, sizeof(struct source));
        if (partition >= ends->source_end) ends->source_end = (uint16_t)(partition + 1);
    }
    return ends->sources[partition];
}

void run_ends_expect(struct run_ends *ends, size_t count)
{
    atomic_store_explicit(&ends->expected, count, memory_order_relaxed);
}

void run_ends_started(struct run_ends *ends, uint16_t partition)
{
    if (atomic_load_explicit(&ends->expected, memory_order_relaxed) == 0) return;
    lock(ends);
    struct source *source = source_at(ends, partition);
    bool is_passed        = source->in_vain >= IN_VAIN_MAX && ++source->passed < PASSED_MAX;
    source->is_due |= !source->is_unknown && !is_passed;
    if (source->is_due) atomic_store(&ends->has_due, true);
    unlock(ends);
}

/* Under the mutex: what is said is said once, unless the answer to it is lost. */
static size_t take_receipt(struct source *source, uint64_t ret_taken[static RUN_ENDS_TAKEN_MAX])
{
    size_t count        = source->taken_count;
    source->taken_count = 0;
    if (count > 0) memcpy(ret_taken, source->taken, count * sizeof *ret_taken);
    return count;
}

size_t run_ends_receipt(struct run_ends *ends, uint16_t partition,
                        uint64_t ret_taken[static RUN_ENDS_TAKEN_MAX], uint64_t *ret_over)
{
    lock(ends);
    struct source *source = source_at(ends, partition);
    size_t count          = take_receipt(source, ret_taken);
    *ret_over             = source->over;
    unlock(ends);
    return count;
}

void run_ends_reconnected(struct run_ends *ends)
{
    lock(ends);
    for (size_t i = 0; i < ends->source_end; i++) {
        if (ends->sources[i]) ends->sources[i]->is_unknown = false;
    }
    unlock(ends);
}

/* --- answers -----------------------------------------------------------------------------------
 */

/* Under the mutex. Answers under way are not counted on either: what they tell may come twice. */
static void give_up(const struct run_ends *ends, struct source *source)
{
    source->over        = ends->number;
    source->taken_count = 0;
}

/* Says whether the ends of the answer are to be told. */
static bool note_taken(struct run_ends *ends, struct source *source, uint64_t number)
{
    if (source->taken_count == RUN_ENDS_TAKEN_MAX) {
        give_up(ends, source);
        return false;
    }
    source->taken[source->taken_count++] = number;
    return true;
}

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct asked asked        = *(struct asked *)context;
    struct run_ends *ends     = asked.ends;
    const Pb__TakenEnds *said = answer->message;
    bool is_unknown           = answer->code == STATUS_UNIMPLEMENTED;
    bool is_news              = answer->code == STATUS_OK && said->n_ended > 0;
    bool is_lost              = answer->code != STATUS_OK && !is_unknown;
    free(context);

    lock(ends);
    struct source *source = source_at(ends, asked.partition);
    source->in_vain       = is_news ? 0 : source->in_vain + 1;
    if (is_unknown) source->is_unknown = true;
    if (is_lost) give_up(ends, source);
    if (is_news) is_lost = !note_taken(ends, source, asked.number);
    unlock(ends);
    if (is_news) ends->told(asked.partition, rpc_answer_keep(answer), ends->context);
    if (is_lost) ends->told(asked.partition, NULL, ends->context);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void ask(struct run_ends *ends, uint16_t partition)
{
    uint64_t taken[RUN_ENDS_TAKEN_MAX];
    Pb__TakeEnds message    = PB__TAKE_ENDS__INIT;
    message.subscriber.data = (uint8_t *)(uintptr_t)ends->api->subscriber; /* only read */
    message.subscriber.len  = sizeof ends->api->subscriber;
    message.taken           = taken;

    lock(ends);
    struct source *source = source_at(ends, partition);
    bool is_due           = source->is_due;
    source->is_due        = false;
    if (is_due) {
        source->passed  = 0;
        message.number  = ++ends->number;
        message.n_taken = take_receipt(source, taken);
    }
    unlock(ends);
    if (!is_due) return;

    struct asked *asked = mem_new(1, sizeof *asked);
    *asked = (struct asked){.ends = ends, .partition = partition, .number = message.number};
    const struct rpc_request request = {.service   = &pb__runs__descriptor,
                                        .method    = "Ends",
                                        .message   = &message,
                                        .partition = partition,
                                        .done      = on_answer,
                                        .context   = asked};
    if (api_call_scheduler(ends->api, &request, NULL) == STATUS_OK) return;
    const struct rpc_answer lost = {.code = STATUS_UNAVAILABLE};
    on_answer(&lost, asked);
}

void run_ends_ask(struct run_ends *ends)
{
    if (!atomic_load_explicit(&ends->has_due, memory_order_relaxed)) return;
    if (!atomic_exchange(&ends->has_due, false)) return;
    lock(ends);
    uint16_t end = ends->source_end;
    unlock(ends);
    for (uint16_t i = 0; i < end; i++) ask(ends, i);
}
