/* DeadLetters: lists over all partitions of this process, and what people do about them. */
#include "base/log.h"
#include "base/mem.h"
#include "dead_letter.pb-c.h"
#include "scheduler/services/call.h"
#include "scheduler/services/page_token.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/dead_letters.h"
#include "scheduler/tables/run_store.h"
#include "scheduler/tables/run_wire.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    GROUPS_MAX       = 1'000,
    REDRIVE_ALL_MAX  = 10'000,
    PATCH_SIZE_MAX   = 256 << 10, /* bytes */
    FILTERS_MAX      = 4 << 10,   /* bytes in one text */
    ORDER_ARENA_MAX  = 64 << 20,  /* bytes: keys of DEAD_LETTERS_MAX rows */
    REDRIVE_ARENA    = 16 << 10,  /* bytes of one command */
    PLACE_TIME_BYTES = 8,
    PLACE_BYTES      = PLACE_TIME_BYTES + ID_BYTES,
};

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
}

/* --- collecting --------------------------------------------------------------------------------
 */

/* Where a letter is, and where it stands in the list: the newest first. */
struct entry {
    uint8_t place[PLACE_BYTES]; /* time and job */
    uint16_t shard;
    bytes key;
};

struct listing {
    struct arena *arena;     /* of the call */
    struct arena *row_arena; /* of the entries */
    Pb__DeadLetterList *answer;
    struct entry *entries; /* owned */
    size_t count, capacity;
    uint16_t shard;
};

static void listing_done(struct listing *list)
{
    free(list->entries);
    arena_free(list->row_arena);
}

static Pb__DeadLetterGroup *group_at(struct listing *list, const char *type, const char *function)
{
    Pb__DeadLetterList *answer = list->answer;
    for (size_t i = 0; i < answer->n_groups; i++) {
        Pb__DeadLetterGroup *group = answer->groups[i];
        if (strcmp(group->error_type, type) == 0 && strcmp(group->function, function) == 0) {
            return group;
        }
    }
    if (answer->n_groups == GROUPS_MAX) return NULL;
    Pb__DeadLetterGroup *group = arena_alloc(list->arena, sizeof *group);
    if (!group) return NULL;
    *group                             = (Pb__DeadLetterGroup)PB__DEAD_LETTER_GROUP__INIT;
    group->error_type                  = type;
    group->function                    = text_in(list->arena, str_from(function));
    answer->groups[answer->n_groups++] = group;
    return group;
}

static void place_make(const Pb__DeadLetterRecord *row, uint8_t place[static PLACE_BYTES])
{
    uint64_t time = (uint64_t)row->time_us;
    for (int i = 0; i < PLACE_TIME_BYTES; i++) {
        place[i] = (uint8_t)(time >> (8 * (PLACE_TIME_BYTES - 1 - i)));
    }
    memset(place + PLACE_TIME_BYTES, 0, ID_BYTES);
    str job = str_from(row->job->job->id);
    if (id_is_valid(job)) id_pack(job, place + PLACE_TIME_BYTES);
}

static status collect(bytes key, const Pb__DeadLetterRecord *row, struct error *reterr,
                      void *context)
{
    struct listing *list = context;
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->entries  = mem_resize(list->entries, list->capacity, sizeof *list->entries);
    }
    const char *type           = letter_error_type(row, list->arena);
    Pb__DeadLetterGroup *group = group_at(list, type, row->job->job->function);
    char *copy                 = arena_strdup(list->row_arena, (str){key.ptr, key.len});
    if (!copy) return no_memory(reterr);
    if (group) {
        group->count++;
        if (group->first_us == 0 || row->time_us < group->first_us) group->first_us = row->time_us;
        if (row->time_us > group->last_us) group->last_us = row->time_us;
    }
    struct entry *entry = &list->entries[list->count++];
    *entry              = (struct entry){.shard = list->shard, .key = {copy, key.len}};
    place_make(row, entry->place);
    return STATUS_OK;
}

static int entry_compare(const void *a, const void *b)
{
    const struct entry *one   = a;
    const struct entry *other = b;
    return memcmp(other->place, one->place, PLACE_BYTES);
}

