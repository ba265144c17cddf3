#include "gateway/fleet.h"

#include "base/assert.h"
#include "base/mem.h"
#include "fleet/sums.h"
#include "gateway/api/problem.h"

#include <stdlib.h>

enum {
    GROUPS_MAX        = 10'000, /* that are added up */
    PAGE_SIZE_DEFAULT = 50,     /* of the scheduler */
};

/* One question to all processes. In the arena of its call. */
struct round {
    unsigned count;
    atomic_uint open;
    struct rpc_answer **answers; /* `count`; NULL: that process has not answered */
    atomic_bool has_failure;
    struct rpc_answer failure; /* the first one; its texts in `error` */
    struct error error;
    void (*ended)(struct api_call *call, struct round *round);
    const ProtobufCServiceDescriptor *service;
    fleet_then_queues *then_queues;
    fleet_then_status *then_status;
    fleet_then_queue *then_queue;
    fleet_then_drained *then_drained;
    fleet_then_letters *then_letters;
    fleet_then_redriven *then_redriven;
    fleet_then_use *then_use;
    fleet_then_usage *then_usage;
    void *state; /* for `then_usage` */
    uint32_t page_size;
};

unsigned fleet_count(const struct api *api)
{
    unsigned partitions = atomic_load(&api->partitions);
    unsigned count      = api->scheduler_count;
    if (partitions > 0 && count > partitions) count = partitions;
    return count > 0 ? count : 1;
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void note_failure(struct round *round, const struct rpc_answer *answer)
{
    if (atomic_exchange(&round->has_failure, true)) return;
    (void)fail(&round->error, answer->code, "%s", answer->detail);
    const struct problem_kind *kind = problem_kind_of(str_from(answer->error_code), answer->code);
    round->failure                  = (struct rpc_answer){.code           = answer->code,
                                                          .detail         = round->error.text,
                                                          .error_code     = kind->code,
                                                          .retry_after_ms = answer->retry_after_ms};
}

static void close_one(struct api_call *call)
{
    struct round *round = call->state;
    if (atomic_fetch_sub(&round->open, 1) > 1) return;
    round->ended(call, round);
    for (unsigned i = 0; i < round->count; i++) rpc_answer_free(round->answers[i]);
}

static void on_answer(struct api_call *call, size_t item, const struct rpc_answer *answer)
{
    struct round *round = call->state;
    if (answer->code == STATUS_OK) {
        round->answers[item] = rpc_answer_keep(answer);
    } else if (answer->code != STATUS_NOT_FOUND) { /* it has no queue of that name */
        note_failure(round, answer);
    }
    close_one(call);
}

static void ask_all(struct api_call *call, const struct round *like, const char *method,
                    const void *message)
{
    struct round *round = arena_alloc(call->arena, sizeof *round);
    unsigned count      = fleet_count(call->api);
    ASSERT(round);
    *round         = *like;
    round->count   = count;
    round->answers = arena_alloc(call->arena, count * sizeof *round->answers);
    ASSERT(round->answers);
    for (unsigned i = 0; i < count; i++) round->answers[i] = NULL;
    atomic_store(&round->open, count + 1); /* one for us: the last one ends it */
    call->state = round;
    for (unsigned i = 0; i < count; i++) {
        const struct api_ask ask = {.service   = round->service,
                                    .method    = method,
                                    .message   = message,
                                    .partition = (uint16_t)i,
                                    .then_item = on_answer,
                                    .item      = i};
        api_ask_scheduler(call, &ask);
    }
    close_one(call);
}

/* --- queues ------------------------------------------------------------------------------------
 */

static void queues_ended(struct api_call *call, struct round *round)
{
    if (atomic_load(&round->has_failure)) {
        api_fail_answer(call, &round->failure);
        return;
    }
    struct queue_sum sum = {.items = mem_new(SUM_NAMES_MAX, sizeof *sum.items)};
    for (unsigned i = 0; i < round->count; i++) {
        const Pb__QueueList *list = round->answers[i] ? round->answers[i]->message : NULL;
        for (size_t q = 0; list && q < list->n_queues; q++) {
            queue_sum_add(&sum, list->queues[q]);
        }
    }
    Pb__QueueList all = PB__QUEUE_LIST__INIT;
    all.queues        = sum.items;
    all.n_queues      = sum.count;
    round->then_queues(call, &all);
    free(sum.items);
}

void fleet_ask_queues(struct api_call *call, const char *name, fleet_then_queues *then)
{
    const struct round round = {
        .service = &pb__system__descriptor, .ended = queues_ended, .then_queues = then};
    Pb__ListQueues message = PB__LIST_QUEUES__INIT;
    message.namespace_     = api_namespace(call);
    message.name           = name;
    ask_all(call, &round, "Queues", &message);
}

static void change_ended(struct api_call *call, struct round *round)
{
    if (atomic_load(&round->has_failure)) {
        api_fail_answer(call, &round->failure);
        return;
    }
    const struct rpc_answer *first = round->answers[0];
    ASSERT(first); /* ChangeQueue makes the queue: nobody says NOT_FOUND */
    round->then_queue(call, first->message);
}

void fleet_change_queue(struct api_call *call, const Pb__SetQueue *message, fleet_then_queue *then)
{
    const struct round round = {
        .service = &pb__system__descriptor, .ended = change_ended, .then_queue = then};
    ask_all(call, &round, "ChangeQueue", message);
}

/* --- workers -----------------------------------------------------------------------------------
 */

static void drain_ended(struct api_call *call, struct round *round)
{
    Pb__WorkerStatus sum = PB__WORKER_STATUS__INIT;
    bool is_known        = false;
    if (atomic_load(&round->has_failure)) {
        api_fail_answer(call, &round->failure);
        return;
    }
    for (unsigned i = 0; i < round->count; i++) {
        const Pb__WorkerStatus *one = round->answers[i] ? round->answers[i]->message : NULL;
        if (!one) continue;
        is_known = true;
        sum.name = one->name;
        sum.draining |= one->draining;
        sum.busy += one->busy;
    }
    round->then_drained(call, is_known ? &sum : NULL);
}

void fleet_drain_worker(struct api_call *call, const Pb__DrainWorkerRequest *message,
                        fleet_then_drained *then)
{
    const struct round round = {
        .service = &pb__system__descriptor, .ended = drain_ended, .then_drained = then};
    ask_all(call, &round, "DrainWorker", message);
}

/* --- dead letters ------------------------------------------------------------------------------
 */

static void add_group(Pb__DeadLetterList *sum, Pb__DeadLetterGroup *group)
{
    for (size_t i = 0; i < sum->n_groups; i++) {
        Pb__DeadLetterGroup *found = sum->groups[i];
        bool is_same               = strcmp(found->error_type, group->error_type) == 0 &&
                       strcmp(found->function, group->function) == 0;
        if (!is_same) continue;
        found->count += group->count;
        if (group->first_us < found->first_us) found->first_us = group->first_us;
        if (group->last_us > found->last_us) found->last_us = group->last_us;
        return;
    }
    if (sum->n_groups < GROUPS_MAX) sum->groups[sum->n_groups++] = group;
}

static int group_compare(const void *a, const void *b)
{
    const Pb__DeadLetterGroup *one   = *(Pb__DeadLetterGroup *const *)a;
    const Pb__DeadLetterGroup *other = *(Pb__DeadLetterGroup *const *)b;
    if (one->count != other->count) return one->count < other->count ? 1 : -1;
    return strcmp(one->error_type, other->error_type);
}

static bool is_newer(const Pb__DeadLetterView *one, const Pb__DeadLetterView *other)
{
    if (one->time_us != other->time_us) return one->time_us > other->time_us;
    return strcmp(one->job, other->job) > 0;
}

/* The newest of all that is not taken yet; NULL: none. `places`: how many of each are. */
static Pb__DeadLetterView *next_letter(const struct round *round, size_t *places)
{
    Pb__DeadLetterView *newest = NULL;
    size_t of                  = 0;
    for (unsigned i = 0; i < round->count; i++) {
        const Pb__DeadLetterList *list = round->answers[i] ? round->answers[i]->message : NULL;
        if (!list || places[i] == list->n_letters) continue;
        Pb__DeadLetterView *one = list->letters[places[i]];
        if (newest && !is_newer(one, newest)) continue;
        newest = one;
        of     = i;
    }
    if (newest) places[of]++;
    return newest;
}

static void letters_ended(struct api_call *call, struct round *round)
{
    if (atomic_load(&round->has_failure)) {
        api_fail_answer(call, &round->failure);
        return;
    }
    Pb__DeadLetterList sum = PB__DEAD_LETTER_LIST__INIT;
    size_t *places         = mem_new(round->count, sizeof *places);
    bool has_more          = false;
    sum.letters            = mem_new(round->page_size, sizeof(Pb__DeadLetterView *));
    sum.groups             = mem_new(GROUPS_MAX, sizeof(Pb__DeadLetterGroup *));
    for (unsigned i = 0; i < round->count; i++) {
        const Pb__DeadLetterList *list = round->answers[i] ? round->answers[i]->message : NULL;
        for (size_t g = 0; list && g < list->n_groups; g++) add_group(&sum, list->groups[g]);
        has_more |= list && *list->next_token;
    }
    if (sum.n_groups > 0) qsort(sum.groups, sum.n_groups, sizeof(void *), group_compare);
    Pb__DeadLetterView *next = next_letter(round, places);
    for (; next && sum.n_letters < round->page_size; next = next_letter(round, places)) {
        sum.letters[sum.n_letters++] = next;
    }
    if (sum.n_letters > 0 && (has_more || next)) {
        sum.next_token = sum.letters[sum.n_letters - 1]->page_token;
    }
    round->then_letters(call, &sum);
    free(places);
    free(sum.letters);
    free(sum.groups);
}

void fleet_ask_letters(struct api_call *call, const Pb__ListDeadLetters *message,
                       fleet_then_letters *then)
{
    uint32_t size            = message->page ? message->page->size : 0;
    const struct round round = {.service      = &pb__dead_letters__descriptor,
                                .ended        = letters_ended,
                                .then_letters = then,
                                .page_size    = size > 0 ? size : PAGE_SIZE_DEFAULT};
    ask_all(call, &round, "List", message);
}

static void redriven_ended(struct api_call *call, struct round *round)
{
    Pb__RedrivenDeadLetters sum = PB__REDRIVEN_DEAD_LETTERS__INIT;
    if (atomic_load(&round->has_failure)) {
        api_fail_answer(call, &round->failure);
        return;
    }
    for (unsigned i = 0; i < round->count; i++) {
        const Pb__RedrivenDeadLetters *one = round->answers[i] ? round->answers[i]->message : NULL;
        sum.redriven += one ? one->redriven : 0;
        sum.refused += one ? one->refused : 0;
    }
    round->then_redriven(call, &sum);
}

void fleet_redrive_all(struct api_call *call, const Pb__RedriveDeadLetters *message,
                       fleet_then_redriven *then)
{
    const struct round round = {
        .service = &pb__dead_letters__descriptor, .ended = redriven_ended, .then_redriven = then};
    ask_all(call, &round, "RedriveAll", message);
}

/* --- workflows ---------------------------------------------------------------------------------
 */

static void use_ended(struct api_call *call, struct round *round)
{
    const char *run = "";
    if (atomic_load(&round->has_failure)) {
        api_fail_answer(call, &round->failure);
        return;
    }
    for (unsigned i = 0; i < round->count; i++) {
        const Pb__WorkflowUse *use = round->answers[i] ? round->answers[i]->message : NULL;
        if (use && *use->run) run = use->run;
    }
    round->then_use(call, run);
}

void fleet_ask_use(struct api_call *call, const Pb__WorkflowVersion *message, fleet_then_use *then)
{
    const struct round round = {
        .service = &pb__workflows__descriptor, .ended = use_ended, .then_use = then};
    ask_all(call, &round, "InUse", message);
}

/* --- usage -------------------------------------------------------------------------------------
 */

static void usage_ended(struct api_call *call, struct round *round)
{
    call->state = round->state; /* nobody looks for the round there any more: it may ask on */
    if (atomic_load(&round->has_failure)) {
        round->then_usage(call, NULL, &round->failure);
        return;
    }
    struct usage_sum sum;
    usage_sum_init(&sum);
    for (unsigned i = 0; i < round->count; i++) {
        const Pb__UsageSum *part = round->answers[i] ? round->answers[i]->message : NULL;
        for (size_t g = 0; part && g < part->n_groups; g++) {
            const Pb__UsageOfGroup *group = part->groups[g];
            if (group->counters) usage_sum_add(&sum, str_from(group->value), group->counters);
        }
    }
    round->then_usage(call, &sum, NULL);
    usage_sum_done(&sum);
}

void fleet_ask_usage(struct api_call *call, const Pb__SumUsage *message, void *state,
                     fleet_then_usage *then)
{
    const struct round round = {.service    = &pb__usages__descriptor,
                                .ended      = usage_ended,
                                .then_usage = then,
                                .state      = state};
    ask_all(call, &round, "Sum", message);
}

/* --- status ------------------------------------------------------------------------------------
 */

static size_t rows_of(const struct round *round)
{
    size_t count = 1;
    for (unsigned i = 0; i < round->count; i++) {
        const Pb__SystemStatus *state = round->answers[i] ? round->answers[i]->message : NULL;
        if (!state) continue;
        count += state->n_partitions + state->n_workers + state->n_queues + state->n_archives;
    }
    return count;
}

static void add_state(Pb__SystemStatus *sum, const Pb__SystemStatus *state)
{
    struct queue_sum queues   = {.items = sum->queues, .count = sum->n_queues};
    struct worker_sum workers = {.items = sum->workers, .count = sum->n_workers};
    if (sum->started_us == 0 || state->started_us < sum->started_us) {
        sum->started_us = state->started_us;
    }
    sum->version = state->version;
    for (size_t i = 0; i < state->n_partitions; i++) {
        sum->partitions[sum->n_partitions++] = state->partitions[i];
    }
    for (size_t i = 0; i < state->n_workers; i++) worker_sum_add(&workers, state->workers[i]);
    for (size_t i = 0; i < state->n_queues; i++) queue_sum_add(&queues, state->queues[i]);
    sum->n_workers = workers.count;
    sum->n_queues  = queues.count;
    for (size_t i = 0; i < state->n_archives; i++) {
        sum->archives[sum->n_archives++] = state->archives[i];
    }
}

static void status_ended(struct api_call *call, struct round *round)
{
    size_t rows          = rows_of(round);
    unsigned missing     = 0;
    Pb__SystemStatus sum = PB__SYSTEM_STATUS__INIT;
    sum.partitions       = mem_new(rows, sizeof(Pb__PartitionStatus *));
    sum.workers          = mem_new(rows, sizeof(Pb__WorkerStatus *));
    sum.queues           = mem_new(rows, sizeof(Pb__QueueView *));
    sum.archives         = mem_new(rows, sizeof(Pb__ArchiveStatus *));
    for (unsigned i = 0; i < round->count; i++) {
        if (round->answers[i]) {
            add_state(&sum, round->answers[i]->message);
        } else {
            missing++;
        }
    }
    round->then_status(call, missing < round->count ? &sum : NULL, missing, &round->failure);
    free(sum.partitions);
    free(sum.workers);
    free(sum.queues);
    free(sum.archives);
}

void fleet_ask_status(struct api_call *call, fleet_then_status *then)
{
    const struct round round = {
        .service = &pb__system__descriptor, .ended = status_ended, .then_status = then};
    Pb__SystemStatusRequest message = PB__SYSTEM_STATUS_REQUEST__INIT;
    ask_all(call, &round, "Status", &message);
}
