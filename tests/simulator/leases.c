/* The books of leases, kept in the steps that make them, and what a job is about. */
#include "base/assert.h"
#include "job.pb-c.h"
#include "sim.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

static struct lease_note *note_of(struct sim *sim, const char *job)
{
    struct lease_note *note = map_get(sim->leases, str_from(job));
    if (note) return note;
    note = arena_alloc(sim->arena, sizeof *note);
    ASSERT(note);
    *note      = (struct lease_note){.is_over = true, .next = sim->notes};
    sim->notes = note;
    (void)snprintf(note->job, sizeof note->job, "%s", job);
    bool is_put = map_put(sim->leases, str_from(note->job), note);
    ASSERT(is_put);
    return note;
}

static bool is_token_of(const struct lease_note *note, ProtobufCBinaryData token)
{
    return note->token_len == token.len && memcmp(note->token, token.data, token.len) == 0;
}

/* A prompt, or the first message that it has become. */
static json prompt_of(json arguments)
{
    json messages = json_get_text(arguments, "messages");
    if (!json_is(messages, JSON_ARRAY)) return json_get_text(arguments, "prompt");
    return json_get_text(json_at(messages, 0), "content");
}

bool sim_arguments(const struct sim *sim, json arguments, uint32_t *ret_site, int64_t *ret_n)
{
    int64_t site = 0;
    json prompt  = prompt_of(arguments);
    char *end    = NULL;
    bool is_read = json_to_int(json_get_text(arguments, "k"), &site) &&
                   json_to_int(json_get_text(arguments, "n"), ret_n);
    if (json_is(prompt, JSON_TEXT)) {
        site    = strtoll(json_str(prompt).ptr, &end, 10);
        *ret_n  = strtoll(end, &end, 10);
        is_read = *end == '\0';
    }
    *ret_site = (uint32_t)site;
    return is_read && site > 0 && site <= sim->programs.site_count;
}

bool sim_job_arguments(const struct sim *sim, const Pb__LeasedJob *job, uint32_t *ret_site,
                       int64_t *ret_n)
{
    CLEANUP(json_unrefp) json input = json_invalid();
    const str text                  = {(const char *)job->input_json.data, job->input_json.len};
    return json_parse(text, NULL, &input, NULL, NULL) == STATUS_OK &&
           sim_arguments(sim, input, ret_site, ret_n);
}

static void count_lease(struct sim *sim, uint16_t partition, struct lease_note *note,
                        const Pb__LeasedJob *job)
{
    uint32_t site   = 0;
    int64_t n       = 0;
    note->partition = partition;
    note->is_model  = strcmp(job->function, "llm.chat") == 0;
    if (sim_is_webhook(job)) {
        sim->limits.starved_since_us = 0;
        sim_webhooks_leased(sim, job);
        return;
    }
    if (!sim_job_arguments(sim, job, &site, &n)) return; /* take_job() says so */
    sim->limits.starved_since_us = 0;
    bool is_write                = strcmp(job->function, SIM_WRITE) == 0 ||
                    strcmp(job->function, SIM_UNWRITE) == 0; /* another queue, without limits */
    if (is_write) {
        note->limit_count = 0;
    } else {
        sim_limits_leased(sim, note, job->function, site, n);
    }
    sim_budgets_leased(sim, note, job);
    sim_redrive_leased(sim, job, site);
}

void workers_leased(struct sim *sim, uint16_t partition, const struct command *command)
{
    const Pb__LeasedJobs *answer = command->response;
    if (command->code != STATUS_OK) return;
    for (size_t i = 0; i < answer->n_jobs; i++) {
        const Pb__LeasedJob *job = answer->jobs[i];
        struct lease_note *note  = note_of(sim, job->id);
        int64_t now_us           = sim_engine_us(sim, partition);
        /* By both clocks: a step of the wall clock ends a lease early. */
        if (!note->is_over && note->expires_us > now_us && note->until_us > sim->now_us) {
            sim_fail(sim, "I8: job %s is leased to two workers: the first lease holds for %lld us",
                     job->id, (long long)(note->expires_us - now_us));
        }
        ASSERT(job->lease_token.len <= sizeof note->token);
        note->is_over    = false;
        note->expires_us = job->lease_expires_us;
        note->until_us   = sim->now_us + LEASE_MS * MS;
        note->token_len  = job->lease_token.len;
        memcpy(note->token, job->lease_token.data, note->token_len);
        count_lease(sim, partition, note, job);
    }
}

bool workers_lease_holds(const struct sim *sim, const Pb__LeasedJob *job)
{
    const struct lease_note *note = map_get(sim->leases, str_from(job->id));
    return note && !note->is_over && note->until_us > sim->now_us &&
           is_token_of(note, job->lease_token);
}

void workers_restarted(struct sim *sim)
{
    for (struct lease_note *note = sim->notes; note; note = note->next) {
        int64_t most_us = sim_engine_us(sim, note->partition) + LEASE_MS * MS;
        if (note->expires_us > most_us) note->expires_us = most_us;
    }
}

/* Says whether it is the first that is said under that lease. */
static bool say(struct sim *sim, struct lease_note *note, ProtobufCBinaryData token)
{
    struct said *said = note->said;
    while (said && (said->len != token.len || memcmp(said->token, token.data, token.len) != 0)) {
        said = said->next;
    }
    if (said) return false;
    said = arena_alloc(sim->arena, sizeof *said);
    ASSERT(said && token.len <= sizeof said->token);
    *said      = (struct said){.len = token.len, .next = note->said};
    note->said = said;
    memcpy(said->token, token.data, token.len);
    return true;
}

void workers_reported(struct sim *sim, const struct command *command)
{
    const Pb__JobReports *request      = command->request;
    const Pb__JobReportAnswers *answer = command->response;
    if (command->code != STATUS_OK) return;
    for (size_t i = 0; i < answer->n_reports; i++) {
        struct lease_note *note = note_of(sim, request->reports[i]->job);
        bool is_first           = say(sim, note, request->reports[i]->lease_token);
        if (answer->reports[i]->status == STATUS_FAILED_PRECONDITION) {
            sim_budgets_charge_late(sim, note, request->reports[i], is_first);
        }
        if (answer->reports[i]->status != STATUS_OK) continue;
        if (!is_token_of(note, request->reports[i]->lease_token)) {
            sim_fail(sim, "I8: a report with an old token was accepted for job %s", note->job);
        } else if (note->is_over) {
            sim_fail(sim, "I8: a second report was accepted for job %s", note->job);
        }
        note->is_over = true;
        sim_budgets_charge(sim, note, request->reports[i]);
        sim_budgets_see(sim, note);
        sim_redrive_reported(sim, request->reports[i]);
        sim_webhooks_reported(sim, request->reports[i]);
    }
}

void workers_beaten(struct sim *sim, const struct command *command)
{
    const Pb__Heartbeats *request      = command->request;
    const Pb__HeartbeatAnswers *answer = command->response;
    if (command->code != STATUS_OK) return;
    for (size_t i = 0; i < answer->n_jobs; i++) {
        if (answer->jobs[i]->status != STATUS_OK) continue;
        struct lease_note *note = note_of(sim, request->jobs[i]->job);
        if (!is_token_of(note, request->jobs[i]->lease_token)) {
            sim_fail(sim, "I8: a heartbeat with an old token was accepted for job %s", note->job);
        }
        note->expires_us = answer->jobs[i]->lease_expires_us;
        note->until_us   = sim->now_us + LEASE_MS * MS;
    }
}
