/*
 * tutti-scheduler: keeps the runs of its partitions and decides what happens next.
 *
 * Start-up reads from top to bottom. Shutdown is the same list from bottom to top, because the
 * CLEANUPs run in reverse when serve() returns.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "rpc/rpc_threads.h"
#include "scheduler/bootstrap.h"
#include "scheduler/config.h"
#include "scheduler/engine/metrics.h"
#include "scheduler/engine/removal/retention.h"
#include "scheduler/maintenance.h"
#include "scheduler/services/overview.h"
#include "scheduler/services/server.h"
#include "telemetry/telemetry.h"

#include <stdlib.h>
#include <unistd.h>

enum { FINDINGS_ARENA_MAX = 1 << 20 /* bytes */ };

/* --- options into what the parts want ----------------------------------------------------------
 */

static bool parse_index(const char *text, int64_t count, size_t *ret_index)
{
    char *end  = NULL;
    long index = strtol(text, &end, 10);
    if (!*text || *end || index < 0 || index >= count) return false;
    *ret_index = (size_t)index;
    return true;
}

/* Which partitions are ours; NULL: all. */
static status owned_of(const struct options *options, bool **ret_owned, struct error *reterr)
{
    if (options->owned.count == 0) return STATUS_OK;
    bool *owned = mem_new((size_t)options->partitions, sizeof *owned);
    *ret_owned  = owned;
    for (size_t i = 0; i < options->owned.count; i++) {
        size_t index = 0;
        if (!parse_index(options->owned.items[i], options->partitions, &index)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "scheduler.owned: `%s` is no partition",
                        options->owned.items[i]);
        }
        owned[index] = true;
    }
    return STATUS_OK;
}

static void free_bools(bool **bools)
{
    free(*bools);
}

static struct breaker_rules breaker_rules_from(const struct options *options)
{
    return (struct breaker_rules){
        .common  = {.failures  = (uint32_t)options->breaker_failures,
                    .window_us = options->breaker_window_ms * 1000,
                    .open_us   = options->breaker_open_ms * 1000,
                    .successes = (uint32_t)options->breaker_successes},
        .targets = options->targets,
    };
}

static struct rpc_identity identity_of(const struct config_rpc *rpc)
{
    return rpc_identity_of("scheduler", rpc->token.value, rpc->token_previous.value);
}

static struct rpc_tls tls_of(const struct config_rpc *rpc)
{
    return (struct rpc_tls){.ca_file = rpc->ca_file, .cert_key_file = rpc->cert_key_file};
}

static bool owns_all(const struct options *options, const bool *owned)
{
    for (int64_t i = 0; owned && i < options->partitions; i++) {
        if (!owned[i]) return false;
    }
    return true;
}

static status open_scheduler(const struct options *options, const struct retention *retention,
                             struct engine_metrics *metrics, struct scheduler **ret_scheduler,
                             struct error *reterr)
{
    CLEANUP(free_bools) bool *owned = NULL;
    TRY(owned_of(options, &owned, reterr));
    if ((options->backup_every_ms > 0 || options->backup_keep_ms > 0) && !options->backup_path) {
        return fail(
            reterr, STATUS_INVALID_ARGUMENT,
            "scheduler.backup: `every` and `keep` need a folder: set scheduler.backup.path");
    }
    bool has_peers = !owns_all(options, owned);
    if (has_peers && !options->peers) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "scheduler.peers: name the endpoints of all scheduler processes, since "
                    "scheduler.owned leaves partitions to others");
    }
    const struct peers_options peers                 = {.endpoints = options->peers,
                                                        .identity  = identity_of(&options->rpc),
                                                        .tls       = tls_of(&options->rpc),
                                                        .count     = (uint16_t)options->partitions};
    const struct scheduler_options scheduler_options = {
        .folder        = options->store_path,
        .map_size      = options->store_map_size,
        .safekeeping   = {.backup_folder        = options->backup_path,
                          .backup_every_ms      = options->backup_every_ms,
                          .backup_keep_ms       = options->backup_keep_ms,
                          .erasures_keep_us     = retention->erasures_keep_us,
                          .archive_folder       = options->archive_path,
                          .archive_interval_ms  = options->archive_interval_ms,
                          .archive_segment_size = options->archive_segment_size,
                          .archive_backlog_size = options->archive_backlog_size},
        .count         = (uint16_t)options->partitions,
        .owned         = owned,
        .peers         = has_peers ? &peers : NULL,
        .lease_ms      = (uint32_t)options->heartbeat_timeout_ms,
        .has_four_eyes = options->four_eyes,
        .has_one_cpu   = options->one_cpu,
        .retention     = retention,
        .audit         = {.is_on = options->audit, .keep_us = options->audit_keep_ms * 1'000},
        .cache_limits  = {.entries_max     = (uint64_t)options->cache_entries,
                          .bytes_max       = options->cache_size,
                          .value_bytes_max = options->cache_value_size},
        .limits        = {.attempt_timeout_us = options->job_timeout_ms * 1000},
        .secrets       = {.configured  = options->secrets,
                          .folder      = options->secrets_dir,
                          .environment = environ},
        .breakers      = breaker_rules_from(options),
        .metrics       = metrics,
    };
    return scheduler_open(&scheduler_options, ret_scheduler, reterr);
}

