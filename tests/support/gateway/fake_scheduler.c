#include "support/gateway/fake_scheduler.h"

#include "approval.pb-c.h"
#include "base/assert.h"
#include "base/attr.h"
#include "system.pb-c.h"
#include "workflow.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char fake_run_id[] = "01M80MMGJ40000000006EA9WX1";

enum { EVENTS_PER_READ = 200 };

static void note(struct fake_scheduler *fake, const struct rpc_call *call, const char *namespace)
{
    (void)pthread_mutex_lock(&fake->mutex);
    (void)snprintf(fake->namespace, sizeof fake->namespace, "%s", namespace);
    (void)snprintf(fake->request_id, sizeof fake->request_id, STR_FMT, STR_ARG(call->request_id));
    (void)snprintf(fake->roles, sizeof fake->roles, STR_FMT, STR_ARG(call->caller.roles));
    (void)snprintf(fake->traceparent, sizeof fake->traceparent, STR_FMT,
                   STR_ARG(call->traceparent));
    (void)pthread_mutex_unlock(&fake->mutex);
}

static status done(struct rpc_call *call)
{
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- system ------------------------------------------------------------------------------------
 */

/* There is one partition. */
static bool owns(uint16_t partition, struct rpc_moved *, void *)
{
    return partition == 0;
}

static status topology(struct rpc_call *call, struct error *reterr)
{
    struct fake_scheduler *fake = call->context;
    Pb__TopologyView *view      = call->response;
    (void)pthread_mutex_lock(&fake->mutex);
    bool is_refused = fake->topologies++ < fake->topologies_refused;
    (void)pthread_cond_broadcast(&fake->changed);
    (void)pthread_mutex_unlock(&fake->mutex);
    if (is_refused) return fail(reterr, STATUS_UNAVAILABLE, "not now");
    view->partition_count = 1;
    return done(call);
}

static status lookup_key(struct rpc_call *call, struct error *reterr)
{
    static const char *const roles[FAKE_KEY_COUNT] = {"viewer",   "developer", "operator",
                                                      "approver", "worker",    "model_client",
                                                      "admin",    "admin",     "viewer"};
    struct fake_scheduler *fake                    = call->context;
    const Pb__LookupKeyRequest *request            = call->request;
    Pb__ApiKey *answer                             = call->response;
    (void)pthread_mutex_lock(&fake->mutex);
    fake->looked_up++;
    (void)pthread_mutex_unlock(&fake->mutex);
    for (size_t i = 0; i < FAKE_KEY_COUNT; i++) {
        if (strcmp(request->id, fake->keys[i].id) != 0) continue;
        const char **list     = arena_alloc(call->arena, sizeof *list);
        list[0]               = roles[i];
        answer->id            = fake->keys[i].id;
        answer->name          = "tester";
        answer->secret_sha256 = (ProtobufCBinaryData){SHA256_SIZE, fake->keys[i].secret_sha256};
        answer->roles         = list;
        answer->n_roles       = 1;
        answer->namespace_    = i == FAKE_ROOT ? "*" : "acme";
        answer->revoked       = i == FAKE_REVOKED;
        return done(call);
    }
    return fail(reterr, STATUS_NOT_FOUND, "no such key");
}

static status empty(struct rpc_call *call, struct error *)
{
    return done(call);
}

static const struct rpc_method system_methods[] = {{.name = "Topology", .handle = topology},
                                                   {.name = "LookupKey", .handle = lookup_key},
                                                   {.name = "Status", .handle = empty},
                                                   {.name = "Queues", .handle = empty},
                                                   {}};

/* --- runs --------------------------------------------------------------------------------------
 */

static bool is_final(Pb__RunStatus run_status)
{
    return run_status >= PB__RUN_STATUS__RUN_STATUS_COMPLETED;
}

/* Under the mutex. */
static void fill(const struct fake_scheduler *fake, Pb__RunView *view)
{
    static const char output[] = "{\"answer\":42}";
    static const char input[]  = "{\"question\":6}";
    view->id                   = fake_run_id;
    view->namespace_           = "acme";
    view->workflow             = "hello";
    view->version              = "1.0.0";
    view->status               = fake->run_status;
    view->created_us           = 1'700'000'000'000'000;
    view->last_sequence        = fake->event_count;
    view->input_json = (ProtobufCBinaryData){sizeof input - 1, (uint8_t *)(uintptr_t)input};
    if (fake->run_status == PB__RUN_STATUS__RUN_STATUS_COMPLETED) {
        view->output_json = (ProtobufCBinaryData){sizeof output - 1, (uint8_t *)(uintptr_t)output};
    }
}

static Pb__RunView *view_new(const struct fake_scheduler *fake, struct arena *arena)
{
    Pb__RunView *view = arena_alloc(arena, sizeof *view);
    ASSERT(view);
    pb__run_view__init(view);
    fill(fake, view);
    return view;
}

static void answer_start(struct fake_scheduler *fake, struct rpc_call *call)
{
    Pb__StartedRun *answer = call->response;
    answer->run            = view_new(fake, call->arena);
    answer->created        = true;
}

static status start(struct rpc_call *call, struct error *)
{
    struct fake_scheduler *fake = call->context;
    const Pb__StartRun *request = call->request;
    note(fake, call, request->namespace_);
    (void)pthread_mutex_lock(&fake->mutex);
    (void)snprintf(fake->input, sizeof fake->input, "%.*s", (int)request->input_json.len,
                   (const char *)request->input_json.data);
    bool waits = fake->is_slow_to_start;
    if (waits) fake->start = call;
    if (!waits) answer_start(fake, call);
    fake->started++;
    (void)pthread_cond_broadcast(&fake->changed);
    (void)pthread_mutex_unlock(&fake->mutex);
    return waits ? STATUS_OK : done(call);
}

static status get(struct rpc_call *call, struct error *reterr)
{
    struct fake_scheduler *fake = call->context;
    const Pb__GetRun *request   = call->request;
    note(fake, call, request->namespace_);
    bool is_mine =
        strcmp(request->namespace_, "*") == 0 || strcmp(request->namespace_, "acme") == 0;
    (void)pthread_mutex_lock(&fake->mutex);
    status code = fake->fails_with;
    if (is_mine && code == STATUS_OK) fill(fake, call->response);
    (void)pthread_mutex_unlock(&fake->mutex);
    if (code != STATUS_OK) return fail(reterr, code, "the inside");
    if (is_mine) return done(call);
    return fail(reterr, STATUS_NOT_FOUND, "there is no run %s", request->id);
}

static status history(struct rpc_call *call, struct error *)
{
    struct fake_scheduler *fake    = call->context;
    const Pb__ReadHistory *request = call->request;
    Pb__RunHistory *answer         = call->response;
    (void)pthread_mutex_lock(&fake->mutex);
    uint64_t last      = fake->event_count;
    uint32_t data_size = fake->event_size;
    answer->status     = fake->run_status;
    fake->histories++;
    (void)pthread_cond_broadcast(&fake->changed);
    (void)pthread_mutex_unlock(&fake->mutex);
    uint64_t count_max =
        request->count_max < EVENTS_PER_READ ? request->count_max : EVENTS_PER_READ;
    answer->run_id        = fake_run_id;
    answer->last_sequence = last;
    uint64_t first        = request->after + 1;
    if (request->newest_first && last >= count_max && last - count_max + 1 > first) {
        first = last - count_max + 1;
    }
    answer->events = arena_alloc(call->arena, count_max * sizeof *answer->events);
    char *data     = arena_alloc(call->arena, data_size + 16);
    ASSERT(answer->events && data);
    memcpy(data, "{\"a\":\"", 6);
    memset(data + 6, 'x', data_size);
    memcpy(data + 6 + data_size, "\"}", 2);
    size_t size = data_size + 8;
    for (uint64_t i = first; i <= last && answer->n_events < count_max; i++) {
        Pb__HistoryEvent *event = arena_alloc(call->arena, sizeof *event);
        ASSERT(event);
        pb__history_event__init(event);
        event->sequence                    = i;
        event->time_us                     = 1'700'000'000'000'000;
        event->type                        = i % 2 ? "run.started" : "task.completed";
        event->data_json                   = (ProtobufCBinaryData){size, (uint8_t *)data};
        answer->events[answer->n_events++] = event;
    }
    if (request->newest_first) {
        for (size_t i = 0; i < answer->n_events / 2; i++) {
            Pb__HistoryEvent *other                  = answer->events[i];
            answer->events[i]                        = answer->events[answer->n_events - 1 - i];
            answer->events[answer->n_events - 1 - i] = other;
        }
    }
    return done(call);
}

static status cancel(struct rpc_call *call, struct error *)
{
    struct fake_scheduler *fake  = call->context;
    const Pb__CancelRun *request = call->request;
    note(fake, call, request->namespace_);
    (void)pthread_mutex_lock(&fake->mutex);
    fake->cancelled++;
    fill(fake, call->response);
    (void)pthread_mutex_unlock(&fake->mutex);
    return done(call);
}

/* Under the mutex: answers a parked pull with the end of the run, or empty. */
static void answer_pull(struct fake_scheduler *fake, struct rpc_call *call)
{
    Pb__PulledRuns *answer = call->response;
    answer->reply          = fake->pulled;
    answer->instance       = 1;
    if (!fake->is_ended_unsaid) return;
    answer->ended         = arena_alloc(call->arena, sizeof *answer->ended);
    answer->ended[0]      = view_new(fake, call->arena);
    answer->n_ended       = 1;
    fake->is_ended_unsaid = false;
}

static status pull(struct rpc_call *call, struct error *)
{
    struct fake_scheduler *fake = call->context;
    const Pb__PullRuns *request = call->request;
    struct rpc_call *before     = NULL;
    (void)pthread_mutex_lock(&fake->mutex);
    fake->pulled++;
    fake->watches += (unsigned)request->n_watch;
    fake->unwatches += (unsigned)request->n_unwatch;
    if (request->n_watch > 0 && is_final(fake->run_status)) fake->is_ended_unsaid = true;
    if (fake->pull_count > 0) before = fake->pulls[--fake->pull_count];
    if (before) ((Pb__PulledRuns *)before->response)->instance = 1;
    bool answers = fake->is_ended_unsaid || request->wait_ms == 0;
    if (answers) {
        answer_pull(fake, call);
    } else {
        fake->pulls[fake->pull_count++] = call;
    }
    (void)pthread_cond_broadcast(&fake->changed);
    (void)pthread_mutex_unlock(&fake->mutex);
    if (before) rpc_reply(before, STATUS_OK, NULL);
    return answers ? done(call) : STATUS_OK;
}

static void cancel_pull(struct rpc_call *call)
{
    struct fake_scheduler *fake = call->context;
    bool is_parked              = false;
    (void)pthread_mutex_lock(&fake->mutex);
    for (size_t i = 0; i < fake->pull_count && !is_parked; i++) {
        if (fake->pulls[i] != call) continue;
        fake->pulls[i] = fake->pulls[--fake->pull_count];
        is_parked      = true;
    }
    (void)pthread_mutex_unlock(&fake->mutex);
    if (is_parked) rpc_reply(call, STATUS_CANCELLED, NULL);
}

static const struct rpc_method runs_methods[] = {
    {.name = "Start", .handle = start},
    {.name = "Get", .handle = get},
    {.name = "List", .handle = empty},
    {.name = "History", .handle = history},
    {.name = "Cancel", .handle = cancel},
    {.name = "Signal", .handle = empty},
    {.name = "Pull", .handle = pull, .cancel = cancel_pull},
    {}};

/* --- workflows, approvals ----------------------------------------------------------------------
 */

static status put_workflow(struct rpc_call *call, struct error *)
{
    Pb__PutWorkflowAnswer *answer = call->response;
    answer->workflow              = arena_alloc(call->arena, sizeof *answer->workflow);
    ASSERT(answer->workflow);
    pb__workflow_view__init(answer->workflow);
    return done(call);
}

static const struct rpc_method workflow_methods[] = {{.name = "Put", .handle = put_workflow},
                                                     {.name = "Validate", .handle = empty},
                                                     {.name = "Get", .handle = empty},
                                                     {.name = "List", .handle = empty},
                                                     {}};

static const struct rpc_method approval_methods[] = {{.name = "List", .handle = empty},
                                                     {.name = "Get", .handle = empty},
                                                     {.name = "Decide", .handle = empty},
                                                     {}};

/* --- the test's side ---------------------------------------------------------------------------
 */

void fake_scheduler_start(struct fake_scheduler *fake, const char *name)
{
    *fake =
        (struct fake_scheduler){.run_status = PB__RUN_STATUS__RUN_STATUS_RUNNING, .event_count = 2};
    (void)pthread_mutex_init(&fake->mutex, NULL);
    (void)pthread_cond_init(&fake->changed, NULL);
    (void)snprintf(fake->url, sizeof fake->url, "inproc://%s", name);
    (void)snprintf(fake->hint_url, sizeof fake->hint_url, "inproc://%s-hints", name);
    for (size_t i = 0; i < FAKE_KEY_COUNT; i++) {
        uint8_t random[API_KEY_RANDOM];
        memset(random, (int)i + 1, sizeof random);
        api_key_make(random, &fake->keys[i]);
    }
    const struct rpc_service services[] = {
        {&pb__system__descriptor, system_methods, fake},
        {&pb__runs__descriptor, runs_methods, fake},
        {&pb__workflows__descriptor, workflow_methods, fake},
        {&pb__approvals__descriptor, approval_methods, fake},
        {},
    };
    struct error error                      = {};
    const struct rpc_server_options options = {
        .url = fake->url, .services = services, .hooks = {.owns = owns}, .drain_ms = 100};
    status code = rpc_server_start(&options, &fake->server, &error);
    ASSERT(code == STATUS_OK);
    code = rpc_publisher_start(fake->hint_url, NULL, &fake->publisher, &error);
    ASSERT(code == STATUS_OK);
}

void fake_scheduler_stop(struct fake_scheduler *fake)
{
    rpc_server_stopp(&fake->server);
    rpc_publisher_stopp(&fake->publisher);
    (void)pthread_cond_destroy(&fake->changed);
    (void)pthread_mutex_destroy(&fake->mutex);
}

void fake_end_run(struct fake_scheduler *fake, Pb__RunStatus run_status)
{
    struct rpc_call *parked = NULL;
    struct rpc_call *begun  = NULL;
    (void)pthread_mutex_lock(&fake->mutex);
    fake->run_status      = run_status;
    fake->is_ended_unsaid = true;
    if (fake->pull_count > 0) parked = fake->pulls[--fake->pull_count];
    if (parked) answer_pull(fake, parked);
    begun       = fake->start;
    fake->start = NULL;
    if (begun) {
        answer_start(fake, begun); /* the gateway learns of the start after the end */
        ((Pb__StartedRun *)begun->response)->run->status = PB__RUN_STATUS__RUN_STATUS_RUNNING;
    }
    (void)pthread_mutex_unlock(&fake->mutex);
    if (parked) rpc_reply(parked, STATUS_OK, NULL);
    if (begun) rpc_reply(begun, STATUS_OK, NULL);
}

void fake_nudge(struct fake_scheduler *fake)
{
    struct rpc_call *parked = NULL;
    (void)pthread_mutex_lock(&fake->mutex);
    if (fake->pull_count > 0) parked = fake->pulls[--fake->pull_count];
    if (parked) answer_pull(fake, parked);
    (void)pthread_mutex_unlock(&fake->mutex);
    if (parked) rpc_reply(parked, STATUS_OK, NULL);
}

void fake_add_events(struct fake_scheduler *fake, uint64_t count, bool with_hint)
{
    (void)pthread_mutex_lock(&fake->mutex);
    fake->event_count += count;
    Pb__RunHint hint  = PB__RUN_HINT__INIT;
    hint.run_id       = fake_run_id;
    hint.sequence     = fake->event_count;
    hint.status       = fake->run_status;
    Pb__RunHint *list = &hint;
    (void)pthread_mutex_unlock(&fake->mutex);
    Pb__RunHints hints = PB__RUN_HINTS__INIT;
    hints.hints        = &list;
    hints.n_hints      = 1;
    uint8_t packed[128];
    ASSERT(pb__run_hints__get_packed_size(&hints) <= sizeof packed);
    size_t size = pb__run_hints__pack(&hints, packed);
    if (with_hint) rpc_publish(fake->publisher, 0, (bytes){.ptr = (char *)packed, .len = size});
}

void fake_await(struct fake_scheduler *fake, const unsigned *counter, unsigned count)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FAKE_WAIT_MS / 1000;
    int rc = 0;
    (void)pthread_mutex_lock(&fake->mutex);
    while (*counter < count && rc == 0) {
        rc = pthread_cond_timedwait(&fake->changed, &fake->mutex, &until);
    }
    bool is_there = *counter >= count;
    (void)pthread_mutex_unlock(&fake->mutex);
    ASSERT(is_there);
}

unsigned fake_count(struct fake_scheduler *fake, const unsigned *counter)
{
    (void)pthread_mutex_lock(&fake->mutex);
    unsigned count = *counter;
    (void)pthread_mutex_unlock(&fake->mutex);
    return count;
}
