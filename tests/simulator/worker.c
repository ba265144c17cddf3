/* Workers: they poll, do jobs or fail at them, beat or fall silent, die and come back. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "job.pb-c.h"
#include "scheduler/engine/jobs/lease_token.h"
#include "sim.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum {
    POLL_WAIT_MS = 5'000,
    REPORTS_MAX  = 40, /* tries; a worker gives up then */
    OUTPUT_MAX   = 128,
};

/* --- what the outside sees ----------------------------------------------------------------------
 */

/* A key stands for one piece of work: always the same place, always the same arguments. */
static void see_key(struct sim *sim, const Pb__LeasedJob *job, uint32_t site, int64_t n)
{
    int64_t seen = (int64_t)(intptr_t)map_get(sim->keys, str_from(job->idempotency_key));
    int64_t note = 1 + n * SITES_MAX + site;
    if (seen == 0) {
        bool is_put = map_put(sim->keys, str_from(job->idempotency_key), (void *)(intptr_t)note);
        ASSERT(is_put);
        sim->seen_keys[site]++;
    } else if (seen != note) {
        sim_fail(sim, "key %s stands for two calls", job->idempotency_key);
    }
}

/* --- reports ------------------------------------------------------------------------------------
 */

static ProtobufCBinaryData binary(struct stage_call *call, const void *data, size_t len)
{
    uint8_t *copy = stage_call_alloc(call, len + 1);
    memcpy(copy, data, len);
    return (ProtobufCBinaryData){.len = len, .data = copy};
}

static json parse(const char *text)
{
    json value  = json_invalid();
    status read = json_parse(str_from(text), NULL, &value, NULL, NULL);
    ASSERT(read == STATUS_OK);
    return value;
}

static json value_of(const struct task_in_hand *task)
{
    char text[OUTPUT_MAX];
    if (task->ending == ENDS_COMPLETED && task->output) return parse(task->output);
    if (task->ending == ENDS_COMPLETED) {
        (void)snprintf(text, sizeof text, "{\"n\":%lld}",
                       (long long)site_step(task->site, task->n));
    } else if (task->error) {
        (void)snprintf(text, sizeof text, "{\"type\":\"%s\",\"status\":503}", task->error);
    } else {
        bool is_permanent = task->ending == ENDS_PERMANENT;
        int number        = is_permanent ? 422 : 503;
        if (task->ending == ENDS_GONE) number = 410;
        (void)snprintf(text, sizeof text, "{\"type\":\"https://sim.test/%s/%u\",\"status\":%d}",
                       is_permanent ? "permanent" : "transient", task->site, number);
    }
    return parse(text);
}

static void fill_report(struct sim *sim, struct stage_call *call, const struct task_in_hand *task,
                        Pb__JobReport *report)
{
    *report             = (Pb__JobReport)PB__JOB_REPORT__INIT;
    report->job         = arena_strdup(call->arena, str_from(task->job.text));
    report->lease_token = binary(call, task->token, task->token_len);
    if (task->ending == ENDS_COMPLETED) {
        report->result_case = PB__JOB_REPORT__RESULT_COMPLETED;
        report->completed   = stage_call_alloc(call, sizeof *report->completed);
        *report->completed  = (Pb__JobCompleted)PB__JOB_COMPLETED__INIT;
    } else if (task->ending == ENDS_RELEASED) {
        report->result_case = PB__JOB_REPORT__RESULT_RELEASED;
        report->released    = stage_call_alloc(call, sizeof *report->released);
        *report->released   = (Pb__JobReleased)PB__JOB_RELEASED__INIT;
    } else {
        report->result_case             = PB__JOB_REPORT__RESULT_FAILED;
        report->failed                  = stage_call_alloc(call, sizeof *report->failed);
        *report->failed                 = (Pb__JobFailed)PB__JOB_FAILED__INIT;
        report->failed->transient       = task->ending == ENDS_TRANSIENT;
        report->failed->unknown_outcome = task->ending == ENDS_UNSURE;
        report->failed->nothing_done    = task->ending == ENDS_UNDONE;
        sim_cuts_put(sim, call, task, report->failed);
        if (task->error) { /* as it came over the wire; the books read it when it is answered */
            report->failed->error_json = binary(call, task->error, strlen(task->error));
        }
    }
    sim_budgets_put(sim, call, task, report);
}