static status start_server(const struct options *options, struct scheduler *scheduler,
                           struct server **ret_server, struct error *reterr)
{
    const struct server_options server_options = {
        .url      = options->listen,
        .long_url = options->long_listen,
        .hint_url = options->hint_listen,
        .identity = identity_of(&options->rpc),
        .tls      = tls_of(&options->rpc),
        .threads  = rpc_threads_rest(),
        .drain_ms = options->drain_ms,
    };
    return server_start(&server_options, scheduler, ret_server, reterr);
}

/* Findings of the trees in the configuration, which only we understand. */
static status read_trees(const struct config *config, const struct options *options,
                         struct retention *retention, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(FINDINGS_ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    secrets_check(config, options->secrets, list);
    retention->keep_us          = options->retention_ms * 1000;
    retention->letters_keep_us  = options->letters_keep_ms * 1000;
    retention->erasures_keep_us = options->erasures_keep_ms * 1000;
    retention_read(config, options->retention_rules, retention, list);
    const struct breaker_rules rules = breaker_rules_from(options);
    breaker_rules_check(&rules, config, list);
    config_print_findings(scheduler_program.name, config_sources_of(config)->file, list);
    if (list->errors == 0) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "the configuration has errors");
}

/* --- what people see ---------------------------------------------------------------------------
 */

static void watch_engines(struct telemetry *telemetry, struct scheduler *scheduler)
{
    for (uint16_t i = 0; i < scheduler_partition_count(scheduler); i++) {
        struct shard *shard = scheduler_shard(scheduler, i);
        if (shard) telemetry_watch(telemetry, "engine", engine_turned_ms, shard->engine);
    }
}

static void unwatch_engines(struct telemetry *telemetry, struct scheduler *scheduler)
{
    for (uint16_t i = 0; i < scheduler_partition_count(scheduler); i++) {
        struct shard *shard = scheduler_shard(scheduler, i);
        if (shard) telemetry_unwatch(telemetry, shard->engine);
    }
}

static void say_started(const struct options *options, const struct telemetry *telemetry,
                        struct scheduler *scheduler, const struct server *server)
{
    const struct shard *first = NULL;
    for (uint16_t i = 0; !first && i < scheduler_partition_count(scheduler); i++) {
        first = scheduler_shard(scheduler, i);
    }
    const char *hints = server_hint_url(server);
    log_write(LOG_INFO, "scheduler.started", LOG_TEXT_OF("version", TUTTI_VERSION),
              LOG_TEXT_OF("listen", server_url(server)),
              LOG_TEXT_OF("long_listen", server_long_url(server)),
              LOG_TEXT_OF("hint_listen", hints ? hints : "none"),
              LOG_TEXT_OF("admin_host", options->admin_host),
              LOG_INT("admin_port", telemetry_port(telemetry)),
              LOG_TEXT_OF("store", options->store_path),
              LOG_INT("store_map_bytes", (int64_t)options->store_map_size),
              LOG_INT("partitions", options->partitions),
              LOG_INT("epoch", first ? first->partition->epoch : 0));
}

/* --- main --------------------------------------------------------------------------------------
 */

static status serve(const struct config *config, const struct options *options,
                    struct error *reterr)
{
    struct retention retention = {};
    TRY(read_trees(config, options, &retention, reterr));
    TRY(process_block_signals(reterr));

    CLEANUP(metrics_freep) struct metrics *metrics = metrics_new();
    metrics_add_process(metrics, TUTTI_VERSION, "");
    CLEANUP(engine_metrics_freep) struct engine_metrics *counts = engine_metrics_new(metrics);

    CLEANUP(overview_freep) struct overview *overview = overview_new(metrics);

    const struct telemetry_options admin = {
        .host    = options->admin_host,
        .port    = (uint16_t)options->admin_port,
        .service = "scheduler",
        .metrics = metrics,
    };
    CLEANUP(telemetry_stopp) struct telemetry *telemetry = NULL;
    TRY(telemetry_start(&admin, &telemetry, reterr));

    CLEANUP(scheduler_closep) struct scheduler *scheduler = NULL;
    TRY(open_scheduler(options, &retention, counts, &scheduler,
                       reterr)); /* goes on after the last commit */
    if (options->bootstrap_key_file) {
        TRY(bootstrap_key(scheduler, options->bootstrap_key_file, reterr));
    }

    CLEANUP(server_stopp) struct server *server = NULL;
    TRY(start_server(options, scheduler, &server, reterr));

    overview_show(overview, scheduler);
    watch_engines(telemetry, scheduler);
    telemetry_set_started(telemetry);
    telemetry_set_ready(telemetry, true, NULL);
    say_started(options, telemetry, scheduler, server);
    process_notify("READY=1");

    status stopped = process_wait_for_stop(reterr);
    process_notify("STOPPING=1");
    log_write(LOG_INFO, "scheduler.draining", LOG_INT("drain_ms", options->drain_ms));
    telemetry_set_ready(telemetry, false, "draining"); /* before the drain: no new calls come in */
    unwatch_engines(telemetry, scheduler);
    overview_show(overview, NULL);
    return stopped;
}

int main(int argc, char **argv)
{
    int exit_code = 0;
    if (maintenance_main(argc, argv, &exit_code)) return exit_code;

    struct options options                      = {};
    CLEANUP(config_freep) struct config *config = NULL;
    exit_code = config_main(&scheduler_program, argc, argv, environ, &options, &config);
    if (exit_code != CONFIG_GO) return exit_code;

    config_start_log("scheduler", &options.common);
    process_install_crash_log();
    struct error error = {};
    return process_exit_code(serve(config, &options, &error), &error);
}
