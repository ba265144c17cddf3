/* Clients: they start runs and do to them what their plan says, until they know that it is done. */
#include "approval.pb-c.h"
#include "base/assert.h"
#include "base/mem.h"
#include "run.pb-c.h"
#include "scheduler/tables/record.h"
#include "sim.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 1'000, VALUE_MAX = 256, FREE_MAX = 1'000'000 };

static ProtobufCBinaryData binary(struct stage_call *call, const char *text)
{
    size_t len = strlen(text);
    char *copy = stage_call_alloc(call, len + 1);
    memcpy(copy, text, len);
    return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)copy};
}

static json parse(const char *text)
{
    json value  = json_invalid();
    status read = json_parse(str_from(text), NULL, &value, NULL, NULL);
    ASSERT(read == STATUS_OK);
    return value;
}

/* --- calls --------------------------------------------------------------------------------------
 */

static struct stage_call *make_start(struct sim *sim, struct op *op)
{
    char input[VALUE_MAX];
    const struct plan *plan = op->plan;
    (void)snprintf(input, sizeof input, "{\"n\":%lld}", (long long)plan->n);
    struct stage_call *call  = stage_call_new(COMMAND_START, 1);
    Pb__StartRun *request    = stage_call_alloc(call, sizeof *request);
    Pb__StartedRun *response = stage_call_alloc(call, sizeof *response);
    Pb__Label *team          = stage_call_alloc(call, sizeof *team);
    Pb__Label **labels       = stage_call_alloc(call, sizeof *labels);
    *request                 = (Pb__StartRun)PB__START_RUN__INIT;
    *response                = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    labels[0]                = team;
    *team                    = (Pb__Label)PB__LABEL__INIT;
    team->key                = "team";
    team->value              = plan->team;
    request->client_id       = plan->client_id;
    request->on_conflict     = PB__ON_CONFLICT__ON_CONFLICT_RETURN;
    request->created_by      = plan->key;
    request->budget_tokens   = plan->tokens;
    request->labels          = labels;
    request->n_labels        = 1;
    request->input_json      = binary(call, input);
    call->command.request    = request;
    call->command.response   = response;
    call->command.values[0]  = parse(input);

    const struct workflow_name name = {
        .namespace = str_from("sim"),
        .name      = str_from(sim->programs.items[plan->program].name),
    };
    struct error error = {};
    status found = definitions_resolve(stage_definitions(sim->stage), stage_store(sim->stage, 0),
                                       &name, &call->command.workflow, &error);
    if (found != STATUS_OK) {
        sim_fail(sim, "program %zu is not there: %s", plan->program, error.text);
    }
    return call;
}

static struct stage_call *make_signal(const struct sim *sim, const struct op *op)
{
    char name[VALUE_MAX];
    char data[VALUE_MAX];
    (void)snprintf(name, sizeof name, "s%u", op->site);
    (void)snprintf(data, sizeof data, "{\"v\":%lld}",
                   (long long)sim->programs.sites[op->site].value);
    struct stage_call *call    = stage_call_new(COMMAND_SIGNAL, 1);
    Pb__SignalRun *request     = stage_call_alloc(call, sizeof *request);
    Pb__SignalledRun *response = stage_call_alloc(call, sizeof *response);
    *request                   = (Pb__SignalRun)PB__SIGNAL_RUN__INIT;
    *response                  = (Pb__SignalledRun)PB__SIGNALLED_RUN__INIT;
    request->name              = arena_strdup(call->arena, str_from(name));
    call->command.request      = request;
    call->command.response     = response;
    call->command.values[0]    = parse(data);
    return call;
}