static int group_compare(const void *a, const void *b)
{
    const Pb__DeadLetterGroup *one   = *(Pb__DeadLetterGroup *const *)a;
    const Pb__DeadLetterGroup *other = *(Pb__DeadLetterGroup *const *)b;
    if (one->count != other->count) return one->count < other->count ? 1 : -1;
    return strcmp(one->error_type, other->error_type);
}

static struct letter_filter filter_of(str namespace, const char *queue,
                                      const Pb__DeadLetterFilter *wanted)
{
    return (struct letter_filter){
        .namespace  = namespace,
        .queue      = str_from(queue),
        .error_type = str_from(wanted ? wanted->error_type : ""),
        .function   = str_from(wanted ? wanted->function : ""),
    };
}

static status collect_all(struct rpc_call *call, const struct letter_filter *filter,
                          struct listing *list, struct error *reterr)
{
    uint16_t count = scheduler_partition_count(call->context);
    for (uint16_t i = 0; i < count; i++) {
        const struct shard *shard = scheduler_shard(call->context, i);
        if (!shard) continue;
        CLEANUP(txn_abortp) struct txn *txn = NULL;
        list->shard                         = i;
        TRY(txn_begin_read(shard->partition->store, &txn, reterr));
        TRY(letters_visit(txn, filter, collect, list, reterr));
    }
    if (list->count > 0) qsort(list->entries, list->count, sizeof *list->entries, entry_compare);
    Pb__DeadLetterList *answer = list->answer;
    if (answer->n_groups > 0) {
        qsort(answer->groups, answer->n_groups, sizeof *answer->groups, group_compare);
    }
    return STATUS_OK;
}

/* --- one page ----------------------------------------------------------------------------------
 */

static status put_input(struct txn *txn, const Pb__JobRecord *job, struct arena *arena,
                        Pb__DeadLetterView *view, struct error *reterr)
{
    if (job->input_payload == 0) {
        view->input_json = bytes_in(arena, str_of(job->job->input_json));
        return STATUS_OK;
    }
    struct payload_access access        = {.txn = txn};
    const struct payload_store payloads = payload_store_of(&access);
    str text                            = {};
    TRY(payloads.load(job->input_payload, &text, payloads.context, reterr));
    view->input_json = bytes_in(arena, text);
    return STATUS_OK;
}

/* An entry of no run has none that could go. */
static bool is_gone(struct txn *txn, const char *run)
{
    bytes row = {};
    struct key key;
    if (!id_is_valid(str_from(run))) return false;
    id_key(&key, str_from(run));
    return txn_get(txn, TABLE_RUNS, key_bytes(&key), &row, NULL) == STATUS_NOT_FOUND;
}

