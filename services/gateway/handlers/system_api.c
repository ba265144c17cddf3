/* Health and the state of the suite. */
#include "base/clock.h"
#include "gateway/api/view.h"
#include "gateway/events/followers.h"
#include "gateway/fleet.h"
#include "gateway/handlers/handlers.h"

/* --- system ------------------------------------------------------------------------------------
 */

static uint64_t workers_of(const Pb__SystemStatus *state, const char *kind)
{
    uint64_t count = 0;
    for (size_t i = 0; i < state->n_workers; i++) {
        if (!kind || str_is(str_from(state->workers[i]->kind), kind)) count++;
    }
    return count;
}

static void put_component(struct json_writer *w, const char *name, bool is_up)
{
    json_member(w, name);
    json_begin_object(w);
    json_put_text(w, "status", str_from(is_up ? "up" : "down"));
}

static void put_partitions(struct json_writer *w, const Pb__SystemStatus *state)
{
    json_member(w, "partitions");
    json_begin_array(w);
    for (size_t i = 0; i < state->n_partitions; i++) {
        const Pb__PartitionStatus *partition = state->partitions[i];
        json_begin_object(w);
        json_put_int(w, "partition", partition->partition);
        json_put_int(w, "epoch", (int64_t)partition->epoch);
        json_put_int(w, "runs_in_memory", (int64_t)partition->runs_in_memory);
        json_put_int(w, "mailbox_depth", (int64_t)partition->mailbox_depth);
        json_put_int(w, "journal_sequence", (int64_t)partition->journal_sequence);
        json_put_int(w, "store_used_bytes", (int64_t)partition->store_used_bytes);
        json_put_int(w, "store_map_bytes", (int64_t)partition->store_map_bytes);
        json_put_int(w, "sync_probe_us", (int64_t)partition->sync_probe_us);
        json_put_int(w, "timers_pending", (int64_t)partition->timers_pending);
        json_put_bool(w, "accepts_runs", partition->accepts_runs);
        json_end_object(w);
    }
    json_end_array(w);
}

static bool archives_work(const Pb__SystemStatus *state)
{
    for (size_t i = 0; i < state->n_archives; i++) {
        if (*state->archives[i]->failure) return false;
    }
    return true;
}

/* Of each scheduler process. */
static void put_archives(struct json_writer *w, const Pb__SystemStatus *state)
{
    if (state->n_archives == 0) return;
    json_member(w, "archives");
    json_begin_array(w);
    for (size_t i = 0; i < state->n_archives; i++) {
        const Pb__ArchiveStatus *archive = state->archives[i];
        json_begin_object(w);
        json_put_text(w, "status", str_from(*archive->failure ? "failing" : "ok"));
        if (*archive->failure) json_put_text(w, "error", str_from(archive->failure));
        if (archive->covered_us > 0) json_put_time(w, "covered_until", archive->covered_us);
        json_put_int(w, "waiting_bytes", (int64_t)archive->waiting_bytes);
        json_put_int(w, "given_up", (int64_t)archive->given_up);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_workers(struct json_writer *w, const Pb__SystemStatus *state)
{
    json_member(w, "workers");
    json_begin_array(w);
    for (size_t i = 0; i < state->n_workers; i++) view_worker(w, state->workers[i]);
    json_end_array(w);
}

static void put_queues(struct json_writer *w, const Pb__SystemStatus *state)
{
    json_member(w, "queues");
    json_begin_array(w);
    for (size_t i = 0; i < state->n_queues; i++) {
        view_queue(w, state->queues[i], clock_unix_us());
    }
    json_end_array(w);
}

static void put_gateway(struct json_writer *w, const struct api *api)
{
    put_component(w, "gateway", true);
    json_put_int(w, "connections", (int64_t)httpd_connections(api->httpd));
    json_put_int(w, "followers", (int64_t)followers_count(api->followers));
    json_end_object(w);
}

static void on_status(struct api_call *call, const Pb__SystemStatus *state, unsigned missing,
                      const struct rpc_answer *failed)
{
    if (!state) {
        api_fail_answer(call, failed);
        return;
    }
    bool has_tools = workers_of(state, "tools") > 0;
    bool has_llm   = workers_of(state, "llm") > 0;
    bool is_whole  = has_tools && has_llm && missing == 0 && archives_work(state);
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    json_begin_object(w);
    json_put_text(w, "status", str_from(is_whole ? "ok" : "degraded"));
    json_put_text(w, "version", str_from(state->version));
    json_member(w, "components");
    json_begin_object(w);
    put_gateway(w, call->api);
    put_component(w, "scheduler", missing == 0);
    json_put_time(w, "started_at", state->started_us);
    put_partitions(w, state);
    put_archives(w, state);
    json_end_object(w);
    put_component(w, "tools", has_tools);
    json_end_object(w);
    put_component(w, "llm", has_llm);
    json_end_object(w);
    put_queues(w, state);
    put_workers(w, state);
    json_end_object(w);
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
}

void system_status(struct api_call *call)
{
    fleet_ask_status(call, on_status);
}

static void send_health(struct api_call *call, const Pb__SystemStatus *state)
{
    uint64_t depth = 0;
    for (size_t i = 0; state && i < state->n_queues; i++) depth += state->queues[i]->depth;
    uint64_t workers = state ? workers_of(state, NULL) : 0;
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    json_begin_object(w);
    json_put_text(w, "status", str_from(state ? "ok" : "degraded"));
    json_put_text(w, "version", str_from(call->api->version));
    json_member(w, "worker_system");
    json_begin_object(w);
    json_put_bool(w, "enabled", workers > 0);
    json_put_text(w, "type", str_from("tutti"));
    json_put_int(w, "workers", (int64_t)workers);
    json_put_int(w, "queue_length", (int64_t)depth);
    json_end_object(w);
    json_end_object(w);
    api_answer_send(&response, state ? 200 : 503, NULL);
}

/* The API works while one scheduler answers; a part of the runs does not if one is missing. */
static void on_health(struct api_call *call, const Pb__SystemStatus *state, unsigned missing,
                      const struct rpc_answer *)
{
    send_health(call, missing == 0 ? state : NULL);
}

void system_health(struct api_call *call)
{
    fleet_ask_status(call, on_health);
}

void system_version(struct api_call *call)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_text(&response.json, "version", str_from(call->api->version));
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
}

void system_openapi(struct api_call *call)
{
    api_respond(call, 200, "application/json", contract_json(call->api->contract), NULL, 0);
}