static struct stage_call *make_decision(const struct op *op)
{
    struct stage_call *call     = stage_call_new(COMMAND_DECIDE, 1);
    Pb__DecideApproval *request = stage_call_alloc(call, sizeof *request);
    Pb__ApprovalView *response  = stage_call_alloc(call, sizeof *response);
    *request                    = (Pb__DecideApproval)PB__DECIDE_APPROVAL__INIT;
    *response                   = (Pb__ApprovalView)PB__APPROVAL_VIEW__INIT;
    request->id                 = op->approval.text;
    request->approve            = site_approves(op->site);
    request->by                 = "sim";
    call->command.request       = request;
    call->command.response      = response;
    return call;
}

static struct stage_call *make_delete(const struct op *op)
{
    struct stage_call *call  = stage_call_new(COMMAND_DELETE_RUN, 0);
    Pb__DeleteRun *request   = stage_call_alloc(call, sizeof *request);
    Pb__DeletedRun *response = stage_call_alloc(call, sizeof *response);
    *request                 = (Pb__DeleteRun)PB__DELETE_RUN__INIT;
    *response                = (Pb__DeletedRun)PB__DELETED_RUN__INIT;
    request->force           = true;
    request->by              = "sim";
    call->command.request    = request;
    call->command.response   = response;
    op->plan->is_deleted     = true;
    return call;
}

static struct stage_call *make_stop(const struct op *op)
{
    enum command_kind kind = op->kind == OP_PAUSE ? COMMAND_SUSPEND : COMMAND_RESUME;
    if (op->kind == OP_CANCEL) kind = COMMAND_CANCEL;
    struct stage_call *call = stage_call_new(kind, 0);
    Pb__RunView *response   = stage_call_alloc(call, sizeof *response);
    *response               = (Pb__RunView)PB__RUN_VIEW__INIT;
    call->command.response  = response;
    if (op->kind == OP_CANCEL) {
        Pb__CancelRun *request = stage_call_alloc(call, sizeof *request);
        *request               = (Pb__CancelRun)PB__CANCEL_RUN__INIT;
        call->command.request  = request;
        return call;
    }
    Pb__StopRun *request  = stage_call_alloc(call, sizeof *request);
    *request              = (Pb__StopRun)PB__STOP_RUN__INIT;
    call->command.request = request;
    return call;
}

static struct stage_call *make(struct sim *sim, void *subject)
{
    struct op *op           = subject;
    struct stage_call *call = NULL;
    switch (op->kind) {
    case OP_START: call = make_start(sim, op); break;
    case OP_SIGNAL: call = make_signal(sim, op); break;
    case OP_DECIDE: call = make_decision(op); break;
    case OP_DELETE: call = make_delete(op); break;
    case OP_SCHEDULE:
    case OP_UNSCHEDULE: call = sim_schedule_make(sim, op); break;
    case OP_BUDGET: call = sim_budgets_make(op); break;
    case OP_CHANGE: call = sim_operator_make(op); break;
    case OP_UNSUBSCRIBE: call = sim_webhooks_make(op); break;
    case OP_OPEN_BREAKER:
    case OP_RESET_BREAKER: call = sim_redrive_make(sim, op); break;
    default: call = make_stop(op); break;
    }
    call->command.namespace  = str_from("sim");
    call->command.request_id = str_from(op->request_id);
    call->command.deed = (struct deed){.action   = op->kind == OP_START ? SIM_AUDIT_START : "do",
                                       .resource = "/v1/runs/{id}",
                                       .key_id   = "",
                                       .roles    = "",
                                       .address  = "",
                                       .asked_as = op->request_id};
    if (op->kind != OP_START && op->run.text[0]) call->command.run = op->run;
    return call;
}

/* --- operations ---------------------------------------------------------------------------------
 */

static void run_known(struct sim *sim, struct plan *plan);

struct op *client_op(struct sim *sim, enum op_kind kind, struct plan *plan)
{
    struct op *op = arena_alloc(sim->arena, sizeof *op);
    ASSERT(op);
    *op = (struct op){.next = sim->ops, .kind = kind, .plan = plan};
    if (plan && kind != OP_START) {
        op->run       = plan->run;
        op->partition = id_partition(str_from(plan->run.text));
    }
    (void)snprintf(op->request_id, sizeof op->request_id, "r%llu",
                   (unsigned long long)++sim->request_count);
    sim->ops = op;
    return op;
}