static struct stage_call *make_report(struct sim *sim, void *subject)
{
    const struct task_in_hand *task = subject;
    struct stage_call *call         = stage_call_new(COMMAND_REPORT, 2);
    Pb__JobReports *request         = stage_call_alloc(call, sizeof *request);
    Pb__JobReportAnswers *response  = stage_call_alloc(call, sizeof *response);
    Pb__JobReport *report           = stage_call_alloc(call, sizeof *report);
    Pb__JobReport **list            = stage_call_alloc(call, sizeof *list);
    *request                        = (Pb__JobReports)PB__JOB_REPORTS__INIT;
    *response                       = (Pb__JobReportAnswers)PB__JOB_REPORT_ANSWERS__INIT;
    fill_report(sim, call, task, report);
    list[0]                = report;
    request->worker        = task->worker->name;
    request->reports       = list;
    request->n_reports     = 1;
    call->command.request  = request;
    call->command.response = response;
    if (task->ending != ENDS_RELEASED) call->command.values[0] = value_of(task);
    bool has_failed = report->result_case == PB__JOB_REPORT__RESULT_FAILED;
    if (has_failed && report->failed->undo_json.len > 0) {
        call->command.values[1] = parse((const char *)report->failed->undo_json.data);
    }
    return call;
}

static bool is_gone(const struct task_in_hand *task)
{
    return task->is_over || task->life != task->worker->life;
}

static void on_report(struct sim *, struct stage_call *call, void *subject)
{
    struct task_in_hand *task = subject;
    if (is_gone(task)) return;
    const Pb__JobReportAnswers *answer = call->command.response;
    /* Whatever it says, it was heard; no answer: again. */
    if (call->command.code == STATUS_OK && answer->n_reports == 1) task->is_over = true;
}