static status add_view(struct rpc_call *call, const struct entry *entry, bytes filters,
                       Pb__DeadLetterList *answer, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    const struct shard *shard           = scheduler_shard(call->context, entry->shard);
    Pb__DeadLetterRecord *row           = NULL;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    status got = record_get(txn, TABLE_DEAD_LETTERS, entry->key,
                            &pb__dead_letter_record__descriptor, call->arena, &row, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK; /* redriven meanwhile */
    TRY(got);
    Pb__DeadLetterView *view = arena_alloc(call->arena, sizeof *view);
    if (!view) return no_memory(reterr);
    const Pb__LeasedJob *job = row->job->job;
    *view                    = (Pb__DeadLetterView)PB__DEAD_LETTER_VIEW__INIT;
    view->job                = job->id;
    view->queue              = ((const Pb__ListDeadLetters *)call->request)->queue;
    view->namespace_         = job->namespace_;
    view->run                = job->run;
    view->workflow           = job->workflow;
    view->task               = job->task;
    view->iteration          = job->iteration;
    view->function           = job->function;
    view->attempts           = job->attempt;
    view->time_us            = row->time_us;
    view->error_json         = row->error_json;
    view->redrives           = row->redrives;
    view->unknown_outcome    = row->job->is_unknown;
    view->target             = row->target;
    view->run_gone           = is_gone(txn, job->run);
    view->page_token = page_token_new(filters, (bytes){entry->place, PLACE_BYTES}, call->arena);
    if (!view->page_token) return no_memory(reterr);
    answer->letters[answer->n_letters++] = view;
    return put_input(txn, row->job, call->arena, view, reterr);
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListDeadLetters *request = call->request;
    Pb__DeadLetterList *answer         = call->response;
    str namespace                      = call_namespace(call, request->namespace_);
    const struct letter_filter filter  = filter_of(namespace, request->queue, request->filter);
    CLEANUP(buf_done) struct buf text  = buf_init(FILTERS_MAX);
    uint32_t size                      = 0;
    bytes place                        = {};
    (void)buf_printf(&text, STR_FMT "\x1f" STR_FMT "\x1f" STR_FMT "\x1f" STR_FMT,
                     STR_ARG(namespace), STR_ARG(filter.queue), STR_ARG(filter.error_type),
                     STR_ARG(filter.function));
    bytes filters = bytes_from(buf_str(&text));
    TRY(page_size_read(request->page ? request->page->size : 0, &size, reterr));
    if (request->page && *request->page->token) {
        TRY(page_token_read(str_from(request->page->token), filters, call->arena, &place, reterr));
    }
    CLEANUP(listing_done)
    struct listing list = {
        .arena = call->arena, .row_arena = arena_new(ORDER_ARENA_MAX), .answer = answer};
    answer->letters = arena_alloc(call->arena, size * sizeof *answer->letters);
    answer->groups  = arena_alloc(call->arena, GROUPS_MAX * sizeof *answer->groups);
    if (!answer->letters || !answer->groups || !list.row_arena) return no_memory(reterr);
    TRY(collect_all(call, &filter, &list, reterr));
    size_t i = 0;
    while (place.len == PLACE_BYTES && i < list.count &&
           memcmp(list.entries[i].place, place.ptr, PLACE_BYTES) >= 0) {
        i++;
    }
    for (; i < list.count && answer->n_letters < size; i++) {
        TRY(add_view(call, &list.entries[i], filters, answer, reterr));
    }
    if (i < list.count && i > 0) {
        bytes last         = {(const char *)list.entries[i - 1].place, PLACE_BYTES};
        answer->next_token = page_token_new(filters, last, call->arena);
        if (!answer->next_token) return no_memory(reterr);
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- redrive and drop --------------------------------------------------------------------------
 */

static status shard_of_job(struct rpc_call *call, const char *job, struct shard **ret_shard,
                           uint16_t *ret_partition, struct error *reterr)
{
    if (!id_is_valid(str_from(job))) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no dead letter %s", job);
    }
    *ret_partition = id_partition(str_from(job));
    *ret_shard     = scheduler_shard(call->context, *ret_partition);
    return STATUS_OK;
}

static status redrive(struct rpc_call *call, struct error *reterr)
{
    const Pb__RedriveDeadLetter *request = call->request;
    struct shard *shard                  = NULL;
    uint16_t partition                   = 0;
    TRY(shard_of_job(call, request->job, &shard, &partition, reterr));
    if (!shard) return call_moved(call, partition);
    if (request->patch_json.len > PATCH_SIZE_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "input_patch: over %d bytes", PATCH_SIZE_MAX);
    }
    struct command *command = call_command(call, COMMAND_REDRIVE, 1);
    if (!command) return no_memory(reterr);
    command->namespace = call_namespace(call, request->namespace_);
    status parsed      = json_out(request->patch_json, "input_patch", &command->values[0], reterr);
    if (parsed != STATUS_OK) {
        command_release(command);
        return parsed;
    }
    call_post(call, shard, command);
    return STATUS_OK;
}

static status drop(struct rpc_call *call, struct error *reterr)
{
    const Pb__DropDeadLetter *request = call->request;
    struct shard *shard               = NULL;
    uint16_t partition                = 0;
    TRY(shard_of_job(call, request->job, &shard, &partition, reterr));
    if (!shard) return call_moved(call, partition);
    struct command *command = call_command(call, COMMAND_DROP_LETTER, 0);
    if (!command) return no_memory(reterr);
    command->namespace = call_namespace(call, request->namespace_);
    call_post(call, shard, command);
    return STATUS_OK;
}

/* --- redrive all: one command each -------------------------------------------------------------
 */

/* Lives in the arena of the call, which is answered when the last command is done. */
struct sweep {
    struct rpc_call *call;
    const char *by;
    struct shard *shard; /* at hand */
    uint32_t asked;
    _Atomic uint32_t pending; /* commands, and the sweep itself */
    _Atomic uint32_t redriven, refused;
};

static void sweep_release(struct sweep *sweep)
{
    if (atomic_fetch_sub(&sweep->pending, 1) != 1) return;
    Pb__RedrivenDeadLetters *answer = sweep->call->response;
    answer->redriven                = atomic_load(&sweep->redriven);
    answer->refused                 = atomic_load(&sweep->refused);
    rpc_reply(sweep->call, STATUS_OK, NULL);
}

struct redriving {
    struct command command; /* first */
    struct sweep *sweep;
    Pb__RedriveDeadLetter message;
};

static void on_redriven(struct command *command)
{
    struct redriving *redriving = (struct redriving *)command;
    struct sweep *sweep         = redriving->sweep;
    atomic_fetch_add(command->code == STATUS_OK ? &sweep->redriven : &sweep->refused, 1);
    arena_free(command->arena);
    sweep_release(sweep);
}

static status redrive_one(bytes, const Pb__DeadLetterRecord *row, struct error *reterr,
                          void *context)
{
    struct sweep *sweep = context;
    if (sweep->asked == REDRIVE_ALL_MAX) return STATUS_OK;
    struct arena *arena         = arena_new(REDRIVE_ARENA);
    struct redriving *redriving = arena ? arena_alloc(arena, sizeof *redriving) : NULL;
    if (!redriving) {
        arena_free(arena);
        return no_memory(reterr);
    }
    redriving->sweep       = sweep;
    redriving->message     = (Pb__RedriveDeadLetter)PB__REDRIVE_DEAD_LETTER__INIT;
    redriving->message.job = text_in(arena, str_from(row->job->job->id));
    redriving->message.by  = text_in(arena, str_from(sweep->by));
    redriving->command     = (struct command){
            .mail      = {.size_bytes = sizeof *redriving},
            .kind      = COMMAND_REDRIVE,
            .request   = &redriving->message,
            .arena     = arena,
            .namespace = str_from("*"), /* looked at already */
            .done      = on_redriven,
    };
    sweep->asked++;
    atomic_fetch_add(&sweep->pending, 1);
    if (engine_post(sweep->shard->engine, &redriving->command, NULL) == STATUS_OK) return STATUS_OK;
    arena_free(arena);
    atomic_fetch_add(&sweep->refused, 1);
    atomic_fetch_sub(&sweep->pending, 1); /* never the last: the sweep itself still counts */
    return STATUS_OK;
}

static status sweep_all(struct rpc_call *call, struct sweep *sweep, struct error *reterr)
{
    const Pb__RedriveDeadLetters *request = call->request;
    const struct letter_filter filter =
        filter_of(call_namespace(call, request->namespace_), request->queue, request->filter);
    uint16_t count = scheduler_partition_count(call->context);
    for (uint16_t i = 0; i < count; i++) {
        CLEANUP(txn_abortp) struct txn *txn = NULL;
        sweep->shard                        = scheduler_shard(call->context, i);
        if (!sweep->shard) continue;
        TRY(txn_begin_read(sweep->shard->partition->store, &txn, reterr));
        TRY(letters_visit(txn, &filter, redrive_one, sweep, reterr));
    }
    return STATUS_OK;
}

static status redrive_all(struct rpc_call *call, struct error *)
{
    const Pb__RedriveDeadLetters *request = call->request;
    struct sweep *sweep                   = arena_alloc(call->arena, sizeof *sweep);
    if (!sweep) return STATUS_RESOURCE_EXHAUSTED;
    *sweep             = (struct sweep){.call = call, .by = request->by, .pending = 1};
    struct error error = {};
    if (sweep_all(call, sweep, &error) != STATUS_OK) {
        log_write(LOG_ERROR, "dead_letters.unreadable", LOG_TEXT_OF("error", error.text));
    }
    sweep_release(sweep);
    return STATUS_OK;
}

const struct rpc_method dead_letter_service_methods[] = {
    {.name = "List", .handle = list},
    {.name = "Redrive", .handle = redrive},
    {.name = "Drop", .handle = drop},
    {.name = "RedriveAll", .handle = redrive_all},
    {},
};