bool run_may_be_gone(const struct sim *sim, const char *run)
{
    if (sim->retention.keep_us > 0) return true;
    for (size_t i = 0; i < sim->plan_count; i++) {
        const struct plan *plan = &sim->plans[i];
        if (plan->is_deleted && strcmp(plan->run.text, run) == 0) return true;
    }
    return false;
}

/* What a repetition is told whose first copy has done it. */
static bool is_settled(const struct sim *sim, const struct op *op, const struct command *command)
{
    if (command->code == STATUS_OK) return true;
    if (command->code == STATUS_NOT_FOUND) {
        bool is_left = op->kind == OP_UNSUBSCRIBE && op->receiver->goes; /* it said so first */
        return is_left || run_may_be_gone(sim, op->run.text);
    }
    if (command->code != STATUS_FAILED_PRECONDITION || !command->error.code) return false;
    const char *code = command->error.code;
    if (strcmp(code, "run_finished") == 0) return true; /* it came another way, or was stopped */
    if (op->kind == OP_DECIDE) return strcmp(code, "approval_closed") == 0;
    return op->kind == OP_RESUME && strcmp(code, "run_not_paused") == 0;
}

static void op_done(struct sim *sim, struct op *op, const struct command *command)
{
    op->is_done = true;
    sim_trace(sim, "%s is done after %u tries", op->request_id, op->tries);
    if (op->kind == OP_START && command->code == STATUS_OK) {
        op->plan->run = command->run;
        run_known(sim, op->plan);
    }
    if (op->kind == OP_SCHEDULE) sim_schedule_done(sim, op);
    if (op->kind == OP_OPEN_BREAKER) sim_redrive_opened(sim);
    if (op->kind == OP_SIGNAL) {
        op->plan->signals_acked++;
        if (command->code == STATUS_OK) {
            const Pb__SignalledRun *answer = command->response;
            memcpy(op->event.text, answer->event_id, ID_LEN);
        }
    }
    if (op->kind == OP_PAUSE) {
        struct op *resume = client_op(sim, OP_RESUME, op->plan);
        sim_at(sim, (int64_t)sim_draw(sim, 8'000) * MS, client_send, resume);
    }
}

static void answered(struct sim *sim, struct stage_call *call, void *subject)
{
    struct op *op                 = subject;
    const struct command *command = &call->command;
    if (op->is_done) return;
    if (is_settled(sim, op, command)) {
        op_done(sim, op, command);
        return;
    }
    bool is_passing =
        command->code == STATUS_UNAVAILABLE || command->code == STATUS_RESOURCE_EXHAUSTED;
    if (is_passing) return;
    sim_fail(sim, "%s (kind %d) was refused: %s \"%s\": %s", op->request_id, (int)op->kind,
             status_name(command->code), command->error.code ? command->error.code : "",
             command->error.text);
}

/* Again and again, the same request, until it is answered. */
void client_send(struct sim *sim, void *subject)
{
    struct op *op = subject;
    if (op->is_done) return;
    if (op->tries++ == TRIES_MAX) {
        sim_fail(sim, "%s (kind %d) is not answered", op->request_id, (int)op->kind);
        return;
    }
    sim_trace(sim, "%s kind %d", op->request_id, (int)op->kind);
    network_send(sim, op->partition, make, answered, op);
    sim_at(sim, 1 * SECOND + (int64_t)sim_draw(sim, 3'000) * MS, client_send, op);
}

/* --- what is done to a run ----------------------------------------------------------------------
 */

static void signal_all(struct sim *sim, struct plan *plan)
{
    for (uint32_t i = 1; i <= sim->programs.site_count; i++) {
        const struct site *site = &sim->programs.sites[i];
        if (site->kind != SITE_SIGNAL || site->program != plan->program) continue;
        struct op *op = client_op(sim, OP_SIGNAL, plan);
        op->site      = i;
        plan->signals_sent++;
        sim_at(sim, (int64_t)sim_draw(sim, 30'000) * MS, client_send, op);
    }
}

/* A branch of a race that its budget has ended leaves one that waits for ever. */
static void end_late(struct sim *sim, struct plan *plan)
{
    int64_t left_us = sim->weather.until_us - sim->now_us;
    if (left_us < 0) left_us = 0;
    sim_at(sim, left_us + 300 * SECOND, client_send, client_op(sim, OP_CANCEL, plan));
}

static void run_known(struct sim *sim, struct plan *plan)
{
    sim_trace(sim, "%s is run %s", plan->client_id, plan->run.text);
    signal_all(sim, plan);
    if (plan->tokens > 0) end_late(sim, plan);
    if (plan->is_stopped) {
        enum op_kind how  = sim_draw(sim, 3) == 0 ? OP_DELETE : OP_CANCEL;
        struct op *cancel = client_op(sim, how, plan);
        sim->has_deletions |= how == OP_DELETE;
        sim_at(sim, (int64_t)sim_draw(sim, 20'000) * MS, client_send, cancel);
    } else if (sim_draw(sim, 3) == 0) {
        struct op *pause = client_op(sim, OP_PAUSE, plan);
        sim_at(sim, (int64_t)sim_draw(sim, 20'000) * MS, client_send, pause);
    }
}

/* Child runs are signalled by somebody who hears of them. */
static status see_run(bytes, bytes row, struct error *reterr, void *context)
{
    struct sim *sim                          = context;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    Pb__RunView *view                        = NULL;
    TRY(record_read(row, &pb__run_view__descriptor, arena, &view, reterr));
    if (!*view->parent_run || map_get(sim->decisions, str_from(view->id))) return STATUS_OK;
    struct plan *plan = arena_alloc(sim->arena, sizeof *plan);
    ASSERT(plan);
    *plan = (struct plan){.program = (size_t)(view->workflow[1] - '0'), .is_stopped = true};
    memcpy(plan->run.text, view->id, ID_LEN);
    bool is_put = map_put(sim->decisions, str_from(view->id), plan);
    ASSERT(is_put);
    signal_all(sim, plan);
    return STATUS_OK;
}

static status see_approval(bytes, bytes row, struct error *reterr, void *context)
{
    struct sim *sim                          = context;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    Pb__ApprovalView *view                   = NULL;
    TRY(record_read(row, &pb__approval_view__descriptor, arena, &view, reterr));
    if (view->status != PB__APPROVAL_STATUS__APPROVAL_STATUS_PENDING) return STATUS_OK;
    if (map_get(sim->decisions, str_from(view->id))) return STATUS_OK;
    struct op *op = client_op(sim, OP_DECIDE, NULL);
    op->site      = (uint32_t)strtoul(view->title, NULL, 10);
    op->partition = id_partition(str_from(view->id));
    memcpy(op->run.text, view->run, ID_LEN);
    memcpy(op->approval.text, view->id, ID_LEN);
    bool is_put = map_put(sim->decisions, str_from(view->id), op);
    ASSERT(is_put);
    sim_at(sim, (int64_t)sim_draw(sim, 5'000) * MS, client_send, op);
    return STATUS_OK;
}

/* A late copy of a pause may come behind the resume: somebody sees it in the end. */
static status see_head(bytes key, bytes row, struct error *reterr, void *context)
{
    struct sim *sim                          = context;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    Pb__RunHead *head                        = NULL;
    TRY(record_read(row, &pb__run_head__descriptor, arena, &head, reterr));
    if (head->status != PB__RUN_STATUS__RUN_STATUS_SUSPENDED) return STATUS_OK;
    ASSERT(key.len == ID_BYTES);
    struct op *op = client_op(sim, OP_RESUME, NULL);
    op->run       = id_unpack(key.ptr);
    op->partition = id_partition(str_from(op->run.text));
    client_send(sim, op);
    return STATUS_OK;
}

static void look_at(struct sim *sim, uint16_t partition, enum table table, page_fn visit)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct error error                  = {};
    struct page page                    = {};
    const struct scan scan              = {};
    status read = txn_begin_read(stage_store(sim->stage, partition), &txn, &error);
    if (read == STATUS_OK) {
        read = txn_page(txn, table, &scan, 10'000, &page, visit, sim, &error);
    }
    if (read != STATUS_OK) sim_fail(sim, "a client reads: %s", error.text);
}

static void look_around(struct sim *sim, void *)
{
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
        look_at(sim, i, TABLE_APPROVALS, see_approval);
        look_at(sim, i, TABLE_RUNS, see_run);
        if (sim->is_calm) look_at(sim, i, TABLE_RUN_HEADS, see_head);
    }
    sim_budgets_care(sim);
    sim_at(sim, 2 * SECOND + (int64_t)sim_draw(sim, 2'000) * MS, look_around, NULL);
}

/* --- all ----------------------------------------------------------------------------------------
 */

/* Of equal calls that share answers one may be all that is made; what a budget refuses is none. */
static void share_answers(struct sim *sim)
{
    for (uint32_t i = 1; i <= sim->programs.site_count; i++) {
        struct tally *least = &sim->least[i];
        if (sim->programs.sites[i].kind == SITE_MODEL && sim->budgets.may_refuse) {
            sim->most[i].failed = sim->most[i].keys;
            *least              = (struct tally){};
        }
        if (!sim->programs.sites[i].is_cached) continue;
        if (least->keys > 1) least->keys = 1;
        if (least->completed > 1) least->completed = 1;
    }
}

/* Where a budget refuses a call, a run goes another way: it makes calls of its own choice. */
static void allow_anything(struct sim *sim)
{
    for (uint32_t i = 1; i <= sim->programs.site_count; i++) {
        sim->most[i].keys += FREE_MAX;
        sim->most[i].completed += FREE_MAX;
        sim->most[i].failed += FREE_MAX;
        sim->most[i].dead += FREE_MAX;
    }
}

void clients_begin(struct sim *sim)
{
    uint16_t count  = stage_partition_count(sim->stage);
    sim->plan_count = 1 + sim_draw(sim, RUNS_MAX);
    for (size_t i = 0; i < sim->plan_count; i++) {
        struct plan *plan = &sim->plans[i];
        plan->program     = sim_draw(sim, sim->programs.count);
        plan->n           = (int64_t)sim_draw(sim, 1000);
        plan->is_stopped  = sim_draw(sim, 10) == 0;
        (void)snprintf(plan->client_id, sizeof plan->client_id, "c%zu", i);
        sim_budgets_own(sim, plan);
        program_run(&sim->programs, plan->program, plan->n, sim->most,
                    plan->is_stopped ? EXTENT_AT_MOST : EXTENT_ALL, &plan->result);
        if (plan->tokens > 0) {
            allow_anything(sim);
        } else if (!plan->is_stopped) {
            struct result again;
            program_run(&sim->programs, plan->program, plan->n, sim->least, EXTENT_LEAST, &again);
        }
        struct op *op = client_op(sim, OP_START, plan);
        op->partition = partition_of_text(str_from("sim"), str_from(plan->client_id), count);
        sim_at(sim, (int64_t)sim_draw(sim, 10'000) * MS, client_send, op);
    }
    share_answers(sim);
    sim_at(sim, 1 * SECOND, look_around, NULL);
}

bool clients_are_done(const struct sim *sim)
{
    for (const struct op *op = sim->ops; op; op = op->next) {
        if (!op->is_done) return false;
    }
    return true;
}