static void report(struct sim *sim, void *subject)
{
    struct task_in_hand *task = subject;
    if (is_gone(task)) return;
    if (task->reports++ == REPORTS_MAX) {
        task->is_over = true;
        return;
    }
    if (task->ending == ENDS_COMPLETED && task->reports == 1) sim_cuts_done(sim, task);
    sim_trace(sim, "%s reports %s: %d", task->worker->name, task->job.text, (int)task->ending);
    network_send(sim, task->partition, make_report, on_report, task);
    sim_at(sim, 1 * SECOND + (int64_t)sim_draw(sim, 2'000) * MS, report, task);
}

/* --- heartbeats ---------------------------------------------------------------------------------
 */

/* Its answer outgrows what is set aside for it. */
static Pb__BudgetDraw *make_draw(struct sim *sim, struct stage_call *call)
{
    Pb__BudgetDraw *draw = stage_call_alloc(call, sizeof *draw);
    *draw                = (Pb__BudgetDraw)PB__BUDGET_DRAW__INIT;
    draw->output_tokens  = (int64_t)sim_draw(sim, 2 * BUDGET_OUTPUT_TOKENS);
    return draw;
}

static struct stage_call *make_beat(struct sim *sim, void *subject)
{
    const struct task_in_hand *task = subject;
    struct stage_call *call         = stage_call_new(COMMAND_HEARTBEAT, 0);
    Pb__Heartbeats *request         = stage_call_alloc(call, sizeof *request);
    Pb__HeartbeatAnswers *response  = stage_call_alloc(call, sizeof *response);
    Pb__Heartbeat *beat             = stage_call_alloc(call, sizeof *beat);
    Pb__Heartbeat **list            = stage_call_alloc(call, sizeof *list);
    *request                        = (Pb__Heartbeats)PB__HEARTBEATS__INIT;
    *response                       = (Pb__HeartbeatAnswers)PB__HEARTBEAT_ANSWERS__INIT;
    *beat                           = (Pb__Heartbeat)PB__HEARTBEAT__INIT;
    beat->job                       = arena_strdup(call->arena, str_from(task->job.text));
    beat->lease_token               = binary(call, task->token, task->token_len);
    if (task->used.tokens > 0 && sim_draw(sim, 2) > 0) beat->draw = make_draw(sim, call);
    list[0]                = beat;
    request->worker        = task->worker->name;
    request->jobs          = list;
    request->n_jobs        = 1;
    call->command.request  = request;
    call->command.response = response;
    return call;
}

static void on_beat(struct sim *sim, struct stage_call *call, void *subject)
{
    struct task_in_hand *task          = subject;
    const Pb__HeartbeatAnswers *answer = call->command.response;
    if (is_gone(task) || call->command.code != STATUS_OK || answer->n_jobs != 1) return;
    bool is_lost = answer->jobs[0]->status != STATUS_OK;
    if (!is_lost && !answer->jobs[0]->cancel) return;
    task->is_over = !answer->jobs[0]->cancel || task->used.tokens == 0 || sim_draw(sim, 2) > 0;
    if (task->is_over) return;
    task->beats  = false;
    task->ending = ENDS_RELEASED; /* it stops, and says what its call has cost until then */
    report(sim, task);
}

static void beat(struct sim *sim, void *subject)
{
    struct task_in_hand *task = subject;
    if (is_gone(task) || !task->beats) return;
    network_send(sim, task->partition, make_beat, on_beat, task);
    sim_at(sim, LEASE_MS / 3 * MS, beat, task);
}

/* --- jobs ---------------------------------------------------------------------------------------
 */

static void choose_ending(struct sim *sim, struct task_in_hand *task)
{
    const struct site *site = &sim->programs.sites[task->site];
    task->ending            = ENDS_COMPLETED;
    if (site->kind == SITE_PERMANENT) task->ending = ENDS_PERMANENT;
    if (site->kind == SITE_EXHAUST || site->kind == SITE_NOT_UNDONE) {
        task->ending = ENDS_TRANSIENT;
    }
    if (site->kind == SITE_LATE) sim_redrive_choose(sim, task);
    if (sim_chance(sim, 3)) task->ending = ENDS_RELEASED;
    /* A late call has a few attempts only: it fails as often as it was drawn to, and no more. */
    bool is_flaky = site->is_flaky && site->kind != SITE_LATE;
    if (is_flaky && task->ending == ENDS_COMPLETED && sim_chance(sim, sim->weather.fails)) {
        task->ending = ENDS_TRANSIENT;
    }
}

static struct task_in_hand *task_new(struct sim *sim)
{
    struct task_in_hand *task = arena_alloc(sim->arena, sizeof *task);
    ASSERT(task);
    *task = (struct task_in_hand){};
    return task;
}

static void do_job(struct sim *sim, struct task_in_hand *task, const Pb__LeasedJob *job)
{
    see_key(sim, job, task->site, task->n);
    choose_ending(sim, task);
    bool is_unsure = sim->programs.sites[task->site].kind == SITE_UNSURE;
    task->settles  = job->settles;
    if (job->settles && !is_unsure) sim_fail(sim, "job %s is not to be looked up", job->id);
    bool is_begun = task->ending != ENDS_RELEASED && workers_lease_holds(sim, job);
    if (is_unsure && is_begun) sim_cuts_choose(sim, task, job->settles);
    if (is_unsure && !is_begun) task->ending = ENDS_RELEASED;
    if (sim->programs.sites[task->site].kind == SITE_TURN) sim_agents_answer(sim, task, job);
    sim_budgets_bill(sim, task, job);
}

static void take_job(struct sim *sim, struct sim_worker *worker, uint16_t partition,
                     const Pb__LeasedJob *job)
{
    struct task_in_hand *task = task_new(sim);
    bool is_webhook           = sim_is_webhook(job);
    if (!is_webhook && !sim_job_arguments(sim, job, &task->site, &task->n)) {
        sim_fail(sim, "job %s has another input than it was given", job->id);
        return;
    }
    task->worker    = worker;
    task->life      = worker->life;
    task->partition = partition;
    task->attempt   = job->attempt;
    task->beats     = !sim_chance(sim, sim->weather.silent);
    task->token_len = job->lease_token.len;
    task->key       = arena_strdup(sim->arena, str_from(job->idempotency_key));
    memcpy(task->job.text, job->id, ID_LEN);
    memcpy(task->token, job->lease_token.data, task->token_len);
    sim_trace(sim, "%s has %s, place %u, attempt %u: %s", worker->name, job->id, task->site,
              task->attempt, job->idempotency_key);
    if (is_webhook) {
        sim_webhooks_receive(sim, task, job);
    } else {
        do_job(sim, task, job);
    }
    int64_t takes_us = (int64_t)sim_draw(sim, 500) * MS;
    if (sim_chance(sim, sim->weather.slow)) takes_us = (int64_t)sim_draw(sim, 3 * LEASE_MS) * MS;
    sim_at(sim, takes_us, report, task);
    if (task->beats) sim_at(sim, LEASE_MS / 3 * MS, beat, task);
}

/* --- polls --------------------------------------------------------------------------------------
 */

struct poll_of {
    struct sim_worker *worker;
    unsigned life;
    uint16_t partition;
    uint64_t number;
    bool is_answered;
};

static void poll(struct sim *sim, void *subject);

static void poll_again(struct sim *sim, struct sim_worker *worker, uint16_t partition,
                       int64_t delay_us)
{
    struct poll_of *next = arena_alloc(sim->arena, sizeof *next);
    ASSERT(next);
    *next                    = (struct poll_of){.worker    = worker,
                                                .life      = worker->life,
                                                .partition = partition,
                                                .number    = ++sim->poll_count};
    worker->polls[partition] = next->number;
    sim_at(sim, delay_us, poll, next);
}

/* Now and then a worker wants jobs of one function only. */
static void choose_function(struct sim *sim, struct stage_call *call, Pb__LeaseJobs *request)
{
    static const char *const functions[] = {"worker.step", "worker.undo"};
    if (sim_draw(sim, 4) > 0) return;
    request->functions    = stage_call_alloc(call, sizeof *request->functions);
    request->functions[0] = functions[sim_draw(sim, ARRAY_LEN(functions))];
    request->n_functions  = 1;
    request->n_queues     = 1;
}

static struct stage_call *make_poll(struct sim *sim, void *subject)
{
    const struct poll_of *poll = subject;
    struct stage_call *call    = stage_call_new(COMMAND_LEASE, 0);
    Pb__LeaseJobs *request     = stage_call_alloc(call, sizeof *request);
    Pb__LeasedJobs *response   = stage_call_alloc(call, sizeof *response);
    const char **queues        = stage_call_alloc(call, 5 * sizeof *queues);
    *request                   = (Pb__LeaseJobs)PB__LEASE_JOBS__INIT;
    *response                  = (Pb__LeasedJobs)PB__LEASED_JOBS__INIT;
    queues[0]                  = "default";
    request->queues            = queues;
    queues[1]                  = "llm";
    queues[2]                  = "tools";
    queues[3]                  = "tools.settle";
    queues[4]                  = "tools.webhooks";
    request->n_queues          = sim->webhooks.count > 0 ? 5 : 4;
    request->worker            = poll->worker->name;
    request->kind              = "external";
    request->count_max         = 1 + (uint32_t)sim_draw(sim, 3);
    request->wait_ms           = POLL_WAIT_MS;
    request->lease_ms          = LEASE_MS;
    choose_function(sim, call, request);
    call->command.request   = request;
    call->command.response  = response;
    call->command.namespace = str_from("sim");
    call->command.id        = ++sim->request_count;
    return call;
}

static void check_wanted(struct sim *sim, const Pb__LeaseJobs *poll, const Pb__LeasedJob *job)
{
    if (poll->n_functions == 0 || strcmp(poll->functions[0], job->function) == 0) return;
    sim_fail(sim, "a poll for %s got a job of %s", poll->functions[0], job->function);
}

static void die(struct sim *sim, struct sim_worker *worker)
{
    sim_trace(sim, "%s dies", worker->name);
    worker->life++;
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
        poll_again(sim, worker, i, (int64_t)sim_draw(sim, 6'000) * MS);
    }
}

static void on_poll(struct sim *sim, struct stage_call *call, void *subject)
{
    struct poll_of *poll         = subject;
    struct sim_worker *worker    = poll->worker;
    const Pb__LeasedJobs *answer = call->command.response;
    if (worker->life != poll->life) return;
    for (size_t i = 0; call->command.code == STATUS_OK && i < answer->n_jobs; i++) {
        if (sim_chance(sim, sim->weather.dies)) {
            die(sim, worker);
            return;
        }
        check_wanted(sim, call->command.request, answer->jobs[i]);
        take_job(sim, worker, poll->partition, answer->jobs[i]);
    }
    if (poll->is_answered || worker->polls[poll->partition] != poll->number) return;
    poll->is_answered = true;
    poll_again(sim, worker, poll->partition, (int64_t)sim_draw(sim, 200) * MS);
}

static void give_up(struct sim *sim, void *subject)
{
    struct poll_of *poll = subject;
    bool is_current =
        poll->worker->life == poll->life && poll->worker->polls[poll->partition] == poll->number;
    if (is_current && !poll->is_answered) poll_again(sim, poll->worker, poll->partition, 0);
}

static void poll(struct sim *sim, void *subject)
{
    struct poll_of *poll = subject;
    bool is_current =
        poll->worker->life == poll->life && poll->worker->polls[poll->partition] == poll->number;
    if (!is_current) return;
    network_send(sim, poll->partition, make_poll, on_poll, poll);
    sim_at(sim, (POLL_WAIT_MS + 1'000) * MS, give_up, poll);
}

void workers_begin(struct sim *sim)
{
    sim->worker_count = 1 + sim_draw(sim, WORKERS_MAX_SIM);
    for (unsigned i = 0; i < sim->worker_count; i++) {
        struct sim_worker *worker = &sim->workers[i];
        worker->index             = i;
        (void)snprintf(worker->name, sizeof worker->name, "w%u", i);
        for (uint16_t p = 0; p < stage_partition_count(sim->stage); p++) {
            poll_again(sim, worker, p, (int64_t)sim_draw(sim, 500) * MS);
        }
    }
}
